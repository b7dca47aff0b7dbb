"""What a Lab page should know about its own server: who, which projects, how isolated, and when it would be culled.

Idle means: no kernel is busy, no kernel said anything, and nobody used the page. An open but deserted tab polls its
server without end, so requests alone prove nothing; the page reports a person's use by `POST`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any


@dataclass
class ServerState:
    """Set by the spawner through the environment; `used_at` moves while a person works."""

    user: str = ""
    projects: tuple[str, ...] = ()
    isolation: bool = True
    cull_timeout: int = 0  # seconds; 0: this server is not culled
    cull_warning: int = 0  # seconds
    used_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> ServerState:
        """From JUPYTERHUB_USER and VOXELHUB_{PROJECTS,ISOLATION,CULL_TIMEOUT,CULL_WARNING}; projects by commas."""
        return cls(
            user=environ.get("JUPYTERHUB_USER", ""),
            projects=tuple(p for p in environ.get("VOXELHUB_PROJECTS", "").split(",") if p),
            isolation=environ.get("VOXELHUB_ISOLATION", "true").lower() not in {"0", "false", "no", "off"},
            cull_timeout=int(environ.get("VOXELHUB_CULL_TIMEOUT", "0") or 0),
            cull_warning=int(environ.get("VOXELHUB_CULL_WARNING", "0") or 0),
        )


@dataclass(frozen=True)
class Kernel:
    busy: bool
    last_activity: datetime | None


def idle_since(kernels: Iterable[Kernel], used_at: datetime) -> datetime | None:
    """None while a kernel is busy; else the last sign of a kernel or of a person."""
    signs = [used_at]
    for kernel in kernels:
        if kernel.busy:
            return None
        if kernel.last_activity is not None:
            signs.append(kernel.last_activity)
    return max(signs)


def describe(state: ServerState, kernels: Iterable[Kernel]) -> dict[str, Any]:
    """The document of `GET <base>/voxelhub/server`; times are RFC 3339 UTC."""
    idle = idle_since(kernels, state.used_at)
    cull_at = idle + timedelta(seconds=state.cull_timeout) if idle and state.cull_timeout else None
    return {
        "user": state.user, "projects_mounted": list(state.projects), "isolation": state.isolation,
        "idle_since": idle.isoformat() if idle else None, "cull_at": cull_at.isoformat() if cull_at else None,
        "cull_warning": state.cull_warning, "now": datetime.now(UTC).isoformat(),
    }
