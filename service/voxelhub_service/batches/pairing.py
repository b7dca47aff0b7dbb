"""How a selection becomes the items of a batch: pure, from what the tool takes and what is known of the entries.

The input with the most entries leads: each of its entries is an item. Entries for the other inputs are paired with it by where
they came from (a mask that a run made of that image; two results of the same series), then by name and dataset. An entry that
nothing pairs and that is the only one for its input is shared by all items. What cannot be paired surely is left out.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..tools.matching import Selected
from ..tools.model import Input

SUFFIX = re.compile(r"(\.(nii|dcm|csv|tsv|png|tiff?|jpe?g|svs|gz|mha|nrrd|json|txt|bmp|fastq|fasta|zip))+$", re.IGNORECASE)
# Words by which a name says what a file is, not of which case it is.
ROLE = re.compile(r"(^|[\s_.\-])(image|img|volume|vol|scan|mask|masks|seg|segmentation|label|labels|labelmap|roi|lesion|tumou?r"
                  r"|gt|t1w?|t2w?|flair|dwi|adc|ct|mr|mri|pet|us|mg|pre|post|fixed|moving|reference|ref|test|pred|prediction)"
                  r"(?=$|[\s_.\-\d])", re.IGNORECASE)


@dataclass(frozen=True)
class Candidate:
    """An entry with what pairs it: `sources` are the entries it was made from, directly or through other runs."""

    entry: Selected
    dataset: str
    dataset_title: str
    run: str = ""  # the tool run that made it
    size: int = 0  # bytes
    sources: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        return self.entry.id


@dataclass(frozen=True)
class Item:
    label: str
    inputs: dict[str, list[str]]


@dataclass(frozen=True)
class Plan:
    items: list[Item] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    reason: str = ""


def plan(inputs: Sequence[Input], candidates: Sequence[Candidate], combinations: Sequence[frozenset[str]] = ()) -> Plan:
    """`reason` says why there is no item; what is left out is in the order of the selection.

    Of a tool that takes its inputs in combinations, the one that makes the most items of the selection.
    """
    options = [[replace(one, minimum=max(1, one.minimum)) for one in inputs if one.name in some] for some in combinations]
    plans = [_plan(option, candidates) for option in options or [list(inputs)]]
    return max(plans, key=lambda one: (len(one.items), -len(one.left_out)))


def _plan(inputs: Sequence[Input], candidates: Sequence[Candidate]) -> Plan:
    every = [one.id for one in candidates]
    by_input = _assigned(inputs, candidates)
    required = [one for one in inputs if one.minimum > 0] or [one for one in inputs if by_input[one.name]][:1] or list(inputs[:1])
    if reason := _obstacle(required, by_input):
        return Plan([], every, reason)
    lead = max(required, key=lambda one: len(by_input[one.name]))
    others = [one for one in inputs if one.name != lead.name and by_input[one.name]]
    partners = {one.name: _partners(by_input[lead.name], by_input[one.name]) for one in others}
    chosen: list[tuple[Candidate, dict[str, list[str]]]] = []
    for leader in by_input[lead.name]:
        given = {lead.name: [leader.id]}
        given |= {name: [partner.id] for name, found in partners.items() if (partner := found.get(leader.id)) is not None}
        if all(one.name in given for one in required):
            chosen.append((leader, given))
    used = {one for _, given in chosen for many in given.values() for one in many}
    left_out = [one for one in every if one not in used]
    if not chosen:
        return Plan([], every, "Nothing in the selection belongs together for sure: name the files of a case alike.")
    labels = _labels([leader for leader, _ in chosen])
    return Plan([Item(label, given) for label, (_, given) in zip(labels, chosen, strict=True)], left_out)


def _obstacle(required: Sequence[Input], by_input: dict[str, list[Candidate]]) -> str:
    for one in required:
        if one.minimum > 1:
            return f"“{one.title}” needs {one.minimum} entries for each run; run it once with them."
    missing = [one for one in required if not by_input[one.name]]
    if len(missing) == len(required):
        return "Nothing in the selection fits this tool."
    if missing:
        return f"Nothing in the selection can be “{missing[0].title}”; select what belongs to each of the others too."
    return ""


def _assigned(inputs: Sequence[Input], candidates: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    """Each entry to the one input that it can only be for, or whose description fits it best; required inputs first."""
    found: dict[str, list[Candidate]] = {one.name: [] for one in inputs}
    for candidate in candidates:
        entry = candidate.entry
        taking = [one for one in inputs if one.takes(entry.data_type, entry.file_format)]
        if taking:
            best = min(taking, key=lambda one: (_vague(one, entry), one.minimum == 0, len(one.accepts)))
            found[best.name].append(candidate)
    empty = [one for one in inputs if one.minimum > 0 and not found[one.name]]
    for one in empty:  # two inputs for the same kind, such as a reference: a single odd one out cannot be told, two halves can
        _split(one, inputs, found)
    return found


def _vague(one: Input, entry: Selected) -> int:
    named = {(t, f) for t, f in one.accepts if t in ("*", entry.data_type) and f in ("*", entry.file_format)}
    return min((t == "*") + (f == "*") for t, f in named)


def _split(empty: Input, inputs: Sequence[Input], found: dict[str, list[Candidate]]) -> None:
    """Where names say which is which: `…_fixed` and `…_moving`."""
    words = {word for word in re.split(r"[^a-z0-9]+", f"{empty.name} {empty.title}".lower()) if len(word) > 2}
    for one in inputs:
        moved = [c for c in found[one.name] if empty.takes(c.entry.data_type, c.entry.file_format)
                 and words & set(re.split(r"[^a-z0-9]+", c.entry.name.lower()))]
        if moved and len(moved) < len(found[one.name]):
            found[empty.name] += moved
            found[one.name] = [c for c in found[one.name] if c not in moved]


def _partners(leaders: Sequence[Candidate], others: Sequence[Candidate]) -> dict[str, Candidate]:
    """Leader's id -> the entry that belongs to it. The only one there is, where nothing ties it to one leader, belongs to all."""
    found = {leader.id: partner for leader, partner in _paired(leaders, others)}
    if len(others) == 1 and not found:
        return {leader.id: others[0] for leader in leaders}
    return found


