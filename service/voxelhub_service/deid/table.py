"""Table E.1-1 as data, and which action one profile takes for a tag and a kind of object.

Codes: D dummy, Z empty, X remove, K keep, C clean, U replace UIDs. Compound codes ("X/Z/D") mean: by the attribute's type
in the object at hand. kinds.json names the kinds of objects and, for each attribute with a compound code, its type there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from .profile import Profile

# Where two options speak, the one that keeps less wins: C before K.
_STRICTEST_FIRST = "CK"


@dataclass(frozen=True)
class Action:
    """`code` is one of D Z X K C U; `otherwise` is what to do where cleaning leaves nothing, or the value cannot be trusted."""

    code: str
    otherwise: str


@dataclass(frozen=True)
class Table:
    edition: str
    sha256: str
    rows: dict[int, tuple[str, dict[str, str]]]


@lru_cache(1)
def table() -> Table:
    """The rows by tag: (basic code, {option: code})."""
    read = _json("table.json")
    rows = {int(tag, 16): (row[0], row[1]) for tag, row in read["rows"].items()}
    for tag, extra in _json("kinds.json")["options"].items():
        code, options = rows[int(tag, 16)]
        rows[int(tag, 16)] = (code, options | extra)
    return Table(read["edition"], read["sha256"], rows)


def action(tag: int, profile: Profile, kind: str) -> Action | None:
    """What to do with an attribute of the table; None for an attribute that is not in it. `kind` is of `kind_of`."""
    row = table().rows.get(tag)
    if row is None:
        return None
    basic = _resolved(row[0], tag, kind)
    chosen = {code for option, code in row[1].items() if getattr(profile, option)}
    for code in _STRICTEST_FIRST:
        if code in chosen:
            return Action(code, basic)
    return Action(basic, basic)


def kind_of(sop_class: str) -> str:
    """The kind of object of a SOP class, "" where it is not listed."""
    return str(_kinds().get(sop_class, ""))


def attribute_type(tag: int, kind: str) -> str:
    """1, 2 or 3 for an attribute with a compound code; 1 where we do not know, since a dummy satisfies every type."""
    types = _json("kinds.json")["types"].get(f"{tag:08x}")
    if types is None or not kind:
        return "1"
    return str(types.get(kind, types[""]))


def _resolved(code: str, tag: int, kind: str) -> str:
    letters = code.rstrip("*").split("/")
    if "U" in letters:
        return "U"
    if len(letters) == 1:
        return letters[0]
    wanted = {"1": "DZX", "2": "ZDX", "3": "XZD"}[attribute_type(tag, kind)]
    return next(letter for letter in wanted if letter in letters)


@lru_cache(1)
def _kinds() -> dict[str, str]:
    return {f"1.2.840.10008.5.1.4.1.1.{end}": kind for kind, ends in _json("kinds.json")["kinds"].items() for end in ends.split()}


@lru_cache(8)
def _json(name: str) -> Any:
    return json.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
