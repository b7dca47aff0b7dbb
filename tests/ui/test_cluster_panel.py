"""What the Clusters panel does beside a cluster's ordinary life: its size and its end time changed, clusters of others for who
may see them, a budget that is spent, an environment that is gone. Looked at in both themes.

Real JupyterLab, service, worker, sandboxes and Dask; only hub and Keycloak are absent. tests/ui/test_clusters.py has the
ordinary life, tests/hub/test_cluster_server.py the end with the notebook server.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from support.chromium import Album
from support.lab_server import LAB, LabServer, lab_server
from support.ledger_rows import BUDGETS, PRICES, add_entry
from support.service import ACTORS
from support.workplace import Workplace, workplace
from support.world import until
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.identity.actor import USERS_GROUP, Actor

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not (LAB.parent / "imaging").exists(), reason="the environment imaging is not installed"),
]
LONG = 180_000  # ms
TODAY = datetime.now(UTC).date().isoformat()
CAROL = Actor("carol", frozenset({USERS_GROUP, "/projects/alpha", "role:researcher"}))  # alpha is alice's
GONE = "imaging-torch"
EVERYTHING = {"project": "demo", "adaptive": True, "minimum": 0, "maximum": 2}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """Of alice, with a second environment of which only its list of packages is left."""
    folder = tmp_path_factory.mktemp("cluster-panel")
    envs = folder / "envs"
    envs.mkdir()
    (envs / "imaging").symlink_to(LAB.parent / "imaging")
    dask = next((LAB.parent / "imaging").glob("lib/python3*/site-packages/distributed-*.dist-info"))
    (envs / GONE / dask.relative_to(LAB.parent / "imaging")).mkdir(parents=True)
    (folder / "prices.yaml").write_text(PRICES)
    (folder / "budgets.yaml").write_text(BUDGETS)
    settings = {"prices_file": str(folder / "prices.yaml"), "budgets_file": str(folder / "budgets.yaml"), "envs_dir": envs}
    with patch.dict(ACTORS, {"token-of-carol": CAROL}), workplace(folder, **settings) as started:
        yield started


def open_panel(page: Page, lab: LabServer, *, dark: bool = False) -> Locator:
    """In a fresh Lab of that theme."""
    themes = f"{lab.url}/lab/api/settings/%40jupyterlab%2Fapputils-extension%3Athemes"
    theme = {"raw": f'{{"theme": "JupyterLab {"Dark" if dark else "Light"}"}}'}
    httpx.put(themes, headers=lab.headers, json=theme, timeout=60).raise_for_status()
    page.goto(f"{lab.url}/lab?token={lab.token}&reset", timeout=LONG)
    page.locator("[data-id=voxelhub-clusters]").click(timeout=LONG)
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", str(not dark).lower())
    panel = page.get_by_test_id("clusters-panel")
    expect(panel).to_be_visible()
    return panel


def card(panel: Locator, title: str) -> Locator:
    return panel.get_by_test_id("cluster-card").filter(has_text=title)


def make(place: Workplace, title: str, user: str = "alice", **wish: Any) -> str:
    with place.api(user) as api:
        answer = api.post("/clusters", json={**EVERYTHING, "title": title, "made_in": "panel", **wish})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


def known(place: Workplace, cluster: str, user: str = "alice") -> dict[str, Any]:
    with place.api(user) as api:
        found: dict[str, Any] = api.get(f"/clusters/{cluster}").json()
        return found


def close(place: Workplace, *clusters: str, user: str = "admin") -> None:
    with place.api(user) as api:
        for one in clusters:
            api.delete(f"/clusters/{one}")
        for one in clusters:
            until(lambda one=one: api.get(f"/clusters/{one}").json()["state"] in ("closed", "failed"), 120)


def test_size_and_end_time(browser: BrowserContext, place: Workplace, tmp_path: Path) -> None:
    album = Album(tmp_path / "screenshots", "cluster-care-")
    page = browser.new_page()
    panel = open_panel(page, place.lab)
    cluster = make(place, "Study", minimum=1)
    mine = card(panel, "Study")
    expect(mine).to_have_attribute("data-state", "running", timeout=LONG)
    scale(page, mine, album)
    assert (known(place, cluster)["adaptive"], known(place, cluster)["wanted_workers"]) == (False, 2)
    adapt(page, mine)
    pin(page, mine, place, cluster, album)
    look_in_the_dark(page, place, album)
    close(place, cluster)


def scale(page: Page, mine: Locator, album: Album) -> None:
    """A fixed number, with its price before the button."""
    mine.get_by_test_id("cluster-size").click()
    dialog = page.get_by_test_id("cluster-size-dialog")
    dialog.get_by_test_id("cluster-maximum").fill("0")
    expect(dialog).to_contain_text("Write a whole number from 1 to 16.")
    expect(dialog.get_by_test_id("cluster-size-confirm")).to_be_disabled()
    dialog.get_by_test_id("cluster-adaptive").uncheck()
    dialog.get_by_test_id("cluster-fixed").fill("2")
    expect(dialog).to_contain_text("It then costs 0.10 EUR an hour.")
    album.take(page, "scale")
    dialog.get_by_test_id("cluster-size-confirm").click()
    expect(dialog).to_have_count(0)
    expect(mine.get_by_test_id("cluster-workers")).to_have_attribute("data-workers", "2", timeout=LONG)
    expect(mine).to_contain_text("2 (2 wanted)")
    mine.get_by_test_id("cluster-details").click()
    mine.get_by_test_id("cluster-view-events").click()
    expect(mine.get_by_test_id("cluster-events")).to_contain_text("Grows from 1 to 2 workers. 2 workers are wanted.")
    mine.get_by_test_id("cluster-details").click()


def adapt(page: Page, mine: Locator) -> None:
    """With the load from then on: there is none, so that no worker stays."""
    mine.get_by_test_id("cluster-size").click()
    dialog = page.get_by_test_id("cluster-size-dialog")
    expect(dialog.get_by_test_id("cluster-fixed")).to_have_value("2")
    dialog.get_by_test_id("cluster-adaptive").check()
    dialog.get_by_test_id("cluster-minimum").fill("0")
    dialog.get_by_test_id("cluster-maximum").fill("3")
    expect(dialog).to_contain_text("It then costs 0.02 to 0.14 EUR an hour.")
    dialog.get_by_test_id("cluster-size-confirm").click()
    expect(dialog).to_have_count(0)
    expect(mine.get_by_test_id("cluster-workers")).to_have_attribute("data-workers", "0", timeout=LONG)
    expect(mine).to_contain_text("0 (0 to 3)")


def pin(page: Page, mine: Locator, place: Workplace, cluster: str, album: Album) -> None:
    """Not into the past; until a time; and taken back."""
    mine.get_by_test_id("cluster-pin").click()
    dialog = page.get_by_test_id("cluster-pin-dialog")
    confirm, until_field = dialog.get_by_test_id("cluster-pin-confirm"), dialog.get_by_test_id("cluster-pin-until")
    until_field.fill("2020-01-01T12:00")
    expect(dialog).to_contain_text("This time is over.")
    expect(confirm).to_be_disabled()
    end = (datetime.now() + timedelta(hours=2)).replace(second=0, microsecond=0)
    until_field.fill(end.strftime("%Y-%m-%dT%H:%M"))
    album.take(page, "pin")
    until_field.fill((datetime.now() + timedelta(days=400)).strftime("%Y-%m-%dT%H:%M"))
    confirm.click()
    expect(dialog).to_contain_text("A cluster is pinned for at most 30 days. Take an earlier end time.")
    until_field.fill(end.strftime("%Y-%m-%dT%H:%M"))
    confirm.click()
    expect(dialog).to_have_count(0)
    expect(mine).to_contain_text(f"Pinned until {end:%Y-%m-%d %H:%M}.")
    expect(mine.get_by_test_id("cluster-pin")).to_have_attribute("aria-pressed", "true")
    assert datetime.fromisoformat(known(place, cluster)["pinned_until"]) == end.astimezone(UTC)
    mine.get_by_test_id("cluster-pin").click()
    dialog.get_by_test_id("cluster-pinned").uncheck()
    expect(confirm).to_have_text("Unpin")
    confirm.click()
    expect(mine.get_by_test_id("cluster-pin")).to_have_attribute("aria-pressed", "false")
    assert known(place, cluster)["pinned_until"] is None


def look_in_the_dark(page: Page, place: Workplace, album: Album) -> None:
    panel = open_panel(page, place.lab, dark=True)
    mine = card(panel, "Study")
    for name in ("size", "pin"):
        mine.get_by_test_id(f"cluster-{name}").click()
        expect(page.get_by_test_id(f"cluster-{name}-dialog")).to_be_visible()
        album.take(page, f"{name}-dark")
        page.keyboard.press("Escape")
    mine.get_by_test_id("cluster-dashboard").click()
    frame = page.frame_locator("[data-testid=dashboard-frame]")
    expect(frame.locator("canvas").first).to_be_visible(timeout=LONG)
    page.wait_for_timeout(2000)
    album.take(page, "dashboard-dark")


def test_clusters_of_others(browser: BrowserContext, place: Workplace, tmp_path: Path) -> None:
    """An owner has those of her project, an administrator all; each may close them, nobody else's dashboard is theirs."""
    album = Album(tmp_path / "screenshots", "cluster-others-")
    carols, bobs = make(place, "Of carol", "carol", project="alpha"), make(place, "Of bob", "bob")
    page = browser.new_page()
    panel = open_panel(page, place.lab)
    expect(panel).to_contain_text("No cluster is open")
    expect(panel.get_by_test_id("clusters-all")).to_have_count(0)
    panel.get_by_test_id("clusters-project").click()
    theirs = card(panel, "Of carol")
    expect(theirs).to_have_attribute("data-state", "running", timeout=LONG)
    expect(theirs).to_contain_text("carol · alpha")
    expect(theirs.get_by_test_id("cluster-close")).to_be_visible()
    for name in ("dashboard", "insert"):
        expect(theirs.get_by_test_id(f"cluster-{name}")).to_have_count(0)
    expect(panel.get_by_test_id("new-cluster")).to_have_count(0)
    expect(card(panel, "Of bob")).to_have_count(0)
    album.take(page, "owner")
    theirs.get_by_test_id("cluster-close").click()
    page.get_by_test_id("cluster-close-confirm").click()
    expect(theirs).to_have_attribute("data-state", "closed", timeout=LONG)
    expect(theirs.get_by_test_id("cluster-reason")).to_have_text("Closed by alice.")
    assert known(place, carols, "carol")["reason"] == "Closed by alice."
    with ExitStack() as stack:
        home = Path(place.context.settings.state_dir).parent / "home-of-the-administrator"
        environ = {"JUPYTERHUB_USER": "admin", "VOXELHUB_PROJECTS": "demo"}
        lab = stack.enter_context(lab_server(home, place.api_url, "token-of-admin", program="jupyter-lab", environ=environ))
        of_all(page, lab, album)
    until(lambda: known(place, bobs, "bob")["state"] == "closed", 60)


