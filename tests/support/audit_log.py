"""An audit log with a history: records of before signing, signed ones, a change of key, checkpoints between; and the verifier."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path
from types import ModuleType

from sqlalchemy import select
from support.service import ALICE, make_test_context
from voxelhub_service.audit.checkpoint import Checkpoints, make
from voxelhub_service.audit.export import export
from voxelhub_service.audit.head import GENESIS, Head
from voxelhub_service.audit.record import fields_of
from voxelhub_service.audit.rotate import rotate
from voxelhub_service.audit.verify import verify
from voxelhub_service.context import Context
from voxelhub_service.database import reading, writing
from voxelhub_service.models import AuditEvent

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "verify_audit.py"


def append(context: Context, count: int = 1, action: str = "test.done") -> None:
    for number in range(count):
        with writing(context.engine) as session:
            context.audit.append(session, ALICE, action, f"thing:{number}", detail={"n": number, "text": "ü \u2028", "x": 0.1})


def append_unsigned(context: Context, count: int) -> None:
    """As the version before signing wrote them."""
    for number in range(count):
        with writing(context.engine) as session:
            last = session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc()).limit(1)).first()
            if last is None:
                context.audit.head.begin()
            record = AuditEvent(
                seq=(last.seq if last else 0) + 1, at="2026-01-01T00:00:00.000000+00:00", actor="bob", action="login",
                resource=f"user:{number}", outcome="success", detail={"n": number}, previous=last.mac if last else GENESIS)
            record.mac = context.audit.mac_of(fields_of(record))
            session.add(record)
        context.audit.head.advance(Head(record.seq, record.mac))


def checkpoint(context: Context) -> None:
    assert make(context.audit, context.engine) is not None


def with_history(folder: Path, **changes: object) -> Context:
    """5 unsigned records, the boundary, 7 signed ones, a new key, 8 more; checkpoints over 3, 5, 12, 14 and 22 of them."""
    context = make_test_context(folder, **changes)
    append_unsigned(context, 3)
    checkpoint(context)
    append_unsigned(context, 2)
    checkpoint(context)
    append(context, 6)
    checkpoint(context)
    append(context)
    rotate(context.audit, context.engine, "command-line")
    checkpoint(context)
    append(context, 8)
    checkpoint(context)
    sizes = [one.size for one, _ in Checkpoints(context.audit.folder).all()]
    assert sizes == [3, 5, 12, 14, 22]
    return context


def findings(context: Context) -> list[str]:
    with reading(context.engine) as session:
        return verify(session, context.audit)


def exported(context: Context, folder: Path) -> Path:
    """As `voxelhub audit export` writes it, unpacked."""
    archive = folder.with_suffix(".zip")
    export(context.audit, context.engine, archive)
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    archive.unlink()
    return folder


def verifier() -> ModuleType:
    """docs/verify_audit.py as a module; it imports nothing of ours."""
    spec = importlib.util.spec_from_file_location("verify_audit", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
