"""The Planner panel in a real browser: from the empty panel to a slide, a plan, its views, files, a notebook, and a reload.

Real JupyterLab, service, worker, sandbox and tool; only hub and Keycloak are absent.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import nbformat
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from support.chromium import Album
from support.lab_server import LAB
from support.slides import write_slide
from support.workplace import Workplace, workplace
from voxelhub_sandbox.bubblewrap import unavailable

ENVIRONMENT = "tool-plan-slides"
pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not (LAB.parent / ENVIRONMENT).exists(), reason=f"the environment {ENVIRONMENT} is not installed"),
]
PATIENCE, LONG = 120_000, 180_000  # ms
THEMES = "%40jupyterlab%2Fapputils-extension%3Athemes"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    with workplace(tmp_path_factory.mktemp("planner")) as started:
        yield started


def test_from_an_empty_panel_to_a_plan(browser: BrowserContext, place: Workplace, tmp_path: Path) -> None:
    album = Album(tmp_path / "screenshots", "planner-")
    page = browser.new_page()
    page.goto(place.page_url)
    a_stranger_opens_it(page, album)
    bring_in(page, write_slide(tmp_path / "biopsy.svs"), write_prices(tmp_path / "prices.json"))
    ask_for_a_plan(page, album)
    study = the_study(place)
    look_at_it(page, album, study)
    take_it_along(page, album, place, study)
    come_back(page, album, place)


def home_of(place: Workplace) -> Path:
    return place.context.settings.state_dir.parent / "home/work"


def panel(page: Page) -> Locator:
    return page.get_by_test_id("planner-panel")


def a_stranger_opens_it(page: Page, album: Album) -> None:
    page.locator(".jp-LauncherCard").filter(has_text="Planner").click()
    expect(panel(page).get_by_test_id("planner-welcome")).to_contain_text("what each provider would see")
    album.take(page, "welcome")
    panel(page).get_by_role("button", name="Bring a slide in").click()
    expect(page.get_by_test_id("datasets-panel")).to_be_visible()


def write_prices(path: Path) -> Path:
    """Twelve nodes of four providers."""
    nodes = [{"id": f"n{i}", "trust_domain": f"provider {'ABCD'[i % 4]}", "price_per_hour": 0.3 + 0.1 * i,
              "uplink_mbps": 80 + 10 * i, "throughput_patches_per_s": 100 + 40 * i, "setup_s": 5} for i in range(12)]
    path.write_text(json.dumps({"format": "voxelhub-price-list/1", "currency": "USD", "date": "2026-11-20", "source": "quotes",
                                "nodes": nodes}))
    return path


def bring_in(page: Page, slide: Path, prices: Path) -> None:
    page.get_by_test_id("project-chooser").select_option("alpha")
    page.get_by_test_id("files-input").set_input_files([str(slide), str(prices)])
    dialog = page.get_by_role("dialog")
    dialog.get_by_test_id("upload-title").fill("Biopsy")
    dialog.get_by_role("button", name="Upload").click()
    expect(panel(page).get_by_test_id("planner-slides")).to_contain_text(slide.name)  # by itself, when it has come


def ask_for_a_plan(page: Page, album: Album) -> None:
    """From the row of the slide. What cannot be is said at its field; then the run goes, and says that it is done."""
    start = panel(page).get_by_test_id("planner-start")
    expect(start).to_be_disabled()
    expect(panel(page)).to_contain_text("Choose a slide first")
    page.get_by_test_id("open-workspace").click()
    page.get_by_test_id("filter-project").select_option("alpha")
    page.locator("[role=row][data-entry]").filter(has_text="biopsy.svs").click()
    page.get_by_test_id("action-planner").click()
    expect(panel(page).get_by_role("checkbox", name=re.compile("biopsy.svs"))).to_be_checked()
    expect(panel(page).get_by_test_id("planner-prices")).to_have_value("")
    expect(panel(page)).to_contain_text("Never decide by them")  # the example list
    panel(page).get_by_test_id("planner-prices").select_option("prices.json · Biopsy v1")
    expect(panel(page)).not_to_contain_text("Never decide by them")
    nodes = panel(page).get_by_test_id("argument-max_nodes")
    nodes.fill("0")
    expect(panel(page).locator(".vx-Field", has=page.get_by_test_id("argument-max_nodes"))).to_contain_text("at least 1")
    expect(start).to_be_disabled()
    nodes.fill("5")
    expect(start).to_have_text("Plan 1 slide")
    album.take(page, "asked")
    start.press("Enter")  # by the keyboard
    row = panel(page).get_by_test_id("run-row")
    expect(row).to_have_attribute("data-state", "succeeded", timeout=LONG)
    expect(page.get_by_role("alert").filter(has_text="is ready")).to_be_visible()


def the_study(place: Workplace) -> dict[str, Any]:
    """As the service hands it out: the oracle of what the page must show."""
    with place.api() as api:
        run = api.get("/runs", params={"tool": "plan-slides"}).raise_for_status().json()["items"][0]
        entry = api.get("/entries", params={"run": run["id"], "data_type": "plan"}).raise_for_status().json()["items"][0]
        study: dict[str, Any] = json.loads(api.get(f"/entries/{entry['id']}/content").raise_for_status().content)
    assert study["format"] == "voxelhub-study/1" and len(study["front"]["plans"]) >= 2
    assert not study["prices"]["fictional"] and {node["id"] for node in study["nodes"]} == {f"n{i}" for i in range(12)}
    assert all(plan["nodes"] <= 5 for plan in study["front"]["plans"]), "the limit of the form"
    return study


def views(page: Page) -> Locator:
    return page.get_by_test_id("study-views")


def look_at_it(page: Page, album: Album, study: dict[str, Any]) -> None:
    """The views draw the plans of the run; sending says that it is not there yet."""
    panel(page).get_by_role("button", name="Open plan").click()
    expect(views(page)).to_contain_text(f"{len(study['front']['plans'])} plans to choose from")
    expect(views(page)).to_contain_text("biopsy.svs")
    for warning in study["warnings"]:
        expect(views(page)).to_contain_text(warning)
    send = page.get_by_test_id("study-send")
    expect(send).to_be_disabled()
    expect(page.get_by_test_id("study-page")).to_contain_text("comes in a later version")
    page.get_by_role("tab", name="Workspace").click()
    page.locator("[role=row][data-entry]").filter(has_text="study.json").dblclick()
    expect(views(page)).to_be_visible()
    expect(page.get_by_role("tab", name="Plan for biopsy")).to_have_count(1)  # the same page, not a second one
    page.wait_for_timeout(500)  # the charts
    album.take(page, "plan")


def take_it_along(page: Page, album: Album, place: Workplace, study: dict[str, Any]) -> None:
    """Another plan is chosen by the keyboard; the file and the notebook are of that one."""
    chart = views(page).locator("canvas").first
    chart.focus()
    chart.press("ArrowLeft")
    chart.press("ArrowLeft")
    chart.press("Enter")
    with page.expect_download() as download:
        views(page).get_by_role("button", name="Plan as JSON").click()
    saved = json.loads(Path(download.value.path()).read_text())
    assert [plan for plan in study["front"]["plans"] if plan == saved["plans"][0]]
    chosen = study["front"]["plans"].index(saved["plans"][0])
    page.get_by_test_id("study-notebook").click()
    expect(page.locator(".jp-Notebook")).to_contain_text("StudyView")
    notebook = nbformat.read(next(home_of(place).glob("plan-for-biopsy*.ipynb")), as_version=4)
    nbformat.validate(notebook)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    compile(code, "notebook", "exec")
    assert "/projects/alpha/" in code and "/v1/study.json" in code and f"selected={chosen}" in code
    album.take(page, "notebook")


def come_back(page: Page, album: Album, place: Workplace) -> None:
    """After a reload the page of the plan is there again, in the dark; the project has become clinical meanwhile, from which
    nothing is downloaded: what is exported lies in the home."""
    layouts = f"{place.lab.url}/lab/api/workspaces/default"
    until = time.monotonic() + 120
    while "voxelhub-plan-" not in httpx.get(layouts, headers=place.lab.headers).text:
        assert time.monotonic() < until, "Lab did not save its layout"
        time.sleep(0.3)
    with place.api("admin") as admin:
        admin.patch("/projects/alpha", json={"open": False}).raise_for_status()
    themes = f"{place.lab.url}/lab/api/settings/{THEMES}"
    httpx.put(themes, headers=place.lab.headers, json={"raw": '{"theme": "JupyterLab Dark"}'}).raise_for_status()
    page.set_viewport_size({"width": 1100, "height": 900})
    page.goto(f"{place.lab.url}/lab?token={place.lab.token}")
    page.get_by_role("tab", name="Plan for biopsy").click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    expect(views(page)).to_contain_text("plans to choose from")
    page.wait_for_timeout(700)  # the charts
    album.take(page, "dark")
    views(page).get_by_role("button", name="Plan as CSV").click()
    expect(page.get_by_role("alert").filter(has_text="is in your home")).to_be_visible()
    assert "trust_domain" in next(home_of(place).glob("*.csv")).read_text()
