"""In a browser, on the whole installation: stopping the server in the hub closes its clusters, and what was pinned goes on."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from support.chromium import Album, chromium
from support.clustering import ENVIRONMENT, processes_naming
from support.installation import Installation, until
from support.person import NewPerson

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not ENVIRONMENT.is_dir(), reason="the environment imaging is not made here"),
]
LONG = 180_000  # ms: a server or a cluster
REASON = "Closed with the notebook server that it belonged to."


def test_with_the_server_or_pinned(installation: Installation, new_person: NewPerson, tmp_path: Path) -> None:
    person = new_person(("demo",))
    album = Album(tmp_path / "screenshots", "cluster-server-")
    with chromium() as (context, outside):
        page = sign_in(context, installation, person.name, person.password)
        start(page)
        panel = open_panel(page)
        study, night = create(page, panel, "Study", life=""), create(page, panel, "Over night", life="4")
        expect(card(panel, "Study")).to_contain_text("Ends with your server")
        expect(card(panel, "Over night")).to_contain_text("Pinned until")
        album.take(page, "both")
        stop_in_the_hub(page, installation, album)
        with installation.client(person.name, password=person.password) as api:
            after_the_server(api, installation, study, night)
            start_again(page, installation)
            panel = open_panel(page)
            expect(card(panel, "Study")).to_have_attribute("data-state", "closed")
            expect(card(panel, "Study").get_by_test_id("cluster-reason")).to_have_text(REASON)
            expect(card(panel, "Over night")).to_have_attribute("data-state", "running")
            album.take(page, "afterwards")
            close(page, panel, "Over night")
            until(lambda: api.get(f"/clusters/{night}").json()["state"] == "closed", 90, "the end of the pinned one")
        assert outside == []


def sign_in(context: BrowserContext, installation: Installation, name: str, password: str) -> Page:
    page = context.new_page()
    page.goto(f"{installation.url}/hub/oauth_login")
    page.locator("#username").fill(name)
    page.locator("#password").fill(password)
    page.locator("#kc-login").click()
    page.wait_for_url(re.compile("/hub/(spawn|home)"))
    return page


def start(page: Page) -> None:
    page.get_by_text("Small", exact=True).click()
    page.get_by_role("button", name=re.compile("^Start")).click()
    expect(page.locator(".jp-LabShell")).to_be_visible(timeout=LONG)
    page.wait_for_url(re.compile("/user/.*/lab"))


def open_panel(page: Page) -> Locator:
    """In a fresh layout: in one that comes back a click might close it."""
    page.goto(f"{page.url.partition('?')[0]}?reset")
    page.locator("[data-id=voxelhub-clusters]").click()
    panel = page.get_by_test_id("clusters-panel")
    expect(panel).to_be_visible()
    return panel


def card(panel: Locator, title: str) -> Locator:
    return panel.get_by_test_id("cluster-card").filter(has_text=title)


def create(page: Page, panel: Locator, title: str, life: str) -> str:
    panel.get_by_test_id("new-cluster").click()
    dialog = page.get_by_test_id("cluster-create-dialog")
    dialog.get_by_test_id("cluster-title").fill(title)
    dialog.get_by_test_id("cluster-project").select_option("demo")
    dialog.get_by_test_id("cluster-life").select_option(life)
    dialog.get_by_test_id("cluster-create-confirm").click()
    expect(dialog).to_have_count(0)
    expect(card(panel, title)).to_have_attribute("data-state", "running", timeout=LONG)
    return str(card(panel, title).get_attribute("data-cluster"))


def stop_in_the_hub(page: Page, installation: Installation, album: Album) -> None:
    page.goto(f"{installation.url}/hub/home")
    expect(page.get_by_role("heading")).to_contain_text("Your server is running")
    page.locator("#stop").click()
    expect(page.locator("#stop")).to_be_hidden()
    page.goto(f"{installation.url}/hub/home")
    expect(page.get_by_role("heading")).to_contain_text("Your server is not running")
    album.take(page, "hub")


def after_the_server(api: httpx.Client, installation: Installation, study: str, night: str) -> None:
    """Both as the API says them, and as the machine's processes are."""
    until(lambda: api.get(f"/clusters/{study}").json()["state"] == "closed", 90, "the end of the cluster that belonged to it")
    assert api.get(f"/clusters/{study}").json()["reason"] == REASON
    folders = [str(installation.settings.clusters_dir / one) for one in (study, night)]
    until(lambda: not processes_naming(folders[0]), 60, "the end of its processes")
    assert api.get(f"/clusters/{night}").json()["state"] == "running" and processes_naming(folders[1])


def start_again(page: Page, installation: Installation) -> None:
    page.goto(f"{installation.url}/hub/spawn")
    start(page)


def close(page: Page, panel: Locator, title: str) -> None:
    card(panel, title).get_by_test_id("cluster-close").click()
    page.get_by_test_id("cluster-close-confirm").click()
    expect(card(panel, title)).to_have_attribute("data-state", "closed", timeout=LONG)
