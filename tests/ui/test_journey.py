"""The first complete journey, in a real browser against a real installation, without mocks."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from support.chromium import Album, chromium
from support.installation import Installation
from support.study import Study, assert_same_volume, make_study

LONG = 120_000  # ms: a server or a run


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_study(tmp_path / "study")


def test_from_sign_in_to_a_saved_result(installation: Installation, study: Study, tmp_path: Path) -> None:
    name = "grete"
    password = installation.new_user(name)
    with chromium() as (context, outside):
        page = context.new_page()
        album = Album(tmp_path / "screenshots")
        sign_in(page, album, installation, name, password)
        choose_a_profile(page, album)
        bring_in(page, album, [*study.series], "Chest CT")
        bring_in(page, None, [study.mask], "Lesion mask")
        look_at(page, album, "Chest CT")
        result = run_the_tool(page, album, "Chest CT")
        look_with_overlay(page, album, result, "Lesion mask")
        saved = read_and_save(page, album, study)
        log_out(page, album)
        assert outside == []
    assert (tmp_path / "check").mkdir() is None
    with installation.client(name, password=password) as api:
        rows = api.get("/entries", params={"q": result}).json()["items"]
        file = api.get(f"/entries/{rows[0]['id']}/files").json()["items"][0]
        local = tmp_path / "check" / Path(file["path"]).name
        local.write_bytes(api.get(f"/files/{file['id']}/content").content)
        assert_same_volume(local, study)
        assert saved in [one["title"] for one in api.get("/datasets", params={"project": "demo"}).json()["items"]]
    assert installation.command("audit", "verify").returncode == 0


def sign_in(page: Page, album: Album, installation: Installation, name: str, password: str) -> None:
    page.goto(installation.url)
    album.take(page, "welcome")
    page.get_by_role("link", name="Sign in").or_(page.get_by_role("button", name="Sign in")).first.click()
    page.locator("#username").fill(name)
    page.locator("#password").fill(password)
    album.take(page, "keycloak")
    page.locator("#kc-login").click()


def choose_a_profile(page: Page, album: Album) -> None:
    start = page.get_by_role("button", name=re.compile("^Start"))
    expect(start).to_be_visible()
    page.get_by_text("Small", exact=True).click()
    album.take(page, "profiles")
    start.click()
    expect(page.locator(".jp-LabShell")).to_be_visible(timeout=LONG)
    expect(page.locator("#jupyterlab-splash")).to_have_count(0, timeout=LONG)
    expect(page.get_by_text("VoxelHub", exact=False).first).to_be_visible()
    expect(page.get_by_test_id("datasets-panel")).to_be_visible()
    album.take(page, "lab")


def side_panel(page: Page, title: str) -> None:
    tab = page.locator(f'.jp-SideBar .lm-TabBar-tab[title^="{title}"]')
    if "lm-mod-current" not in (tab.get_attribute("class") or ""):
        tab.click()


def bring_in(page: Page, album: Album | None, files: list[Path], title: str) -> None:
    side_panel(page, "Datasets")
    panel = page.get_by_test_id("datasets-panel")
    panel.get_by_test_id("project-chooser").select_option("demo")
    panel.get_by_test_id("files-input").set_input_files(files)
    dialog = page.get_by_test_id("upload-dialog")
    dialog.get_by_test_id("upload-title").fill(title)
    if album:
        album.take(page, "upload")
    dialog.get_by_test_id("upload-start").click()
    expect(panel.locator(f'[data-testid="upload-job"][data-state="done"]:has-text("{title}")')).to_be_visible(timeout=LONG)
    if album:
        album.take(page, "uploaded")


def workspace(page: Page) -> Locator:
    side_panel(page, "Datasets")
    page.get_by_test_id("datasets-panel").get_by_test_id("open-workspace").click()
    return page.get_by_test_id("workspace-grid")


def choose(page: Page, *texts: str) -> None:
    """Selects rows, in this order, by the check box of the first row with each text."""
    grid = workspace(page)
    for box in grid.get_by_role("checkbox", checked=True).all():
        box.uncheck()
    for text in texts:
        grid.get_by_role("row").filter(has_text=text).first.get_by_role("checkbox").check()


def drawn(page: Page) -> numpy.ndarray:
    """The viewer's picture once something is in it."""
    viewer = page.get_by_test_id("volume-viewer").last
    expect(viewer).to_be_visible()
    canvas = viewer.locator("canvas")
    for _ in range(60):
        picture = numpy.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")).astype(int)
        if len(numpy.unique(picture.reshape(-1, 3), axis=0)) > 50:
            return picture
        page.wait_for_timeout(500)
    raise AssertionError("the viewer stayed blank")


def look_at(page: Page, album: Album, title: str) -> None:
    choose(page, title)
    album.take(page, "workspace")
    page.get_by_test_id("action-eye").click()
    drawn(page)
    album.take(page, "view")


def run_the_tool(page: Page, album: Album, title: str) -> str:
    """At most three clicks from a selection to a running job: Use in a tool, Run."""
    choose(page, title)
    page.get_by_test_id("action-tools").click()
    card = page.get_by_test_id("tool-dicom-to-nifti")
    expect(card).to_have_attribute("data-eligible", "true")
    album.take(page, "tools")
    card.get_by_test_id("run-dicom-to-nifti").click()
    row = page.get_by_test_id("run-row").filter(has_text="grete").first
    expect(row).to_have_attribute("data-state", "succeeded", timeout=LONG)
    album.take(page, "run")
    label = re.search(r"run\d+", row.inner_text())
    assert label
    grid = workspace(page)
    result = grid.get_by_role("row").filter(has_text=label[0]).first
    expect(result).to_be_visible()
    return result.get_by_role("gridcell").nth(1).inner_text().strip()


def look_with_overlay(page: Page, album: Album, image: str, mask: str) -> None:
    choose(page, image, mask)
    page.get_by_test_id("action-eye").click()
    drawn(page)
    expect(page.get_by_label("Colours of the overlay").last).to_be_visible()
    album.take(page, "overlay")


def read_and_save(page: Page, album: Album, study: Study) -> str:
    page.get_by_role("tab", name="Launcher").click()
    page.locator('.jp-LauncherCard[data-category="Notebook"]').filter(has_text="Imaging (Python)").click()
    expect(page.get_by_role("button", name="Imaging (Python) | Idle")).to_be_visible(timeout=LONG)  # else what is typed is lost
    cell = page.locator(".jp-Notebook .jp-CodeCell .cm-content").first
    cell.click()
    saved = "Bone of the chest"
    page.keyboard.insert_text(
        "import voxelhub\n"
        "volume = voxelhub.dataset('Chest CT').load()\n"
        f"dataset = voxelhub.save(volume.like((volume.array > 200).astype('uint8')), {saved!r}, project='demo')\n"
        "print(volume.array.shape, dataset.path)"
    )
    expect(cell).to_contain_text("voxelhub.save")
    page.keyboard.press("Shift+Enter")
    output = page.locator(".jp-OutputArea-output").filter(has_text=str(study.array.shape))
    expect(output.first).to_be_visible(timeout=LONG)
    album.take(page, "notebook")
    return saved


def log_out(page: Page, album: Album) -> None:
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.locator('[data-command="hub:logout"]').click()
    expect(page.get_by_text("Sign in").first).to_be_visible()
    album.take(page, "signed-out")