def of_all(page: Page, lab: LabServer, album: Album) -> None:
    panel = open_panel(page, lab, dark=True)
    panel.get_by_test_id("clusters-all").click()
    expect(card(panel, "Of carol")).to_have_attribute("data-state", "closed")
    theirs = card(panel, "Of bob")
    expect(theirs).to_have_attribute("data-state", "running", timeout=LONG)
    album.take(page, "administrator-dark")
    theirs.get_by_test_id("cluster-close").click()
    page.get_by_test_id("cluster-close-confirm").click()
    expect(theirs.get_by_test_id("cluster-reason")).to_have_text("Closed by admin.", timeout=LONG)


def test_what_cannot_start_says_why(browser: BrowserContext, place: Workplace, tmp_path: Path) -> None:
    """It was offered, as its packages are listed; there is nothing behind them."""
    album = Album(tmp_path / "screenshots", "cluster-failed-")
    page = browser.new_page()
    panel = open_panel(page, place.lab)
    panel.get_by_test_id("new-cluster").click()
    dialog = page.get_by_test_id("cluster-create-dialog")
    dialog.get_by_test_id("cluster-title").fill("With a network")
    dialog.get_by_test_id("cluster-project").select_option("demo")
    dialog.get_by_test_id("cluster-environment").select_option(GONE)
    expect(dialog.get_by_test_id("cluster-create-confirm")).to_be_enabled()
    dialog.get_by_test_id("cluster-create-confirm").click()
    mine = card(panel, "With a network")
    expect(mine).to_have_attribute("data-state", "failed", timeout=LONG)
    expect(mine.get_by_test_id("cluster-reason")).to_have_text(
        f"Its environment {GONE} has no Python on this machine. "
        f"An administrator installs it again with `python3 hub_config/bootstrap.py {GONE}`.")
    album.take(page, "light")
    panel = open_panel(page, place.lab, dark=True)
    expect(card(panel, "With a network").get_by_test_id("cluster-reason")).to_be_visible()
    album.take(page, "dark")


