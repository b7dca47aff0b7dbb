"""A person who follows a page of the documentation through the panels, step by step."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect
from support.lab_server import ROOT
from support.workplace import Workplace

PATIENCE, LONG = 120_000, 400_000  # ms; the machine of the tests has two busy cores
CASES, BROKEN = 40, "case 02_T1"
DATASETS, WORKSPACE, TOOLS = "[data-testid=datasets-panel]", ".vx-Workspace", "[data-testid=tools-panel]"
ACTIONS, QUARANTINE, DETAILS = ".vx-ActionBar", "[data-testid=quarantine-table]", "[data-testid=details]"
DIALOG, MENU, SIDES, DEVELOP = "[role=dialog]", "[role=menu]", ".jp-SideBar", "[data-testid=develop-page]"
OTSU, RADIOMICS, DICOM = (f"[data-testid=tool-{name}]" for name in ("segment-otsu", "radiomics-ibsi", "dicom-to-nifti"))
RUN, AGAIN = "[data-run='{run}']", "[data-run='{again}']"
BATCH, SLOW = ("[data-testid=batch-row]:has-text('Three cases')", "[data-testid=batch-row]:has-text('Slow ones')")


@dataclass
class Walk:
    page: Page
    place: Workplace
    files: Path
    known: dict[str, str] = field(default_factory=dict)  # what earlier steps found: labels and ids

    def test(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    def rows(self, name: str = "") -> Locator:
        return self.page.locator("[role=row][data-entry]").filter(has_text=name)

    def choose(self, *names: str, text: str = "", total: int | None = None) -> None:
        """In the workspace of the project alpha, filtered by `text`, the first row with each name."""
        self.test("open-workspace").click()
        if self.test("clear-filters").is_visible():
            self.test("clear-filters").click()
        self.test("filter-project").select_option("alpha")
        self.test("filter-text").fill(text)
        if total is not None:
            expect(self.test("row-count")).to_have_text(re.compile(rf"(^|of ){total} rows?"))
        for number, name in enumerate(names):
            self.rows(name).first.click(modifiers=["Control"] if number else [])
        if names:
            expect(self.test("row-count")).to_contain_text(f"{len(names)} of")


Act = Callable[[Walk], None]
Use = Callable[[Walk, Locator], None]


def seen(_: Walk, control: Locator) -> None:
    """Used at length by other tests, or by a step before."""
    expect(control).to_be_enabled()


def press(_: Walk, control: Locator) -> None:
    control.click()


def asks(dialog: str) -> Use:
    """Opens a dialog, which another test fills in."""
    def use(walk: Walk, control: Locator) -> None:
        control.click()
        expect(walk.test(dialog)).to_be_visible()
        walk.page.keyboard.press("Escape")
        expect(walk.test(dialog)).to_have_count(0)
    return use


def shows(what: str) -> Use:
    def use(walk: Walk, control: Locator) -> None:
        control.click()
        expect(walk.test(what)).to_be_visible(timeout=LONG)
    return use


def in_front(_: Walk, control: Locator) -> None:
    expect(control).to_have_attribute("aria-selected", "true")


@dataclass(frozen=True)
class Step:
    """A phrase of the page that is a control: its role, where it is, and what is done with it."""

    phrase: str
    role: Any
    within: str = "body"
    use: Use = seen
    before: Act = lambda walk: None
    here: str = ""  # as it is called in this test, where the page's number is an example

    def control(self, walk: Walk) -> Locator:
        name = self.here.format(**walk.known) or self.phrase
        assert re.sub(r"\d+", "0", name) == re.sub(r"\d+", "0", self.phrase), f"{name!r} is not an example of {self.phrase!r}"
        area = walk.page.locator(self.within.format(**walk.known))
        exactly = re.escape(name)
        match self.role:
            case "card":
                return area.locator(".jp-LauncherCard").filter(has=walk.page.get_by_text(name, exact=True))
            case "tool":  # its card's heading says the version, too
                return area.get_by_role("heading", name=re.compile(rf"^{exactly} [\d.]+$"))
            case "text":
                return area.get_by_text(name, exact=True)
            case "words":  # within a sentence
                return area.get_by_text(name)
            case "radio" | "checkbox":  # their names go on with the help beside them
                return area.get_by_role(self.role, name=re.compile(rf"^{exactly}(?![\w,])"))
            case _:  # a button may count what waits
                return area.get_by_role(self.role, name=re.compile(rf"^{exactly}(\s?\d+ waiting)?$"))

    def walk(self, walk: Walk) -> None:
        self.before(walk)
        control = self.control(walk)
        expect(control, f"**{self.phrase}** in {self.within}").to_have_count(1)
        control.scroll_into_view_if_needed()
        expect(control).to_be_visible()
        self.use(walk, control)


@dataclass(frozen=True)
class Said:
    """A phrase that this test does not look for in a panel, and why."""

    phrase: str
    why: str

    def walk(self, walk: Walk) -> None:
        assert self.why


@dataclass(frozen=True)
class Labelled:
    """A control that another test uses, test_tools.py or test_planner_panel.py: its label stands in the panel's source."""

    phrase: str
    source: str

    def walk(self, walk: Walk) -> None:
        text = (ROOT / "extensions/lab/src" / self.source).read_text()
        phrase = re.escape(self.phrase)
        said = rf"""label(=|: )["']{phrase}["']|^ *{phrase}$"""  # a line of its own is an element's text
        assert re.search(said, text, re.MULTILINE), f"no control {self.phrase} in {self.source}"
