"""A tool is offered exactly when the selection can be assigned to its inputs; brute force is the judge."""

import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.effort import lines
from voxelhub_service.tools.manifest import Input
from voxelhub_service.tools.matching import Selected, check, match


def make_input(name, accepts, minimum=1, maximum=1):
    return Input(name, name.title(), "", tuple(accepts), minimum, maximum)


def entry(number, data_type="ct-image", file_format="nifti"):
    return Selected(f"{number:032x}", f"entry {number}", data_type, file_format)


pairs = st.tuples(st.sampled_from(["*", "a", "b", "c"]), st.sampled_from(["*", "x", "y"]))


@st.composite
def cases(draw):
    inputs = []
    for number in range(draw(st.integers(1, 3))):
        minimum = draw(st.integers(0, 2))
        inputs.append(make_input(f"in{number}", draw(st.lists(pairs, min_size=1, max_size=2)), minimum,
                                 draw(st.integers(max(1, minimum), 3))))
    kinds = st.tuples(st.sampled_from("abc"), st.sampled_from("xy"))
    entries = [entry(i, *kind) for i, kind in enumerate(draw(st.lists(kinds, max_size=6)))]
    names = st.sampled_from([one.name for one in inputs])
    combinations = draw(st.lists(st.frozensets(names, min_size=1), max_size=3, unique=True))
    return inputs, entries, combinations


def assignments(inputs, entries, combinations):
    """Every valid one, by trying all: the oracle."""
    for choice in product(inputs, repeat=len(entries)):
        given = {one.name for one in choice}
        right = all(one.takes(e.data_type, e.file_format) for one, e in zip(choice, entries, strict=True))
        right &= all(choice.count(one) <= one.maximum for one in inputs)
        right &= all(choice.count(one) >= one.minimum or (combinations and one not in choice) for one in inputs)
        if right and entries and (given in combinations if combinations else True):
            yield choice


def fits(one, entry):
    return one.takes(entry.data_type, entry.file_format)


def is_true(cause, inputs, entries, combinations) -> bool:
    """Whether what a cause claims holds, by looking at each entry and each input."""
    options = combinations or [frozenset(one.name for one in inputs)]
    if cause.code == "empty":
        return not entries
    if cause.code == "unfit":
        (id_,) = cause.entries
        return not any(fits(one, e) for e in entries if e.id == id_ for one in inputs)
    if cause.code == "combination":
        return len(options) > 1 and all(not any(True for _ in assignments(inputs, entries, [some])) for some in options)
    (only,) = options
    allowed = [one for one in inputs if one.name in only]
    named = [one for one in allowed if one.name in cause.inputs]
    least = {one.name: max(1, one.minimum) if combinations else one.minimum for one in allowed}
    ids = {e.id for e in entries if (any(fits(one, e) for one in named) if cause.code == "too_few" else e.id in cause.entries)}
    if len(ids) != cause.given or ids != set(cause.entries):
        return False
    if cause.code == "too_few":
        return cause.bound == sum(least[one.name] for one in named) > cause.given
    others = [one for one in allowed if one not in named]
    nowhere_else = not any(fits(one, e) for e in entries if e.id in ids for one in others)
    return nowhere_else and cause.bound == sum(one.maximum for one in named) < cause.given


@settings(max_examples=600, deadline=None)
@given(cases())
def test_offered_exactly_when_an_assignment_exists_and_the_reason_is_true(case):
    inputs, entries, combinations = case
    found = match(inputs, entries, combinations)
    assert found.eligible == any(True for _ in assignments(inputs, entries, combinations))
    if found.eligible:
        by_id = {e.id: e for e in entries}
        chosen = {name: [by_id[i] for i in ids] for name, ids in found.assignment.items()}
        assert check(inputs, chosen, combinations) == "" and found.cause is None and found.reason == ""
        assert sorted(i for ids in found.assignment.values() for i in ids) == sorted(by_id)
    else:
        assert not found.assignment and is_true(found.cause, inputs, entries, combinations)
        said_in_words(found, inputs, entries)


def said_in_words(found, inputs, entries):
    """The sentence holds the numbers and names of its cause, and no others of the kind."""
    cause, reason = found.cause, found.reason
    assert reason.endswith(".")
    numbers = {int(word) for word in re.findall(r"\b\d+\b", re.sub(r"“[^”]*”", "", reason))}
    if cause.code == "too_few" and len(cause.inputs) > 1:
        assert cause.bound in numbers and numbers <= {cause.bound, cause.given, cause.bound - cause.given}
    if cause.code == "too_many" and cause.inputs:
        assert {cause.given, cause.bound} <= numbers <= {cause.given, cause.bound, cause.given - cause.bound}
    all_of_it = cause.code == "too_many" and reason.startswith(f"{len(entries)} entries are selected; this tool takes at most")
    if cause.code in ("too_few", "too_many") and not all_of_it:
        assert all(f"“{one.title}”" in reason for one in inputs if one.name in cause.inputs)


