"""One tool's life in real browsers: a developer makes it from the template, an administrator approves it, a researcher runs
it on forty series of which one is broken, reads the table, asks where a number comes from, and does it all again.

Three people, three JupyterLabs, one real service with worker and sandboxes; only hub and Keycloak are absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from sqlalchemy import select
from support.bad_manifests import CASES, FILES
from support.chromium import Album, chromium
from support.lab_server import LAB, LabServer, lab_server
from support.samples import write_ct_series
from support.workplace import Workplace, workplace
from support.world import add_version
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.database import reading
from voxelhub_service.models import Project
from voxelhub_service.tools.checking import check_manifest

ENVIRONMENT = "tool-segment-otsu"  # has SimpleITK
pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not (LAB.parent / ENVIRONMENT).exists(), reason=f"the environment {ENVIRONMENT} is not installed"),
]
PATIENCE, LONG = 120_000, 600_000  # ms
SERIES, BROKEN = 40, 23
THEMES = "%40jupyterlab%2Fapputils-extension%3Athemes"
NAME, TITLE = "air-fraction", "Air fraction"
PROGRAM = '''"""How much of a CT series is air: the fraction of voxels below a threshold in Hounsfield units."""

import csv

import SimpleITK as sitk
from voxelhub_tool import error, tool


@tool
def measure(inputs, arguments, output):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sorted(map(str, inputs["series"][0].path.iterdir())))
    try:
        voxels = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        error("The slices of this series do not make one volume.")
    with (output / "air.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["voxels", "air_fraction"])
        writer.writerow([voxels.size, round(float((voxels < arguments["threshold"]).mean()), 6)])


if __name__ == "__main__":
    measure()
'''


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Forty small CT series; one has a slice of another size."""
    made = {}
    for number in range(1, SERIES + 1):
        folder = write_ct_series(tmp_path_factory.mktemp("series") / "ct", (16 + number % 3, 16, 4))
        files = {f"case-{number:02d}/{path.name}": path.read_bytes() for path in sorted(folder.iterdir())}
        if number == BROKEN:
            other = write_ct_series(tmp_path_factory.mktemp("other") / "ct", (24, 24, 4))
            files[list(files)[2]] = sorted(other.iterdir())[2].read_bytes()  # as when a copy went wrong
        made[f"case {number:02d}"] = files
    return made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, series: dict[str, dict[str, bytes]]) -> Iterator[Workplace]:
    with workplace(tmp_path_factory.mktemp("story")) as started:
        with reading(started.context.engine) as session:
            demo = session.scalars(select(Project.id).where(Project.name == "demo")).one()
        add_version(started.context, demo, "Cohort", {
            name: ("series", "ct-image", "dicom", files) for name, files in series.items()})
        yield started


@pytest.fixture(scope="module")
def desks(place: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LabServer]]:
    """A JupyterLab for each person, as the hub would start it."""
    with ExitStack() as stack:
        desks = {"alice": place.lab}
        for user in ("admin", "bob"):
            home = tmp_path_factory.mktemp(user)
            variables = {"JUPYTERHUB_USER": user, "VOXELHUB_PROJECTS": "demo"}
            desks[user] = stack.enter_context(
                lab_server(home, place.api_url, f"token-of-{user}", program="jupyter-lab", environ=variables))
        yield desks


@pytest.fixture
def browser() -> Iterator[BrowserContext]:
    """No request leaves this machine, and no page has an error."""
    with chromium() as (context, outside):
        context.set_default_timeout(PATIENCE)
        errors: list[str] = []
        context.on("weberror", lambda error: errors.append(str(error.error)))
        yield context
        assert outside == [] and errors == []


def sit_down(browser: BrowserContext, desk: LabServer) -> Page:
    browser.clear_cookies()
    page = browser.new_page()
    page.goto(f"{desk.url}/lab?token={desk.token}&reset")
    expect(page.locator(".jp-LauncherCard").filter(has_text="Develop tools")).to_be_visible(timeout=PATIENCE)
    return page


