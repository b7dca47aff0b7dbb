"""Clean descriptors: a text keeps the words of a closed vocabulary (words.txt), measures with a unit, and short technical tokens.

Everything else falls away, so that what is left is ASCII in every character set. `veto` are words of persons' names in the same
object: they fall away even where they are ordinary words (a patient called Sharp)."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

_SEPARATORS = r"\s_/\\+,;:()\[\]{}<>=|&\"'^~@!?-"
_PIECE = re.compile(rf"(?i:(?<![^{_SEPARATORS}])w/w?o(?![^{_SEPARATORS}]))|[^{_SEPARATORS}]+")
_UNITS = (
    "mm|cm|m|um|ms|msec|us|s|sec|secs|min|mins|hr|hrs|h|d|days?|weeks?|months?|years?|yrs?|w|kv|kvp|kev|mev|mv|ma|mas|t|tesla|ml|l|cc"
    "|mg|g|kg|ug|mbq|mci|bq|gbq|hz|khz|mhz|deg|gy|cgy|mgy|hu|px|x|pct|%|ph|phases?|views?|slices?|frames?|bits?|mgi|fps|ch|nm|db"
)
_MEASURE = re.compile(rf"\d{{1,4}}(?:\.\d{{1,4}})?(?:{_UNITS})(?:2|3)?", re.IGNORECASE)
_SIZES = re.compile(r"\d{1,4}(?:\.\d{1,3})?(?:x\d{1,4}(?:\.\d{1,3})?){1,2}(?:mm|cm)?", re.IGNORECASE)
_TOKENS = re.compile(
    r"[ctlsv]\d{1,2}|b-?\d{1,4}|t[12](?:\*|star)?|[1-9]d|p\d|te\d{1,4}|tr\d{1,5}|fa\d{1,3}|ti\d{1,4}|pi\d|[lr]\d", re.IGNORECASE
)
_AROUND = re.compile(r"((?:t1|t2|pd|[23]d)?)([a-z]+?)((?:\d{1,2}|[23]d)?)", re.IGNORECASE)
_UNIT = re.compile(rf"(?:{_UNITS})(?:2|3)?", re.IGNORECASE)
_SMALL = re.compile(r"\d{1,2}")
# Models, versions, kernels, sequences: version numbers and short mixed tokens as well.
_VERSION = re.compile(
    r"[vr]?\d{1,3}(?:\.\d{1,4}){1,3}[a-z]?|[a-z]{1,2}\d{1,3}(?:[a-z]{1,2}\d?)?|\d{1,3}[a-z]{1,2}\d?|20[0-2]\d[a-z]?|[a-z]{1,3}",
    re.IGNORECASE,
)
_DAY = re.compile(r"\d{1,2}\.\d{1,2}\.(?:\d\d){1,2}|(?:\d\d){1,2}\.\d{1,2}\.\d{1,2}")
_MOST_DIGITS = 6  # of a version: a longer one may be a person's number, an address or a day
_NUMBER = re.compile(r"\d{1,3}")
MOST_CODED_DIGITS = 4  # beside those of known terms: more may be a day or a number of somebody
_SINGLES = frozenset("abcdefhilmprstxyz")
_DOTS = ".*#%"


@lru_cache(1)
def words() -> frozenset[str]:
    """The vocabulary, in lower case."""
    return _read("words.txt")


@lru_cache(1)
def makers() -> frozenset[str]:
    """Names of devices and programs, in lower case."""
    return _read("makers.txt")


@lru_cache(1)
def terms() -> frozenset[str]:
    """Words a coded string may hold, in upper case: the vocabulary and the terms of terms.txt."""
    return frozenset(piece for word in words() | _read("terms.txt") for piece in re.split(r"[_\\ -]", word.upper()) if piece)


@lru_cache(16384)
def clean(text: str, veto: frozenset[str] = frozenset(), technical: bool = False) -> str:
    """`text` with only what the vocabulary allows; "" where nothing is left. Text that needs no change comes back as it was."""
    kept: list[str] = []
    dropped, numbered, last, at = False, False, "", 0
    pieces = list(_PIECE.finditer(text.strip(" \0")))
    for number, found in enumerate(pieces):
        piece = found.group()
        following = pieces[number + 1].group() if number + 1 < len(pieces) else ""
        if _allowed(piece, veto, technical, last, following, numbered):
            numbered = numbered or bool(_NUMBER.fullmatch(piece))
            if kept and at < found.start():
                kept.append(found.string[at : found.start()])
            kept.append(piece)
            last = piece
        else:
            dropped, last = True, ""
        at = found.end()
    if not dropped:
        return text if _plain(text) else _ascii(text)
    return re.sub(r"[ \t]{2,}", " ", _ascii("".join(kept))).strip()


@lru_cache(8192)
def coded(text: str) -> bool:
    """Whether a coded string (CS, one value) holds only words of the closed lists and short technical tokens."""
    pieces = re.split(r"[ _-]", text.strip(" \0"))
    digits = sum(each.isdigit() for word in pieces if word.upper() not in terms() for each in word)
    return digits <= MOST_CODED_DIGITS and all(map(_coded_word, pieces))


def _allowed(piece: str, veto: frozenset[str], technical: bool, last: str, following: str, numbered: bool) -> bool:
    if not piece.isascii():
        return False
    bare = piece.strip(_DOTS).lower()
    if bare in veto:
        return False
    if len(bare) == 1 and bare.isalpha():
        return (bare in _SINGLES or technical) and len(last) != 1  # no name spelt letter by letter
    if not bare or bare in {"w/o", "w/wo"}:
        return True
    if (
        bare in words()
        or (technical and (bare in makers() or bare.upper() in terms()))
        or _measures(bare, piece, last, following)
    ):
        return True
    around = _AROUND.fullmatch(bare)
    if around and (around[1] or around[3]) and len(around[2]) > 1 and around[2] in words() and around[2] not in veto:
        return True
    if not technical:
        return False
    if _VERSION.fullmatch(bare):
        return sum(each.isdigit() for each in bare) <= _MOST_DIGITS and not _DAY.fullmatch(bare)
    return bool(_NUMBER.fullmatch(bare) and not numbered)


def _measures(bare: str, piece: str, last: str, following: str) -> bool:
    """A number with its unit, a size, a token such as T1 or L5, or a small number after a word or before a unit."""
    if _MEASURE.fullmatch(bare) or _SIZES.fullmatch(bare) or _TOKENS.fullmatch(piece.strip(".#")):
        return True
    if re.fullmatch(r"\d{1,4}(?:\.\d{1,4})?", bare) and _UNIT.fullmatch(following) and len(following) > 1:
        return True
    return bool(_SMALL.fullmatch(bare)) and last.isalpha()


@lru_cache(8192)
def _coded_word(word: str) -> bool:
    return word.isascii() and (
        word.upper() in terms()
        or bool(re.fullmatch(r"[A-Z]{0,2}\d{1,3}[A-Z]?|\d{1,4}|[A-Z]{1,2}|[APRLHF]{3}|\d{1,3}(?:IN|CM)X\d{1,3}(?:IN|CM)|", word))
    )


def _plain(text: str) -> bool:
    return text.isascii() and all(character.isprintable() or character in "\t\r\n\f\0" for character in text)


def _ascii(text: str) -> str:
    return "".join(
        character for character in text if character.isascii() and (character.isprintable() or character in "\t\r\n\f")
    )


def _read(name: str) -> frozenset[str]:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.lower().split())
