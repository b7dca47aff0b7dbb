"""What a server on Kubernetes has used, as the hub counts it and tells the service (/internal/servers). Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from voxelhub_sandbox.profiles import ServerSpec


def asked(identity: str, user: str, server: str, spec: ServerSpec) -> dict[str, Any]:
    """Facts that the hub keeps in a server's state from before its pod is made, so that no pod runs that nobody counts."""
    return {"id": identity, "user": user, "server": server, "profile": spec.profile, "cpu": spec.cpu, "gpus": spec.gpu_count,
            "started_at": None, "ended_at": None}


def started(facts: dict[str, Any], at: datetime) -> dict[str, Any]:
    """From when it is seen to run: waiting for a place costs nothing."""
    return facts | {"started_at": at.isoformat(timespec="milliseconds")}


def used(facts: dict[str, Any], now: datetime, *, ended: bool) -> dict[str, Any]:
    """The record as of now, with all since the start, so that one that was lost costs nothing."""
    seconds = max(0.0, (now - datetime.fromisoformat(facts["started_at"])).total_seconds())
    return facts | {"ended_at": now.isoformat(timespec="milliseconds") if ended else None, "seconds": round(seconds, 3)}


def now() -> datetime:
    return datetime.now(UTC)
