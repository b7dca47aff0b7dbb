"""The steps of a person's journey through a browser, the same wherever VoxelHub runs."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from .chromium import Album

LONG = 300_000  # ms: a server or a run


def sign_in(page: Page, album: Album, url: str, name: str, password: str) -> None:
    page.goto(url)
    album.take(page, "welcome")
    page.get_by_role("link", name="Sign in").or_(page.get_by_role("button", name="Sign in")).first.click()
    page.locator("#username").fill(name)
    page.locator("#password").fill(password)
    album.take(page, "keycloak")
    page.locator("#kc-login").click()


def choose_a_profile(page: Page, album: Album, title: str = "Small") -> None:
    start = page.get_by_role("button", name=re.compile("^Start"))
    expect(start).to_be_visible()
    page.get_by_text(title, exact=True).click()
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


def bring_in(page: Page, album: Album | None, files: list[Path], title: str, project: str = "demo") -> None:
    side_panel(page, "Datasets")
    panel = page.get_by_test_id("datasets-panel")
    panel.get_by_test_id("project-chooser").select_option(project)
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
    """The viewer's picture once something is in it; the words "loading ..." light up a hundredth of it."""
    viewer = page.get_by_test_id("volume-viewer").last
    expect(viewer).to_be_visible()
    canvas = viewer.locator("canvas")
    for _ in range(60):
        picture = numpy.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")).astype(int)
        if len(numpy.unique(picture.reshape(-1, 3), axis=0)) > 50 and (picture.max(axis=2) > 30).mean() > 0.03:
            return picture
        page.wait_for_timeout(500)
    raise AssertionError("the viewer stayed blank")


def look_at(page: Page, album: Album, title: str) -> None:
    choose(page, title)
    album.take(page, "workspace")
    page.get_by_test_id("action-eye").click()
    drawn(page)
    expect(page.get_by_test_id("volume-viewer").last.get_by_role("alert")).to_have_count(0)
    album.take(page, "view")


def log_out(page: Page, album: Album) -> None:
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.locator('[data-command="hub:logout"]').click()
    expect(page.get_by_text("Sign in").first).to_be_visible()
    album.take(page, "signed-out")
