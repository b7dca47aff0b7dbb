"""docs/user.md followed literally: each control that it names is there, called exactly so, when the page comes to it.

The table below says, section by section, what is done with each **bold** phrase; a phrase without a step and a step without
a phrase fail. Real JupyterLab, service, worker, sandboxes and the tools that ship; only hub and Keycloak are absent.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import select
from support import walk_data as data
from support import walk_runs as runs
from support.chromium import chromium
from support.guide import disagreements, sections
from support.held import hold
from support.lab_server import LAB, ROOT
from support.probe import write_probe
from support.samples import write_ct_series, write_mask, write_volume
from support.uploads import TUS
from support.walking import (
    ACTIONS,
    AGAIN,
    BATCH,
    BROKEN,
    CASES,
    DATASETS,
    DETAILS,
    DEVELOP,
    DIALOG,
    DICOM,
    MENU,
    OTSU,
    PATIENCE,
    QUARANTINE,
    RADIOMICS,
    RUN,
    SIDES,
    SLOW,
    TOOLS,
    WORKSPACE,
    Labelled,
    Said,
    Step,
    Walk,
    asks,
    in_front,
    press,
    shows,
)
from support.workplace import Workplace, workplace
from support.world import add_version
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.database import reading
from voxelhub_service.models import Project

NEEDED = ("tool-dicom-to-nifti", "tool-segment-otsu", "tool-radiomics-ibsi", "tool-base")
MISSING = [name for name in NEEDED if not (LAB.parent / name).exists()]
pytestmark = pytest.mark.timeout(1800)

BOLD = Said("bold", "says how this page is written")
JOURNEY = "of the hub's own pages: tests/ui/test_journey.py walks them"
RULE = "not a control: a rule that must not be overlooked"

USER: dict[str, list[Step | Said | Labelled]] = {
    "For researchers": [BOLD],
    "Sign in, choose a size": [
        Said("Sign in", JOURNEY),
        Said("Start", JOURNEY),
        Step("Datasets", "tab", SIDES),
        Step("Tools", "tab", SIDES),
        Step("Planner", "tab", SIDES),
        Step("Access token", "tab", SIDES),
        Step("Workspace", "card", use=press),
    ],
    "Projects": [],
    "Bring data in": [
        Step("Datasets", "tab", SIDES, in_front),
        Step("Upload files", "button", DATASETS, data.upload_files),
        Step("Upload folder", "button", DATASETS, data.upload_folder),
        Step("From a URL…", "button", DATASETS, asks("url-dialog")),
        Step("New text file", "button", DATASETS, asks("text-dialog")),
        Step("Add to it", "radio", DIALOG, data.add_to_it, before=data.the_title_again),
        Step("Replace", "radio", DIALOG, data.replace, before=data.the_title_again),
        Step("Choose again", "button", DATASETS, data.choose_again),
    ],
    "From a URL": [],
    "Quarantine": [
        Step("Quarantine", "button", DATASETS, data.open_quarantine),
        Step("Show name", "button", f"{QUARANTINE} tr:has-text('burned in')", data.show_name),
        Step("Release…", "button", f"{QUARANTINE} tr:has-text('burned in')", asks("decide-dialog")),
        Step("Reject…", "button", f"{QUARANTINE} tr:has-text('burned in')", data.reject),
        Step("Release…", "button", QUARANTINE, data.grey),
    ],
    "Find, look, tidy up": [
        Step("Open workspace", "button", DATASETS, data.open_workspace),
        Step("View", "button", ACTIONS, data.view),
        Step("View with overlay", "button", ACTIONS, before=data.both_knees),
        Step("Details", "button", ACTIONS, shows("details"), before=data.one_knee),
        Step("What changed", "button", DETAILS, data.what_changed),
        Step("Use in a tool", "button", ACTIONS, shows("tools-panel")),
        Step("Tools", "tab", SIDES, in_front),
        Step("Rename", "button", ACTIONS, data.rename),
        Step("Edit type", "button", ACTIONS, data.edit_type, before=data.one_knee),
        Step("Delete to trash", "button", ACTIONS, data.delete, before=data.one_knee),
        Step("Trash", "button", WORKSPACE, data.bring_back),
        Step("Storage", "button", WORKSPACE, data.storage),
    ],
    "Run a tool": [
        Step("Tools", "tab", SIDES, in_front, before=runs.choose_the_series),
        Step("Run", "button", DICOM, runs.run),
        Step("Options", "button", DICOM, press),
        Step("Runs", "region", TOOLS),
        Step("Log", "button", RUN, runs.read_log),
        Step("Cancel", "button", "[data-testid=run-row]:has-text('Probe')", runs.cancel, before=runs.start_a_slow_run),
        Step("Run again", "button", RUN, runs.run_again, before=runs.until_done),
        Step("Show result", "button", RUN, runs.show_result),
        Step("DICOM to NIfTI", "tool", DICOM),
        Step("Foreground by Otsu's threshold", "tool", OTSU),
        Step("Edit type", "button", ACTIONS, before=data.one_knee),
        Step("Radiomic features (IBSI)", "tool", RADIOMICS),
        Step("Moran's I and Geary's C exactly", "checkbox", RADIOMICS, before=runs.options_of_radiomics),
        Step("FASTQ quality and trimming", "tool", TOOLS),
    ],
    "Where a result comes from": [
        Step("History", "button", RUN, shows("lineage-page")),
        Step("List", "button", "[data-testid=lineage-page]", shows("lineage-list")),
        Step("Run again", "button", RUN),
        Step("Same bytes as run007", "text", AGAIN, runs.same_bytes, before=runs.until_compared, here="Same bytes as {label}"),
        Step("Open as notebook", "menuitem", MENU, runs.open_notebook, before=runs.more),
        Step("Save crate", "menuitem", MENU, runs.save_crate, before=runs.more),
    ],
    "Many at once": [
        Step("Run on each (40 runs)", "button", OTSU, runs.plan, before=runs.choose_the_cohort),
        Step("Run once", "button", OTSU),
        Step("left out", "words", "[data-testid=each-plan] strong", runs.left_out, before=runs.plan_pairs),
        Step("Retry failed (1)", "button", BATCH, runs.retry, before=runs.run_three),
        Step("Cancel all", "button", SLOW, runs.cancel_all, before=runs.start_slow_ones),
        Step("Open table", "button", BATCH, runs.open_table),
        Step("Show results", "button", BATCH, runs.show_results),
        Step("Run next", "button", BATCH, runs.run_next),
    ],
    "The queue": [Step("Priority", "combobox", OTSU, runs.low, before=runs.options_of_one)],
    "Plan work on slides": [  # tests/ui/test_planner_panel.py does it
        Said("nothing is sent", RULE),
        Step("Planner", "tab", SIDES, shows("planner-panel")),
        Labelled("Plan", "workspace/panel.tsx"),
        Labelled("Price list", "planner/form.tsx"),
        Said("Split", "an argument of the tool: tools/plan-slides/tool.json"),
        *(Labelled(word, "planner/form.tsx") for word in ("Limits", "The plan goes into", "Advanced")),
        Labelled("Open plan", "planner/plans.tsx"),
        *(Labelled(word, "planner/study.tsx") for word in ("Open as notebook", "Send to these nodes")),
    ],
    "A cluster for larger computations": [  # tests/ui/test_clusters.py does it
        Step("Clusters", "tab", SIDES, shows("clusters-panel")),
        Labelled("New cluster", "clusters/panel.tsx"),
        *(Labelled(word, "clusters/card.tsx")
          for word in ("Insert client cell", "Dashboard", "Size", "Pin", "Close", "Details")),
    ],
    "Clusters in a notebook": [],
    "What it costs": [  # tests/ui/test_spend.py does it
        Step("Spend", "card", use=shows("spend-page"), before=runs.to_the_launcher),
        Labelled("Save as CSV", "spend/page.tsx"),
    ],
    "Kernels and notebooks": [
        Step("Imaging (Python)", "card", ".jp-Launcher-section:has([data-category=Notebook])", before=runs.to_the_launcher),
        Said("Imaging + PyTorch", "there only where an administrator installed it; tests/kernels/test_view_browser.py"),
        Said("JupyterLab's own file browser is not the door", RULE),
    ],
    "What you should know": [
        Said("A program in a terminal does not count", RULE),
        Step("Access token", "tab", SIDES, shows("access-panel")),
        Step("Activity", "card", use=runs.own_trail, before=runs.to_the_launcher),
    ],
}
DEVELOPER: dict[str, list[Step | Said | Labelled]] = {
    "In JupyterLab": [
        Step("Develop tools", "card", use=shows("develop-page"), before=runs.to_the_launcher),
        Step("New tool…", "button", DEVELOP, runs.new_tool),
        Step("Choose…", "button", DEVELOP),
        Step("Check", "button", DEVELOP, runs.check),
        Step("Submit…", "button", DEVELOP, runs.submit),
        Step("Run it on your data", "button", DEVELOP, shows("tools-panel")),
        Step("Withdraw", "button", DEVELOP, runs.withdraw),
        Labelled("Review", "develop/page.tsx"),
        Said("Read it", "only administrators see it: tests/ui/test_tools.py opens it"),
        *(Labelled(word, "develop/review.tsx") for word in ("Approve…", "Reject…", "Change groups…", "Retire…", "Restore…")),
    ],
}


def phrases(steps: dict[str, list[Step | Said | Labelled]]) -> dict[str, list[str]]:
    return {title: [step.phrase for step in some] for title, some in steps.items()}


def test_the_page_and_its_steps_agree() -> None:
    assert disagreements(sections((ROOT / "docs/user.md").read_text()), phrases(USER)) == []
    developer = sections((ROOT / "docs/tool-developer.md").read_text())
    assert disagreements({"In JupyterLab": developer["In JupyterLab"]}, phrases(DEVELOPER)) == []


def test_what_is_new_gone_or_moved_is_named() -> None:
    page = sections("# One\nPress **Go**, then **Stop**.\n```sh\n**no**\n```\n## Two\n**Wait** `**no**`\n")
    assert page == {"One": ["Go", "Stop"], "Two": ["Wait"]}
    assert disagreements(page, page) == []
    assert disagreements(page, {"One": ["Go", "Halt"], "Two": ["Wait"]}) == [
        "“One” of the page names **Stop**, for which the test has no step there.",
        "The test has a step **Halt**, which “One” of the page does not name there.",
    ]
    assert len(disagreements(page, {"One": ["Stop", "Go"], "Two": ["Wait"]})) == 2
    assert disagreements({}, {"Three": ["Go"]}) == ["The test has a step **Go**, which “Three” of the page does not name there."]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    folder = tmp_path_factory.mktemp("page")
    tools = folder / "tools"
    for shipped in (ROOT / "tools").iterdir():
        if (shipped / "tool.json").exists():
            shutil.copytree(shipped, tools / shipped.name)
    with workplace(folder, tools_dir=str(write_probe(tools)), run_cpus=4) as started:
        what_is_there(started, folder)
        yield started


def what_is_there(place: Workplace, folder: Path) -> None:
    """In alpha a cohort of forty volumes, of which one is broken, two masks, and two files in quarantine."""
    write_volume(folder / "case.nii.gz", (16, 16, 8))
    write_mask(folder / "mask.nii.gz", (16, 16, 8))
    volume, mask = (folder / "case.nii.gz").read_bytes(), (folder / "mask.nii.gz").read_bytes()
    with reading(place.context.engine) as session:
        alpha = session.scalars(select(Project.id).where(Project.name == "alpha")).one()
    names = [f"case {number:02d}_T1" for number in range(1, CASES + 1)]
    add_version(place.context, alpha, "Cohort", {
        f"{name}.nii.gz": ("volume", "ct-image", "nifti", {f"{name}.nii.gz": b"broken" if name == BROKEN else volume})
        for name in names})
    add_version(place.context, alpha, "Masks", {
        f"{name}.nii.gz": ("volume", "segmentation-mask", "nifti", {f"{name}.nii.gz": mask})
        for name in ("case 01_mask", "case 03_mask")})
    hold(place.context, "alpha", "alice", [b"a picture"], code="burned_in", reason="Text is burned in.")
    hold(place.context, "alpha", "alice", [b"half a file"], code="not_whole", reason="It ends in the middle.", releasable=False)


@pytest.fixture
def files(tmp_path: Path, place: Workplace) -> Path:
    """What a researcher has at hand, one of it half sent."""
    write_volume(tmp_path / "knee.nii.gz")
    write_mask(tmp_path / "knee-mask.nii.gz")
    write_ct_series(tmp_path / "ct", (16, 16, 6))
    data = write_volume(tmp_path / "long.nii.gz", (40, 40, 20)).read_bytes()
    with place.api() as api:
        order = {"project": "alpha", "title": "Long one", "files": [{"path": "long.nii.gz", "size": len(data)}]}
        upload = api.post("/uploads", json=order).raise_for_status().json()
        address = f"/uploads/{upload['id']}/files/{upload['files'][0]['id']}"
        api.patch(address, headers={**TUS, "Upload-Offset": "0"}, content=data[:1000]).raise_for_status()
    return tmp_path


@pytest.fixture
def walk(place: Workplace, files: Path) -> Iterator[Walk]:
    """A newcomer in JupyterLab. No request leaves this machine, and no page has an error."""
    with chromium() as (context, outside):
        context.set_default_timeout(PATIENCE)
        errors: list[str] = []
        context.on("weberror", lambda error: errors.append(str(error.error)))
        page = context.new_page()
        page.goto(place.page_url)
        expect(page.get_by_test_id("datasets-panel")).to_be_visible(timeout=PATIENCE)
        page.get_by_test_id("project-chooser").select_option("alpha")
        yield Walk(page, place, files)
        assert outside == [] and errors == []


@pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_the_page_followed_literally(walk: Walk) -> None:
    for title, steps in {**USER, **DEVELOPER}.items():
        for step in steps:
            began = time.monotonic()
            step.walk(walk)
            print(f"{title}: {step.phrase}, {time.monotonic() - began:.1f} s")
