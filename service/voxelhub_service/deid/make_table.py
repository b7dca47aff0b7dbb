"""Make table.json: `python -m voxelhub_service.deid.make_table TABLE.json EDITION [NEWER.py EDITION] > table.json`.

TABLE.json is a machine-readable copy of DICOM PS3.15 Table E.1-1: a list of objects with "id", "basicProfile" and option columns.
NEWER.py lists the Basic Profile alone in a newer edition (`D_TAGS = [(0x0018, 0x11BB), …]`): tags the table lacks are taken from
it, marked with that edition; none is changed. Only tags and action codes are written: no name, no text of the standard."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

OPTIONS = {
    "cleanDescOpt": "clean_descriptors",
    "cleanGraphOpt": "clean_graphics",
    "cleanStructContOpt": "clean_structured_content",
    "rtnDevIdOpt": "retain_device",
    "rtnInstIdOpt": "retain_institution",
    "rtnPatCharsOpt": "retain_patient_characteristics",
    "rtnUIDsOpt": "retain_uids",
    "rtnLongFullDatesOpt": "retain_full_dates",
    "rtnLongModifDatesOpt": "retain_modified_dates",
}


def rows_of_table(text: str) -> dict[str, list[Any]]:
    """tag (8 hex digits) -> [basic code, {option: code}]. Repeating groups and private tags are rules of the engine, not rows."""
    rows = {}
    for row in json.loads(text):
        if re.fullmatch("[0-9a-f]{8}", row["id"]):
            options = {OPTIONS[column]: row[column] for column in OPTIONS if column in row}
            rows[row["id"]] = [row["basicProfile"], options]
    return rows


def rows_of_list(text: str) -> dict[str, str]:
    """tag -> basic code, from the assignments `X_Z_TAGS = [(group, element), …]`."""
    rows = {}
    for statement in ast.parse(text).body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        found = re.fullmatch("((?:[DZXU]_)+)(STAR_)?TAGS", statement.targets[0].id)
        if found:
            for tag in ast.literal_eval(statement.value):
                if len(tag) == 2:
                    rows[f"{tag[0]:04x}{tag[1]:04x}"] = "/".join(found[1].strip("_").split("_")) + ("*" if found[2] else "")
    return rows


def checksum(rows: dict[str, Any]) -> str:
    """SHA-256 over the rows in the one way JSON can be written compactly and sorted."""
    return hashlib.sha256(json.dumps(rows, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def document(rows: dict[str, list[Any]], edition: str) -> str:
    """One row a line, so that a new edition reads as a diff."""
    lines = ",\n".join(f" {json.dumps(tag)}: {json.dumps(rows[tag])}" for tag in sorted(rows))
    head = f'"source": "DICOM PS3.15 Table E.1-1", "edition": {json.dumps(edition)}, "sha256": "{checksum(rows)}"'
    return f'{{{head}, "rows": {{\n{lines}\n}}}}\n'


def main(arguments: list[str]) -> int:
    """0 written to stdout, 2 wrong usage."""
    if len(arguments) not in {2, 4}:
        print(__doc__, file=sys.stderr)
        return 2
    rows = rows_of_table(Path(arguments[0]).read_text())
    if len(arguments) == 4:
        newer = rows_of_list(Path(arguments[2]).read_text())
        for tag, code in newer.items():
            rows.setdefault(tag, [code, {}, arguments[3]])
        for tag in sorted(set(newer) & set(rows)):
            if newer[tag] != rows[tag][0]:
                print(f"{tag}: {rows[tag][0]} in {arguments[1]}, {newer[tag]} in {arguments[3]}", file=sys.stderr)
    sys.stdout.write(document(rows, arguments[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
