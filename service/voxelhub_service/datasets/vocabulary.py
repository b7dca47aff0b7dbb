"""The words for what data is: data types and file formats, with their EDAM terms and DICOM modalities, as data.

EDAM 1.25 identifiers; modalities are the defined terms of DICOM PS3.3 C.7.3.1.1.1.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from importlib.resources import files

from ..errors import invalid


@dataclass(frozen=True)
class DataType:
    id: str
    title: str
    formats: list[str]
    dicom_modalities: list[str]
    edam: str


@dataclass(frozen=True)
class FileFormat:
    id: str
    title: str
    edam: str
    media_type: str


@dataclass(frozen=True)
class Vocabulary:
    data_types: dict[str, DataType]
    file_formats: dict[str, FileFormat]
    by_modality: dict[str, str] = field(default_factory=dict)

    def check(self, data_type: str | None, file_format: str | None) -> None:
        """Raise the Problem of a value that is no word of ours."""
        if data_type is not None and data_type not in self.data_types:
            raise invalid("unknown_data_type", "This data type is not in the vocabulary.", "Choose one of the listed data types.")
        if file_format is not None and file_format not in self.file_formats:
            raise invalid(
                "unknown_file_format", "This file format is not in the vocabulary.", "Choose one of the listed file formats."
            )

    def of_modality(self, modality: str) -> str:
        """The data type of a DICOM modality; `dicom-object` for one that nobody listed."""
        return self.by_modality.get(modality, "dicom-object")


@functools.cache
def vocabulary() -> Vocabulary:
    raw = json.loads(files(__package__).joinpath("vocabulary.json").read_text("utf-8"))
    types = {one["id"]: DataType(**one) for one in raw["data_types"]}
    formats = {one["id"]: FileFormat(**one) for one in raw["file_formats"]}
    return Vocabulary(types, formats, {modality: one.id for one in types.values() for modality in one.dicom_modalities})
