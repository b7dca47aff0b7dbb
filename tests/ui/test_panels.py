"""The panels in a real JupyterLab, with the real service and worker; no hub (that is test_journey.py)."""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright
from support.chromium import FLAGS
from support.lab_server import lab_server
from support.samples import write_ct_series, write_mask, write_volume
from support.workplace import Workplace, workplace

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 120_000  # ms; the machine of the tests has two busy cores
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (apt-get install chromium)")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    with workplace(tmp_path_factory.mktemp("workplace")) as started, started.api() as api:
        deadline = time.monotonic() + 240
        while api.get("/entries", params={"project": "demo"}).json()["total"] == 0:
            assert time.monotonic() < deadline, "the demonstration study did not appear"
            time.sleep(0.5)
        yield started


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_volume(folder / "ball.nii.gz")
    write_mask(folder / "ball-mask.nii.gz")
    write_ct_series(folder / "ball-ct")
    (folder / "measurements.csv").write_text("case,volume\n" + "".join(f"case {n},{n * 37 % 101}\n" for n in range(60)))
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, place: Workplace) -> Iterator[Page]:
    """A page with the workspace open on the project alpha. A request that leaves this machine, or an error, fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, permissions=["clipboard-read", "clipboard-write"])
    outside: list[str] = []
    errors: list[str] = []
    page = _watched(context, outside, errors)
    page.goto(place.page_url)
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=PATIENCE)
    page.get_by_test_id("open-workspace").click()  # the panel is open for who comes for the first time
    expect(page.get_by_test_id("row-count")).to_be_visible(timeout=PATIENCE)
    page.get_by_test_id("filter-project").select_option("alpha")
    expect(rows(page).filter(has_text="Phantom chest CT")).to_have_count(0)
    yield page
    context.close()
    assert outside == [] and errors == []


def reload(page: Page) -> None:
    """As a newcomer again: how much of its layout Lab has saved by now is chance; the datasets panel opens in any case."""
    page.evaluate("localStorage.removeItem('voxelhub:datasets-seen')")
    page.reload()
    expect(page.get_by_test_id("datasets-panel")).to_be_visible(timeout=PATIENCE)


def _watched(context: BrowserContext, outside: list[str], errors: list[str]) -> Page:
    page = context.new_page()
    page.set_default_timeout(PATIENCE)

    def look(url: str) -> None:
        if not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|blob:|data:", url):
            outside.append(url)

    page.on("request", lambda request: look(request.url))
    page.on("websocket", lambda socket: look(socket.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    return page


def rows(page: Page) -> Locator:
    return page.locator("[role=row][data-entry]")


def row(page: Page, name: str) -> Locator:
    return rows(page).filter(has_text=re.compile(rf"^\s*{re.escape(name)}"))


def upload(page: Page, files: list[Path] | Path, title: str) -> None:
    """By the chooser of the workspace; a folder when one path is given. Waits until the dataset is there."""
    workspace = page.locator(".vx-Workspace")
    if isinstance(files, Path):
        workspace.get_by_test_id("folder-input").set_input_files(files)
    else:
        workspace.get_by_test_id("files-input").set_input_files(files)
    dialog = page.get_by_test_id("upload-dialog")
    dialog.get_by_test_id("upload-title").fill(title)
    dialog.get_by_test_id("upload-project").select_option("alpha")
    dialog.get_by_test_id("upload-start").click()
    job = page.get_by_test_id("upload-job").filter(has_text=title)
    expect(job).to_have_attribute("data-state", re.compile("done|failed"), timeout=PATIENCE * 2)
    expect(job).to_have_attribute("data-state", "done")


def test_a_stranger_is_told_what_to_do(page: Page) -> None:
    expect(page.get_by_text("Bring your first study in")).to_be_visible()


def test_upload_view_and_overlay(page: Page, samples: Path) -> None:
    upload(page, [samples / "ball.nii.gz", samples / "ball-mask.nii.gz"], "Ball")
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_have_class(re.compile("vx-mod-new"))
    rows(page).nth(0).click()
    rows(page).nth(1).click(modifiers=["Control"])
    page.get_by_role("toolbar", name="Actions for the selection").get_by_role("button", name="View with overlay").click()
    viewer = page.get_by_test_id("volume-viewer")
    expect(viewer).to_have_attribute("data-ready", "true", timeout=PATIENCE * 2)
    expect(viewer.get_by_test_id("overlay-opacity")).to_be_visible()
    box = viewer.locator("canvas").bounding_box()
    assert box is not None
    viewer.locator("canvas").click(position={"x": box["width"] * 0.28, "y": box["height"] * 0.28})
    expect(viewer.get_by_test_id("viewer-place")).to_contain_text(re.compile(r"\d"))


def test_a_text_file_written_here_can_be_read(page: Page) -> None:
    page.locator(".vx-Workspace").get_by_test_id("new-text").click()
    dialog = page.get_by_test_id("text-dialog")
    dialog.get_by_test_id("text-name").fill("protocol.txt")
    dialog.get_by_test_id("upload-project").select_option("alpha")
    dialog.get_by_test_id("text-content").fill("Grüße aus der Radiologie\n")
    dialog.get_by_test_id("text-save").click()
    row(page, "protocol").dblclick(timeout=PATIENCE * 2)
    expect(page.get_by_test_id("text-viewer")).to_contain_text("Grüße aus der Radiologie")


def test_a_page_shows_without_its_scripts(page: Page, tmp_path: Path) -> None:
    text = "<!doctype html><style>h1 { color: teal }</style><h1>Quality</h1><script>document.body.innerHTML = ''</script>"
    (tmp_path / "quality.html").write_text(text)
    upload(page, [tmp_path / "quality.html"], "Report")
    row(page, "quality").dblclick()
    shown = page.get_by_test_id("page-viewer").locator("iframe")
    expect(shown.content_frame.locator("h1")).to_have_text("Quality", timeout=PATIENCE)
    expect(shown.content_frame.locator("h1")).to_have_css("color", "rgb(0, 128, 128)")


def test_a_table_sorts(page: Page, samples: Path) -> None:
    upload(page, [samples / "measurements.csv"], "Measurements")
    row(page, "measurements").dblclick()
    table = page.get_by_test_id("table-viewer")
    table.get_by_role("button", name="volume").click()
    table.get_by_role("button", name="volume").click()
    expect(table.locator("[role=row][aria-rowindex='2']")).to_contain_text("100")


def test_from_selection_to_a_running_job_in_two_clicks(page: Page, samples: Path) -> None:
    upload(page, samples / "ball-ct", "Ball CT")
    series = rows(page).filter(has_text="DICOM")
    series.click()
    page.get_by_test_id("action-tools").click()  # 1
    card = page.get_by_test_id("tool-dicom-to-nifti")
    expect(card).to_have_attribute("data-eligible", "true")
    card.get_by_test_id("run-dicom-to-nifti").click()  # 2
    run = page.get_by_test_id("run-row").first
    expect(run).to_have_attribute("data-state", re.compile("succeeded|failed"), timeout=PATIENCE * 2)
    expect(run).to_have_attribute("data-state", "succeeded")
    expect(run.get_by_test_id("run-log")).to_contain_text(re.compile(r"\S"))
    run.get_by_test_id("run-result").click()
    result = page.locator(".vx-Grid-row.vx-mod-new").filter(has_text="NIfTI")
    expect(result).to_contain_text(re.compile(r"run\d+"))


def test_rename_details_and_edit_type(page: Page) -> None:
    row(page, "measurements").click()
    page.get_by_test_id("action-pencil").click()
    page.get_by_test_id("rename-name").fill("volumes of all cases")
    page.get_by_test_id("rename-save").click()
    renamed = row(page, "volumes of all cases")
    expect(renamed).to_be_visible()
    renamed.click()
    page.get_by_test_id("action-tag").click()
    page.get_by_test_id("type-data-type").select_option("document")
    page.get_by_test_id("type-save").click()
    expect(renamed).to_contain_text("Text or document")
    renamed.click()
    page.get_by_test_id("action-info").click()
    details = page.get_by_test_id("details")
    expect(details).to_contain_text("/projects/alpha/")
    expect(details).to_contain_text("measurements.csv")
    details.get_by_role("button", name="Copy path", exact=True).click()
    assert page.evaluate("navigator.clipboard.readText()").startswith("/projects/alpha/")
    with page.expect_download() as download:
        details.get_by_role("link", name="Download measurements.csv").click()
    assert "case 59" in Path(download.value.path()).read_text()


def test_trash_undo_and_restore(page: Page) -> None:
    target = row(page, "protocol")
    target.click()
    page.get_by_test_id("action-trash").click()
    page.get_by_test_id("trash-confirm").click()
    expect(target).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(target).to_have_count(1)
    target.click()
    page.keyboard.press("Delete")
    page.get_by_test_id("trash-confirm").click()
    expect(target).to_have_count(0)
    page.get_by_test_id("show-trash").click()
    page.get_by_test_id("trash-table").get_by_role("button", name=re.compile("Restore")).click()
    page.get_by_test_id("show-trash").click()
    expect(target).to_have_count(1)


def test_filters_survive_a_reload(page: Page) -> None:
    page.get_by_test_id("filter-project").select_option("")  # the demonstration study has a mask
    page.get_by_test_id("filter-format").select_option("nifti")
    page.get_by_test_id("sort-name").click()
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    expect(rows(page).filter(has_not_text="NIfTI")).to_have_count(0)
    expect(rows(page).first).to_contain_text("NIfTI")
    reload(page)
    page.get_by_test_id("open-workspace").click()
    expect(page.get_by_test_id("filter-format")).to_have_value("nifti", timeout=PATIENCE)
    page.get_by_test_id("clear-filters").click()
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    page.get_by_test_id("filter-text").fill("nothing is called so")
    expect(page.get_by_text("No row fits these filters")).to_be_visible()


def test_the_table_works_by_keyboard_and_tells_its_size(page: Page) -> None:
    grid = page.get_by_test_id("workspace-grid")
    chosen = grid.locator("[role=row][aria-selected=true]")
    expect(rows(page).nth(2)).to_be_visible()
    expect(grid).to_have_attribute("aria-rowcount", str(rows(page).count() + 1))
    assert grid.locator("[role=row][tabindex='0']").count() == 1
    rows(page).first.focus()
    page.keyboard.press("ArrowDown")
    expect(rows(page).nth(1)).to_be_focused()
    expect(rows(page).nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Shift+ArrowDown")
    expect(chosen).to_have_count(2)
    page.keyboard.press("Control+a")
    expect(grid.locator("[role=row][aria-selected=false]")).to_have_count(0)
    expect(chosen.nth(2)).to_be_visible()
    page.keyboard.press("Escape")
    expect(chosen).to_have_count(0)
    page.keyboard.press("End")
    expect(rows(page).last).to_be_focused()


def test_an_upload_of_a_closed_page_goes_on(page: Page, place: Workplace, tmp_path: Path) -> None:
    """What a page sent before it was closed is not sent again."""
    source = tmp_path / "long.bin"
    source.write_bytes(random.Random(7).randbytes(3_000_000))
    with place.api() as api:
        order = {"project": "alpha", "title": "Long one", "files": [{"path": "long.bin", "size": 3_000_000}]}
        upload = api.post("/uploads", json=order).raise_for_status().json()
        address = f"/uploads/{upload['id']}/files/{upload['files'][0]['id']}"
        tus = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        api.patch(address, headers=tus, content=source.read_bytes()[:1_000_000]).raise_for_status()
    reload(page)
    interrupted = page.get_by_test_id("upload-interrupted").filter(has_text="Long one")
    expect(interrupted).to_contain_text("Interrupted at 977 KiB of 2.9 MiB", timeout=PATIENCE)
    offsets: list[str] = []
    page.on("request", lambda request: offsets.append(request.headers["upload-offset"]) if request.method == "PATCH" else None)
    interrupted.get_by_test_id("resume-input").set_input_files(source)
    job = page.get_by_test_id("upload-job").filter(has_text="Long one")
    expect(job).to_have_attribute("data-state", "done", timeout=PATIENCE * 2)
    assert offsets == ["1000000"]


def test_what_is_there_is_not_sent_again(page: Page, samples: Path) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PATCH" else None)
    upload(page, [samples / "measurements.csv"], "Measurements again")
    assert sent == []


def test_a_server_about_to_be_stopped_warns_and_may_be_kept(browser: Browser, place: Workplace, tmp_path: Path) -> None:
    """And says aloud that isolation is off, and which project notebooks do not see yet."""
    environ = {"JUPYTERHUB_USER": "alice", "VOXELHUB_PROJECTS": "demo", "VOXELHUB_ISOLATION": "false",
               "VOXELHUB_CULL_TIMEOUT": "600", "VOXELHUB_CULL_WARNING": "599"}
    with lab_server(tmp_path, place.api_url, "token-of-alice", program="jupyter-lab", environ=environ) as lab:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{lab.url}/lab?token={lab.token}&reset")
        keep = page.get_by_role("button", name="Keep working")
        expect(keep).to_be_visible(timeout=PATIENCE)
        before = httpx.get(f"{lab.url}/voxelhub/server", headers=lab.headers).json()
        keep.click()
        panel = page.get_by_test_id("datasets-panel")
        expect(panel).to_contain_text("Isolation is off", timeout=PATIENCE)
        panel.get_by_test_id("project-chooser").select_option("alpha")
        expect(panel).to_contain_text("restart the server to see it in notebooks")
        context.close()
        after = httpx.get(f"{lab.url}/voxelhub/server", headers=lab.headers).json()
    assert after["cull_at"] > before["cull_at"]


def test_one_event_stream_per_page(browser: Browser, place: Workplace) -> None:
    context = browser.new_context()
    page = context.new_page()
    streams: list[str] = []
    page.on("request", lambda request: streams.append(request.url) if "v1/events" in request.url else None)
    page.goto(place.page_url)
    page.get_by_test_id("open-workspace").click(timeout=PATIENCE)
    page.get_by_role("tab", name="Tools").click()
    page.wait_for_timeout(3000)
    context.close()
    assert len(streams) == 1
