"""The browser that the tests of the panels share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect
from support.chromium import PATIENCE, chromium


@pytest.fixture(autouse=True)
def _patience() -> None:
    """Whatever another test has set."""
    expect.set_options(timeout=PATIENCE)


@pytest.fixture
def browser() -> Iterator[BrowserContext]:
    """No request leaves this machine, and no page has an error."""
    with chromium() as (context, outside):
        errors: list[str] = []
        context.on("weberror", lambda error: errors.append(str(error.error)))
        yield context
        assert outside == [] and errors == []
