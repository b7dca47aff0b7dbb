"""The clinical door in a real browser: a dropped folder, what it holds back and why, and a steward's decision.

Real JupyterLab, service, worker and door workers; only hub and Keycloak are absent. Alice owns the project alpha and is
a plain member of demo; both are clinical here. Every picture and name is synthetic.
"""

from __future__ import annotations

import functools
import http.server
import io
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, expect
from support.chromium import Album
from support.mixed_folder import FAMILY, NUMBER, TRUNCATED, pdf, write_folder
from support.samples import write_volume
from support.uploads import TUS, sha256
from support.workplace import Workplace, workplace

PATIENCE = 120_000  # ms
LONG = 300_000  # ms: 200 files through the door on two busy cores
QUOTA = 48 * 1024**2  # bytes: so that the bar shows something
CHOSEN = "burned_in"  # the one that is let in
REASON = "The picture shows a ruler and no name: looked at it at the console."
THEMES = "%40jupyterlab%2Fapputils-extension%3Athemes"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    with workplace(tmp_path_factory.mktemp("door"), clinical={"alpha"}, url_private=True) as started:
        with started.api() as api:
            deadline = time.monotonic() + 240
            while api.get("/entries", params={"project": "demo"}).json()["total"] == 0:
                assert time.monotonic() < deadline, "the demonstration study did not appear"
                time.sleep(0.5)
        with started.api("admin") as api:
            api.patch("/projects/demo", json={"open": False}).raise_for_status()
            api.patch("/projects/alpha", json={"quota_bytes": QUOTA}).raise_for_status()
        yield started


@pytest.fixture
def page(browser: BrowserContext, place: Workplace) -> Page:
    return opened(browser, place)


def opened(browser: BrowserContext, place: Workplace) -> Page:
    page = browser.new_page()
    page.goto(place.page_url)
    expect(page.get_by_test_id("datasets-panel")).to_be_visible(timeout=PATIENCE)
    page.get_by_test_id("project-chooser").select_option("alpha")
    return page


def drag(page: Page, target: Locator, folder: Path, *kinds: str) -> None:
    """As a person drags a folder from their desktop: Chromium itself makes the drag's data."""
    box = target.bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    for kind in kinds:
        session.send("Input.dispatchDragEvent", {
            "type": kind, "x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2,
            "data": {"items": [], "files": [str(folder)], "dragOperationsMask": 1},
        })


def held(page: Page) -> Locator:
    return page.get_by_test_id("quarantined")


def test_three_bad_files_of_two_hundred(page: Page, place: Workplace, tmp_path: Path) -> None:
    """Issue “The clinical door”, to be shown, 6."""
    album = Album(tmp_path / "screenshots", "door-")
    folder = write_folder(tmp_path / f"{FAMILY}_Erika_1964")
    title = bring_in(page, album, folder)
    look_at_quarantine(page, album)
    let_in(page, album)
    assert_no_patient(page)
    view_dataset(page, album, title)
    look_at_storage(page, album)
    take_it_in_dark(page, place, album)


def bring_in(page: Page, album: Album, folder: Path) -> str:
    zone = page.get_by_test_id("drop-zone")
    expect(page.get_by_test_id("door-note")).to_contain_text("files that cannot be made safe wait in quarantine")
    drag(page, zone, folder, "dragEnter", "dragOver", "drop")
    dialog = page.get_by_test_id("upload-dialog")
    expect(dialog).to_contain_text("200 files")
    expect(dialog).to_contain_text("What identifies patients is removed")
    title = dialog.get_by_test_id("upload-title").input_value()
    assert re.fullmatch(r"Import \d{4}-\d\d-\d\d \d\d:\d\d", title), "a folder's name may name a patient"
    album.take(page, "drop")
    dialog.get_by_test_id("upload-start").click()
    job = page.get_by_test_id("upload-job")
    expect(job).to_have_attribute("data-state", "importing", timeout=LONG)
    expect(job.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile("[1-9]"), timeout=LONG)
    expect(job).to_contain_text(re.compile(r"File \d+ of 200|released"), timeout=LONG)
    album.take(page, "progress")
    expect(job).to_have_attribute("data-state", re.compile("done|failed"), timeout=LONG)
    expect(job).to_contain_text("197 files released, 3 files in quarantine")
    return title


