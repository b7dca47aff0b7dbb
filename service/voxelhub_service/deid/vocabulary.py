"""Clean descriptors: a text keeps the words of a closed vocabulary (words.txt), measures with a unit, and short technical tokens.

Everything else falls away, so that what is left is ASCII in every character set. `veto` are words of the patient's own name and
identifier: they fall away even where they are ordinary words (a patient called Sharp)."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

_PIECE = re.compile(r"[\s_/\\+,;:()\[\]{}<>=|&\"'^~@!?-]+")
_UNITS = (
    "mm|cm|m|um|µm|ms|msec|us|s|sec|secs|min|mins|hr|hrs|h|d|days?|weeks?|months?|years?|yrs?|w|kv|kvp|kev|mev|mv|ma|mas|t|tesla|ml|l|cc"
    "|mg|g|kg|ug|mbq|mci|bq|gbq|hz|khz|mhz|deg|gy|cgy|mgy|hu|px|x|pct|%|ph|phases?|views?|slices?|frames?|bits?|mgi|fps|ch|nm|db"
)
_MEASURE = re.compile(rf"[<>~]?\d{{1,4}}(?:\.\d{{1,4}})?(?:{_UNITS})(?:2|3)?", re.IGNORECASE)
_SIZES = re.compile(r"\d{1,4}(?:\.\d{1,3})?(?:x\d{1,4}(?:\.\d{1,3})?){1,2}(?:mm|cm)?", re.IGNORECASE)
_TOKENS = re.compile(r"[ctls]\d{1,2}|b-?\d{1,4}|t[12](?:\*|star)?|[1-9]d|p\d|te\d{1,4}|tr\d{1,5}|fa\d{1,3}|ti\d{1,4}|pi\d|[lr]\d", re.IGNORECASE)
# for names of models, versions, kernels, sequences: short mixed tokens and version numbers
_VERSION = re.compile(r"v?\d{1,4}(?:\.\d{1,5}){1,4}[a-z]?|[a-z]{1,2}\d{1,3}[a-z]{0,2}\d?|\d{1,3}[a-z]{1,2}\d?|[a-z]{1,2}\d{1,4}", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,4}")
_SINGLES = frozenset("abcdefhilmprstxyz")
_DOTS = ".*#"


@lru_cache(1)
def words() -> frozenset[str]:
    """The vocabulary, in lower case."""
    return _read("words.txt")


@lru_cache(1)
def terms() -> frozenset[str]:
    """Words a coded string may hold, in upper case: the vocabulary and the terms of terms.txt."""
    pieces = {piece for word in words() | _read("terms.txt") for piece in re.split(r"[_\\ -]", word.upper()) if piece}
    return frozenset(pieces)


@lru_cache(16384)
def clean(text: str, veto: frozenset[str] = frozenset(), technical: bool = False) -> str:
    """`text` with only what the vocabulary allows; "" where nothing is left. Unchanged text comes back as it was."""
    kept, dropped = [], False
    at, last = 0, ""
    stripped = text.strip(" \0")
    for separator in [*_PIECE.finditer(stripped), None]:
        piece = stripped[at : separator.start() if separator else len(stripped)]
        fine = not piece or _allowed(piece, veto, technical, last)
        dropped = dropped or not fine
        if fine and piece:
            kept.append(piece)
        if separator and piece and fine:
            kept.append(separator.group())
        elif separator and not kept:
            pass
        last = piece if fine else ""
        at = separator.end() if separator else at
    if not dropped:
        return text
    return _tidy("".join(kept))


def coded(text: str) -> bool:
    """Whether a coded string (CS, one value) holds only words of the closed lists and short technical tokens."""
    return all(_coded_word(word) for word in re.split(r"[ _]", text.strip(" \0")))


def _allowed(piece: str, veto: frozenset[str], technical: bool, last: str) -> bool:
    if not piece.isascii():
        return False
    bare = piece.strip(_DOTS).lower()
    if bare in veto:
        return False
    if len(bare) == 1 and bare.isalpha():
        return bare in _SINGLES and len(last) != 1  # no name spelt letter by letter
    if not bare:
        return True
    if bare in words() or _MEASURE.fullmatch(bare) or _SIZES.fullmatch(bare) or _TOKENS.fullmatch(piece.strip(".#")):
        return True
    return technical and bool(_VERSION.fullmatch(bare) or (_NUMBER.fullmatch(bare) and not _NUMBER.fullmatch(last)))


@lru_cache(8192)
def _coded_word(word: str) -> bool:
    return word.isascii() and (word.upper() in terms() or bool(re.fullmatch(r"[A-Z]{0,3}\d{1,3}[A-Z]?|\d{1,4}|", word)))


def _tidy(text: str) -> str:
    """Without separators left hanging at the ends or doubled by what fell away."""
    text = re.sub(r"\s{2,}", " ", text)
    return re.sub(r"^[\s_/\\+,;:=|&^~@!?-]+|[\s_/\\+,;:=|&^~@!?(\[{<-]+$", "", text).strip()


def _read(name: str) -> frozenset[str]:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.lower().split())