def home_of(place: Workplace) -> Path:
    return place.context.settings.state_dir.parent / "home" / "work"


def open_develop(page: Page) -> Locator:
    page.locator(".jp-LauncherCard").filter(has_text="Develop tools").click()
    develop = page.get_by_test_id("develop-page")
    expect(develop).to_be_visible()
    return develop


def test_from_the_template_to_forty_results(
    browser: BrowserContext, place: Workplace, desks: dict[str, LabServer], tmp_path: Path,
) -> None:
    album = Album(tmp_path / "screenshots", "tools-")
    make_and_submit(sit_down(browser, desks["alice"]), place, album)
    nobody_else_sees_it(place)
    review(sit_down(browser, desks["admin"]), album)
    page = sit_down(browser, desks["bob"])
    run_on_the_cohort(page, album)
    read_the_table(page, album)
    ask_where_it_comes_from(page, album)
    do_it_again(page, album)
    open_as_notebook(page, album)
    take_it_in_dark(browser, desks, album)


def make_and_submit(page: Page, place: Workplace, album: Album) -> None:
    develop = open_develop(page)
    develop.get_by_test_id("new-tool").click()
    dialog = page.get_by_test_id("new-tool-dialog")
    dialog.get_by_test_id("new-tool-name").fill("Air Fraction")
    expect(dialog).to_contain_text("Write lower-case letters, digits and hyphens")
    dialog.get_by_test_id("new-tool-name").fill(NAME)
    album.take(page, "new")
    dialog.get_by_test_id("new-tool-make").click()
    expect(develop.get_by_test_id("tool-folder")).to_have_value(NAME)
    folder = home_of(place) / NAME
    write_it(folder, wrong=True)
    develop.get_by_test_id("check-tool").click()
    wrong = develop.get_by_test_id("tool-finding").and_(page.locator("[data-level=error]"))
    expect(wrong.first).to_be_visible()
    expect(develop.locator("[data-where='resources.memory']")).to_have_count(1)
    expect(develop.get_by_test_id("submit-tool")).to_be_disabled()
    album.take(page, "to-mend")
    write_it(folder)
    develop.get_by_test_id("check-tool").click()
    expect(develop).to_contain_text("can be submitted")
    album.take(page, "fine")
    develop.get_by_test_id("submit-tool").click()
    dialog = page.get_by_test_id("submit-tool-dialog")
    dialog.get_by_test_id("submit-tool-note").fill("Counts voxels below a threshold; tried on the phantom.")
    dialog.get_by_test_id("submit-tool-confirm").click()
    mine = develop.get_by_test_id("my-submission")
    expect(mine).to_have_attribute("data-state", "submitted")
    album.take(page, "submitted")
    page.close()


def write_it(folder: Path, wrong: bool = False) -> None:
    """What the developer changes in the template, in Lab's editor."""
    manifest = json.loads((folder / "tool.json").read_text())
    memory = "a lot" if wrong else 512 * 1024**2
    manifest |= {
        "title": TITLE, "description": "The fraction of a CT series that is air, by a threshold in Hounsfield units.",
        "keywords": ["ct", "air", "lung"], "environment": ENVIRONMENT,
        "inputs": [{"name": "series", "title": "CT series", "accepts": [{"data_type": "ct-image", "file_format": "dicom"}]}],
        "arguments": {"type": "object", "properties": {"threshold": {
            "type": "number", "title": "Threshold", "x-unit": "HU", "default": -400, "minimum": -1024, "maximum": 3000,
            "description": "Below it a voxel counts as air."}}},
        "outputs": [{"name": "air", "title": "Air", "data_type": "table", "file_format": "csv", "path": "air.csv"}],
        "resources": {"cpu": 0.5, "memory": memory, "time": 300, "output": {"base": 1024**2, "per_input_byte": 0}},
    }
    (folder / "tool.json").write_text(json.dumps(manifest, indent=2))
    (folder / "main.py").write_text(PROGRAM)
    (folder / "test_main.py").unlink(missing_ok=True)