def look_at_quarantine(page: Page, album: Album) -> None:
    page.get_by_test_id("upload-held").click()
    expect(held(page)).to_have_count(3)
    codes = {row.get_attribute("data-code"): row for row in held(page).all()}
    assert set(codes) == {"not_whole", "burned_in", "document"}
    assert_no_patient(page)
    broken = page.locator("[data-code=not_whole]")
    expect(broken.get_by_test_id("release")).to_be_disabled()
    expect(broken).to_contain_text("Nobody may let it in as it is")
    album.take(page, "quarantine")
    broken.get_by_test_id("show-name").click()
    expect(broken.get_by_test_id("own-name")).to_contain_text(TRUNCATED)
    broken.get_by_role("button", name="Hide name").click()
    expect(broken.get_by_test_id("own-name")).to_have_count(0)


def let_in(page: Page, album: Album) -> None:
    """By keyboard, as far as it goes: Enter on the button, the reason, Tab to the end, Enter."""
    page.locator(f"[data-code={CHOSEN}]").get_by_test_id("release").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_test_id("decide-dialog")
    expect(dialog.get_by_test_id("decide-reason")).to_be_focused()
    page.keyboard.type("No name")
    expect(dialog.get_by_test_id("decide-confirm")).to_be_disabled()
    expect(dialog).to_contain_text("7 of at least 10 letters")
    dialog.get_by_test_id("decide-reason").fill(REASON)
    album.take(page, "release")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(dialog.get_by_test_id("decide-confirm")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.locator(f"[data-code={CHOSEN}]")).to_have_count(0, timeout=LONG)  # by the event alone: nobody reloads
    expect(held(page)).to_have_count(2)
    page.get_by_test_id("quarantine-decided").click()
    decided = held(page)
    expect(decided).to_have_count(1)
    expect(decided).to_have_attribute("data-state", "released")
    expect(decided).to_contain_text(REASON)
    expect(decided).to_contain_text("alice")
    album.take(page, "decided")
    decided.get_by_test_id("released-result").click()


def assert_no_patient(page: Page) -> None:
    seen = page.content().lower()
    assert FAMILY.lower() not in seen and NUMBER.lower() not in seen


def view_dataset(page: Page, album: Album, title: str) -> None:
    """Listed with its two versions, and viewed."""
    grid = page.get_by_test_id("workspace-grid")
    series = grid.get_by_role("row").filter(has_text="DICOM").filter(has_text=title)
    expect(series).to_have_count(1)
    expect(series).to_contain_text("v2")
    expect(series).to_contain_text("198 files")
    expect(series.get_by_test_id("flagged")).to_have_attribute("title", re.compile("slice", re.I))
    series.click()
    page.get_by_test_id("action-info").click()
    versions = page.get_by_test_id("versions")
    versions.get_by_test_id("compare-2").click()
    expect(versions.get_by_test_id("changes-2")).to_contain_text(re.compile(r"\.dcm"))
    expect(versions.get_by_test_id("changes-2")).to_contain_text("0 removed")
    album.take(page, "versions")
    page.get_by_test_id("action-eye").click()
    drawn(page)
    album.take(page, "viewed")
    assert_no_patient(page)


def drawn(page: Page) -> None:
    viewer = page.get_by_test_id("volume-viewer")
    expect(viewer).to_have_attribute("data-ready", "true", timeout=LONG)
    for _ in range(60):
        picture = numpy.asarray(Image.open(io.BytesIO(viewer.locator("canvas").screenshot())).convert("RGB")).astype(int)
        if len(numpy.unique(picture.reshape(-1, 3), axis=0)) > 50:
            return
        page.wait_for_timeout(500)
    raise AssertionError("the viewer stayed blank")


def look_at_storage(page: Page, album: Album) -> None:
    page.get_by_test_id("show-project-storage").click()
    storage = page.get_by_test_id("storage-page")
    expect(storage.get_by_test_id("storage-users")).to_contain_text("alice")
    expect(storage).to_contain_text("wait in quarantine")
    album.take(page, "storage")


def take_it_in_dark(page: Page, place: Workplace, album: Album) -> None:
    themes = f"{place.lab.url}/lab/api/settings/{THEMES}"
    httpx.put(themes, headers=place.lab.headers, json={"raw": '{"theme": "JupyterLab Dark"}'}).raise_for_status()
    page.evaluate("localStorage.removeItem('voxelhub:datasets-seen')")  # as a newcomer: the panel opens by itself
    page.goto(place.page_url)
    page.get_by_test_id("show-held").click()
    expect(held(page)).to_have_count(2)
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    album.take(page, "dark")
    httpx.put(themes, headers=place.lab.headers, json={"raw": "{}"}).raise_for_status()


