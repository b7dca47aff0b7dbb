"""The first complete journey, in a real browser against a real installation, without mocks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.chromium import Album, chromium
from support.installation import Installation
from support.steps import LONG, bring_in, choose, choose_a_profile, drawn, log_out, look_at, sign_in, workspace
from support.study import Study, assert_same_volume, make_study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_study(tmp_path / "study")


def test_from_sign_in_to_a_saved_result(installation: Installation, study: Study, tmp_path: Path) -> None:
    name = "grete"
    password = installation.new_user(name)
    with chromium() as (context, outside):
        page = context.new_page()
        album = Album(tmp_path / "screenshots")
        sign_in(page, album, installation.url, name, password)
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