def nobody_else_sees_it(place: Workplace) -> None:
    with place.api("bob") as bob, place.api("alice") as alice:
        assert NAME not in [one["name"] for one in bob.get("/tools").json()["items"]]
        assert bob.get(f"/tools/{NAME}").status_code == 404
        assert NAME in [one["name"] for one in alice.get("/tools").json()["items"]]


def review(page: Page, album: Album) -> None:
    develop = open_develop(page)
    develop.get_by_test_id("develop-review").click()
    item = develop.get_by_test_id("review-item").filter(has_text=NAME)
    item.get_by_test_id("review-open").click()
    detail = item.get_by_test_id("tool-review")
    expect(detail).to_contain_text("asks for nothing beyond its inputs")
    expect(detail).to_contain_text("main.py")
    album.take(page, "review")
    item.get_by_test_id("review-approve").first.click()
    dialog = page.get_by_test_id("tool-decision-dialog")
    expect(dialog.get_by_test_id("tool-decision-confirm")).to_be_disabled()
    dialog.get_by_test_id("tool-decision-reason").fill("Read it: reads a series, writes a table, nothing else.")
    album.take(page, "approve")
    dialog.get_by_test_id("tool-decision-confirm").click()
    expect(develop).to_contain_text("No tool waits for review")
    develop.get_by_test_id("review-decided").click()
    expect(develop.get_by_test_id("review-item")).to_have_attribute("data-state", "approved")
    page.close()


def rows(page: Page) -> Locator:
    return page.locator("[role=row][data-entry]")


def batch(page: Page) -> Locator:
    return page.get_by_test_id("batch-row").filter(has_text="Air in the cohort")


def run_on_the_cohort(page: Page, album: Album) -> None:
    page.get_by_test_id("open-workspace").click()
    page.get_by_test_id("filter-project").select_option("demo")
    page.get_by_test_id("filter-text").fill("case ")
    expect(page.get_by_test_id("row-count")).to_have_text(f"{SERIES} rows")
    rows(page).first.click()
    page.keyboard.press("Control+a")
    page.get_by_test_id("action-tools").click()
    card = page.get_by_test_id(f"tool-{NAME}")
    card.get_by_test_id(f"each-{NAME}").click()
    expect(card.get_by_test_id("each-plan")).to_contain_text(f"{SERIES} runs")
    card.get_by_test_id("output-title").fill("Air in the cohort")
    card.get_by_test_id("argument-threshold").fill("5000")
    expect(card).to_contain_text("at most 3000")
    card.get_by_test_id("argument-threshold").fill("-300")
    card.scroll_into_view_if_needed()
    album.take(page, "run-on-each")
    card.get_by_test_id(f"start-each-{NAME}").click()
    expect(batch(page)).to_have_attribute("data-state", re.compile("failed|succeeded"), timeout=LONG)
    expect(batch(page).get_by_test_id("batch-count-succeeded")).to_contain_text(f"{SERIES - 1} succeeded")
    batch(page).get_by_test_id("batch-count-failed").click()
    expect(batch(page).get_by_test_id("batch-item")).to_have_count(1)
    expect(batch(page).get_by_test_id("batch-item")).to_contain_text("do not make one volume")
    album.take(page, "one-broken")


def read_the_table(page: Page, album: Album) -> None:
    batch(page).get_by_test_id("batch-table").click()
    table = page.get_by_test_id("table-viewer")
    expect(table).to_contain_text("air_fraction")
    expect(table.locator("[role=row][aria-rowindex='2']")).to_contain_text("case 40")  # items stand as their rows stood
    album.take(page, "joined-table")


def ask_where_it_comes_from(page: Page, album: Album) -> None:
    page.get_by_test_id("open-workspace").click()
    page.get_by_test_id("filter-text").fill("air.csv")
    expect(page.get_by_test_id("row-count")).to_contain_text(f"{SERIES - 1} rows")
    rows(page).first.click()
    page.get_by_role("toolbar", name="Actions for the selection").get_by_role("button", name="Details").click()
    page.get_by_test_id("entry-history").click()
    lineage = page.get_by_test_id("lineage-page")
    expect(lineage.get_by_test_id("lineage-node").filter(has_text=TITLE).first).to_be_visible()
    expect(lineage.get_by_test_id("lineage-node").filter(has_text=re.compile(r"^\W*case \d\d")).first).to_be_visible()
    album.take(page, "lineage")


