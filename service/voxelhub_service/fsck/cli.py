"""`voxelhub fsck [--deep] [--repair] [--json]`: prove that nothing is missing, left over, or counted wrongly."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ..context import Context, make_context
from ..settings import load_settings
from .base import Check
from .registry import checks


def main(arguments: list[str]) -> int:
    """0 clean, or everything repaired; 1 findings are left."""
    parser = argparse.ArgumentParser(prog="voxelhub fsck", description="Check the state folder; --repair alone changes it.")
    parser.add_argument("--deep", action="store_true", help="read every file and compare its SHA-256")
    parser.add_argument("--repair", action="store_true", help="do what each finding offers, saying what was done")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    wanted = parser.parse_args(arguments)
    settings = load_settings()
    if not (settings.secrets_dir / "audit-key").exists():
        print("There is no installation in this state folder yet; `voxelhub up` makes it.", file=sys.stderr)
        return 1
    context = make_context(settings)
    try:
        reports = [report(context, check, deep=wanted.deep, repair=wanted.repair) for check in checks()]
    finally:
        context.engine.dispose()
    left = sum(not finding["repaired"] for each in reports for finding in each["findings"])
    print(json.dumps({"clean": left == 0, "checks": reports}, indent=2) if wanted.json else _text(reports, left))
    return 1 if left else 0


def report(context: Context, check: Check, *, deep: bool, repair: bool) -> dict[str, Any]:
    """Run one check; with `repair` do what its findings offer."""
    found = []
    for finding in check.run(context, deep):
        done = finding.repair() if repair and finding.repair else ""
        found.append({"sentence": finding.sentence, "offer": finding.offer, "repaired": bool(done), "done": done})
    return {"check": check.name, "title": check.title, "findings": found}


def _text(reports: list[dict[str, Any]], left: int) -> str:
    lines = []
    for each in reports:
        lines.append(f"{'found ' if each['findings'] else 'clean '} {each['check']:<14} {each['title']}")
        for finding in each["findings"]:
            lines.append(f"         {finding['sentence']}")
            if finding["repaired"]:
                lines.append(f"           repaired: {finding['done']}")
            elif finding["offer"]:
                lines.append(f"           --repair would {finding['offer']}")
    return "\n".join([*lines, f"{left} findings." if left else "Everything is as it should be."])
