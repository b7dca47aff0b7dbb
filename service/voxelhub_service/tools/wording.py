"""What a tool takes, in words."""

from __future__ import annotations

from collections.abc import Sequence

from ..datasets.vocabulary import vocabulary
from .model import Input

SHOWN_TYPES = 3


def wanted(inputs: Sequence[Input]) -> str:
    """`1 entry for “Volume” (CT image as NIfTI) and …`, of those that are needed, or of all where none is."""
    required = [one for one in inputs if one.minimum > 0] or list(inputs)
    return " and ".join(f"{count(one)} for “{one.title}” ({accepts(one)})" for one in required)


def titles(inputs: Sequence[Input]) -> str:
    names = [f"“{one.title}”" for one in inputs]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def count(one: Input) -> str:
    if one.minimum == one.maximum:
        return f"{one.minimum} {'entry' if one.minimum == 1 else 'entries'}"
    if one.minimum == 0:
        return f"up to {one.maximum} {'entry' if one.maximum == 1 else 'entries'}"
    return f"{one.minimum} to {one.maximum} entries"


def more(number: int, word: str = " more") -> str:
    return "one" if number == 1 else f"{number}{word}"


def accepts(one: Input) -> str:
    """`CT image or MR image as DICOM`, format by format; a long list of types is cut."""
    by_format: dict[str, list[str]] = {}
    for data_type, file_format in dict.fromkeys(tuple(pair) for pair in one.accepts):
        by_format.setdefault(file_format, []).append(data_type)
    return " or ".join(_several(types, file_format) for file_format, types in by_format.items())


def _several(types: list[str], file_format: str) -> str:
    if "*" in types:
        return kind("*", file_format)
    if len(types) > SHOWN_TYPES:
        types = [*types[: SHOWN_TYPES - 1], f"{len(types) - SHOWN_TYPES + 1} other types"]
    named = [type_title(one) for one in types]
    text = f"{', '.join(named[:-1])} or {named[-1]}" if len(named) > 1 else named[0]
    return text if file_format == "*" else f"{text} as {format_title(file_format)}"


def kind(data_type: str, file_format: str) -> str:
    if data_type == "*":
        return "anything" if file_format == "*" else f"any {format_title(file_format)}"
    return type_title(data_type) if file_format == "*" else f"{type_title(data_type)} as {format_title(file_format)}"


def type_title(word: str) -> str:
    known = vocabulary().data_types.get(word)
    return known.title if known else word


def format_title(word: str) -> str:
    known = vocabulary().file_formats.get(word)
    return known.title if known else word
