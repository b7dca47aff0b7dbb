"""A cluster's whole life from the panel, in a real browser: made with its price, computing over a slide, grown and shrunk one
by one, looked at in its dashboard, closed, and billed for exactly what ran; a second one, made in code, beside it.

Real JupyterLab, kernel, service, worker, sandboxes and Dask; only hub and Keycloak are absent.
"""

from __future__ import annotations

import io
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from playwright.sync_api import BrowserContext, Locator, Page, expect
from sqlalchemy import select
from support.chromium import Album
from support.lab_server import LAB
from support.ledger_rows import BUDGETS, PRICES
from support.workplace import Workplace, workplace
from support.world import add_version, until
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.database import reading
from voxelhub_service.models import Project

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not (LAB.parent / "imaging").exists(), reason="the environment imaging is not installed"),
]
LONG = 120_000  # ms
SIDE, TILE = 3072, 384  # pixels of the slide and of its tiles
WORKER, SCHEDULER = 0.04, 0.02  # EUR an hour
NAME = "filter.ipynb"
COMPUTE = '''
import voxelhub

entry = voxelhub.entry("{entry}")
tiles = [(y, x) for y in range(0, {side}, {tile}) for x in range(0, {side}, {tile})]


def filtered(path, place, wait=0.0):
    """Sum of one tile after a filter, in whole numbers: the same wherever it is computed."""
    import time

    import scipy.ndimage
    import tifffile

    time.sleep(wait)
    y, x = place
    tile = tifffile.memmap(path, mode="r")[y:y + {tile}, x:x + {tile}].astype("float64")
    return int(scipy.ndimage.median_filter(tile, size=3).sum())


sums = client.gather(client.map(lambda place: filtered(entry.location, place, 0.3), tiles, pure=False))
alone = [filtered(str(entry.path), place) for place in tiles]
print("equal to one process:", sums == alone, len(sums))
'''
SECOND = 'second = voxelhub.Cluster(workers=1, project="demo", name="From code", quiet=True)\nprint("second:", second.state)'
# Notes each number of workers that the panel shows.
WATCH = """card => {
  const look = () => {
    const bar = card.querySelector('[data-testid=cluster-workers]');
    const now = bar ? Number(bar.dataset.workers) : 0;
    if (now !== window.seen[window.seen.length - 1]) window.seen.push(now);
  };
  window.seen = [];
  look();
  new MutationObserver(look).observe(card, {subtree: true, childList: true, attributes: true});
}"""


def slide() -> bytes:
    """Grain on a gradient, 9 MiB, as a TIFF that can be mapped."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    picture = ((x + y) // 64 + np.random.default_rng(0).integers(0, 32, (SIDE, SIDE))).astype(np.uint8)
    file = io.BytesIO()
    tifffile.imwrite(file, picture)
    return file.getvalue()


def notebook(entry: str) -> dict[str, Any]:
    """A cell of text, what is computed, and a second cluster made in code; the first client cell is put in by the panel."""
    text = {"id": "head", "cell_type": "markdown", "metadata": {}, "source": "# Tiles of a slide"}
    cells = [{"id": name, "cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
             for name, source in (("compute", COMPUTE.format(entry=entry, side=SIDE, tile=TILE).strip()), ("second", SECOND))]
    kernel = {"name": "imaging", "display_name": "Imaging (Python)", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": [text, *cells]}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    folder = tmp_path_factory.mktemp("clusters")
    (folder / "prices.yaml").write_text(PRICES)
    (folder / "budgets.yaml").write_text(BUDGETS)
    settings = {"prices_file": str(folder / "prices.yaml"), "budgets_file": str(folder / "budgets.yaml")}
    environ = {"VOXELHUB_PROJECTS_DIR": str(folder / "state" / "projects")}
    with workplace(folder, environ=environ, **settings) as started:
        with reading(started.context.engine) as session:
            demo = session.scalars(select(Project.id).where(Project.name == "demo")).one()
        entries = add_version(started.context, demo, "Slide", {"slide.tif": ("image", "image", "tiff", {"slide.tif": slide()})})
        (folder / "home" / "work" / NAME).write_text(json.dumps(notebook(entries["slide.tif"])))
        yield started


class Clock:
    """How long a cluster's processes live, as the kernel lists the children of its supervisor; not by what that one says."""

    def __init__(self, place: Workplace, cluster: str) -> None:
        claim = place.context.settings.clusters_dir / cluster / "claim"
        until(claim.exists)
        pid = json.loads(claim.read_text())["pid"]
        self.children = Path(f"/proc/{pid}/task/{pid}/children")
        self.spans: dict[str, list[float]] = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        while not self.over.wait(0.02):
            try:
                found = self.children.read_text().split()
            except OSError:
                return
            for pid in found:
                self.spans.setdefault(pid, [began(pid), 0.0])[1] = time.clock_gettime(time.CLOCK_BOOTTIME)

    def seconds(self) -> float:
        self.over.set()
        self.thread.join(60)
        return sum(last - first for first, last in self.spans.values())


