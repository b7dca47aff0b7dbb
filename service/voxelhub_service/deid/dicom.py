"""DICOM files: opened whole, pixels seen to, header cleaned, written in their own transfer syntax; or held with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydicom import Dataset

from . import marks
from .elements import put_bytes, text_of
from .engine import clean_dataset, what_is
from .opening import Directory, NotWhole, Opened, Unreadable, open_dicom
from .outcome import Finding, Held, Outcome, Released
from .pixels import clean_pixels
from .profile import Profile
from .pseudonyms import Key
from .writing import write_file

if TYPE_CHECKING:
    from .pixels import TextFinder

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_DOCUMENTS = f"{_STORAGE}104."
_VOICES = (f"{_STORAGE}9.4.1", f"{_STORAGE}9.4.2")
_VIDEO = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))
_DOCUMENT = 0x00420011
_PIXELS = 0x7FE00010
_ENCAPSULATED = 0xFFFFFFFF  # the length of compressed pixels
_AGAIN = "Copy or export it again."
_EXPORT = "Export it again as a DICOM file, or leave it out."
_FEW_PIXELS = "The file has fewer pixels than its header says."
_LOOK = "Ask a data steward to look at it, or leave it out."


def clean_dicom(
    source: Path, target: Path, *, key: Key, profile: Profile, waived: bool = False, finder: TextFinder | None = None
) -> Outcome:
    """Writes `target` iff Released. `Released.path` is study/series/instance.dcm, each a keyed word of its UID.

    `waived`: what would be held for a person to decide is released, its header cleaned all the same.
    Raises OSError of the disk only."""
    try:
        opened = open_dicom(source)
    except Directory as error:
        return Held("directory", str(error), "DICOMDIR", releasable=False, fix="Bring in the files it lists.")
    except NotWhole as error:
        return Held("not_whole", str(error), "DICOM file", releasable=False, fix=_AGAIN)
    except Unreadable as error:
        return Held("unreadable", str(error), "DICOM file", releasable=False, fix=_EXPORT)
    dataset = opened.dataset
    held = _held(opened)
    if held is not None and not (waived and held.releasable):
        return held
    broken = _pixels_in_order(dataset)
    if broken is not None:
        return broken
    try:
        seen = clean_pixels(dataset, profile=profile, finder=finder, waived=waived)
    except (MemoryError, OSError):
        raise
    except Exception:  # the decoding of what describes the pixels, on hostile bytes
        return Held("unreadable", "What describes the pixels cannot be read.", what_is(dataset), releasable=False, fix=_EXPORT)
    if seen.kind == "hold":
        releasable = seen.releasable and not waived  # what is held although it was waived, nobody can let in
        return Held(seen.code, seen.reason, what_is(dataset), tuple(seen.findings), releasable, seen.fix)
    path = _path(dataset, key)
    document = dataset.get_item(_DOCUMENT) if _DOCUMENT in dataset else None
    report = clean_dataset(dataset, key=key, profile=profile)
    if document is not None:
        dataset[_DOCUMENT] = document  # a steward has read it
    if held is not None:
        report.findings.append(Finding("waived", held.code))
    report.pixels = seen.kind
    report.findings += seen.findings
    if seen.codes:
        report.codes = marks.write_codes(dataset, sorted({*report.codes, *seen.codes}))
    with target.open("wb") as out:
        write_file(out, dataset, implicit=opened.implicit, little=opened.little)
    return Released(path, report)


def _held(opened: Opened) -> Held | None:
    """What no rule can make safe, by its class and syntax."""
    dataset = opened.dataset
    sop_class, what = _uid(dataset, 0x00080016), what_is(dataset)
    if sop_class.startswith(_DOCUMENTS) or _DOCUMENT in dataset:
        return Held("document", "This DICOM file holds a document; its text and pictures may name people.", what, fix=_LOOK)
    if opened.syntax in _VIDEO:
        return Held("waveform_or_video", "This DICOM file holds a video; it may show a face or a name.", what, fix=_LOOK)
    if sop_class in _VOICES:
        return Held("waveform_or_video", "This DICOM file holds recorded sound; a voice is a person's.", what, fix=_LOOK)
    return None


def _pixels_in_order(dataset: Dataset) -> Held | None:
    """Pixel bytes are as many as the header says ; what follows them is cut off."""
    if _PIXELS not in dataset:
        return None
    element = dataset.get_item(_PIXELS)
    value = element.value
    if not element.is_raw or not value or element.length == _ENCAPSULATED:
        return None
    expected = _expected(dataset)
    if expected is not None and len(value) < expected:
        return Held("not_whole", _FEW_PIXELS, what_is(dataset), releasable=False, fix=_AGAIN)
    if expected is not None and len(value) > expected + expected % 2:
        put_bytes(dataset, element, value[:expected] + bytes(expected % 2), element.VR)
    return None


def _expected(dataset: Dataset) -> int | None:
    """The number of bytes of uncompressed pixels; None where the header does not tell."""
    try:
        rows, columns, bits = (int(dataset[tag].value) for tag in (0x00280010, 0x00280011, 0x00280100))
        samples, frames = (int(dataset[tag].value or 1) if tag in dataset else 1 for tag in (0x00280002, 0x00280008))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    pixels_of_frame = rows * columns * samples
    if str(dataset.get("PhotometricInterpretation", "")) in {"YBR_FULL_422", "YBR_PARTIAL_422"}:
        pixels_of_frame = rows * columns * 2
    total = pixels_of_frame * max(frames, 1) * bits
    return -(-total // 8) if total > 0 else None


def _path(dataset: Dataset, key: Key) -> str:
    kinds = (("study", 0x0020000D), ("series", 0x0020000E), ("instance", 0x00080018))
    return "/".join(key.token(kind, _uid(dataset, tag)) for kind, tag in kinds) + ".dcm"


def _uid(dataset: Dataset, tag: int) -> str:
    return text_of(dataset.get_item(tag)).strip(" \0") if tag in dataset else ""
