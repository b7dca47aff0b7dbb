"""Code sequence items (PS3.3, 8): codes of registered schemes stay with their meaning; local ones become keyed words."""

from __future__ import annotations

import re
from functools import lru_cache

from pydicom import Dataset

from . import vocabulary
from .elements import Element, put_text, text_of
from .steps import Run

VALUE, DESIGNATOR, VERSION, MEANING = 0x00080100, 0x00080102, 0x00080103, 0x00080104
LONG_VALUE, URN_VALUE = 0x00080119, 0x00080120
CODE_TAGS = frozenset({VALUE, DESIGNATOR, VERSION, MEANING, LONG_VALUE, URN_VALUE})

# What a code of each scheme looks like. Schemes that are not here are local.
_SCHEMES = {
    "DCM": r"\d{6}|[A-Z]{2,8}|[A-Z]{1,4}\d{1,3}",
    "SCT": r"\d{6,18}",
    "SRT": r"[A-Z]{1,2}\d?-[0-9A-F]{4,5}",
    "SNM3": r"[A-Z]{1,2}\d?-[0-9A-F]{4,5}",
    "99SDM": r"[A-Z]{1,2}\d?-[0-9A-F]{4,5}",
    "SCPECG": r"\d{1,2}(?:[.-]\d{1,3}){1,6}",
    "LN": r"\d{1,5}-\d",
    "FMA": r"\d{1,6}",
    "NEU": r"\d{1,5}",
    "RADLEX": r"RID\d{1,6}",
    "NCIt": r"C\d{1,6}",
    "UMLS": r"C\d{7}",
    "IBSI": r"[0-9A-Z]{4}",
    "MDC": r"\d{1,7}",
    "BI": r"[A-Z0-9]{1,3}",
    "I10": r"[A-Z]\d\d(?:\.\d{1,4})?",
    "I9C": r"\d{3}(?:\.\d{1,2})?",
    "ISO639_1": r"[a-z]{2}",
    "ISO3166_1": r"[A-Z]{2,3}",
    "RFC5646": r"[a-z]{2}(?:-[A-Z]{2})?",
    "RFC3066": r"[a-z]{2}(?:-[A-Z]{2})?",
}
# Units are written from these atoms, with factors and powers between them.
_UCUM = re.compile(
    r"(?:\{[a-z]{1,12}\}|[0-9]{1,3}[*^]?[+-]?[0-9]{0,2}|[./()^*%+-]|[kcmunpMGTd]?(?:m|g|s|B|Hz|Bq|Gy|Sv|eV|V|A|T|L|l|J|W|K|Pa|mol|U|Ci|bit)"
    r"|rad|deg|min|h|wk|mo|d|a|Cel|1|\[hnsf'U\]|\[ppm\]|\[degF\]|''|'|mm\[Hg\]|cm\[H20\]){1,8}"
)
_VERSION = re.compile(r"\d{1,4}(?:[._-]?\d{1,4}){0,2}|01")
_LOCAL = "99LOCAL"


def clean(run: Run, item: Dataset) -> None:
    """Clean the coded value of one item, or of a data set that holds none (then nothing happens)."""
    values = [tag for tag in (VALUE, LONG_VALUE, URN_VALUE) if tag in item]
    if not values and MEANING not in item and DESIGNATOR not in item:
        return
    scheme = _text(item, DESIGNATOR)
    known = scheme == "UCUM" or scheme in _SCHEMES
    for tag in values:
        text = _text(item, tag)
        if not (tag != URN_VALUE and known and _fits(scheme, text)):
            known = known and not text
            _put(run, item, tag, run.key.token(f"code {scheme}", text).upper() if tag != URN_VALUE else "urn:removed", "D")
    if DESIGNATOR in item and not known and scheme != _LOCAL:
        _put(run, item, DESIGNATOR, _LOCAL, "D")
    if VERSION in item and not _VERSION.fullmatch(_text(item, VERSION)):
        run.remove(item, item.get_item(VERSION))
    if MEANING in item:
        before = text_of(item.get_item(MEANING))
        after = vocabulary.clean(before, frozenset() if known else run.veto)
        if after != before:
            standard = _meaning_of(scheme, _text(item, VALUE)) if known else ""
            if standard != before.strip(" \0"):
                _put(run, item, MEANING, standard or after or "Code", "C")


def _meaning_of(scheme: str, code: str) -> str:
    """The meaning a registered scheme gives its code, "" where pydicom's dictionaries (PS3.16) do not have it."""
    concepts = _concepts()
    if scheme in {"SRT", "SNM3", "99SDM"}:
        scheme, code = "SCT", _modern().get(code, "")
    return concepts.get((scheme, code), "")


@lru_cache(1)
def _concepts() -> dict[tuple[str, str], str]:
    from pydicom.sr._concepts_dict import concepts  # large; needed only for meanings in words of their own

    found = {}
    for scheme, entries in concepts.items():
        for entry in entries.values():
            for code, (name, _) in entry.items():
                meaning = re.sub(r" \([a-z ]+\)$", "", name)  # SNOMED's kind of concept
                if meaning.isascii() and len(meaning) <= 64:
                    found[scheme, code] = meaning
    return found


@lru_cache(1)
def _modern() -> dict[str, str]:
    from pydicom.sr._snomed_dict import mapping

    return dict(mapping["SRT"])


def _fits(scheme: str, text: str) -> bool:
    if scheme == "UCUM":
        return len(text) <= 16 and bool(_UCUM.fullmatch(text))
    found = re.fullmatch(_SCHEMES[scheme], text)
    return bool(found) and (not text.isalpha() or text.islower() or scheme != "DCM" or vocabulary.coded(text))


def _text(item: Dataset, tag: int) -> str:
    return text_of(item.get_item(tag)).strip(" \0") if tag in item else ""


def _put(run: Run, item: Dataset, tag: int, text: str, code: str) -> None:
    element: Element = item.get_item(tag)
    run.count(element, code)
    put_text(item, element, text, {VALUE: "SH", DESIGNATOR: "SH", LONG_VALUE: "UC", URN_VALUE: "UR"}.get(tag, "LO"))
