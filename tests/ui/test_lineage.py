"""Where a result comes from, in a real browser: the picture and the list, the same bytes again, a run as a notebook, its crate.

Real JupyterLab, service, worker and the tools that ship; only hub and Keycloak are absent.
"""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nbformat
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from support.chromium import Album
from support.lab_server import LAB
from support.workplace import Workplace, workplace
from voxelhub_sandbox.bubblewrap import unavailable

pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not (LAB.parent / "tool-segment-otsu").exists(), reason="the environment tool-segment-otsu is missing"),
]
PATIENCE = 120_000  # ms
THEMES = "%40jupyterlab%2Fapputils-extension%3Athemes"


@dataclass(frozen=True)
class Story:
    """A CT that was brought in, converted twice, once more uncompressed, and measured."""

    place: Workplace
    converted: dict[str, Any]
    again: dict[str, Any]
    volume: dict[str, Any]
    measured: dict[str, Any]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with workplace(tmp_path_factory.mktemp("lineage")) as place, place.api() as api:
        series = waited(lambda: [one for one in entries(api, project="demo") if one["kind"] == "series"])[0]
        converted = ran(api, "dicom-to-nifti", {"series": [series["id"]]})
        again = ended(api, api.post(f"/runs/{converted['id']}/rerun").raise_for_status().json()["id"])
        ran(api, "dicom-to-nifti", {"series": [series["id"]]}, compress=False)
        volume = entries(api, dataset=converted["output_dataset_id"])[0]
        measured = ran(api, "segment-otsu", {"volumes": [volume["id"]]})
        yield Story(place, converted, again, volume, measured)


