"""The form of a tool with every kind of argument, in a real browser: units, choices, several values, help, refusals at the
field in the service's words, and whose work the tool is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select
from support.chromium import Album, chromium
from support.probe import write_probe
from support.workplace import Workplace, workplace
from support.world import add_version
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.database import reading
from voxelhub_service.models import Project, Run

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
PATIENCE = 120_000  # ms
ARGUMENTS = {"type": "object", "required": ["steps"], "properties": {
    "sigma": {"type": "number", "title": "Width", "description": "Of the kernel.", "default": 1.5, "minimum": 0, "maximum": 10,
              "x-unit": "mm"},
    "steps": {"type": "integer", "title": "Steps", "minimum": 1},
    "kernel": {"type": "string", "title": "Kernel", "enum": ["g", "b"], "x-titles": ["Gauss", "Box"], "default": "g"},
    "axes": {"type": "array", "title": "Axes", "items": {"type": "integer", "enum": [0, 1, 2]}, "x-titles": ["x", "y", "z"],
             "default": [0], "minItems": 1, "description": "Along which it is smoothed."},
    "levels": {"type": "array", "title": "Levels", "items": {"type": "number", "maximum": 9}, "default": [], "x-unit": "HU"},
    "preset": {"type": "string", "title": "Preset", "x-file": "presets/*.json", "default": "presets/soft.json"},
    # A pattern of Python's that a browser cannot read: only the service can refuse.
    "code": {"type": "string", "title": "Code", "default": "ab", "pattern": r"\A[a-z]+\Z"},
    "seed": {"type": "integer", "title": "Seed", "default": 7, "x-hidden": True},
}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    tools = write_probe(
        tmp_path_factory.mktemp("tools"), title="Smooth a table", arguments=ARGUMENTS, licence="Apache-2.0",
        citation="Example et al. Smoothing. 2025. doi:10.1000/182", homepage="https://example.org/smooth",
        authors=[{"name": "Imaging group"}], network=True, account="Imaging group",
        security={"reaches": ["api.example.org"], "sends": "The names of the columns."}, command=[
            "python", "probe.py", "0", "0", "open(output + '/result.csv', 'w').write(inputs.pop()); sys.exit(0)", "{output}",
            "{arguments.seed}"])
    (tools / "probe/presets").mkdir()
    for name in ("soft", "hard"):
        (tools / f"probe/presets/{name}.json").write_text("{}")
    with workplace(tmp_path_factory.mktemp("form"), tools_dir=str(tools)) as started:
        with reading(started.context.engine) as session:
            alpha = session.scalars(select(Project.id).where(Project.name == "alpha")).one()
        add_version(started.context, alpha, "Tables", {"a.csv": ("table", "table", "csv", {"a.csv": b"a\n1\n"})})
        yield started


def open_form(page: Page, place: Workplace, dark: bool) -> Locator:
    theme = {"raw": f'{{"theme": "JupyterLab {"Dark" if dark else "Light"}"}}'}
    themes = f"{place.lab.url}/lab/api/settings/%40jupyterlab%2Fapputils-extension%3Athemes"
    httpx.put(themes, headers=place.lab.headers, json=theme).raise_for_status()
    page.goto(place.page_url)
    page.get_by_test_id("open-workspace").click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", str(not dark).lower(), timeout=PATIENCE)
    page.get_by_test_id("filter-text").fill("a.csv")
    page.locator("[role=row][data-entry]").first.click()
    page.get_by_test_id("action-tools").click()
    card = page.get_by_test_id("tool-probe")
    expect(card.get_by_test_id("argument-steps")).to_have_count(0)
    card.get_by_test_id("run-probe").click()  # something must be filled in, so that the form opens
    return card


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_form(place: Workplace, tmp_path: Path, dark: bool) -> None:
    album = Album(tmp_path, f"form-{'dark' if dark else 'light'}-")
    with chromium(dark=dark, height=1400) as (context, outside):
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        card = open_form(page, place, dark)
        run = card.get_by_test_id("run-probe")

        def said(name: str) -> Locator:
            field = "xpath=ancestor-or-self::*[contains(@class,'vx-Field')]"
            return card.get_by_test_id(f"argument-{name}").locator(field)

        expect(said("sigma")).to_contain_text("mm", timeout=PATIENCE)
        expect(card.get_by_test_id("argument-seed")).to_have_count(0)
        expect(card.get_by_test_id("argument-kernel")).to_contain_text("Gauss")
        expect(card.get_by_test_id("argument-preset").locator("option")).to_have_text(["presets/hard.json", "presets/soft.json"])
        expect(run).to_be_disabled()
        expect(said("steps")).to_contain_text("Fill in Steps.")
        card.get_by_test_id("argument-steps").fill("2.5")
        expect(said("steps")).to_contain_text("Steps must be a whole number.")
        card.get_by_test_id("argument-sigma").fill("11")
        expect(said("sigma")).to_contain_text("Width must be at most 10 mm.")
        card.get_by_test_id("argument-axes-0").uncheck()
        expect(said("axes")).to_contain_text("Axes must have at least 1 value.")
        card.get_by_test_id("argument-levels").fill("1, 2, 10")
        expect(said("levels")).to_contain_text("Levels must be at most 9 HU.")
        album.take(page, "refused")
        card.get_by_test_id("argument-sigma").fill("3")
        card.get_by_test_id("argument-steps").fill("4")
        card.get_by_test_id("argument-axes-2").check()
        card.get_by_test_id("argument-levels").fill("1, 2.5")
        card.get_by_test_id("argument-code").fill("AB")
        expect(run).to_be_enabled()
        run.click()
        expect(said("code")).to_contain_text("Code does not have the expected form.", timeout=PATIENCE)
        expect(card.get_by_test_id("argument-code")).to_have_attribute("aria-invalid", "true")
        album.take(page, "refused-by-the-service")
        card.get_by_test_id("argument-code").fill("cd")
        expect(said("code")).not_to_contain_text("expected form")
        expect(card.get_by_test_id("credits-probe")).to_contain_text("Example et al. Smoothing")
        expect(card).to_contain_text("What leaves, in its developer’s words: The names of the columns.")
        run.click()
        expect(page.get_by_test_id("run-row").first).to_contain_text("Succeeded", timeout=PATIENCE, ignore_case=True)
        album.take(page, "done")
        assert outside == []
    with reading(place.context.engine) as session:
        arguments = session.scalars(select(Run).where(Run.kind == "tool").order_by(Run.created_at.desc())).first().arguments
    assert arguments == {"sigma": 3, "steps": 4, "kernel": "g", "axes": [2], "levels": [1, 2.5], "preset": "presets/soft.json",
                         "code": "cd", "seed": 7}
