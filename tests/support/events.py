"""An audit event as the hub tells it."""

from __future__ import annotations

import uuid


def event(action: str, **changes: object) -> dict[str, object]:
    return {"event_id": uuid.uuid4().hex, "at": "2026-01-02T03:04:05.123456+00:00", "actor": "alice", "action": action,
            "resource": "user:alice", "outcome": "success", "detail": {}, **changes}
