"""What can be done to one element. A step is made once per tag, VR and profile (plan.py) and taken for each element it fits."""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from pydicom import Dataset

from . import values, vocabulary
from .elements import Element, decoded, put_bytes, put_empty, put_text, put_zero, text_of
from .profile import Profile
from .pseudonyms import Key
from .uids import replaced

_LONG_NUMBER = 5
_TEXT_IN_NUMBERS = re.compile(rb"[A-Za-z0-9^_. -]{6,}")
_CHARACTER_SET = re.compile(r"ISO[_ ]IR[_ ]?\d{1,3}|ISO[_ ]2022[_ ]IR[_ ]?\d{1,3}|GB18030|GBK|")
_ONLY_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]+")


@dataclass
class Run:
    """One data set's cleaning: under which key, for which patient, and the count of what was done."""

    key: Key
    profile: Profile
    actions: Counter[str]
    pseudonym: str
    shift: int
    veto: frozenset[str] = field(repr=False)

    def count(self, element: Element, code: str) -> None:
        self.actions[f"({element.tag >> 16:04x},{element.tag & 0xFFFF:04x}) {code}"] += 1

    def remove(self, dataset: Dataset, element: Element) -> None:
        self.count(element, "X")
        del dataset[element.tag]


Take = Callable[[Run, Dataset, Element], None]


@dataclass(frozen=True)
class Step:
    """`take` acts on the element. Where `descends` is set, its items are walked instead: "" as the parent's, "strict" dummies."""

    take: Take
    descends: str | None = None


def keep(run: Run, dataset: Dataset, element: Element) -> None:
    """Leave it."""


def remove(run: Run, dataset: Dataset, element: Element) -> None:
    run.remove(dataset, element)


def drop_silently(run: Run, dataset: Dataset, element: Element) -> None:
    """Group lengths and padding: structure, not content."""
    del dataset[element.tag]


def repeating(group: str) -> Take:
    """Removal counted for a repeating group as a whole: "60xx"."""

    def take(run: Run, dataset: Dataset, element: Element) -> None:
        run.actions[f"({group},{element.tag & 0xFFFF:04x}) X"] += 1
        del dataset[element.tag]

    return take


def empty(vr: str) -> Take:
    def take(run: Run, dataset: Dataset, element: Element) -> None:
        if element.value:
            run.count(element, "Z")
        put_empty(dataset, element, vr)

    return take


def dummy(vr: str, keyed: bool) -> Take:
    """A valid value that says nothing; `keyed`: equal values of one attribute stay equal, different ones different."""

    def take(run: Run, dataset: Dataset, element: Element) -> None:
        run.count(element, "D")
        if vr in values.STRINGS:
            text = decoded(dataset, element).strip(" \0") if keyed or vr == "UI" else ""
            put_text(dataset, element, _stand_in(run, element, vr, text, keyed), vr)
        else:
            put_zero(dataset, element, vr)

    return take


def patient_id(run: Run, dataset: Dataset, element: Element) -> None:
    """(0010,0020), at any depth: the pseudonym of the identifier that stands there."""
    run.count(element, "D")
    own = decoded(dataset, element).strip(" \0")
    issuer = dataset.get_item(0x00100021) if 0x00100021 in dataset else None
    pseudonym = run.key.patient(own, decoded(dataset, issuer) if issuer is not None else "") if own else run.pseudonym
    put_text(dataset, element, pseudonym, "LO")


def patient_name(run: Run, dataset: Dataset, element: Element) -> None:
    run.count(element, "D")
    put_text(dataset, element, run.pseudonym, "PN")


def uid(run: Run, dataset: Dataset, element: Element) -> None:
    before = text_of(element)
    after = replaced(before, run.key)
    if after != before.strip(" \0"):
        run.count(element, "U")
        put_text(dataset, element, after, "UI")


def shift(vr: str, otherwise: Take) -> Take:
    """Dates move by the patient's days; what is no date goes the other way."""

    def take(run: Run, dataset: Dataset, element: Element) -> None:
        text = text_of(element).strip(" \0")
        moved = values.shifted(vr, text, run.shift)
        if moved is None:
            otherwise(run, dataset, element)
        elif moved:
            run.count(element, "C")
            put_text(dataset, element, moved, vr)

    return take


def by_grammar(vr: str, otherwise: Take) -> Take:
    """Kept where every value follows the grammar of its VR, and is not the patient's own long number."""

    def take(run: Run, dataset: Dataset, element: Element) -> None:
        text = text_of(element)
        if not values.fits(vr, text) or (len(text) >= _LONG_NUMBER and text.strip(" \0") in run.veto):
            otherwise(run, dataset, element)

    return take


def age(otherwise: Take) -> Take:
    def take(run: Run, dataset: Dataset, element: Element) -> None:
        text = text_of(element).strip(" \0")
        capped = values.capped_age(text)
        if capped is None:
            otherwise(run, dataset, element)
        elif capped != text:
            run.count(element, "C")
            put_text(dataset, element, capped, "AS")

    return take


