"""`voxelhub audit verify | show`: prove the chain whole; read its last records."""

from __future__ import annotations

import argparse
import json
import sys

from sqlalchemy import func, select

from ..context import Context, make_context
from ..database import reading
from ..models import AuditEvent
from ..settings import load_settings
from .log import verify


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="voxelhub audit", description="The audit log: a chain of keyed hashes that only the service extends.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("verify", help="find changed, dropped, added, reordered or truncated records").set_defaults(run=_verify)
    show = commands.add_parser("show", help="the last records, oldest first")
    show.add_argument("-n", type=int, default=20, metavar="COUNT", help="how many (20)")
    show.add_argument("--actor", help="only what this user did")
    show.add_argument("--action", help="only this action")
    show.add_argument("--json", action="store_true", help="one JSON object a line")
    show.set_defaults(run=_show)
    wanted = parser.parse_args(arguments)
    settings = load_settings()
    if not (settings.secrets_dir / "audit-key").exists():
        print("There is no installation in this state folder yet; `voxelhub up` makes it.", file=sys.stderr)
        return 1
    context = make_context(settings)
    try:
        return int(wanted.run(context, wanted))
    finally:
        context.engine.dispose()


def _verify(context: Context, _wanted: argparse.Namespace) -> int:
    with reading(context.engine) as session:
        findings = verify(session, context.audit)
        count = session.scalar(select(func.count()).select_from(AuditEvent))
    for finding in findings:
        print(finding)
    print(f"The audit log is not whole: {len(findings)} findings in {count} records." if findings
          else f"The audit log is whole: {count} records.")
    return 1 if findings else 0


def _show(context: Context, wanted: argparse.Namespace) -> int:
    query = select(AuditEvent).order_by(AuditEvent.seq.desc()).limit(wanted.n)
    for column, value in ((AuditEvent.actor, wanted.actor), (AuditEvent.action, wanted.action)):
        query = query.where(column == value) if value else query
    with reading(context.engine) as session:
        for record in reversed(session.scalars(query).all()):
            if wanted.json:
                fields = ("seq", "at", "actor", "action", "resource", "outcome", "detail")
                print(json.dumps({name: getattr(record, name) for name in fields}))
            else:
                detail = " ".join(f"{name}={value}" for name, value in record.detail.items())
                print(f"{record.seq:>7}  {record.at[:19]}  {record.outcome:<8} {record.actor:<20} {record.action:<20} "
                      f"{record.resource}  {detail}")
    return 0
