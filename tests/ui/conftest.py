"""The browser that the tests of the panels share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect
from support.chromium import chromium

PATIENCE = 60_000  # ms; the machine of the tests has two busy cores
expect.set_options(timeout=PATIENCE / 2)


@pytest.fixture
def browser() -> Iterator[BrowserContext]:
    """No request leaves this machine, and no page has an error."""
    with chromium() as (context, outside):
        context.set_default_timeout(PATIENCE)
        errors: list[str] = []
        context.on("weberror", lambda error: errors.append(str(error.error)))
        yield context
        assert outside == [] and errors == []
