"""The contract suite: what goes through the database runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import databases

BOTH = ("sqlite", "postgresql")
CONTRACT = {f"test_{name}" for name in (
    "api_core", "audit_evidence", "audit_intake", "audit_log", "catalogue", "database", "differences", "events", "fsck_core",
    "projects", "publish", "quarantine", "quarantine_life", "runs_api", "runs_fsck", "spend_api", "storage_use", "trash",
    "uploads", "worker",
)}
# Of these modules, what is about names, bytes and headers: no row is read or written in another way for it.
# And one that is about SQLite's file.
ONCE = {
    "test_the_whole_database_replaced_by_an_older_one_is_found", "test_folder_names_of_datasets", "test_fsck_finds",
    "test_text_is_never_run_by_a_browser", "test_downloads",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if Path(metafunc.module.__file__).stem in CONTRACT and metafunc.function.__name__ not in ONCE:
        metafunc.parametrize("database", BOTH, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the installations of this module's tests lie."""
    name: str = getattr(request, "param", "sqlite")
    if name == "sqlite":
        yield name
        return
    with databases.serving(request.getfixturevalue("cluster")), databases.dropping():
        yield name


@pytest.fixture(autouse=True)
def _databases_of_one_test(database: str) -> Iterator[None]:
    with databases.dropping():
        yield


_seconds: dict[str, float] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if "[postgresql" in report.nodeid or "test_database_server" in report.nodeid:
        _seconds[report.nodeid] = _seconds.get(report.nodeid, 0.0) + report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _seconds:
        terminalreporter.write_line(f"PostgreSQL: {len(_seconds)} tests of the contract suite, {sum(_seconds.values()):.0f} s")
