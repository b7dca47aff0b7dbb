"""What the Spend page says of a month: budgets in words and bars, charts that are tables too, entries, and for whom.

Real JupyterLab and service over a ledger with known rows. tests/ui/test_clusters.py fills one by real work.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from support.chromium import Album
from support.ledger_rows import BUDGETS, PRICES, add_entry
from support.workplace import Workplace, workplace

pytestmark = pytest.mark.timeout(300)
TODAY = datetime.now(UTC).date().isoformat()
MONTH = TODAY[:7]
RUNS = 160  # more than one answer of the service holds


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """Alice spent 35 of her 40 EUR, bob his whole euro, both in the project demo, which has 50; alice owns alpha."""
    folder = tmp_path_factory.mktemp("spend")
    (folder / "prices.yaml").write_text(PRICES)
    (folder / "budgets.yaml").write_text(BUDGETS)
    settings = {"prices_file": str(folder / "prices.yaml"), "budgets_file": str(folder / "budgets.yaml")}
    with workplace(folder, **settings) as started:
        context = started.context
        add_entry(context, "alice", "server", TODAY, 300, project=None, title="default")  # 24 EUR
        add_entry(context, "alice", "cluster", f"{MONTH}-01", 150, title="Tiles")  # 6 EUR
        for _ in range(RUNS):  # 5.20 EUR
            add_entry(context, "alice", "run", TODAY, 1, tool="segment-otsu", title="Otsu")
        add_entry(context, "alice", "run", TODAY, 4, project="alpha", tool="fastq-qc", title="FASTQ")  # 0.13 EUR
        add_entry(context, "bob", "cluster", TODAY, 50, title="Of bob")  # 2 EUR
        yield started


def test_a_month_for_its_person_and_for_an_owner(browser: BrowserContext, place: Workplace, tmp_path: Path) -> None:
    album = Album(tmp_path / "screenshots", "spend-")
    page = browser.new_page()
    page.goto(place.page_url)
    warned(page)
    page.locator(".jp-LauncherCard").filter(has_text="Spend").click()
    spend = page.get_by_test_id("spend-page")
    sums(spend)
    album.take(page, "month")
    as_table(spend)
    entries(page, spend)
    saved(page, spend)
    of_a_project(spend)
    another_month(spend)


def warned(page: Page) -> None:
    """Once in Lab, and on the panels as long as it holds."""
    expect(page.locator(".Toastify__toast").filter(has_text="Your budget")).to_contain_text("of 40 EUR left this month")
    page.locator("[data-id=voxelhub-clusters]").click()
    expect(page.get_by_test_id("clusters-panel").get_by_role("status").filter(has_text="Your budget")).to_be_visible()


def sums(spend: Locator) -> None:
    expect(spend.get_by_test_id("spend-totals")).to_contain_text("35.33 EUR")
    expect(spend.get_by_test_id("spend-totals")).to_contain_text("614")
    mine = spend.get_by_test_id("budget").filter(has_text="Your budget")
    expect(mine).to_have_attribute("data-level", "warns")
    expect(mine).to_contain_text("80 % is spent")
    expect(mine.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "88")
    kinds = spend.get_by_test_id("spend-by-kind").get_by_role("listitem")
    expect(kinds).to_have_text(["Notebook servers24.00 EUR", "Clusters6.00 EUR", "Tool runs5.33 EUR"])
    expect(spend.get_by_test_id("spend-by-tool").get_by_role("listitem").first).to_contain_text("5.20 EUR")
    expect(spend.get_by_test_id("spend-by-person")).to_have_count(0)


def as_table(spend: Locator) -> None:
    """The picture has a name; its figures are a table for who asks."""
    expect(spend.get_by_role("img", name="Spend by day")).to_be_visible()
    spend.get_by_test_id("spend-as-table").click()
    first = spend.get_by_test_id("spend-day-table").locator("tbody tr").filter(has_text=f"{MONTH}-01")
    expect(first).to_contain_text("6.00 EUR")
    spend.get_by_test_id("spend-cpu_hours").click()
    expect(first).to_contain_text("150 CPU h")


def entries(page: Page, spend: Locator) -> None:
    """All of them are there for a screen reader's count; only those on show exist; keys reach the last."""
    table = spend.get_by_role("table", name="Entries of the ledger")
    expect(table).to_have_attribute("aria-rowcount", str(RUNS + 3 + 1))
    assert table.get_by_test_id("spend-entry").count() < 60
    table.focus()
    page.keyboard.press("End")
    expect(table.locator(f"[aria-rowindex='{RUNS + 3 + 1}']")).to_contain_text("EUR")


def saved(page: Page, spend: Locator) -> None:
    with page.expect_download() as download:
        spend.get_by_test_id("spend-csv").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert len(rows) == RUNS + 3
    assert sum(float(row["cost"]) for row in rows) == pytest.approx(35.33, abs=0.01)


def of_a_project(spend: Locator) -> None:
    """Alice owns alpha, and reads nothing of bob's."""
    spend.get_by_test_id("spend-project").click()
    expect(spend.get_by_test_id("spend-totals")).to_contain_text("0.13 EUR")
    expect(spend.get_by_test_id("spend-count")).to_have_text("1 entry")
    expect(spend.get_by_test_id("spend-all")).to_have_count(0)
    expect(spend).not_to_contain_text("Of bob")


def another_month(spend: Locator) -> None:
    spend.get_by_test_id("spend-mine").click()
    spend.get_by_test_id("spend-earlier").click()
    expect(spend).to_contain_text("Nothing ran in")
    expect(spend.get_by_test_id("spend-later")).to_be_enabled()
