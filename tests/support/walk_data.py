"""What the user page does with data: bring in, quarantine, find, look, tidy up."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, expect
from support.walking import DATASETS, LONG, WORKSPACE, Walk


def send(walk: Walk, control: Locator, title: str, *paths: Path, mode: str = "") -> None:
    """As a person does: the button, the browser's chooser, the dialog."""
    with walk.page.expect_file_chooser() as chooser:
        control.click()
    chooser.value.set_files(paths[0] if paths[0].is_dir() else list(paths))
    dialog = walk.test("upload-dialog")
    dialog.get_by_test_id("upload-title").fill(title)
    if not mode:
        finish(walk, title)


def finish(walk: Walk, title: str) -> None:
    walk.test("upload-start").click()
    arrived(walk, title)


def arrived(walk: Walk, title: str) -> None:
    expect(walk.test("upload-job").filter(has_text=title).first).to_have_attribute("data-state", "done", timeout=LONG)


def upload_files(walk: Walk, control: Locator) -> None:
    send(walk, control, "Knee", walk.files / "knee.nii.gz")


def upload_folder(walk: Walk, control: Locator) -> None:
    send(walk, control, "Chest CT", walk.files / "ct")


def the_title_again(walk: Walk) -> None:
    button = walk.page.locator(DATASETS).get_by_role("button", name="Upload files", exact=True)
    send(walk, button, "Knee", walk.files / "knee-mask.nii.gz", mode="choose")


def add_to_it(walk: Walk, control: Locator) -> None:
    control.check()
    expect(walk.test("upload-mode")).to_contain_text("Version 1 stays as it is")
    finish(walk, "Knee")


def replace(walk: Walk, control: Locator) -> None:
    control.check()
    walk.page.keyboard.press("Escape")


def choose_again(walk: Walk, control: Locator) -> None:
    with walk.page.expect_file_chooser() as chooser:
        control.click()
    chooser.value.set_files([walk.files / "long.nii.gz"])
    arrived(walk, "Long one")


def open_quarantine(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.test("quarantined")).to_have_count(2)
    expect(walk.page.locator(WORKSPACE).get_by_role("button", name="Quarantine")).to_have_attribute("aria-pressed", "true")


def show_name(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.test("own-name")).to_be_visible()


def reject(walk: Walk, control: Locator) -> None:
    control.click()
    walk.test("decide-reason").fill("A drawing that nobody needs here.")
    walk.test("decide-confirm").click()
    expect(walk.test("quarantined")).to_have_count(1)


def grey(walk: Walk, control: Locator) -> None:
    expect(control).to_be_disabled()


def open_workspace(walk: Walk, control: Locator) -> None:
    control.click()
    walk.page.locator(WORKSPACE).get_by_role("button", name="Quarantine").click()  # once more, as the page says
    walk.choose("knee", text="knee", total=2)


def view(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.test("volume-viewer")).to_have_attribute("data-ready", "true", timeout=LONG)


def one_knee(walk: Walk) -> None:
    walk.choose("knee", text="knee", total=2)


def both_knees(walk: Walk) -> None:
    one_knee(walk)
    walk.rows().nth(1 if walk.rows().first.get_attribute("aria-selected") == "true" else 0).click(modifiers=["Control"])


def what_changed(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.test("changes-2")).to_contain_text("1 added")


def rename(walk: Walk, control: Locator) -> None:
    control.click()
    name = walk.test("rename-name").input_value()
    walk.test("rename-name").fill(f"{name} at rest")
    walk.test("rename-save").click()
    expect(walk.rows("at rest")).to_have_count(1)


def edit_type(walk: Walk, control: Locator) -> None:
    control.click()
    walk.test("type-data-type").select_option("ct-image")
    walk.test("type-save").click()
    expect(walk.test("type-dialog")).to_have_count(0)


def delete(walk: Walk, control: Locator) -> None:
    control.click()
    walk.test("trash-confirm").click()
    expect(walk.rows()).to_have_count(0)


def bring_back(walk: Walk, control: Locator) -> None:
    control.click()
    walk.page.get_by_role("button", name="Restore Knee", exact=True).click()
    control.click()
    expect(walk.rows()).to_have_count(2)


def storage(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.test("storage-page")).to_contain_text("wait in quarantine")
    control.click()
