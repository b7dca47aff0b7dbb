"""A tool is offered exactly when the selection can be assigned to its inputs; brute force is the judge."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
    entries = [entry(i, *kind) for i, kind in enumerate(draw(st.lists(kinds, min_size=1, max_size=6)))]
    return inputs, entries


def possible(inputs, entries) -> bool:
    for choice in product(inputs, repeat=len(entries)):
        if all(one.takes(e.data_type, e.file_format) for one, e in zip(choice, entries, strict=True)) and all(
                one.minimum <= choice.count(one) <= one.maximum for one in inputs):
            return True
    return False


@settings(max_examples=600, deadline=None)
@given(cases())
def test_offered_exactly_when_an_assignment_exists(case):
    inputs, entries = case
    found = match(inputs, entries)
    assert found.eligible == possible(inputs, entries)
    if found.eligible:
        by_id = {e.id: e for e in entries}
        chosen = {name: [by_id[i] for i in ids] for name, ids in found.assignment.items()}
        assert check(inputs, chosen) == ""
        assert sorted(i for ids in found.assignment.values() for i in ids) == sorted(by_id)
    else:
        assert found.reason.endswith(".") and not found.assignment


SERIES = make_input("series", [("ct-image", "dicom"), ("mr-image", "dicom")], 1, 20)
VOLUME, MASK = make_input("volume", [("*", "nifti")]), make_input("mask", [("mask", "nifti")], 0, 1)


@pytest.mark.parametrize(("inputs", "entries", "part"), [
    ([SERIES], [], "Select 1 to 20 entries for “Series” (CT image or MR image as DICOM) first."),
    ([SERIES], [entry(1)], "“entry 1” is CT image as NIfTI; this tool takes 1 to 20 entries"),
    ([SERIES], [entry(i, "ct-image", "dicom") for i in range(21)], "at most 20"),
    ([VOLUME, make_input("other", [("mask", "nifti")])], [entry(1)], "“Other” needs 1 entry (mask as NIfTI); add one"),
    ([VOLUME, MASK], [entry(1), entry(2)], "There is no place for"),
    ([VOLUME, MASK], [entry(1, "mask")], ""),
    ([VOLUME, MASK], [entry(1, "mask"), entry(2)], ""),
])
def test_reasons(inputs, entries, part):
    found = match(inputs, entries)
    assert part in found.reason and found.eligible == (part == "")


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
