"""The page Activity in a real JupyterLab: one's own trail, and for an administrator everybody's, with state, proofs and CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import select
from support.audit_log import verifier
from support.chromium import Album, chromium
from support.lab_server import LabServer, lab_server
from support.workplace import Workplace, workplace
from support.world import add_version
from voxelhub_service.audit.checkpoint import make
from voxelhub_service.database import reading, writing
from voxelhub_service.models import Project, Run

PATIENCE = 120_000  # ms; the machine of the tests has two busy cores
THEMES = "@jupyterlab/apputils-extension:themes"


@dataclass(frozen=True)
class Labs:
    place: Workplace  # of the administrator
    alice: LabServer


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labs]:
    folder = tmp_path_factory.mktemp("activity")
    with workplace(folder, user="admin") as place:
        _history(place)
        variables = {"JUPYTERHUB_USER": "alice", "VOXELHUB_PROJECTS": "demo"}
        with lab_server(folder / "alice", place.api_url, "token-of-alice", program="jupyter-lab", environ=variables) as alice:
            yield Labs(place, alice)


def _history(place: Workplace) -> None:
    """Alice: a day of work, the day before a sign-in; one refusal by the real route. Then a checkpoint over all of it."""
    context = place.context
    with reading(context.engine) as session:
        project = session.scalars(select(Project).where(Project.name == "demo")).one()
    entries = add_version(context, project.id, "Ball study", {
        "ball.nii.gz": ("volume", "ct-image", "nifti", {"ball.nii.gz": b"voxels"})})
    with writing(context.engine) as session:
        session.add(Run(id="7" * 32, number=7, project_id=project.id, owner="alice", kind="tool", title="DICOM to NIfTI",
                        state="succeeded", tool="dicom-to-nifti"))
    now = datetime.now(UTC)
    told = [
        (timedelta(days=1, hours=1), "user.login", "user:alice", "success", {}),
        (timedelta(days=1), "server.start", "user:alice", "success", {"profile": "standard"}),
        (timedelta(seconds=50), "run.create", f"run:{'7' * 32}", "success",
         {"project": "demo", "number": 7, "tool": "dicom-to-nifti", "tool_version": "1.0.0"}),
        (timedelta(seconds=40), "run.end", f"run:{'7' * 32}", "failure", {"project": "demo"}),
        (timedelta(seconds=30), "file.view", f"entry:{entries['ball.nii.gz']}", "success", {"project": "demo"}),
    ]
    for ago, action, resource, outcome, detail in told:
        with writing(context.engine) as session:
            context.audit.append(session, "alice", action, resource, outcome, detail, at=now - ago)  # type: ignore[arg-type]
    with place.api("alice") as api:
        assert api.get("/audit/events").status_code == 403
    make(context.audit, context.engine)


@pytest.fixture
def browser() -> Iterator[BrowserContext]:
    """No request leaves this machine, and no page has an error."""
    with chromium(width=1400) as (context, outside):
        context.set_default_timeout(PATIENCE)
        errors: list[str] = []
        context.on("weberror", lambda error: errors.append(str(error.error)))
        yield context
        assert outside == [] and errors == []


def _open(browser: BrowserContext, lab: LabServer) -> Page:
    """By the launcher, as a newcomer does."""
    page = browser.new_page()
    page.goto(f"{lab.url}/lab?token={lab.token}&reset")
    page.locator(".jp-LauncherCard", has_text="Activity").click()
    expect(page.get_by_test_id("activity-count")).to_have_text(re.compile(r"\d+ records?"), timeout=PATIENCE)
    return page


def _row(page: Page, text: str):  # type: ignore[no-untyped-def]
    return page.get_by_test_id("activity-row").filter(has_text=text)


def _in_theme(lab: LabServer, raw: str) -> None:
    httpx.put(f"{lab.url}/lab/api/settings/{THEMES}", headers=lab.headers, json={"raw": raw}).raise_for_status()


def test_my_own_trail_in_plain_sentences(browser: BrowserContext, labs: Labs, tmp_path: Path) -> None:
    album = Album(tmp_path / "screenshots", "activity-mine-")
    page = _open(browser, labs.alice)
    expect(_row(page, "You started DICOM to NIfTI as run007 in demo.")).to_have_count(1)
    expect(_row(page, "You looked at “ball.nii.gz” in demo.")).to_have_count(1)
    expect(_row(page, "You finished run007, DICOM to NIfTI.")).to_contain_text("failed")
    expect(_row(page, "You tried to read the audit log.")).to_contain_text("refused")
    expect(page.get_by_role("region", name="Yesterday")).to_contain_text("You started a notebook server.")
    expect(page.get_by_test_id("activity-all")).to_have_count(0)
    expect(page.get_by_test_id("activity-csv")).to_have_count(0)
    expect(page.get_by_test_id("activity-state")).to_have_count(0)
    album.take(page, "light")

    page.get_by_test_id("activity-action").select_option("Runs")
    expect(page.get_by_test_id("activity-row")).to_have_count(2)
    page.get_by_test_id("activity-outcome").select_option("Refused")
    expect(page.get_by_text("Nothing fits these filters")).to_be_visible()
    page.get_by_test_id("activity-clear").click()
    today = datetime.now().astimezone().date()
    page.get_by_test_id("activity-to").fill((today - timedelta(days=1)).isoformat())
    expect(_row(page, "You signed in.")).to_have_count(1)
    expect(_row(page, "run007")).to_have_count(0)
    page.get_by_test_id("activity-clear").click()

    more = _row(page, "You looked at").get_by_role("button", name="Show what is recorded")
    more.focus()
    page.keyboard.press("Enter")
    expect(_row(page, "You looked at")).to_contain_text("file.view")
    expect(_row(page, "You looked at")).to_contain_text("signed")
    expect(page.get_by_role("link", name="Save its proof")).to_have_count(0)
    page.set_viewport_size({"width": 760, "height": 900})
    album.take(page, "narrow")


def test_the_access_panel_leads_there(browser: BrowserContext, labs: Labs) -> None:
    page = browser.new_page()
    page.goto(f"{labs.alice.url}/lab?token={labs.alice.token}&reset")
    page.locator("[data-id='voxelhub-access']").click()
    page.get_by_test_id("access-activity").click()
    expect(_row(page, "run007").first).to_be_visible()


def test_an_auditor_sees_everybody_how_far_it_is_signed_and_takes_proofs_and_a_table(
        browser: BrowserContext, labs: Labs, tmp_path: Path) -> None:
    album = Album(tmp_path / "screenshots", "activity-all-")
    page = _open(browser, labs.place.lab)
    page.get_by_test_id("activity-all").click()
    state = page.get_by_test_id("activity-state")
    expect(state).to_contain_text(re.compile(r"The log is whole up to record \d+: checkpoint of \d\d:\d\d, signed\."))
    expect(state).to_contain_text("No second place is set")
    expect(_row(page, "alice started DICOM to NIfTI as run007 in demo.")).to_have_count(1)
    album.take(page, "light")

    page.get_by_test_id("activity-actor").fill("alice")
    page.get_by_test_id("activity-outcome").select_option("Refused")
    expect(page.get_by_test_id("activity-row")).to_have_count(1)
    expect(page.get_by_test_id("activity-count")).to_have_text("1 record")
    with page.expect_download() as download:
        page.get_by_test_id("activity-csv").click()
    download.value.save_as(tmp_path / "log.csv")
    rows = list(csv.reader((tmp_path / "log.csv").read_text().splitlines()))
    assert [row[2:6] for row in rows[1:]] == [["alice", "audit.read", "route:/audit/events", "denied"]]
    page.get_by_test_id("activity-clear").click()

    row = _row(page, "alice started DICOM to NIfTI")
    row.get_by_role("button", name="Show what is recorded").click()
    album.take(page, "recorded")
    with page.expect_download() as download:
        row.get_by_role("link", name="Save its proof").click()
    download.value.save_as(tmp_path / "proof.json")
    assert re.fullmatch(r"proof-\d+\.json", download.value.suggested_filename)
    assert "is in the log of" in verifier().check_proof(tmp_path / "proof.json")[2]

    _in_theme(labs.place.lab, '{"theme": "JupyterLab Dark"}')
    page = _open(browser, labs.place.lab)
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    page.get_by_test_id("activity-all").click()
    expect(_row(page, "alice started DICOM to NIfTI as run007 in demo.")).to_have_count(1)
    album.take(page, "dark")
    page.set_viewport_size({"width": 760, "height": 900})
    album.take(page, "dark-narrow")
    _in_theme(labs.place.lab, "{}")
