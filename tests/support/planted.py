"""A corpus with planted identifiers, made from scratch: every place where a file can hold one gets a word of its own.

Each word is recorded with its file, its place and all byte forms it could survive in; `Hunt` searches any bytes for them.
Nothing here knows what the engine does: this is the question, not the answer.
"""

from __future__ import annotations

import gzip
import random
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

MARK = "ZQ7X"  # every planted word begins so, so that a piece of one is found, too
LETTERS = "ABCDEFGHJKLMNPRSTUVWY23456789"
UID_ROOT = "1.2.826.0.1.3680043.77.4"  # of planted instance UIDs; digits follow
# An invented person, as real headers name one; written into identity and into descriptors.
PERSON = {
    "family name": "Okonkwo", "given name": "Adaeze", "middle name": "Ifeyinwa", "number": "4471-88213", "street": "Bramblewick",
    "telephone": "7946 0018", "physician": "Thistlethwaite", "hospital": "Larkspur", "accession": "ACC-90317-B",
}  # fmt: skip
_MARKS = [(re.compile(re.escape(start.encode(coding)), re.IGNORECASE), coding)
          for start in (MARK, UID_ROOT) for coding in ("ascii", "utf-16-le", "utf-16-be")]  # fmt: skip


@dataclass(frozen=True)
class Plant:
    """`needles` are the byte forms to search for. A date is looked for in what became of its own file only."""

    word: str
    where: str
    needles: tuple[bytes, ...]
    is_date: bool = False


@dataclass
class PlantedFile:
    """`expect`: "released", or the codes it may be held with."""

    path: str
    expect: frozenset[str]
    plants: list[Plant] = field(default_factory=list)
    valid: bool = False  # a DICOM object that dciodvfy may be asked about


@dataclass
class Corpus:
    root: Path
    files: list[PlantedFile]
    issuer: str = ""  # of the invented person's number

    @property
    def plants(self) -> list[Plant]:
        return [plant for file in self.files for plant in file.plants]


class Planter:
    """Makes words and remembers them for the file at hand."""

    def __init__(self, root: Path, seed: int = 4) -> None:
        self.root, self.random = root, random.Random(seed)
        self.files: list[PlantedFile] = []
        self._used: set[str] = set()
        self.issuer = self._fresh(LETTERS, 8, MARK)
        self._days = iter(self.random.sample(range(0, 52 * 60), 52 * 60))

    @contextmanager
    def file(self, ending: str, *expect: str, valid: bool = False) -> Iterator[Path]:
        """The path of a new file, whose folder and name carry words, too."""
        self.files.append(PlantedFile("", frozenset(expect or ("released",)), valid=valid))
        path = (
            self.root
            / f"{self.word('folder name')}_{PERSON['family name']}"
            / f"{self.word('file name')} {PERSON['number']}{ending}"
        )
        path.parent.mkdir(parents=True)
        self.files[-1].path = path.relative_to(self.root).as_posix()
        yield path

    def word(self, where: str, length: int = 12) -> str:
        return self._plant(self._fresh(LETTERS, length - len(MARK), MARK), where)

    def native(self, where: str, letters: str, coding: str, length: int = 8) -> str:
        """A word in letters of a language, looked for in the coding it is written in, too."""
        word = self._fresh(letters, length)
        form = word.encode(coding)
        self._record(word, where, [form[3:-3] if coding == "iso2022_jp" else form])  # without its escape sequences
        return word

    def uid(self, where: str) -> str:
        word = f"{UID_ROOT}.{self._fresh('123456789', 12)}"
        self._record(word, where, [])
        return word

    def date(self, where: str) -> str:
        """A Monday of 1935 to 1995: a shift that is no whole number of weeks moves no planted date onto another."""
        day = date(1935, 1, 7) + timedelta(weeks=next(self._days))
        return self.date_again(f"{day:%Y%m%d}", where)

    def date_again(self, day: str, where: str) -> str:
        """A planted date in another file."""
        self.files[-1].plants.append(Plant(day, where, (day.encode(), f"{day[:4]}-{day[4:6]}-{day[6:]}".encode()), True))
        return day

    def of_issuer(self) -> str:
        """Who gave the invented person's number: the same word everywhere, so that it is one patient everywhere."""
        return self._plant(self.issuer, "IssuerOfPatientID")

    def person(self, *parts: str) -> str:
        """A fact about the invented person, recorded."""
        for part in parts:
            self._record(PERSON[part], f"invented {part}", [])
        return PERSON[parts[0]]

    def _fresh(self, letters: str, length: int, start: str = "") -> str:
        while (word := start + "".join(self.random.choices(letters, k=length))) in self._used:
            pass
        self._used.add(word)
        return word

    def _plant(self, word: str, where: str) -> str:
        self._record(word, where, [])
        return word

    def _record(self, word: str, where: str, needles: list[bytes]) -> None:
        forms = [*needles, word.encode(), word.encode("utf-16-le"), word.encode("utf-16-be")]
        self.files[-1].plants.append(Plant(word, where, tuple(dict.fromkeys(forms))))


