"""Does a selection fit a tool? It fits when each selected entry can go to one input that takes it, within the inputs' counts.

Pure. A maximum flow decides: first each input gets its minimum, then the rest is placed up to the maxima.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..datasets.vocabulary import vocabulary
from .manifest import Input

SHOWN_TYPES = 3

@dataclass(frozen=True)
class Selected:
    id: str
    name: str
    data_type: str
    file_format: str


@dataclass(frozen=True)
class Match:
    """`assignment` maps input names to entry ids; `reason` is a sentence when the selection does not fit."""

    eligible: bool
    reason: str = ""
    assignment: dict[str, list[str]] = field(default_factory=dict)


def match(inputs: Sequence[Input], entries: Sequence[Selected]) -> Match:
    """An assignment that uses every entry once and respects every input's minimum and maximum, or why there is none."""
    if not entries:
        return Match(False, f"Select {_wanted(inputs)} first.")
    for entry in entries:
        if not any(one.takes(entry.data_type, entry.file_format) for one in inputs):
            return Match(False, f"“{entry.name}” is {_kind(entry)}; this tool takes {_wanted(inputs)}.")
    # Reserving the minima first and adding the rest by augmenting paths keeps every input at or above its minimum: an
    # augmenting path never takes from an input without giving to it.
    held: dict[str, list[int]] = {one.name: [] for one in inputs}
    for one in inputs:
        for _ in range(one.minimum):
            if not _fill(one, inputs, entries, held):
                return Match(False, _too_few(one, inputs, entries))
    placed = {index for indexes in held.values() for index in indexes}
    for index, entry in enumerate(entries):
        if index not in placed and not _place(index, inputs, entries, held, set()):
            return Match(False, _too_many(entry, inputs, entries))
    return Match(True, "", {name: [entries[i].id for i in sorted(indexes)] for name, indexes in held.items() if indexes})


def check(inputs: Sequence[Input], chosen: dict[str, list[Selected]]) -> str:
    """A sentence when a given assignment does not fit, else ''."""
    names = {one.name for one in inputs}
    for name in chosen:
        if name not in names:
            return f"This tool has no input “{name}”."
    for one in inputs:
        entries = chosen.get(one.name, [])
        if not one.minimum <= len(entries) <= one.maximum:
            return f"“{one.title}” needs {_count(one)}; {len(entries)} {'is' if len(entries) == 1 else 'are'} given."
        for entry in entries:
            if not one.takes(entry.data_type, entry.file_format):
                return f"“{entry.name}” is {_kind(entry)}; “{one.title}” takes {_accepts(one)}."
    return ""


def _fill(target: Input, inputs: Sequence[Input], entries: Sequence[Selected], held: dict[str, list[int]]) -> bool:
    """One more entry for `target`: a free one, or one that its present input can swap for a free one."""
    placed = {index for indexes in held.values() for index in indexes}
    by_name = {one.name: one for one in inputs}
    came_from: dict[str, tuple[str, int]] = {}  # input -> (input that would take from it, the entry taken)
    queue = [target.name]
    seen = {target.name}
    while queue:
        name = queue.pop(0)
        for index, entry in enumerate(entries):
            if not by_name[name].takes(entry.data_type, entry.file_format):
                continue
            if index not in placed:
                held[name].append(index)
                while name != target.name:
                    taker, taken = came_from[name]
                    held[name].remove(taken)
                    held[taker].append(taken)
                    name = taker
                return True
            owner = next(n for n, indexes in held.items() if index in indexes)
            if owner not in seen:
                seen.add(owner)
                came_from[owner] = (name, index)
                queue.append(owner)
    return False


def _place(
    index: int, inputs: Sequence[Input], entries: Sequence[Selected], held: dict[str, list[int]], seen: set[str]
) -> bool:
    """Put an entry into an input with room, moving others on where needed."""
    entry = entries[index]
    for one in inputs:
        if one.name in seen or not one.takes(entry.data_type, entry.file_format):
            continue
        seen.add(one.name)
        if len(held[one.name]) < one.maximum:
            held[one.name].append(index)
            return True
        for other in list(held[one.name]):
            if _place(other, inputs, entries, held, seen):
                held[one.name].remove(other)
                held[one.name].append(index)
                return True
    return False


def _too_few(one: Input, inputs: Sequence[Input], entries: Sequence[Selected]) -> str:
    fitting = sum(one.takes(entry.data_type, entry.file_format) for entry in entries)
    if fitting < one.minimum:
        return f"“{one.title}” needs {_count(one)} ({_accepts(one)}); add {_more(one.minimum - fitting)} to your selection."
    return f"Your selection has too little for all inputs of this tool: it takes {_wanted(inputs)}."


def _too_many(entry: Selected, inputs: Sequence[Input], entries: Sequence[Selected]) -> str:
    room = sum(one.maximum for one in inputs)
    if len(entries) > room:
        return f"{len(entries)} entries are selected; this tool takes at most {room}. Select fewer, or run it once for each."
    return f"There is no place for “{entry.name}” beside the others: this tool takes {_wanted(inputs)}."


def _wanted(inputs: Sequence[Input]) -> str:
    required = [one for one in inputs if one.minimum > 0] or list(inputs)
    return " and ".join(f"{_count(one)} for “{one.title}” ({_accepts(one)})" for one in required)


def _count(one: Input) -> str:
    if one.minimum == one.maximum:
        return f"{one.minimum} {'entry' if one.minimum == 1 else 'entries'}"
    if one.minimum == 0:
        return f"up to {one.maximum} {'entry' if one.maximum == 1 else 'entries'}"
    return f"{one.minimum} to {one.maximum} entries"


def _more(number: int) -> str:
    return "one" if number == 1 else f"{number} more"


def _accepts(one: Input) -> str:
    """`CT image or MR image as DICOM`, format by format; a long list of types is cut."""
    by_format: dict[str, list[str]] = {}
    for data_type, file_format in dict.fromkeys(tuple(pair) for pair in one.accepts):
        by_format.setdefault(file_format, []).append(data_type)
    return " or ".join(_several(types, file_format) for file_format, types in by_format.items())


def _several(types: list[str], file_format: str) -> str:
    if "*" in types:
        return _pair("*", file_format)
    if len(types) > SHOWN_TYPES:
        types = [*types[: SHOWN_TYPES - 1], f"{len(types) - SHOWN_TYPES + 1} other types"]
    titles = [type_title(one) for one in types]
    named = f"{', '.join(titles[:-1])} or {titles[-1]}" if len(titles) > 1 else titles[0]
    return named if file_format == "*" else f"{named} as {format_title(file_format)}"


def _kind(entry: Selected) -> str:
    return _pair(entry.data_type, entry.file_format)


def _pair(data_type: str, file_format: str) -> str:
    if data_type == "*":
        return "anything" if file_format == "*" else f"any {format_title(file_format)}"
    return type_title(data_type) if file_format == "*" else f"{type_title(data_type)} as {format_title(file_format)}"


def type_title(word: str) -> str:
    known = vocabulary().data_types.get(word)
    return known.title if known else word


def format_title(word: str) -> str:
    known = vocabulary().file_formats.get(word)
    return known.title if known else word
