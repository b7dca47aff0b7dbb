"""Profiles: the Basic Application Level Confidentiality Profile and its options (DICOM PS3.15, E.2 and E.3)."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Profile:
    """One switch per option of PS3.15 E.3; all off is the bare Basic Profile."""

    name: str
    clean_descriptors: bool = False
    retain_uids: bool = False
    retain_full_dates: bool = False
    retain_modified_dates: bool = False
    retain_patient_characteristics: bool = False
    retain_device: bool = False
    retain_institution: bool = False
    retain_safe_private: bool = False
    clean_pixel_data: bool = False
    clean_graphics: bool = False
    clean_structured_content: bool = False

    def __post_init__(self) -> None:
        if self.retain_full_dates and self.retain_modified_dates:
            raise ValueError("A profile keeps dates in full or shifts them, not both. Set one of the two to false.")


# CID 7050 codes of what a header engine applies; 113101 (clean pixel data) is claimed only by whoever cleaned pixels.
OPTION_CODES = {
    "clean_graphics": "113103",
    "clean_structured_content": "113104",
    "clean_descriptors": "113105",
    "retain_full_dates": "113106",
    "retain_modified_dates": "113107",
    "retain_patient_characteristics": "113108",
    "retain_device": "113109",
    "retain_uids": "113110",
    "retain_safe_private": "113111",
    "retain_institution": "113112",
}

PROFILES = {
    "research": Profile(
        "research",
        clean_descriptors=True,
        retain_modified_dates=True,
        retain_patient_characteristics=True,
        retain_safe_private=True,
        clean_pixel_data=True,
        clean_graphics=True,
        clean_structured_content=True,
    ),
    "basic": Profile("basic", clean_pixel_data=True),
}


def load(name_or_json: str) -> Profile:
    """A profile by its name, or from a JSON object {"name", "base": a profile's name, option: true|false …}; else ValueError."""
    if name_or_json in PROFILES:
        return PROFILES[name_or_json]
    if not name_or_json.lstrip().startswith("{"):
        raise ValueError(f"There is no profile {name_or_json!r}. Use one of {', '.join(PROFILES)}, or a JSON object.")
    try:
        wanted = json.loads(name_or_json)
    except json.JSONDecodeError as error:
        raise ValueError(f"The profile is not valid JSON: {error.msg} in line {error.lineno}.") from None
    return _of_object(wanted)


def _of_object(wanted: dict[str, Any]) -> Profile:
    base = wanted.pop("base", None)
    if base is not None and base not in PROFILES:
        raise ValueError(f"There is no profile {base!r} to start from. Use one of {', '.join(PROFILES)}.")
    options = {each.name for each in fields(Profile)} - {"name"}
    unknown = sorted(set(wanted) - options - {"name"})
    if unknown:
        raise ValueError(f"The profile has options nobody knows: {', '.join(unknown)}. Known are {', '.join(sorted(options))}.")
    wrong = sorted(name for name in options & set(wanted) if not isinstance(wanted[name], bool))
    if wrong:
        raise ValueError(f"These options of the profile must be true or false: {', '.join(wrong)}.")
    kept = {each: getattr(PROFILES[base], each) for each in options} if base else {}
    return Profile(**kept | {"name": str(wanted.get("name", "own"))} | {name: wanted[name] for name in options & set(wanted)})