def began(pid: str) -> float:
    """Seconds from boot to the start of a process: proc(5), field 22."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def open_lab(browser: BrowserContext, place: Workplace) -> Page:
    page = browser.new_page()
    page.goto(place.page_url.replace("/lab?", f"/lab/tree/{NAME}?"))
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(2, timeout=LONG)
    page.locator("[data-id=voxelhub-clusters]").click()
    expect(page.get_by_test_id("clusters-panel")).to_be_visible()
    return page


def panel(page: Page) -> Locator:
    return page.get_by_test_id("clusters-panel")


def card(page: Page, title: str) -> Locator:
    return panel(page).get_by_test_id("cluster-card").filter(has_text=title)


def entries_of(place: Workplace, cluster: str) -> list[dict[str, Any]]:
    with place.api() as api:
        return [one for one in api.get("/spend/entries").json()["items"] if one["subject"] == cluster]


def test_from_the_price_to_the_bill(browser: BrowserContext, place: Workplace, tmp_path: Path) -> None:
    album = Album(tmp_path / "screenshots", "clusters-")
    page = open_lab(browser, place)
    expect(panel(page)).to_contain_text("No cluster is open")
    expect(panel(page)).to_contain_text("voxelhub.Cluster(adapt=(0, 4))")
    album.take(page, "empty")
    cluster = create(page, album)
    clock = Clock(place, cluster)
    page.evaluate(WATCH, card(page, "Tiles").element_handle())
    compute(page, cluster)
    grow_and_shrink(page, place, cluster, album)
    second_in_code(page, album)
    close(page, "Tiles", album)
    close(page, "From code", album)
    billed(place, cluster, clock)
    look_at_spend(page, album)


def create(page: Page, album: Album) -> str:
    panel(page).get_by_test_id("new-cluster").click()
    dialog = page.get_by_test_id("cluster-create-dialog")
    dialog.get_by_test_id("cluster-title").fill("Tiles")
    dialog.get_by_test_id("cluster-project").select_option("demo")
    dialog.get_by_test_id("cluster-minimum").fill("5")
    expect(dialog).to_contain_text("The floor is above the ceiling.")
    expect(dialog.get_by_test_id("cluster-create-confirm")).to_be_disabled()
    dialog.get_by_test_id("cluster-minimum").fill("1")
    expect(dialog.get_by_test_id("cluster-estimate")).to_contain_text("between 0.06 and 0.18 EUR an hour", ignore_case=True)
    expect(dialog.get_by_test_id("cluster-estimate")).to_contain_text("left this month")
    confirm = dialog.get_by_test_id("cluster-create-confirm")
    expect(confirm).to_have_text("Create for 0.06 to 0.18 EUR an hour")
    album.take(page, "price")
    confirm.click()
    expect(dialog).to_have_count(0)
    mine = card(page, "Tiles")
    expect(mine).to_have_attribute("data-state", re.compile("starting|running"))
    expect(mine).to_have_attribute("data-state", "running", timeout=LONG)
    expect(mine.get_by_test_id("cluster-workers")).to_have_attribute("data-workers", "1")
    return str(mine.get_attribute("data-cluster"))


def compute(page: Page, cluster: str) -> None:
    page.locator(".jp-Notebook .jp-MarkdownCell").click()
    card(page, "Tiles").get_by_test_id("cluster-insert").click()
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(3)
    expect(page.locator(".jp-Notebook .jp-CodeCell").first).to_contain_text(f'Cluster.connect("{cluster}")')
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def grow_and_shrink(page: Page, place: Workplace, cluster: str, album: Album) -> None:
    mine = card(page, "Tiles")
    mine.get_by_test_id("cluster-details").click()
    expect(mine.get_by_test_id("cluster-workers")).to_have_attribute("data-workers", "4", timeout=LONG)
    mine.get_by_test_id("cluster-dashboard").click()
    frame = page.frame_locator("[data-testid=dashboard-frame]")
    expect(frame.locator("canvas").first).to_be_visible(timeout=LONG)
    album.take(page, "task-stream")
    expect(page.locator(".jp-Notebook")).to_contain_text("equal to one process: True 64", timeout=LONG)
    expect(mine.get_by_test_id("cluster-workers")).to_have_attribute("data-workers", "1", timeout=LONG)
    mine.get_by_test_id("cluster-view-events").click()
    expect(mine.get_by_test_id("cluster-timeline")).to_be_visible()
    album.take(page, "shrunk")
    shown = page.evaluate("window.seen")
    down = shown[len(shown) - shown[::-1].index(4):]
    assert down == sorted(down, reverse=True) and len(down) >= 2, shown
    with place.api() as api:
        events = api.get(f"/clusters/{cluster}/logs").json()["events"]
    steps = [(one["measured"]["from"], one["measured"]["to"]) for one in events if one["kind"] == "scale"]
    assert max(to for _, to in steps) == 4, steps
    assert all(to == at - 1 for at, to in steps if to < at), steps
    assert min(to for _, to in steps) >= 1, steps


def second_in_code(page: Page, album: Album) -> None:
    second = card(page, "From code")
    expect(second).to_have_attribute("data-state", "running", timeout=LONG)
    expect(second).to_contain_text("made in a notebook")
    expect(page.locator(".jp-Notebook")).to_contain_text("second: running")
    second.scroll_into_view_if_needed()
    album.take(page, "second")


def close(page: Page, title: str, album: Album) -> None:
    card(page, title).get_by_test_id("cluster-close").click()
    dialog = page.get_by_test_id("cluster-close-dialog")
    expect(dialog).to_contain_text("are lost")
    album.take(page, "close")
    dialog.get_by_test_id("cluster-close-confirm").click()
    expect(card(page, title)).to_have_attribute("data-state", "closed", timeout=LONG)


def billed(place: Workplace, cluster: str, clock: Clock) -> None:
    """The bill is process-seconds by price, within 1 %; on a busy machine a look at a process may come late."""
    until(lambda: all(one["ended_at"] for one in entries_of(place, cluster)))
    entries = entries_of(place, cluster)
    seconds = sum(one["seconds"] for one in entries)
    ran = clock.seconds()
    assert ran == pytest.approx(seconds, rel=0.01, abs=3.0 * len(clock.spans)), (ran, seconds)
    prices = {one["profile"]: one["price_per_hour"] for one in entries}
    assert sorted(prices.values()) == [SCHEDULER, WORKER]
    cost = sum(one["cost"] for one in entries)
    assert cost == pytest.approx(sum(one["seconds"] * one["price_per_hour"] for one in entries) / 3600, rel=0.01)
    with place.api() as api:
        known = api.get(f"/clusters/{cluster}").json()
    assert known["cost"] == pytest.approx(cost, rel=0.01) and known["currency"] == "EUR"


def look_at_spend(page: Page, album: Album) -> None:
    page.keyboard.press("Control+Shift+C")
    page.locator("#command-palette input, .lm-CommandPalette-input").first.fill("voxelhub: spend")
    page.keyboard.press("Enter")
    spend = page.get_by_test_id("spend-page")
    expect(spend.get_by_test_id("spend-by-kind")).to_contain_text("Clusters")
    expect(spend.get_by_test_id("budget")).to_contain_text("of 40 EUR left this month")
    expect(spend.get_by_test_id("spend-entry").filter(has_text="Tiles").first).to_be_visible()
    album.take(page, "spend")