def test_who_is_no_steward_sees_the_reason_and_who_decides(page: Page, place: Workplace) -> None:
    """And the badge and the page follow by themselves when something is held."""
    page.get_by_test_id("open-workspace").click()
    page.get_by_test_id("show-quarantine").click()
    page.get_by_test_id("quarantine-project").select_option("demo")
    expect(page.get_by_text("Nothing waits in quarantine")).to_be_visible()
    _send(place, pdf("a report"), "report.pdf", "demo")
    row = held(page)
    expect(row).to_have_count(1, timeout=LONG)
    expect(row).to_have_attribute("data-code", "document")
    expect(row).to_contain_text("A data steward or an owner of the project demo decides.")
    expect(row.get_by_test_id("release")).to_have_count(0)


def _send(place: Workplace, data: bytes, name: str, project: str) -> None:
    with place.api() as api:
        order = {"project": project, "title": "Report", "files": [{"path": name, "size": len(data), "sha256": sha256(data)}]}
        upload = api.post("/uploads", json=order).raise_for_status().json()
        file = f"/uploads/{upload['id']}/files/{upload['files'][0]['id']}"
        api.patch(file, headers={**TUS, "Upload-Offset": "0"}, content=data).raise_for_status()
        api.post(f"/uploads/{upload['id']}/complete").raise_for_status()


def test_an_interrupted_clinical_upload_goes_on(browser: BrowserContext, place: Workplace, tmp_path: Path) -> None:
    """Its names are in no database, yet the same files chosen again are found, and only what is missing is sent."""
    (tmp_path / "ward").mkdir()
    local = write_volume(tmp_path / "ward" / f"{FAMILY}.nii.gz")
    data = local.read_bytes()
    with place.api() as api:
        order = {"project": "alpha", "title": "Two halves", "files": [{"path": local.name, "size": len(data)}]}
        upload = api.post("/uploads", json=order).raise_for_status().json()
        file = f"/uploads/{upload['id']}/files/{upload['files'][0]['id']}"
        api.patch(file, headers={**TUS, "Upload-Offset": "0"}, content=data[:1000]).raise_for_status()
    page = opened(browser, place)
    interrupted = page.get_by_test_id("upload-interrupted").filter(has_text="Two halves")
    offsets: list[str] = []
    page.on("request", lambda request: offsets.append(request.headers["upload-offset"]) if request.method == "PATCH" else None)
    interrupted.get_by_test_id("resume-input").set_input_files(local)
    job = page.get_by_test_id("upload-job").filter(has_text="Two halves")
    expect(job).to_have_attribute("data-state", re.compile("done|failed"), timeout=LONG)
    expect(job).to_have_attribute("data-state", "done")
    assert offsets == ["1000"]
    assert_no_patient(page)


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[str]:
    """A web server of this test's own, with one volume."""
    (tmp_path / "published").mkdir()
    write_volume(tmp_path / "published" / "ball.nii.gz")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "published"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_from_a_url(page: Page, publisher: str, tmp_path: Path) -> None:
    """Into an open project, then added to, then from an address that has nothing."""
    album = Album(tmp_path / "screenshots", "door-url-")
    address = f"{publisher}/ball.nii.gz"
    dialog = ask(page, "https://somebody:secret@example.invalid/a.nii.gz")
    expect(dialog).to_contain_text("An address with a user name or password is not taken.")
    expect(dialog.get_by_test_id("url-start")).to_be_disabled()
    page.evaluate("document.activeElement.blur()")  # as Lab does when it comes to its own focus meanwhile
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    dialog = ask(page, address)
    expect(dialog.get_by_test_id("upload-title")).to_have_value("ball")
    album.take(page, "dialog")
    dialog.get_by_test_id("url-start").click()
    jobs = page.get_by_test_id("upload-job")
    expect(jobs.first).to_have_attribute("data-state", "done", timeout=LONG)

    dialog = ask(page, address)
    expect(dialog.get_by_test_id("upload-mode")).to_contain_text("Version 1 stays as it is")
    expect(dialog.get_by_role("radio", name="Add to it")).to_be_checked()
    dialog.get_by_role("radio", name="Replace").check()
    album.take(page, "replace")
    dialog.get_by_test_id("url-start").click()
    expect(jobs).to_have_count(2)
    expect(jobs.first).to_have_attribute("data-state", "done", timeout=LONG)

    ask(page, f"{publisher}/nothing.nii.gz").get_by_test_id("url-start").click()
    expect(jobs).to_have_count(3)
    expect(jobs.first).to_have_attribute("data-state", "failed", timeout=LONG)
    expect(jobs.first.get_by_role("alert")).to_contain_text("has no file at this address")


def ask(page: Page, address: str) -> Locator:
    page.get_by_test_id("datasets-panel").get_by_test_id("from-url").click()
    dialog = page.get_by_test_id("url-dialog")
    dialog.get_by_test_id("upload-project").select_option(index=0)  # personal, and open
    dialog.get_by_test_id("url-address").fill(address)
    return dialog
