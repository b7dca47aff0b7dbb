"""Reading and replacing one element's value, raw (as it stands in the file) or decoded. What needs no change stays raw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import DicomDictionary
from pydicom.multival import MultiValue

from .values import NUMBER_SIZES, STRINGS

Element = Any  # pydicom's RawDataElement | DataElement


def vrs_of(tag: int) -> tuple[str, ...]:
    """The VRs the data dictionary (PS3.6) gives a tag; () for a tag it does not know."""
    entry = DicomDictionary.get(tag)
    return tuple(entry[0].split(" or ")) if entry and entry[0] != "NONE" else ()


def most_values(tag: int) -> int | None:
    """The upper bound of a tag's value multiplicity; None where it has none."""
    last = str(DicomDictionary[tag][1]).rpartition("-")[2]
    return int(last) if last.isdigit() else None


def keyword_of(tag: int) -> str:
    """The attribute's keyword in the data dictionary, "" where it has none."""
    entry = DicomDictionary.get(tag)
    return str(entry[4]) if entry else ""


def text_of(element: Element) -> str:
    """The value as text, backslashes between values. Bytes beyond ASCII come as Latin-1."""
    value = element.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, MultiValue | list | tuple):
        return "\\".join(str(each) for each in value)
    return str(value)


def decoded(dataset: Dataset, element: Element) -> str:
    """The value in its own character set, read robustly: what cannot be decoded comes as Latin-1."""
    value = element.value
    if not isinstance(value, bytes) or (value.isascii() and b"\x1b" not in value):
        return text_of(element)
    try:
        names = dataset.get("SpecificCharacterSet") or "ISO_IR 6"
        return str(decode_bytes(value, convert_encodings(names), {0x5C, 0x5E, 0x3D, 0x0A, 0x0D}))
    except Exception:  # pydicom and the codecs raise whatever they like for broken character sets
        return value.decode("latin-1")


def put_text(dataset: Dataset, element: Element, text: str, vr: str) -> None:
    """Replace a value of strings. `text` is ASCII."""
    if element.is_raw:
        value = text.encode("ascii")
        if len(value) % 2:
            value += b"\0" if vr == "UI" else b" "
        put_bytes(dataset, element, value, element.VR)
    else:
        dataset[element.tag] = DataElement(element.tag, vr, text)


def put_bytes(dataset: Dataset, element: Element, value: bytes, vr: str | None) -> None:
    """Replace the bytes of a raw element (even length), or the value of a decoded one."""
    if element.is_raw:
        dataset[element.tag] = element._replace(value=value, length=len(value), VR=vr)
    else:
        dataset[element.tag] = DataElement(element.tag, vr or element.VR, value)


def put_empty(dataset: Dataset, element: Element, vr: str) -> None:
    """A zero-length value."""
    if element.is_raw and vr != "SQ":
        put_bytes(dataset, element, b"", element.VR)
    else:
        dataset[element.tag] = DataElement(element.tag, vr, [] if vr == "SQ" else "" if vr in STRINGS - {"DS", "IS"} else None)


def put_zero(dataset: Dataset, element: Element, vr: str) -> None:
    """One zero of a binary VR."""
    if element.is_raw:
        put_bytes(dataset, element, b"\0" * NUMBER_SIZES.get(vr, 2), element.VR)
    else:
        dataset[element.tag] = DataElement(element.tag, vr, 0 if vr in NUMBER_SIZES else b"\0\0")


def items_of(dataset: Dataset, tag: int) -> Iterator[Dataset] | None:
    """The items of a sequence; None where it cannot be read as one."""
    try:
        element = dataset[tag]
        if element.VR != "SQ":
            return None
        items: Iterator[Dataset] = iter(element.value)
    except Exception:  # whatever pydicom meets in a broken sequence
        return None
    return items
