"""Opening a DICOM file: read whole, or refused with the reason. pydicom forgives a file that ends early; here it is told."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom import Dataset
from pydicom.uid import (
    UID,
    AllTransferSyntaxes,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from .elements import text_of

_DIRECTORY = "1.2.840.10008.1.3.10"
_AT_LEAST = (0x00080016, 0x00080018)  # SOP class, SOP instance


class Unreadable(Exception):
    """Not a DICOM object that can be understood. The text is a sentence without content of the file."""


class NotWhole(Unreadable):
    """The file ends before its content does."""


class Directory(Unreadable):
    """A DICOMDIR: the index of a medium (PS3.3, F)."""


@dataclass
class Opened:
    dataset: Dataset
    syntax: UID  # to write
    implicit: bool
    little: bool


def open_dicom(source: Path) -> Opened:
    """Read all of `source`. Raises Unreadable or NotWhole; OSError of the disk."""
    with _Watched(io.FileIO(source)) as file:
        try:
            dataset = pydicom.dcmread(file, force=True)
        except MemoryError:
            raise
        except Exception as error:  # a parser's own faults on hostile bytes
            if isinstance(error, OSError) and error.errno:
                raise
            if file.short or file.ended or isinstance(error, zlib.error):
                raise NotWhole("The file ends in the middle of its content.") from None
            raise Unreadable("The file cannot be read as DICOM.") from None
        short = file.short
    if 0x00020002 in dataset.file_meta and text_of(dataset.file_meta.get_item(0x00020002)).strip(" \0") == _DIRECTORY:
        raise Directory("This is the index of a medium (DICOMDIR). The dataset does not need it.")
    for tag in _AT_LEAST:
        if tag not in dataset or not text_of(dataset.get_item(tag)).strip(" \0"):
            raise (
                NotWhole("The file ends before it says what it is.")
                if short
                else Unreadable("The file is not a DICOM object: it does not say which class and instance it is.")
            )
    if short or not _complete(dataset):
        raise NotWhole("The file ends in the middle of its content.")
    return _settled(dataset)


class _Watched(io.BufferedReader):
    """Remembers whether a read got less than it asked for: bytes that a length had promised."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__(raw, 1 << 16)
        self.short = self.ended = False

    def read(self, size: int | None = -1, /) -> bytes:
        got = super().read(size)
        if size is not None and 0 < len(got) < size and not (size == 8 and not got.strip(b"\0 \n\r\x1a")):
            self.short = True
        self.ended = self.ended or not got
        return got


def _complete(dataset: Dataset) -> bool:
    """No element's value is shorter than its length says, and uncompressed pixels are all there."""
    for tag in dataset.keys():  # noqa: SIM118 - iterating a Dataset decodes its elements
        element: Any = dataset.get_item(tag)
        if element.is_raw and element.length != 0xFFFFFFFF and len(element.value or b"") < element.length:
            return False
    return True


def _settled(dataset: Dataset) -> Opened:
    implicit, little = dataset.original_encoding
    meta = dataset.file_meta
    found = UID(text_of(meta.get_item(0x00020010)).strip(" \0")) if 0x00020010 in meta else UID("")
    if found == DeflatedExplicitVRLittleEndian or not found:
        found = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    if found not in AllTransferSyntaxes:
        raise Unreadable("The file is encoded in a transfer syntax that is not of the DICOM standard.")
    meta.TransferSyntaxUID = found
    return Opened(dataset, found, bool(implicit), bool(little))
