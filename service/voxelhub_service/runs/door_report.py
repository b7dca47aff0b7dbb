"""What the door did in an import, as sentences for people and as counts for programs, from what the import kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CODES = {  # PS3.16, CID 7050
    "113100": "basic profile", "113101": "clean pixel data", "113102": "clean recognizable visual features",
    "113103": "clean graphics", "113104": "clean structured content", "113105": "clean descriptors",
    "113106": "retain full dates", "113107": "retain modified dates", "113108": "retain patient characteristics",
    "113109": "retain device identity", "113110": "retain UIDs", "113111": "retain safe private", "113112": "retain institution",
}
PIXELS = {
    "masked": ("Text was found in the pixels of {} and covered.", "files"), "read": ("{} read for text in their pixels.", "were"),
    "screened": ("{} screened for text in their pixels, and none needed reading.", "were"),
    "untouched": ("The pixels of {} were left as they are.", "files"),
}


def sentences(report: Mapping[str, Any]) -> list[str]:
    """For the lineage; [] for a run that kept nothing."""
    if not report:
        return []
    said = [_arrival(report)]
    if report.get("waived"):
        said.append("A data steward released it from quarantine, with a written reason.")
    if report.get("clinical"):
        said += _cleaning(report)
    else:
        said.append("The project was open: nothing was de-identified.")
    if held := report.get("held"):
        reasons = ", ".join(f"{count} × {code.replace('_', ' ')}" for code, count in held.items())
        said.append(f"Held in quarantine: {reasons}.")
    said.append("The virus scanner was asked about every file." if report.get("scanned") else "No virus scanner was set up.")
    return said


def _arrival(report: Mapping[str, Any]) -> str:
    arrived, released, copies = (int(report.get(name, 0)) for name in ("arrived", "released", "duplicates"))
    text = f"{_files(arrived)} arrived, {released} {'was' if released == 1 else 'were'} released"
    return f"{text}, of which {copies} {'was a copy' if copies == 1 else 'were copies'} of others." if copies else f"{text}."


def _cleaning(report: Mapping[str, Any]) -> list[str]:
    kinds = ", ".join(f"{count} × {kind}" for kind, count in report.get("kinds", {}).items())
    said = [f"De-identified with the profile {report.get('profile')}: {kinds}."] if kinds else []
    actions = report.get("actions", {})
    if actions:
        said.append(f"{actions.get('removed', 0):,} values were removed, {actions.get('replaced', 0):,} replaced by pseudonyms, "
                    f"shifted dates or dummies, {actions.get('kept', 0):,} private ones kept as safe.")
    if codes := report.get("codes"):
        said.append("Applied (DICOM PS3.15): " + ", ".join(f"{CODES.get(code, 'code')} ({code})" for code in codes) + ".")
    for kind, count in report.get("pixels", {}).items():
        if kind in PIXELS:
            text, form = PIXELS[kind]
            said.append(text.format(_files(count) if form == "files" else f"{_files(count)} {'was' if count == 1 else 'were'}"))
    return said


def _files(count: int) -> str:
    return f"{count:,} {'file' if count == 1 else 'files'}"


def counts(report: Mapping[str, Any]) -> list[tuple[str, str | int]]:
    """(name, value) of all that was counted."""
    found: list[tuple[str, str | int]] = []
    for name in ("profile", "arrived", "released", "duplicates"):
        if report.get(name):
            found.append((f"door: {name}", report[name]))
    for group in ("held", "kinds", "pixels", "actions"):
        found += [(f"door: {group}: {name}", count) for name, count in report.get(group, {}).items()]
    if report.get("codes"):
        found.append(("door: CID 7050 codes", ", ".join(report["codes"])))
    return found
