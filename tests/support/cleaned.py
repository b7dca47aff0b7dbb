"""The planted corpus, cleaned once for all tests that judge what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.valuerep import PersonName
from support.planted import PERSON, Corpus, PlantedFile
from voxelhub_service.deid.cleaning import clean
from voxelhub_service.deid.outcome import Held, Outcome
from voxelhub_service.deid.profile import PROFILES
from voxelhub_service.deid.pseudonyms import Key

KEY = Key(bytes(range(32)))
PATIENT = f"MRN-{PERSON['number']}"


LARGE = 8192  # bytes


class NoText:
    """A reader that sees no text: there is none in these pictures; what real readers see has its own tests."""

    def find(self, image: object) -> list[object]:
        return []


@dataclass
class Cleaned:
    """`target` exists iff the file was released."""

    source: Path
    target: Path
    outcome: Outcome

    @property
    def held(self) -> str:
        """The code it is held with, "" for a released file."""
        return self.outcome.code if isinstance(self.outcome, Held) else ""

    @property
    def told(self) -> bytes:
        """Everything the outcome says, in words and in its report."""
        outcome = self.outcome
        if isinstance(outcome, Held):
            return repr(outcome).encode()
        return f"{outcome.path}\n{json.dumps(outcome.report.to_json())}".encode()

    def before(self) -> Dataset:
        return dcmread(self.source, force=True)

    def after(self) -> Dataset:
        return dcmread(self.target)


def cleaned(source: Path, name: str, target: Path, profile: str = "research", waived: bool = False, key: Key = KEY) -> Cleaned:
    target.parent.mkdir(parents=True, exist_ok=True)
    finder = NoText()
    return Cleaned(source, target, clean(source, name, target, key=key, profile=PROFILES[profile], waived=waived, finder=finder))


def all_cleaned(
    corpus: Corpus, folder: Path, profile: str = "research", waived: bool = False
) -> list[tuple[PlantedFile, Cleaned]]:
    return [
        (file, cleaned(corpus.root / file.path, file.path, folder / f"{number:03d}", profile, waived))
        for number, file in enumerate(corpus.files)
    ]


def text_of(dataset: Dataset) -> bytes:
    """Every value that can be decoded, in UTF-8, file meta included; not pixels, whose bytes stand in the file as they are."""
    return "\n".join(str(value) for part in (dataset.file_meta, dataset) for value in values_of(part)).encode(
        "utf-8", "surrogateescape"
    )


def values_of(dataset: Dataset) -> Iterator[object]:
    for tag in list(dataset.keys()):
        element = dataset[tag]
        if element.VR == "SQ":
            for item in element.value:
                yield from values_of(item)
        elif isinstance(element.value, bytes) and len(element.value) > LARGE:
            continue
        elif isinstance(element.value, PersonName | bytes | str | int | float):
            yield element.value if not isinstance(element.value, bytes) else element.value.decode("latin-1")
        elif element.value is not None:
            yield "\\".join(str(each) for each in element.value)
