"""When a server counts as idle: a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from voxelhub_lab.idle import Kernel, ServerState, describe, idle_since

T0 = datetime(2026, 1, 1, tzinfo=UTC)
LATER = T0 + timedelta(minutes=5)


def test_idle() -> None:
    assert idle_since([], T0) == T0
    assert idle_since([Kernel(False, LATER)], T0) == LATER
    assert idle_since([Kernel(False, T0)], LATER) == LATER
    assert idle_since([Kernel(False, LATER), Kernel(True, T0)], T0) is None
    assert idle_since([Kernel(False, None)], T0) == T0


def test_a_busy_kernel_is_never_culled() -> None:
    state = ServerState(cull_timeout=60, used_at=T0)
    assert describe(state, [Kernel(True, T0)])["cull_at"] is None
    assert describe(state, [])["cull_at"] == (T0 + timedelta(seconds=60)).isoformat()
    assert describe(ServerState(), [])["cull_at"] is None, "no timeout: no culling"


def test_settings_come_from_the_environment() -> None:
    state = ServerState.from_environ({"VOXELHUB_ISOLATION": "false", "VOXELHUB_PROJECTS": "", "VOXELHUB_CULL_TIMEOUT": ""})
    assert (state.isolation, state.projects, state.cull_timeout) == (False, (), 0)


def test_the_extension_imports_nothing_of_the_trusted_zone() -> None:
    package = Path(__file__).parents[2] / "extensions/lab/voxelhub_lab"
    for module in package.glob("*.py"):
        text = module.read_text()
        trusted = ("voxelhub_service", "voxelhub_hub", "voxelhub_spawner", "voxelhub_sandbox")
        assert not any(name in text for name in trusted), module