def do_it_again(page: Page, album: Album) -> None:
    page.get_by_test_id("lineage-page").get_by_test_id("lineage-node").filter(has_text=TITLE).first.click()
    page.get_by_test_id("lineage-sheet").get_by_test_id("lineage-again").click()
    compared = page.get_by_test_id("run-row").get_by_test_id("run-compared")
    expect(compared).to_have_attribute("data-identical", "true", timeout=LONG)
    expect(compared).to_contain_text("Same bytes as run0")
    compared.scroll_into_view_if_needed()
    album.take(page, "run-again")


def open_as_notebook(page: Page, album: Album) -> None:
    page.get_by_test_id("run-more").first.click()
    page.get_by_role("menuitem", name="Open as notebook").click()
    expect(page.locator(".jp-NotebookPanel")).to_be_visible()
    expect(page.locator(".jp-NotebookPanel")).to_contain_text("voxelhub")
    album.take(page, "notebook")
    page.close()


def take_it_in_dark(browser: BrowserContext, desks: dict[str, LabServer], album: Album) -> None:
    desk = desks["admin"]
    themes = f"{desk.url}/lab/api/settings/{THEMES}"
    httpx.put(themes, headers=desk.headers, json={"raw": '{"theme": "JupyterLab Dark"}'}).raise_for_status()
    page = sit_down(browser, desk)
    develop = open_develop(page)
    develop.get_by_test_id("develop-review").click()
    develop.get_by_test_id("review-decided").click()
    develop.get_by_test_id("review-open").click()
    expect(develop.get_by_test_id("tool-review")).to_be_visible()
    album.take(page, "review-dark")


def said_in_the_panel(browser: BrowserContext, place: Workplace, desk: LabServer, step: int) -> int:
    """Checks every `step`-th wrong manifest by the page: each error is there with the service's own sentence and fix."""
    develop = open_develop(sit_down(browser, desk))
    folder = home_of(place) / "blur"
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    develop.get_by_test_id("tool-folder").fill("blur")
    cases = CASES[::step]
    for case in cases:
        (folder / "tool.json").write_text(json.dumps(case.raw))
        develop.get_by_test_id("tool-folder").fill("blur ")  # what was found before goes
        expect(develop.get_by_test_id("tool-finding")).to_have_count(0)
        develop.get_by_test_id("tool-folder").fill("blur")
        develop.get_by_test_id("check-tool").click()
        errors = [one for one in check_manifest(case.raw) if one.level == "error"]
        shown = develop.get_by_test_id("tool-finding").and_(develop.page.locator("[data-level=error]"))
        expect(shown.nth(len(errors) - 1)).to_be_visible()
        texts = [" ".join(text.split()) for text in shown.all_inner_texts()]
        for one in errors:
            wanted = [" ".join(text.replace("`", "").split()) for text in (one.sentence, one.fix)]
            assert any(all(part in text for part in wanted) for text in texts), (case.id, wanted, texts)
        expect(develop.get_by_test_id("submit-tool")).to_be_disabled()
    return len(cases)


def test_what_is_wrong_with_a_manifest_is_said_in_the_panel_as_everywhere(
    browser: BrowserContext, place: Workplace, desks: dict[str, LabServer],
) -> None:
    """`make soak` takes all; the same table runs through the command line and the API in tests/service/test_tool_cli.py."""
    assert said_in_the_panel(browser, place, desks["alice"], 10) > 30


@pytest.mark.slow
def test_what_is_wrong_with_any_manifest_is_said_in_the_panel(
    browser: BrowserContext, place: Workplace, desks: dict[str, LabServer],
) -> None:
    assert said_in_the_panel(browser, place, desks["alice"], 1) > 300
