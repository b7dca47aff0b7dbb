"""Does a selection fit a tool? It fits when each selected entry can go to one input that takes it, within the inputs' counts
and in one of the combinations that the tool allows.

Pure. Entries of one data type and format are alike, so a flow between few kinds and few inputs decides (flow.py). Where
none exists, the cut that proves it is the `Cause`, and the reason that people read is made from it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from .flow import Shortage, assign
from .model import Input
from .wording import accepts, count, kind, more, titles, wanted

Combinations = Collection[Collection[str]]
Code = Literal["empty", "unfit", "too_few", "too_many", "combination"]


@dataclass(frozen=True)
class Selected:
    id: str
    name: str
    data_type: str
    file_format: str


@dataclass(frozen=True)
class Cause:
    """Why a selection does not fit, in numbers that can be checked.

    empty: nothing is selected. unfit: no input takes the one entry. too_few: of all selected, only the `given` entries fit
    one of `inputs`, which need `bound` together. too_many: the `given` entries fit no other input than these, which take at
    most `bound` together. combination: each combination fails for a cause of its own.
    """

    code: Code
    inputs: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    given: int = 0
    bound: int = 0


@dataclass(frozen=True)
class Match:
    """`assignment` maps input names to entry ids; `reason` is a sentence when the selection does not fit."""

    eligible: bool
    reason: str = ""
    assignment: dict[str, list[str]] = field(default_factory=dict)
    cause: Cause | None = None


def match(inputs: Sequence[Input], entries: Sequence[Selected], combinations: Combinations = ()) -> Match:
    """An assignment that uses every entry once and respects every input's counts, or why there is none."""
    options = _options(inputs, combinations)
    if not entries:
        return Match(False, f"Select {_choices(options)} first.", cause=Cause("empty"))
    for entry in entries:
        if not any(one.takes(entry.data_type, entry.file_format) for one in inputs):
            reason = f"“{entry.name}” is {kind(entry.data_type, entry.file_format)}; this tool takes {_choices(options)}."
            return Match(False, reason, cause=Cause("unfit", entries=(entry.id,)))
    causes = []
    for option in options:
        found = _assigned(option, entries)
        if not isinstance(found, Cause):
            return Match(True, "", found)
        causes.append(found)
    if len(causes) == 1:
        return Match(False, _sentence(causes[0], options[0], entries), cause=causes[0])
    return Match(False, f"Your selection fits none of what this tool takes: {_choices(options)}.", cause=Cause("combination"))


def check(inputs: Sequence[Input], chosen: Mapping[str, Sequence[Selected]], combinations: Combinations = ()) -> str:
    """A sentence when a given assignment does not fit, else ''."""
    by_name = {one.name: one for one in inputs}
    for name in chosen:
        if name not in by_name:
            return f"This tool has no input “{name}”."
    given = {name for name, some in chosen.items() if some}
    options = _options(inputs, combinations)
    if combinations:
        options = [one for one in options if {some.name for some in one} == given]
        if not options:
            named = titles([one for one in inputs if one.name in given]) or "nothing"
            return f"This tool cannot be given {named}; it takes {_choices(_options(inputs, combinations))}."
    for one in options[0]:
        some = chosen.get(one.name, [])
        if not one.minimum <= len(some) <= one.maximum:
            return f"“{one.title}” needs {count(one)}; {len(some)} {'is' if len(some) == 1 else 'are'} given."
        for entry in some:
            if not one.takes(entry.data_type, entry.file_format):
                return f"“{entry.name}” is {kind(entry.data_type, entry.file_format)}; “{one.title}” takes {accepts(one)}."
    return ""


def _options(inputs: Sequence[Input], combinations: Combinations) -> list[list[Input]]:
    """The sets of inputs that may be given; in a combination each gets at least one entry."""
    if not combinations:
        return [list(inputs)]
    return [[replace(one, minimum=max(1, one.minimum)) for one in inputs if one.name in some] for some in combinations]


def _assigned(inputs: Sequence[Input], entries: Sequence[Selected]) -> dict[str, list[str]] | Cause:
    kinds: dict[tuple[str, str], list[int]] = {}
    for index, entry in enumerate(entries):
        kinds.setdefault((entry.data_type, entry.file_format), []).append(index)
    pools = list(kinds.values())
    takes = [[i for i, one in enumerate(inputs) if one.takes(*pair)] for pair in kinds]
    found = assign([len(pool) for pool in pools], takes, [(one.minimum, one.maximum) for one in inputs])
    if isinstance(found, Shortage):
        ids = tuple(entries[i].id for i in sorted(i for k in found.kinds for i in pools[k]))
        names = tuple(inputs[i].name for i in found.inputs)
        return Cause("too_few" if found.too_few else "too_many", names, ids, len(ids), found.bound)
    assignment: dict[str, list[int]] = {}
    for pool, shares in zip(pools, found, strict=True):
        at = 0
        for i, share in shares.items():
            assignment.setdefault(inputs[i].name, []).extend(pool[at:at + share])
            at += share
    return {one.name: [entries[i].id for i in sorted(assignment[one.name])] for one in inputs if one.name in assignment}


def _sentence(cause: Cause, inputs: Sequence[Input], entries: Sequence[Selected]) -> str:
    some = [one for one in inputs if one.name in cause.inputs]
    if cause.code == "too_few":
        missing = cause.bound - cause.given
        if len(some) == 1:
            return f"“{some[0].title}” needs {count(some[0])} ({accepts(some[0])}); add {more(missing)} to your selection."
        of_these = "none of the selected fits" if cause.given == 0 else (
            f"only {cause.given} of the selected {'fits' if cause.given == 1 else 'fit'}")
        return f"{titles(some)} need {cause.bound} entries together, and {of_these} them; add {more(missing)}."
    if not some:
        entry = next(one for one in entries if one.id == cause.entries[0])
        return f"“{entry.name}” is {kind(entry.data_type, entry.file_format)}; this tool takes {wanted(inputs)}."
    if cause.given == len(entries) and len(some) == len(inputs):
        return f"{cause.given} entries are selected; this tool takes at most {cause.bound}. Select fewer, or run it for each."
    together = " together" if len(some) > 1 else ""
    takes = "take" if len(some) > 1 else "takes"
    return (f"{cause.given} of the selected {'fits' if cause.given == 1 else 'fit'} only {titles(some)}, which {takes} at most "
            f"{cause.bound}{together}; leave {more(cause.given - cause.bound, '')} out.")


def _choices(options: Sequence[Sequence[Input]]) -> str:
    return "; or ".join(wanted(one) for one in options)
