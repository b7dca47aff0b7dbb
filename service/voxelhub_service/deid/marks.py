"""The marks of a de-identified object: (0012,0062), (0012,0063), (0012,0064), (0028,0303) (PS3.15, E.1.1; CID 7050)."""

from __future__ import annotations

from functools import lru_cache

from pydicom import DataElement, Dataset, Sequence
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_sequence
from pydicom.tag import BaseTag

from .elements import items_of, text_of
from .profile import OPTION_CODES, Profile
from .table import table

_CODES = 0x00120064
BASIC = "113100"
_MEANINGS = {
    BASIC: "Basic Application Confidentiality Profile",
    "113101": "Clean Pixel Data Option",
    "113102": "Clean Recognizable Visual Features Option",
    "113103": "Clean Graphics Option",
    "113104": "Clean Structured Content Option",
    "113105": "Clean Descriptors Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
    "113111": "Retain Safe Private Option",
    "113112": "Retain Institution Identity Option",
}


def former_codes(dataset: Dataset) -> list[str]:
    """Codes of CID 7050 that an earlier de-identification left in (0012,0064)."""
    if 0x00120064 not in dataset:
        return []
    found = [_code(item) for item in items_of(dataset, 0x00120064) or ()]
    return [code for code in dict.fromkeys(found) if code in _MEANINGS]


def write(dataset: Dataset, profile: Profile, former: list[str]) -> list[str]:
    """Write the marks; the codes of this cleaning come first, those of an earlier one after them. Returns all."""
    codes = [BASIC, *(code for option, code in OPTION_CODES.items() if getattr(profile, option))]
    dates = "MODIFIED" if profile.retain_modified_dates else "UNMODIFIED" if profile.retain_full_dates else "REMOVED"
    dataset[0x00120062] = DataElement(0x00120062, "CS", "YES")
    dataset[0x00120063] = DataElement(0x00120063, "LO", f"VoxelHub {profile_name(profile)}, PS3.15 E.1-1 {table().edition}"[:64])
    dataset[0x00280303] = DataElement(0x00280303, "CS", dates)
    return write_codes(dataset, list(dict.fromkeys([*codes, *former])))


def write_codes(dataset: Dataset, codes: list[str]) -> list[str]:
    """Write (0012,0064) alone: for whoever cleaned pixels after the header."""
    implicit, little = dataset.original_encoding
    if implicit is None or little is None:
        dataset[_CODES] = DataElement(_CODES, "SQ", Sequence([_item(code) for code in codes]))
    else:
        value = _encoded(tuple(codes), implicit, little)
        dataset[_CODES] = RawDataElement(BaseTag(_CODES), "SQ", len(value), value, 0, implicit, little)
    return codes


@lru_cache(64)
def _encoded(codes: tuple[str, ...], implicit: bool, little: bool) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, little
    write_sequence(buffer, DataElement(_CODES, "SQ", Sequence([_item(code) for code in codes])), ["iso8859"])
    return bytes(buffer.getvalue())


def profile_name(profile: Profile) -> str:
    """The profile's name as it may be written: its own names only, a site's name may be anything."""
    return profile.name if profile.name in {"research", "basic"} else "own profile"


def _item(code: str) -> Dataset:
    item = Dataset()
    item.CodeValue = code
    item.CodingSchemeDesignator = "DCM"
    item.CodeMeaning = _MEANINGS[code]
    return item


def _code(item: Dataset) -> str:
    value, scheme = (text_of(item.get_item(tag)).strip(" \0") if tag in item else "" for tag in (0x00080100, 0x00080102))
    return value if scheme == "DCM" else ""