def make_corpus(root: Path, seed: int = 4) -> Corpus:
    """Writes every planted file under `root`: some hundred kilobytes."""
    from support import planted_attributes, planted_codings, planted_files, planted_objects, planted_pictures

    planter = Planter(root, seed)
    for part in (planted_attributes, planted_codings, planted_objects, planted_pictures, planted_files):
        part.plant(planter)
    return Corpus(root, planter.files, planter.issuer)


def forms_of(data: bytes) -> list[bytes]:
    """The bytes, and what they are once unpacked: gzip members, deflated DICOM, compressed PNG chunks."""
    forms = [data]
    if data.startswith(b"\x1f\x8b"):
        forms.append(gzip.decompress(data))
    if data[128:132] == b"DICM" and b"1.2.840.10008.1.2.1.99" in data[:1024]:
        end = 144 + int.from_bytes(data[140:144], "little")
        forms.append(zlib.decompressobj(-15).decompress(data[end:]))
    if data.startswith(b"\x89PNG"):
        for found in re.finditer(b"zTXt|iTXt|iCCP", data):
            for start in range(found.end(), min(found.end() + 200, len(data))):
                if data[start] == 0x78:
                    try:
                        forms.append(zlib.decompressobj().decompress(data[start:]))
                    except zlib.error:
                        continue
    return forms


class Hunt:
    """Searches bytes for everything that was planted."""

    def __init__(self, plants: Iterable[Plant]) -> None:
        self.words = {plant.word: plant.where for plant in plants if plant.word.startswith((MARK, UID_ROOT))}
        self.others = {plant.needles: plant.where for plant in plants if plant.word not in self.words and not plant.is_date}

    def leaks(self, data: bytes, own: Iterable[Plant] = ()) -> list[str]:
        """The places that what is found was planted in, once each. `own`: of the file that `data` came from, for its dates."""
        found: dict[str, None] = {}
        dates = [plant for plant in own if plant.is_date]
        for form in forms_of(data):
            lower = form.lower()
            for pattern, coding in _MARKS:
                for hit in pattern.finditer(form):
                    found[self._where(form[hit.start() : hit.start() + 160].decode(coding, "replace"))] = None
            for needles, where in self.others.items():
                if any(needle in form or needle.lower() in lower for needle in needles):
                    found[where] = None
            for plant in dates:
                if any(re.search(rb"(?<![0-9])" + needle, form) for needle in plant.needles):
                    found[plant.where] = None
        return list(found)

    def _where(self, text: str) -> str:
        piece = re.match(r"[A-Z0-9]+|[0-9.]+", text.upper())
        for end in range(len(piece[0]) if piece else 0, len(MARK), -1):
            if text.upper()[:end] in self.words:
                return self.words[text.upper()[:end]]
        digits = re.match(r"[0-9.]+", text)
        return self.words.get(digits[0] if digits else "", f"a piece of a word: {text[:16]!r}")