def entries(api: httpx.Client, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/entries", params=query).raise_for_status().json()["items"]
    return found


def waited(look: Any, seconds: float = 120) -> Any:
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until
        time.sleep(0.3)
    return found


def ran(api: httpx.Client, tool: str, inputs: dict[str, list[str]], **arguments: Any) -> dict[str, Any]:
    body = {"tool": tool, "project": "demo", "inputs": inputs, "arguments": arguments}
    return ended(api, api.post("/runs", json=body).raise_for_status().json()["id"])


def ended(api: httpx.Client, run_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        run: dict[str, Any] = api.get(f"/runs/{run_id}").raise_for_status().json()
        return run if run["state"] in ("succeeded", "failed", "cancelled") else None

    run: dict[str, Any] = waited(look)
    assert run["state"] == "succeeded", run
    return run


@pytest.fixture
def page(browser: BrowserContext, story: Story) -> Page:
    return enter(browser, story)


def enter(browser: BrowserContext, story: Story) -> Page:
    """The workspace with the project demo, for one who comes for the first time."""
    page = browser.new_page()
    page.goto(story.place.page_url)
    page.get_by_test_id("open-workspace").click()
    page.get_by_test_id("filter-project").select_option("demo")
    return page


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return Album(tmp_path, "lineage-")


def open_history(page: Page, story: Story) -> None:
    """From the row of the converted volume, by its details."""
    row = page.locator(f"[role=row][data-entry='{story.volume['id']}']")
    row.click()
    page.get_by_role("toolbar", name="Actions for the selection").get_by_role("button", name="Details").click()
    page.get_by_test_id("entry-history").click()
    expect(page.get_by_test_id("lineage-graph")).to_be_visible(timeout=PATIENCE)


def node(page: Page, key: str) -> Any:
    return page.locator(f"[data-testid=lineage-node][data-key='{key}']")


def test_from_a_row_to_what_it_was_made_from_and_what_came_of_it(page: Page, story: Story, album: Album) -> None:
    open_history(page, story)
    history = page.get_by_test_id("lineage-page")
    subject, run, after = f"entry:{story.volume['id']}", f"run:{story.converted['id']}", f"run:{story.measured['id']}"
    expect(history.get_by_role("heading", name=f"History of {story.volume['name']}")).to_be_visible()
    expect(node(page, subject)).to_have_attribute("aria-pressed", "true")
    boxes = [node(page, key).bounding_box() for key in (run, subject, after)]
    assert [box["x"] for box in boxes] == sorted(box["x"] for box in boxes), "time goes from left to right"
    album.take(page, "graph")
    node(page, subject).focus()
    page.keyboard.press("ArrowLeft")
    expect(node(page, run)).to_be_focused()
    sheet = page.get_by_test_id("lineage-sheet")
    expect(sheet).to_contain_text(story.converted["label"])
    expect(sheet).to_contain_text("compress")
    album.take(page, "run")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(sheet.get_by_text("Data that ships with VoxelHub")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(sheet.get_by_role("button", name="Show in workspace")).to_be_visible()
    sheet.get_by_test_id("lineage-follow").click()
    second = page.get_by_test_id("lineage-page").last
    expect(second.locator("[data-testid=lineage-node]")).to_have_count(11)  # both other conversions too
    album.take(page, "whole")


def test_as_a_list_for_the_keyboard_and_in_the_dark(browser: BrowserContext, story: Story, album: Album) -> None:
    themes = f"{story.place.lab.url}/lab/api/settings/{THEMES}"
    httpx.put(themes, headers=story.place.lab.headers, json={"raw": '{"theme": "JupyterLab Dark"}'}).raise_for_status()
    try:
        page = enter(browser, story)
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
        open_history(page, story)
        album.take(page, "dark")
        page.get_by_test_id("lineage-as-list").click()
        listed = page.get_by_test_id("lineage-list")
        for title, key in (("Where it comes from", f"run:{story.converted['id']}"), ("This", f"entry:{story.volume['id']}"),
                           ("What was made from it", f"run:{story.measured['id']}")):
            expect(listed.get_by_role("region", name=title).locator(f"[data-key='{key}']")).to_be_visible()
        step = listed.locator(f"[data-key='run:{story.measured['id']}']")
        step.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("lineage-sheet")).to_contain_text("segment-otsu 1.0")
        album.take(page, "dark-list")
        page.set_viewport_size({"width": 820, "height": 900})
        album.take(page, "dark-narrow")
    finally:
        httpx.put(themes, headers=story.place.lab.headers, json={"raw": "{}"}).raise_for_status()


def test_a_run_says_whether_it_gave_the_same_bytes_opens_as_a_notebook_and_is_saved(
    page: Page, story: Story, album: Album, tmp_path: Path
) -> None:
    page.get_by_role("tab", name="Tools").click()
    row = page.locator(f"[data-testid=run-row][data-run='{story.again['id']}']")
    row.scroll_into_view_if_needed()
    compared = row.get_by_test_id("run-compared")
    expect(compared).to_have_attribute("data-identical", "true")
    expect(compared).to_have_text(f"Same bytes as {story.converted['label']}")
    row.get_by_test_id("run-more").click()
    album.take(page, "run-row")
    with page.expect_download() as saving:
        page.get_by_role("menuitem", name="Save crate").click()
    saving.value.save_as(tmp_path / "crate.zip")
    with zipfile.ZipFile(tmp_path / "crate.zip") as archive:
        assert {"ro-crate-metadata.json", "log.txt"} < set(archive.namelist())
        assert json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
    row.get_by_test_id("run-more").click()
    page.get_by_role("menuitem", name="Open as notebook").click()
    name = f"{story.again['label']}-dicom-to-nifti.ipynb"
    expect(page.get_by_role("tab", name=name)).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("heading", name=f"DICOM to NIfTI, {story.again['label']}").first).to_be_visible(timeout=PATIENCE)
    album.take(page, "notebook")
    home = story.place.context.settings.state_dir.parent / "home" / "work"
    nbformat.validate(nbformat.read(home / name, as_version=4))
    row.get_by_test_id("run-more").click()
    page.get_by_role("menuitem", name="Open as notebook").click()
    expect(page.get_by_role("tab", name=name.replace(".ipynb", "-2.ipynb"))).to_be_visible(timeout=PATIENCE)
    row.get_by_test_id("run-history").click()
    expect(page.get_by_test_id("lineage-page")).to_contain_text(f"History of {story.again['label']}")