@settings(max_examples=200, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_a_given_assignment_is_judged_as_by_trying_all(case, random):
    inputs, entries, combinations = case
    chosen = {one.name: [] for one in inputs}
    for one in entries:
        chosen[random.choice(inputs).name].append(one)
    placed = [next(one for one in inputs if e in chosen[one.name]) for e in entries]
    assert (check(inputs, chosen, combinations) == "") == (
        tuple(placed) in set(assignments(inputs, entries, combinations)) if entries else
        not combinations and all(one.minimum == 0 for one in inputs))


def test_a_thousand_entries_are_matched_at_once():
    types, formats = [f"t{i}" for i in range(22)], [f"f{i}" for i in range(20)]
    inputs = [make_input(f"in{i}", [(t, "*") for t in types[i:i + 4]], 10, 1000) for i in range(20)]
    combinations = [frozenset(one.name for one in inputs if one.name != f"in{skip}") for skip in range(20)]
    entries = [entry(i, types[i % 22], formats[i % 20]) for i in range(1000)]
    few = [frozenset({"in19"}), frozenset({"in18", "in17"})]
    assert match(inputs, entries, combinations).eligible
    assert not match(inputs, [*entries, entry(1001, "t0", "f0")], few).eligible
    half = lines(lambda: match(inputs, entries[:500], combinations))
    assert lines(lambda: match(inputs, entries, combinations)) < 2.5 * half, "twice as many are twice the work"


SERIES = make_input("series", [("ct-image", "dicom"), ("mr-image", "dicom")], 1, 20)
VOLUME, MASK = make_input("volume", [("*", "nifti")]), make_input("mask", [("mask", "nifti")], 0, 1)


@pytest.mark.parametrize(("inputs", "entries", "part"), [
    ([SERIES], [], "Select 1 to 20 entries for “Series” (CT image or MR image as DICOM) first."),
    ([SERIES], [entry(1)], "“entry 1” is CT image as NIfTI; this tool takes 1 to 20 entries"),
    ([SERIES], [entry(i, "ct-image", "dicom") for i in range(21)], "at most 20"),
    ([VOLUME, make_input("other", [("mask", "nifti")])], [entry(1)], "“Other” needs 1 entry (mask as NIfTI); add one"),
    ([VOLUME, MASK], [entry(1), entry(2)], "2 of the selected fit only “Volume”, which takes at most 1; leave one out."),
    ([VOLUME, MASK], [entry(1, "mask")], ""),
    ([VOLUME, MASK], [entry(1, "mask"), entry(2)], ""),
])
def test_reasons(inputs, entries, part):
    found = match(inputs, entries)
    assert part in found.reason and found.eligible == (part == "")


def test_combinations_are_said_in_words():
    inputs = [VOLUME, make_input("mask", [("mask", "nifti")]), make_input("table", [("table", "csv")])]
    either = [{"volume", "mask"}, {"volume", "table"}]
    both = match(inputs, [entry(1), entry(2, "table", "csv")], either)
    assert both.assignment == {"volume": [f"{1:032x}"], "table": [f"{2:032x}"]}
    all_three = [entry(1), entry(2, "mask"), entry(3, "table", "csv")]
    assert match(inputs, all_three, either).reason == (
        "Your selection fits none of what this tool takes: 1 entry for “Volume” (any NIfTI) and 1 entry for “Mask” "
        "(mask as NIfTI); or 1 entry for “Volume” (any NIfTI) and 1 entry for “Table” (Table as CSV).")
    chosen = {"volume": [entry(1)], "mask": [entry(2, "mask")], "table": [entry(3, "table", "csv")]}
    assert check(inputs, chosen, either).startswith("This tool cannot be given “Volume”, “Mask” and “Table”; it takes")
    assert check(inputs, {"volume": [entry(1)], "mask": [entry(2, "mask")]}, either) == ""


def test_an_entry_both_inputs_take_goes_where_it_is_needed():
    found = match([VOLUME, make_input("mask", [("mask", "nifti")])], [entry(1, "mask"), entry(2, "mask")])
    assert found.eligible and {len(ids) for ids in found.assignment.values()} == {1}


@pytest.mark.parametrize(("chosen", "part"), [
    ({"volume": [entry(1)]}, ""),
    ({}, "“Volume” needs 1 entry; 0 are given."),
    ({"volume": [entry(1), entry(2)]}, "2 are given"),
    ({"volume": [entry(1, file_format="csv")]}, "“Volume” takes any NIfTI."),
    ({"volume": [entry(1)], "extra": []}, "no input “extra”"),
])
def test_a_given_assignment_is_checked(chosen, part):
    assert part in check([VOLUME, MASK], chosen) and (part == "") == (check([VOLUME, MASK], chosen) == "")
