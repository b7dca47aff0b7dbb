"""Which step is taken for a tag and VR under one profile and one kind of object. Made on first need, then looked up."""

from __future__ import annotations

from functools import lru_cache

from . import icc, steps, values
from .codes import CODE_TAGS
from .elements import keyword_of, most_values, vrs_of
from .profile import Profile
from .steps import Step, Take
from .table import Action, action, table
from .uids import rules

_REMOVED_GROUPS = frozenset({0x0000, 0x0002, 0x0004, 0x0006, 0xFFFA, 0xFFFC})
_KEYED = frozenset({"LO", "SH", "UC"})
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_DATES = frozenset({"DA", "DT"})


class Plan:
    """Steps of one profile for one kind of object; `strict` gives texts dummies (inside a sequence that is itself a dummy)."""

    def __init__(self, profile: Profile, kind: str, strict: bool) -> None:
        self._profile, self._kind, self._strict = profile, kind, strict
        self._steps: dict[tuple[int, str | None], Step] = {}

    def step(self, tag: int, vr: str | None) -> Step:
        """`vr` is what the file says, None in implicit encodings."""
        found = self._steps.get((tag, vr))
        if found is None:
            found = self._steps[tag, vr] = self._made(tag, vr)
        return found

    def _made(self, tag: int, vr: str | None) -> Step:
        group = tag >> 16
        if tag & 0xFFFF == 0:
            return Step(steps.drop_silently)
        if group in _REMOVED_GROUPS:
            return Step(steps.remove)
        if group & 0xFF00 in {0x5000, 0x6000}:
            return Step(steps.repeating(f"{group >> 8:02x}xx"))
        if tag in CODE_TAGS:
            return Step(steps.keep)  # codes.py has seen to the item as a whole
        vr = _settled(tag, vr)
        if vr is None:
            return Step(steps.remove)
        if tag == 0x00100010:
            return Step(steps.patient_name)
        if tag == 0x00100020:
            return Step(steps.patient_id)
        named = action(tag, self._profile, self._kind)
        return self._of_sequence(named) if vr == "SQ" else Step(self._named(tag, vr, named) if named else self._unnamed(tag, vr))

    def _of_sequence(self, named: Action | None) -> Step:
        code = named.code if named else "K"
        if code in {"X", "Z"}:
            return Step(steps.remove if code == "X" else steps.empty("SQ"))
        return Step(steps.keep, "strict" if code == "D" or self._strict else "")

    def _named(self, tag: int, vr: str, named: Action) -> Take:
        """An attribute of Table E.1-1."""
        otherwise = self._plain(tag, vr, named.otherwise)
        if named.code == "K":
            return self._kept(tag, vr, otherwise)
        if named.code == "C":
            return self._cleaned(tag, vr, otherwise)
        return self._plain(tag, vr, named.code)

    def _plain(self, tag: int, vr: str, code: str) -> Take:
        if code == "X":
            return steps.remove
        if code == "Z":
            return steps.empty(vr)
        if code == "U":
            return steps.uid if vr == "UI" else steps.remove
        return steps.dummy(vr, vr in _KEYED)

    def _kept(self, tag: int, vr: str, otherwise: Take) -> Take:
        options = table().rows[tag][1]
        if vr in values.TEXT and "retain_patient_characteristics" not in options:
            return steps.keep
        return self._cleaned(tag, vr, otherwise, moved=False)

    def _cleaned(self, tag: int, vr: str, otherwise: Take, moved: bool = True) -> Take:
        if vr in values.TEXT:
            return otherwise if self._strict else steps.words(vr, _technical(tag), otherwise)
        if vr in _DATES and moved:
            return steps.shift(vr, otherwise)
        if vr == "AS":
            return steps.age(otherwise)
        if vr == "CS":
            return steps.coded(otherwise)
        if vr in values.NUMBER_SIZES:
            return steps.numbers(vr, most_values(tag))
        if vr in {"DA", "DT", "TM", "DS", "IS", "UI"}:
            return steps.by_grammar(vr, otherwise)
        return steps.keep if vr in {"AE", "PN"} and not moved else otherwise

    def _unnamed(self, tag: int, vr: str) -> Take:
        """An attribute of the dictionary that Table E.1-1 does not name: by what its VR can hold."""
        required = f"{tag:08x}" in rules()["required"]
        otherwise = steps.dummy(vr, False) if required or vr in _DATES else steps.empty(vr)
        if vr == "UI":
            kept = self._profile.retain_uids
            return steps.by_grammar(vr, steps.uid) if kept else steps.uid
        if vr in _DATES:
            if self._profile.retain_modified_dates:
                return steps.shift(vr, otherwise)
            return steps.by_grammar(vr, otherwise) if self._profile.retain_full_dates else otherwise
        if vr in values.TEXT and _identifier(tag):
            return steps.identifier(vr)
        if vr in values.BULK:
            return _bulk(tag, vr)
        if vr == "CS" and tag == 0x00080005:
            return steps.character_set
        return self._cleaned(tag, vr, otherwise)


def _bulk(tag: int, vr: str) -> Take:
    if tag == 0x00282000:
        return icc.take
    if f"{tag:08x}" not in rules()["bulk"]:
        return steps.remove
    if tag in _PIXELS:
        return steps.keep
    return steps.numbers(vr, None) if vr in values.BULK_SIZES else steps.unless_text


@lru_cache(256)
def plan(profile: Profile, kind: str, strict: bool) -> Plan:
    """One plan per profile and kind of object in a process."""
    return Plan(profile, kind, strict)


def _settled(tag: int, vr: str | None) -> str | None:
    """The VR an element is treated as; None: file and dictionary cannot both be right, or nobody knows the tag."""
    known = vrs_of(tag)
    if not known:
        return vr if vr and tag in table().rows and vr != "UN" else None
    if vr is None or vr == "UN" or vr in known:
        return vr if vr in known else known[0]
    if vr in values.STRINGS and known[0] in values.STRINGS:
        return known[0]
    binary = values.BULK | set(values.NUMBER_SIZES)
    if vr in values.NUMBER_SIZES and (known[0] in binary or known[0] in {"DS", "IS"}):
        return vr
    if vr in values.BULK and known[0] in values.BULK:
        return vr
    return None


def _technical(tag: int) -> bool:
    keyword = keyword_of(tag)
    return f"{tag:08x}" in rules()["technical"] or keyword.endswith(
        ("Version", "Versions", "ModelName", "CoilName", "Kernel", "SequenceName")
    )


def _identifier(tag: int) -> bool:
    return f"{tag:08x}" in rules()["identifiers"] or keyword_of(tag).endswith(("ID", "Identifier", "UniqueID", "IDs"))
