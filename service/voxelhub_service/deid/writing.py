"""Writing a data set with its raw values as they are, which spares decoding and encoding each (PS3.5, 7; PS3.10, 7)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, Any

from pydicom import DataElement, Dataset
from pydicom.charset import default_encoding
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr_element, write_data_element

from .elements import Element

_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_SPACED = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"})
_UNDEFINED = 0xFFFFFFFF
_ITEM = 0xFFFEE000
_DELIMITER = 0xFFFEE0DD


def write_file(out: IO[bytes], dataset: Dataset, *, implicit: bool, little: bool) -> None:
    """A DICOM file with an empty preamble and `dataset.file_meta`, which must be complete. Pixel bytes are not copied."""
    meta = b"".join(_elements(dataset.file_meta, False, True))
    out.write(bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta)
    out.writelines(_elements(dataset, implicit, little))


def _elements(dataset: Dataset, implicit: bool, little: bool) -> Iterator[bytes]:
    order = "<" if little else ">"
    for tag in sorted(dataset.keys()):
        if tag == 0x00020000:
            continue
        element = dataset.get_item(tag)
        if (
            element.is_raw
            and element.is_implicit_VR == implicit
            and element.is_little_endian == little
            and (implicit or element.VR)
        ):
            yield from _raw(element, implicit, order)
        elif element.VR == "SQ" and not element.is_raw:
            yield from _sequence(element, implicit, little, order)
        elif element.VR in {"OB", "OW"} and not element.is_raw and isinstance(element.value, bytes):
            yield from _bulk(element, implicit, order)
        else:
            yield _encoded(dataset, dataset[tag], implicit, little)


def _raw(element: Any, implicit: bool, order: str) -> Iterator[bytes]:
    value = element.value or b""
    undefined = element.length == _UNDEFINED
    if len(value) % 2 and not undefined:
        value += b" " if element.VR in _SPACED else b"\0"
    yield _header(element.tag, element.VR, _UNDEFINED if undefined else len(value), implicit, order)
    yield value
    if undefined:
        yield struct.pack(order + "HHI", _DELIMITER >> 16, _DELIMITER & 0xFFFF, 0)


def _bulk(element: Element, implicit: bool, order: str) -> Iterator[bytes]:
    """Decoded bulk bytes, which are large: pixels that were looked at."""
    value = element.value
    length = _UNDEFINED if element.is_undefined_length else len(value) + len(value) % 2
    yield _header(element.tag, element.VR, length, implicit, order)
    yield value
    if element.is_undefined_length:
        yield struct.pack(order + "HHI", _DELIMITER >> 16, _DELIMITER & 0xFFFF, 0)
    elif len(value) % 2:
        yield b"\0"


def _sequence(element: Element, implicit: bool, little: bool, order: str) -> Iterator[bytes]:
    parts = []
    for item in element.value:
        inside = b"".join(_elements(item, implicit, little))
        parts += [struct.pack(order + "HHI", _ITEM >> 16, _ITEM & 0xFFFF, len(inside)), inside]
    value = b"".join(parts)
    yield _header(element.tag, "SQ", len(value), implicit, order)
    yield value


def _header(tag: int, vr: str | None, length: int, implicit: bool, order: str) -> bytes:
    if implicit or vr is None:
        return struct.pack(order + "HHI", tag >> 16, tag & 0xFFFF, length)
    if vr in _LONG:
        return struct.pack(order + "HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
    return struct.pack(order + "HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)


def _encoded(dataset: Dataset, element: DataElement, implicit: bool, little: bool) -> bytes:
    """A decoded element, by pydicom. Texts among those we keep are as they were read, in the data set's own character set."""
    if element.VR == "SQ":
        return b"".join(_sequence(element, implicit, little, "<" if little else ">"))
    if " or " in element.VR:
        element = correct_ambiguous_vr_element(element, dataset, little)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = little, implicit
    write_data_element(buffer, element, dataset.get("SpecificCharacterSet") or default_encoding)
    return bytes(buffer.getvalue())