def coded(otherwise: Take) -> Take:
    """Coded strings keep the values whose every word is known; of several values the unknown ones read OTHER."""

    def take(run: Run, dataset: Dataset, element: Element) -> None:
        texts = text_of(element).split("\\")
        fine = [vocabulary.coded(text) for text in texts]
        if all(fine):
            return
        if not any(good and text.strip(" \0") for good, text in zip(fine, texts, strict=True)):
            otherwise(run, dataset, element)
            return
        run.count(element, "C")
        put_text(
            dataset,
            element,
            "\\".join(text.strip(" \0") if good else "OTHER" for good, text in zip(fine, texts, strict=True)),
            "CS",
        )

    return take


def character_set(run: Run, dataset: Dataset, element: Element) -> None:
    """(0008,0005) stays where it names character sets of PS3.3, C.12.1.1.2; texts that were cleaned are ASCII in all of them."""
    if not all(_CHARACTER_SET.fullmatch(value.strip(" \0")) for value in text_of(element).split("\\")):
        run.count(element, "D")
        put_text(dataset, element, "ISO_IR 192", "CS")


def words(vr: str, technical: bool, otherwise: Take) -> Take:
    """Texts keep what the vocabulary knows; where nothing is left, the other action is taken."""

    def take(run: Run, dataset: Dataset, element: Element) -> None:
        before = text_of(element)
        if vr in {"LO", "SH", "UC"} and "\\" in before:
            after = "\\".join(vocabulary.clean(each, run.veto, technical).strip(" \0") for each in before.split("\\"))
        else:
            after = vocabulary.clean(before, run.veto, technical)
        if after == before:
            return
        if not after.strip("\\ \0"):
            otherwise(run, dataset, element)
            return
        run.count(element, "C")
        put_text(dataset, element, after, vr)

    return take


def identifier(vr: str) -> Take:
    """Labels that tie parts of one object together: short known ones stay, others become keyed words, equal ones alike."""

    def take(run: Run, dataset: Dataset, element: Element) -> None:
        before = text_of(element).strip(" \0")
        if not before or re.fullmatch(r"\d{1,3}", before) or vocabulary.clean(before, run.veto, True) == before:
            return
        run.count(element, "D")
        put_text(dataset, element, _stand_in(run, element, vr, before, True), vr)

    return take


def numbers(vr: str, most: int | None) -> Take:
    """Binary numbers stay where their length is right and no run of letters stands in them; floats are blunted instead."""
    size = values.NUMBER_SIZES.get(vr) or values.BULK_SIZES[vr]

    def take(run: Run, dataset: Dataset, element: Element) -> None:
        value = element.value
        if not isinstance(value, bytes):
            return
        if len(value) % size or (most is not None and len(value) > size * most):
            run.remove(dataset, element)
        elif len(value) > 5 and _TEXT_IN_NUMBERS.search(value):
            if vr in {"FL", "FD", "OF", "OD"}:
                run.count(element, "C")
                put_bytes(dataset, element, blunted(value, size, element.is_little_endian), element.VR)
            else:
                run.remove(dataset, element)

    return take


def unless_text(run: Run, dataset: Dataset, element: Element) -> None:
    """Bulk bytes stay, but for values that are nothing but text."""
    value = element.value
    if isinstance(value, bytes) and len(value) > 5:
        shown = value.replace(b"\0", b"")  # UTF-16 counts as text, too
        if _ONLY_TEXT.fullmatch(shown) and _TEXT_IN_NUMBERS.search(shown):
            run.remove(dataset, element)


def blunted(value: bytes, size: int, little: bool) -> bytes:
    """Floats whose bytes read as text lose their lowest mantissa bits: one byte of an FL (2**-15), two of an FD (2**-36).

    Numbers with few digits ("38.4") stay: they say nothing, whatever their bytes look like."""
    out = bytearray(value)
    low = range(size // 4) if little else range(size - size // 4, size)
    for found in _TEXT_IN_NUMBERS.finditer(value):
        for start in range(found.start() - found.start() % size, found.end(), size):
            if not _few_digits(value[start : start + size], little):
                for at in low:
                    out[start + at] = 0
    return bytes(out)


def _few_digits(value: bytes, little: bool) -> bool:
    code = ("<" if little else ">") + ("f" if len(value) == 4 else "d")
    (number,) = struct.unpack(code, value)
    return struct.pack(code, float(f"{number:.{4 if len(value) == 4 else 8}g}")) == value


def _stand_in(run: Run, element: Element, vr: str, text: str, keyed: bool) -> str:
    if vr == "UI":
        return run.key.uid(text or f"{element.tag:08x}")
    if keyed and text:
        return run.key.token(f"value {element.tag:08x}", text).upper()
    return values.dummy(vr)
