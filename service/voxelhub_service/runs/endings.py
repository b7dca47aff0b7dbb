"""How a run ends, in the transaction that ends it: state, reason, reservation, upload, audit record, event.

Used by the worker, by the publisher's registering transaction, and by the route that cancels a queued run.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from ..context import Context, emit
from ..datasets import quarantine
from ..models import TERMINAL_STATES, DatasetVersion, Run, Upload, utcnow
from ..projects.quota import release
from . import joining

UPLOAD_STATES = {"succeeded": "done", "failed": "failed", "cancelled": "cancelled"}


def end_run(
    context: Context, session: Session, run: Run, state: str, reason: str, *,
    version: DatasetVersion | None = None, exit_code: int | None = None, by: str = "system", alone: bool = True,
) -> bool:
    """Ends a run that has not ended; False when it had, and then nothing changes.

    `alone` False: one of many of a batch; the caller tells of them together, and calls `joining.after_items`.
    """
    if run.state in TERMINAL_STATES:
        return False
    run.state, run.reason, run.ended_at = state, reason, utcnow()
    run.exit_code = run.exit_code if exit_code is None else exit_code
    if version is not None:
        run.output_version_id = version.id
    if state == "succeeded":
        run.progress, run.progress_text = 1.0, ""
    release(session, f"run:{run.id}")
    if run.upload_id:
        release(session, f"upload:{run.upload_id}")
        upload = session.get(Upload, run.upload_id)
        if upload is not None:
            upload.state, upload.reason = UPLOAD_STATES[state], reason
            emit(session, "upload", upload.id, project_id=upload.project_id, user=upload.owner)
    if run.kind == "import":
        quarantine.settle(context, session, run, state == "succeeded")
    detail: dict[str, Any] = {"state": state, "kind": run.kind, "number": run.number}
    if run.batch_id:
        detail |= {"batch": run.batch_id, "item": run.batch_item}
    if run.tool:
        detail |= {"tool": run.tool, "tool_version": run.tool_version, "tool_digest": run.tool_digest}
    if version is not None:
        detail["version_digest"] = version.digest
    context.audit.append(session, by, "run.end", f"run:{run.id}", "failure" if state == "failed" else "success", detail)
    if alone:
        tell(session, run)
    if alone and run.kind == "tool" and run.batch_id:
        joining.after_items(context, session, run.batch_id)
    return True


def tell(session: Session, run: Run, **more: Any) -> None:
    """The event of a run's change; the panel reads the run again, and its log from the offset it has."""
    payload = {"state": run.state, "progress": run.progress, "progress_text": run.progress_text, **more}
    if run.batch_id:
        payload["batch"] = run.batch_id
    emit(session, "run", run.id, project_id=run.project_id, payload=payload)
