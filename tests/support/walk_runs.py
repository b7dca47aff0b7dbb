"""What the user page does with tools: run, where a result comes from, many at once; and what a tool developer does."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect
from support.walking import AGAIN, BATCH, BROKEN, CASES, DEVELOP, LONG, OTSU, RADIOMICS, RUN, SLOW, TOOLS, Walk


def choose_the_series(walk: Walk) -> None:
    walk.choose("DICOM")
    walk.test("action-tools").click()


def runs_of(walk: Walk) -> Locator:
    return walk.test("run-row").filter(has_text="DICOM to NIfTI")


def run(walk: Walk, control: Locator) -> None:
    control.click()
    expect(runs_of(walk)).to_have_count(1)
    walk.known["run"] = runs_of(walk).get_attribute("data-run") or ""
    label = re.search(r"run\d+", runs_of(walk).inner_text())
    assert label
    walk.known["label"] = label[0]


def read_log(walk: Walk, control: Locator) -> None:
    if control.get_attribute("aria-expanded") != "true":
        control.click()
    expect(walk.test("run-log")).to_contain_text(re.compile(r"\S"), timeout=LONG)


def start_a_slow_run(walk: Walk) -> None:
    with walk.place.api() as api:
        case = api.get("/entries", params={"project": "alpha", "q": "case 01_T1"}).json()["items"][0]["id"]
        order = {"tool": "probe", "project": "alpha", "arguments": {"sleep": 600}}
        api.post("/runs", json={**order, "inputs": {"volume": [case]}}).raise_for_status()


def cancel(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.test("run-row").filter(has_text="Probe")).to_have_attribute("data-state", "cancelled", timeout=LONG)


def until_done(walk: Walk) -> None:
    expect(walk.page.locator(RUN.format(**walk.known))).to_have_attribute("data-state", "succeeded", timeout=LONG)


def run_again(walk: Walk, control: Locator) -> None:
    control.click()
    expect(runs_of(walk)).to_have_count(2)
    walk.known["again"] = runs_of(walk).first.get_attribute("data-run") or ""
    assert walk.known["again"] != walk.known["run"]


def show_result(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.rows("NIfTI").filter(has_text=walk.known["label"]).first).to_be_visible()


def with_masks(walk: Walk) -> None:
    walk.choose("case 01_T1", "case 03_T1", "case 04_T1", "case 01_mask", "case 03_mask", text="case 0", total=11)


def options_of_radiomics(walk: Walk) -> None:
    with_masks(walk)
    walk.test("options-radiomics-ibsi").click()


def same_bytes(walk: Walk, control: Locator) -> None:
    expect(control).to_be_visible()


def until_compared(walk: Walk) -> None:
    expect(walk.page.locator(AGAIN.format(**walk.known)).get_by_test_id("run-compared")).to_be_visible(timeout=LONG)


def more(walk: Walk) -> None:
    walk.page.locator(RUN.format(**walk.known)).get_by_role("button", name=f"More of {walk.known['label']}").click()


def open_notebook(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.page.get_by_role("tab", name=f"{walk.known['label']}-dicom-to-nifti.ipynb")).to_be_visible(timeout=LONG)


def save_crate(walk: Walk, control: Locator) -> None:
    with walk.page.expect_download() as saving:
        control.click()
    assert saving.value.suggested_filename.endswith(".zip")


def choose_the_cohort(walk: Walk) -> None:
    walk.choose(text="_T1", total=CASES)
    walk.rows().first.click()
    walk.page.keyboard.press("Control+a")
    expect(walk.test("row-count")).to_contain_text(f"{CASES} of {CASES}")
    walk.test("action-tools").click()


def plan(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.test("each-plan")).to_contain_text(re.compile(rf"{CASES} runs, one for each of case \d\d_T1"))
    walk.page.locator(OTSU).get_by_role("button", name="Back").click()


def plan_pairs(walk: Walk) -> None:
    with_masks(walk)
    walk.test("each-radiomics-ibsi").click()


def left_out(walk: Walk, control: Locator) -> None:
    expect(walk.test("each-plan")).to_contain_text("2 runs")
    expect(walk.test("each-plan")).to_contain_text("case 04_T1")
    walk.page.locator(RADIOMICS).get_by_role("button", name="Back").click()


def run_three(walk: Walk) -> None:
    walk.choose("case 01_T1", BROKEN, "case 03_T1", text="case 0", total=11)
    card = walk.page.locator(OTSU)
    card.get_by_role("button", name="Run on each (3 runs)", exact=True).click()
    card.get_by_test_id("output-title").fill("Three cases")
    card.get_by_role("button", name="Start 3 runs", exact=True).click()
    all_ended(walk)


def all_ended(walk: Walk) -> None:
    expect(walk.page.locator(BATCH)).to_have_attribute("data-state", "failed", timeout=LONG)


def retry(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.page.locator(BATCH)).to_have_attribute("data-state", re.compile("queued|running|joining"))


def start_slow_ones(walk: Walk) -> None:
    with walk.place.api() as api:
        found = api.get("/entries", params={"project": "alpha", "q": "_T1", "limit": 2}).json()["items"]
        items = [{"label": one["name"], "inputs": {"volume": [one["id"]]}} for one in found]
        order = {"tool": "probe", "project": "alpha", "title": "Slow ones", "items": items, "arguments": {"sleep": 600}}
        api.post("/batches", json=order).raise_for_status()


def cancel_all(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.test("batch-cancel-dialog")).to_contain_text("2 runs of “Slow ones” have not ended.")
    walk.test("batch-cancel-confirm").click()
    expect(walk.page.locator(SLOW)).to_have_attribute("data-state", "cancelled", timeout=LONG)
    all_ended(walk)


def open_table(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.test("table-viewer")).to_contain_text("case 03_T1", timeout=LONG)


def show_results(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.test("filter-batch")).to_contain_text("Three cases")


def run_next(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.page.locator(TOOLS)).to_contain_text(re.compile(r"\d+ rows selected"))


def options_of_one(walk: Walk) -> None:
    walk.choose("case 04_T1", text="case 04_T1", total=1)
    walk.test("options-segment-otsu").click()


def low(_: Walk, control: Locator) -> None:
    control.select_option(label="Low: lets the others go first")


def to_the_launcher(walk: Walk) -> None:
    walk.page.get_by_role("tab", name="Launcher").click()


def own_trail(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.test("activity-row").filter(has_text=walk.known["label"]).first).to_be_visible(timeout=LONG)


def new_tool(walk: Walk, control: Locator) -> None:
    control.click()
    walk.test("new-tool-name").fill("my-tool")
    walk.test("new-tool-make").click()
    expect(walk.test("tool-folder")).to_have_value("my-tool")


def check(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.page.locator(DEVELOP)).to_contain_text("can be submitted", timeout=LONG)


def submit(walk: Walk, control: Locator) -> None:
    control.click()
    walk.test("submit-tool-confirm").click()
    expect(walk.test("my-submission")).to_have_attribute("data-state", "submitted", timeout=LONG)


def withdraw(walk: Walk, control: Locator) -> None:
    control.click()
    expect(walk.test("my-submission")).to_have_attribute("data-state", "withdrawn", timeout=LONG)