def test_a_spent_budget_refuses_with_its_figures(browser: BrowserContext, place: Workplace, tmp_path: Path) -> None:
    """Spent while the form was open: refused by the button. Opened again: refused before it. Last, as alice has spent then."""
    album = Album(tmp_path / "screenshots", "cluster-refused-")
    page = browser.new_page()
    panel = open_panel(page, place.lab)
    panel.get_by_test_id("new-cluster").click()
    dialog = page.get_by_test_id("cluster-create-dialog")
    dialog.get_by_test_id("cluster-project").select_option("demo")
    confirm = dialog.get_by_test_id("cluster-create-confirm")
    expect(confirm).to_have_text("Create for 0.02 to 0.18 EUR an hour")
    expect(dialog.get_by_test_id("cluster-estimate")).to_contain_text("left this month of demo")  # of what is chosen now
    add_entry(place.context, "alice", "cluster", TODAY, 50, title="Yesterday's")  # 2 EUR
    budgets = Path(place.context.settings.budgets_file)
    budgets.write_text(BUDGETS.replace("alice: {money: 40}", "alice: {money: 1.5}"))
    try:
        confirm.click()
        expect(dialog).to_contain_text("The budget of alice for this month is spent: 2.00 of 1.50 EUR.")
        expect(dialog).to_contain_text("Ask an administrator for a larger budget, or wait for the next month.")
        album.take(page, "by-the-button")
        panel = open_panel(page, place.lab, dark=True)
        expect(panel).to_contain_text("0.00 of 1.50 EUR left this month")
        panel.get_by_test_id("new-cluster").click()
        expect(dialog.get_by_test_id("cluster-estimate")).to_contain_text("2.00 of 1.50 EUR")
        expect(confirm).to_be_disabled()
        album.take(page, "before-the-button-dark")
    finally:
        budgets.write_text(BUDGETS)
    with place.api() as api:
        assert "Cluster" not in [one["title"] for one in api.get("/clusters").json()["items"]]