Keys = Callable[[Candidate], Iterable[object]]
# Each gives the keys under which two entries meet; a later one only decides where the ones before left nobody or several.
LEVELS: tuple[tuple[Keys, Keys], ...] = (
    (lambda one: [one.id], lambda one: one.sources),                                    # made from it
    (lambda one: one.sources, lambda one: [one.id]),                                    # it was made from that
    (lambda one: [one.run] if one.run else [], lambda one: [one.run] if one.run else []),  # results of the same run
    (lambda one: one.sources, lambda one: one.sources),                                 # made from the same
    (lambda one: [(one.dataset, stem(one.entry.name))], lambda one: [(one.dataset, stem(one.entry.name))]),
    (lambda one: [stem(one.entry.name)], lambda one: [stem(one.entry.name)]),
    (lambda one: [(one.dataset, case(one.entry.name))], lambda one: [(one.dataset, case(one.entry.name))]),
    (lambda one: [case(one.entry.name)] if case(one.entry.name) else [],
     lambda one: [case(one.entry.name)] if case(one.entry.name) else []),
)


def _paired(leaders: Sequence[Candidate], others: Sequence[Candidate]) -> Iterable[tuple[Candidate, Candidate]]:
    indexes = []
    for _, theirs in LEVELS:
        index: dict[object, dict[str, Candidate]] = defaultdict(dict)
        for one in others:
            for key in theirs(one):
                index[key][one.id] = one
        indexes.append(index)
    for leader in leaders:
        possible: dict[str, Candidate] = {}
        for (ours, _), index in zip(LEVELS, indexes, strict=True):
            met = {one.id: one for key in ours(leader) for one in index.get(key, {}).values()}
            possible = {key: one for key, one in met.items() if not possible or key in possible} or possible
            if len(possible) == 1:
                yield leader, next(iter(possible.values()))
                break


def stem(name: str) -> str:
    """`Case 07_T1.nii.gz` -> `case 07_t1`."""
    return SUFFIX.sub("", name).strip().lower()


def case(name: str) -> str:
    """`Case 07_mask.nii.gz` and `case 07 image.nii` -> `case 07`: the name without the words for what it is."""
    return re.sub(r"[\s_.\-]+", " ", ROLE.sub(" ", stem(name))).strip()


def _labels(leaders: Sequence[Candidate]) -> list[str]:
    """What each item is called: the entry's name, with its dataset where several are called alike; never two the same."""
    names = Counter(one.entry.name for one in leaders)
    labels: list[str] = []
    taken: set[str] = set()
    for one in leaders:
        base = one.entry.name if names[one.entry.name] == 1 else f"{one.dataset_title} / {one.entry.name}"
        labels.append(free(base[:190], taken))
        taken.add(labels[-1])
    return labels


def free(base: str, taken: set[str]) -> str:
    """The text itself, or numbered where it is taken."""
    found, number = base, 2
    while found in taken:
        found, number = f"{base} ({number})", number + 1
    return found
