"""`voxelhub audit`: prove the log whole, prove one record, read it, hand it over, change its key."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sqlalchemy import func, select

from ..context import Context, make_context
from ..database import reading, writing
from ..models import AuditEvent
from ..settings import SettingsError, load_settings
from .checkpoint import NotWhole, make
from .delivery import compare
from .export import export
from .keys import NEXT, SECRET, LostKey, NoNextKey, read_keys
from .outside import compare_with
from .places import PlaceDown
from .proof import NotCovered, prove
from .rotate import NothingSigned, rotate
from .tending import evidence, tend
from .verify import verify

ACTOR = "command-line"
DESCRIPTION = """The audit log: a chain of keyed hashes that only the service extends. Each record is signed (Ed25519),
and checkpoints sign the Merkle tree over all of them (RFC 9162); these may go to a second place (VOXELHUB_AUDIT_SECOND)."""


def main(arguments: list[str]) -> int:
    wanted = _parser().parse_args(arguments)
    settings = load_settings()
    if not (settings.secrets_dir / "audit-key").exists():
        print("There is no installation in this state folder yet; `voxelhub up` makes it.", file=sys.stderr)
        return 1
    context = make_context(settings)
    try:
        return int(wanted.run(context, wanted))
    except (NotWhole, NotCovered, NothingSigned, LostKey, NoNextKey, PlaceDown, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        context.engine.dispose()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="voxelhub audit", description=DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser(
        "verify", help="find any change of records, checkpoints, keys, and of what the second place holds",
        description="Reads the whole log. Exit code 1 when something was changed, dropped, added, reordered or truncated.")
    check.add_argument("--against", type=Path, metavar="PATH", help="also compare with checkpoints kept elsewhere: a folder of "
                       "them, or a text file that has some in its lines, such as a syslog")
    check.set_defaults(run=_verify)
    show = commands.add_parser("show", help="the last records, oldest first")
    show.add_argument("-n", type=int, default=20, metavar="COUNT", help="how many (20)")
    show.add_argument("--actor", help="only what this user did")
    show.add_argument("--action", help="only this action")
    show.add_argument("--json", action="store_true", help="one JSON object a line")
    show.set_defaults(run=_show)
    proof = commands.add_parser(
        "prove", help="a record's proof, as JSON for somebody who has not the log",
        description="Prints the record, the newest checkpoint, the path from the one to the other, and that this checkpoint "
        "continues an earlier one. A checkpoint is made first if none covers the record yet.")
    proof.add_argument("seq", type=int, metavar="SEQ", help="number of the record (`voxelhub audit show`)")
    proof.add_argument("--earlier", type=int, metavar="SIZE",
                       help="the older checkpoint, by the number of its records; otherwise the oldest that covers SEQ")
    proof.set_defaults(run=_prove)
    out = commands.add_parser(
        "export", help="the whole log as a ZIP that anybody can check without VoxelHub",
        description="Records as JSON lines, checkpoints, public keys, and a README with the rules. It names people and what they "
        "did: hand it over accordingly. docs/verify_audit.py checks it.")
    out.add_argument("file", type=Path, metavar="FILE", help="new ZIP file")
    out.set_defaults(run=_export)
    commands.add_parser("checkpoint", help="sign the log as it is, and bring that to the second place, now").set_defaults(
        run=_checkpoint)
    commands.add_parser(
        "rotate-key", help="sign with a new key from now on; the old one signs it and is destroyed",
        description="Everything that runs follows at its next record. Old public keys stay in audit/keys.jsonl.",
    ).set_defaults(run=_rotate)
    return parser


def _verify(context: Context, wanted: argparse.Namespace) -> int:
    with reading(context.engine) as session:
        findings = verify(session, context.audit)
        count = session.scalar(select(func.count()).select_from(AuditEvent))
    keys, _ = read_keys(context.audit.keys.path)
    try:
        findings += compare(context.settings, keys)
    except (PlaceDown, SettingsError) as error:
        findings.append(f"The second place cannot be compared: {error}")
    if wanted.against:
        findings += compare_with(context.settings.audit_dir, wanted.against, keys)
    for finding in findings:
        print(finding)
    print(f"The audit log is not whole: {len(findings)} findings in {count} records." if findings
          else f"The audit log is whole: {count} records.")
    for line in state(context):
        print(line)
    return 1 if findings else 0


def state(context: Context) -> list[str]:
    """How far it is signed and out of reach, a sentence each."""
    try:
        now = evidence(context)
    except ValueError:
        return []
    if now.newest is None:
        return ["There is no checkpoint yet."]
    lines = [f"Checkpoint of {now.newest.time[:19]} UTC over {now.newest.size} records, signed by key {now.newest.key}."]
    if now.second is None:
        return [*lines, "No second place is set (VOXELHUB_AUDIT_SECOND): who controls this machine could rewrite everything."]
    if now.second.problem:
        lines.append(f"The second place has it up to record {now.second.size}. {now.second.problem} It is tried again.")
    else:
        lines.append(f"The second place has it up to record {now.second.size}.")
    return lines


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


def _prove(context: Context, wanted: argparse.Namespace) -> int:
    try:
        proof = prove(context.audit, context.engine, wanted.seq, wanted.earlier)
    except NotCovered:
        make(context.audit, context.engine)
        proof = prove(context.audit, context.engine, wanted.seq, wanted.earlier)
    print(json.dumps(proof, indent=2))
    return 0


def _export(context: Context, wanted: argparse.Namespace) -> int:
    if wanted.file.exists():
        print(f"{wanted.file} exists. An export never overwrites: choose another name.", file=sys.stderr)
        return 1
    with writing(context.engine) as session:
        context.audit.append(session, ACTOR, "audit.export", "audit:log")
    manifest, problem = export(context.audit, context.engine, wanted.file)
    if problem:
        print(f"{problem} It is exported as it is; `voxelhub audit verify` tells more.", file=sys.stderr)
    print(f"{wanted.file}: {manifest['records']} records, {manifest['checkpoints']} checkpoints. "
          "It names people and what they did. Check it with `python docs/verify_audit.py`.")
    return 1 if problem else 0


def _checkpoint(context: Context, _wanted: argparse.Namespace) -> int:
    make(context.audit, context.engine)
    tend(context)
    print("\n".join(state(context)))
    return 0


def _rotate(context: Context, _wanted: argparse.Namespace) -> int:
    old, new = rotate(context.audit, context.engine, ACTOR)
    print(f"Key {new} signs from now on; {old} has signed it"
          + (f". Now move {NEXT} to {SECRET} in the Secret, and make a new backup of it." if context.audit.keys.given
             else ", and its private part is gone. Make a new backup of the secrets."))
    return 0
