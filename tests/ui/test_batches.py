"""Forty rows through a tool at once, in a real browser: the plan, the runs, what broke, the table, the next tool, a cancel.

Real JupyterLab, service, worker, sandboxes and tools; only hub and Keycloak are absent. The tools are small and of this test.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from sqlalchemy import select
from support.chromium import Album
from support.probe import write_probe
from support.workplace import Workplace, workplace
from support.world import add_version
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.database import reading
from voxelhub_service.models import Project

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
PATIENCE, LONG = 120_000, 300_000  # ms
ITEMS, BROKEN = 40, 17
THEMES = "%40jupyterlab%2Fapputils-extension%3Athemes"
SMALL = {"cpu": 0.25, "memory": 128 * 1024**2, "time": 300, "output": {"base": 1024**2, "per_input_byte": 1}}
MEASURE = """
a = open(inputs[0]).read().split()[1]
if a == "broken":
    print("::error The volume of this case is empty.")
    sys.exit(1)
for step in range(10):
    print(f"::progress {step / 10} Measuring", flush=True)
    time.sleep(float(sleep) / 10)
open(output + "/values.csv", "w").write(f"volume_ml,mean,sd\\n{a}.5,{100 + int(a)},{int(a) / 7:.3f}\\n")
print("measured", flush=True)
sys.exit(0)
"""


def write_tools(folder: Path) -> Path:
    """`measure` makes one table of each case and fails for one of them; `summarise` takes such tables."""
    table = [{"data_type": "table", "file_format": "csv"}]
    for name, title, about, script in (
        ("measure", "Measure a case", "Volume, mean and standard deviation of one case.", MEASURE),
        ("summarise", "Summarise tables", "One line for each table that it is given.", ""),
    ):
        arguments = {"type": "object", "properties": {
            "sleep": {"type": "number", "title": "Smoothing (s)", "default": 0.3, "minimum": 0, "maximum": 600}}}
        write_probe(folder, name=name, title=title, description=about, resources=SMALL, arguments=arguments,
                    inputs=[{"name": "case", "title": "Case", "accepts": table, "maximum": 500}],
                    command=["python", "probe.py", "{arguments.sleep}", "0", script or "pass", "{output}", "{inputs.case}"],
                    keywords=["measure", "table"])
        (folder / "probe").rename(folder / name)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    folder = tmp_path_factory.mktemp("batches")
    tools = write_tools(tmp_path_factory.mktemp("tools"))
    with workplace(folder, tools_dir=str(tools), run_cpus=2) as started:
        with reading(started.context.engine) as session:
            alpha = session.scalars(select(Project.id).where(Project.name == "alpha")).one()
        add_version(started.context, alpha, "Cases", {
            f"case {n:02d}.csv": ("table", "table", "csv", {
                f"case-{n:02d}.csv": f"a\n{'broken' if n == BROKEN else n}\n".encode()}) for n in range(1, ITEMS + 1)})
        yield started


@pytest.fixture
def page(browser: BrowserContext, place: Workplace) -> Page:
    page = browser.new_page()
    page.goto(place.page_url)
    page.get_by_test_id("open-workspace").click()
    page.get_by_test_id("filter-project").select_option("alpha")
    return page


def rows(page: Page) -> Locator:
    return page.locator("[role=row][data-entry]")


def batch(page: Page, title: str) -> Locator:
    return page.get_by_test_id("batch-row").filter(has_text=title)


def choose_all_cases(page: Page) -> None:
    page.get_by_test_id("filter-text").fill("case ")
    expect(page.get_by_test_id("row-count")).to_have_text(f"{ITEMS} rows")
    page.get_by_test_id("sort-name").click()
    expect(rows(page).first).to_contain_text("case 01.csv")
    rows(page).first.click()
    page.keyboard.press("Control+a")
    expect(page.get_by_test_id("row-count")).to_contain_text(f"{ITEMS} of {ITEMS} rows selected")
    page.get_by_test_id("action-tools").click()


def begin(page: Page, title: str, **arguments: str) -> None:
    card = page.get_by_test_id("tool-measure")
    card.get_by_test_id("each-measure").click()
    card.get_by_test_id("output-title").fill(title)
    for name, value in arguments.items():
        card.get_by_test_id(f"argument-{name}").fill(value)
    expect(card.get_by_test_id("start-each-measure")).to_have_text(f"Start {ITEMS} runs")
    card.get_by_test_id("start-each-measure").click()


def test_forty_cases_from_the_selection_to_the_table(page: Page, place: Workplace, tmp_path: Path) -> None:
    album = Album(tmp_path / "screenshots", "batch-")
    choose_all_cases(page)
    say_what_will_happen(page, album)
    watch_it(page, album)
    look_at_what_broke(page, album)
    read_the_table(page, album)
    retry_and_go_on(page, album)
    look_at_its_results(page, album)
    take_it_in_dark(page, place, album)


def say_what_will_happen(page: Page, album: Album) -> None:
    card = page.get_by_test_id("tool-measure")
    expect(card).to_have_attribute("data-each", str(ITEMS))
    expect(card.get_by_test_id("run-measure")).to_have_text("Run once")
    card.get_by_test_id("each-measure").click()
    plan = card.get_by_test_id("each-plan")
    expect(plan).to_contain_text(f"{ITEMS} runs, one for each of case 01.csv")
    expect(plan).to_contain_text("of CPU time")
    expect(plan).to_contain_text("are set aside")
    card.get_by_test_id("output-title").fill("Volumes of the study")
    card.get_by_test_id("priority").select_option("0")
    expect(card.get_by_test_id("priority").locator("option")).to_have_count(3)  # alice owns alpha
    card.scroll_into_view_if_needed()
    album.take(page, "plan")
    card.get_by_test_id("start-each-measure").click()


def watch_it(page: Page, album: Album) -> None:
    row = batch(page, "Volumes of the study")
    row.scroll_into_view_if_needed()
    expect(row.get_by_test_id("batch-count-succeeded")).to_be_visible(timeout=LONG)
    expect(row.get_by_test_id("batch-item")).to_have_count(25)
    expect(row.get_by_test_id("batch-item").filter(has_text=re.compile("before it|Waits for")).first).to_be_visible()
    album.take(page, "on-its-way")
    expect(row).to_have_attribute("data-state", "failed", timeout=LONG)
    expect(row.get_by_test_id("batch-count-succeeded")).to_contain_text(f"{ITEMS - 1} succeeded")
    expect(row.get_by_test_id("batch-count-failed")).to_contain_text("1 failed")


def look_at_what_broke(page: Page, album: Album) -> None:
    row = batch(page, "Volumes of the study")
    row.get_by_test_id("batch-later").click()
    expect(row.get_by_test_id("batch-item")).to_have_count(ITEMS - 25)
    row.get_by_test_id("batch-count-failed").click()
    expect(row.get_by_test_id("batch-item")).to_have_count(1)
    expect(row.get_by_test_id("batch-item")).to_contain_text("The volume of this case is empty.")
    row.get_by_test_id("batch-item-log").click()
    expect(row.get_by_test_id("run-log")).to_contain_text("begins")
    album.take(page, "what-broke")


def read_the_table(page: Page, album: Album) -> None:
    batch(page, "Volumes of the study").get_by_test_id("batch-table").click()
    table = page.get_by_test_id("table-viewer")
    expect(table).to_contain_text("volume_ml")
    expect(table.locator("[role=row][aria-rowindex='2']")).to_contain_text("case 01.csv")
    album.take(page, "table")


def retry_and_go_on(page: Page, album: Album) -> None:
    row = batch(page, "Volumes of the study")
    row.get_by_test_id("batch-items").click()  # all of them again
    expect(row.get_by_test_id("batch-retry")).to_have_text("Retry failed (1)")
    row.get_by_test_id("batch-retry").click()
    expect(row).to_have_attribute("data-state", re.compile("queued|running|joining"))
    expect(row).to_have_attribute("data-state", "failed", timeout=LONG)
    row.get_by_test_id("batch-count-failed").click()
    expect(row.get_by_test_id("batch-item")).to_contain_text("attempt 2")
    row.get_by_test_id("batch-next").click()
    panel = page.get_by_test_id("tools-panel")
    expect(panel).to_contain_text(re.compile(r"\d+ rows selected"))
    expect(page.get_by_test_id("tool-summarise")).to_have_attribute("data-eligible", "true")
    page.get_by_test_id("tool-summarise").scroll_into_view_if_needed()
    album.take(page, "run-next")
    page.get_by_test_id("run-summarise").click()
    run = page.get_by_test_id("run-row").filter(has_text="Summarise tables")
    expect(run).to_have_attribute("data-state", "succeeded", timeout=LONG)


def look_at_its_results(page: Page, album: Album) -> None:
    batch(page, "Volumes of the study").get_by_test_id("batch-results").click()
    expect(page.get_by_test_id("filter-batch")).to_contain_text("Volumes of the study")
    expect(page.get_by_test_id("row-count")).to_contain_text(re.compile(r"\d+ of \d+ rows selected|\d+ rows"))
    expect(rows(page).first).to_contain_text("joined table")
    album.take(page, "results")


def take_it_in_dark(page: Page, place: Workplace, album: Album) -> None:
    themes = f"{place.lab.url}/lab/api/settings/{THEMES}"
    httpx.put(themes, headers=place.lab.headers, json={"raw": '{"theme": "JupyterLab Dark"}'}).raise_for_status()
    page.evaluate("localStorage.removeItem('voxelhub:datasets-seen')")  # as a newcomer: the panel opens by itself
    page.goto(place.page_url)
    page.get_by_test_id("open-workspace").click()
    page.get_by_role("tab", name="Tools").click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    row = batch(page, "Volumes of the study")
    row.scroll_into_view_if_needed()
    row.get_by_test_id("batch-items").click()
    expect(row.get_by_test_id("batch-item")).to_have_count(25)
    album.take(page, "dark")
    httpx.put(themes, headers=place.lab.headers, json={"raw": "{}"}).raise_for_status()


def test_cancel_all_asks_first_and_keeps_what_is_done(page: Page, tmp_path: Path) -> None:
    choose_all_cases(page)
    begin(page, "Cancelled in the middle", sleep="1.5")
    row = batch(page, "Cancelled in the middle")
    expect(row.get_by_test_id("batch-count-succeeded")).to_be_visible(timeout=LONG)
    row.get_by_test_id("batch-cancel").click()
    dialog = page.get_by_test_id("batch-cancel-dialog")
    expect(dialog).to_contain_text("have not ended")
    Album(tmp_path / "screenshots", "batch-cancel-").take(page, "question")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    row.get_by_test_id("batch-cancel").click()
    page.get_by_test_id("batch-cancel-confirm").click()
    expect(row).to_have_attribute("data-state", re.compile("cancelled|failed"), timeout=LONG)
    expect(row.get_by_test_id("batch-retry")).to_contain_text("cancelled")
    expect(row.get_by_test_id("batch-table")).to_be_visible()


def test_a_thousand_items_open_at_once(page: Page, place: Workplace) -> None:
    """The list holds a page of them; they are cancelled before they begin."""
    with place.api() as api:
        entries = api.get("/entries", params={"project": "alpha", "q": "case 01", "limit": 1}).json()["items"]
        items = [{"label": f"Item {n}", "inputs": {"case": [entries[0]["id"]]}} for n in range(1000)]
        body = {"tool": "measure", "project": "alpha", "title": "A thousand", "items": items, "arguments": {"sleep": 60},
                "priority": -1}
        made = api.post("/batches", json=body, timeout=120).raise_for_status().json()
        try:
            page.get_by_role("tab", name="Tools").click()
            row = batch(page, "A thousand")
            expect(row).to_be_visible(timeout=LONG)
            began = time.monotonic()
            row.get_by_test_id("batch-items").click()
            expect(row.get_by_test_id("batch-item")).to_have_count(25, timeout=PATIENCE)
            expect(row).to_contain_text("1 to 25 of 1,000 items")
            print(f"\nthe items of 1000 are there after {time.monotonic() - began:.1f} s")
            for _ in range(3):
                row.get_by_test_id("batch-later").click()
            expect(row).to_contain_text("76 to 100 of 1,000 items")
            expect(row.get_by_test_id("batch-item").first).to_contain_text("Item 75", timeout=PATIENCE)
        finally:
            api.post(f"/batches/{made['id']}/cancel", timeout=120).raise_for_status()
