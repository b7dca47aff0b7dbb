"""How a selection becomes items: by where entries came from, by their names, shared or left out; never by a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from voxelhub_service.batches.pairing import Candidate, case, free, plan, stem
from voxelhub_service.tools.matching import Selected, check
from voxelhub_service.tools.model import Input

IMAGE = Input("image", "Image", "", (("mr-image", "nifti"), ("ct-image", "nifti")), 1, 1)
MASK = Input("mask", "Mask", "", (("segmentation-mask", "nifti"),), 1, 1)
OPTIONAL = Input("mask", "Mask", "", (("segmentation-mask", "nifti"),), 0, 1)
MANY = Input("series", "Series", "", (("*", "dicom"),), 1, 50)


def one(name, kind="mr-image", dataset="d", run="", sources=(), file_format="nifti", entry_id=None) -> Candidate:
    entry = Selected(entry_id or f"{dataset}/{name}", name, kind, file_format)
    return Candidate(entry, dataset, f"Set {dataset}", run, 1, frozenset(sources))


def mask(name, **more) -> Candidate:
    return one(name, "segmentation-mask", **more)


def pairs(found) -> list[tuple[str, str]]:
    return [(item.inputs["image"][0].rpartition("/")[2], item.inputs["mask"][0].rpartition("/")[2]) for item in found.items]


def test_one_input_one_item_for_each_entry():
    found = plan([MANY], [one(f"s{n}", file_format="dicom") for n in range(40)])
    assert len(found.items) == 40 and found.left_out == [] and found.items[7].inputs == {"series": ["d/s7"]}
    assert [item.label for item in found.items] == [f"s{n}" for n in range(40)]


def test_what_no_input_takes_is_left_out_and_named():
    found = plan([MANY], [one("s", file_format="dicom"), one("notes", file_format="text")])
    assert len(found.items) == 1 and found.left_out == ["d/notes"]
    assert plan([MANY], [one("notes", file_format="text")]).reason == "Nothing in the selection fits this tool."


def test_a_mask_goes_with_the_image_a_run_made_it_from_whatever_they_are_called():
    images = [one(f"scan {n}") for n in range(5)]
    masks = [mask("result.nii.gz", dataset=f"r{n}", sources=[f"d/scan {n}"]) for n in (3, 0, 4, 1, 2)]
    found = plan([IMAGE, MASK], [*images, *masks])
    assert [item.inputs["mask"] for item in found.items] == [[f"r{n}/result.nii.gz"] for n in range(5)] and found.left_out == []


def test_two_results_of_the_same_series_belong_together():
    images = [one("volume.nii.gz", dataset=f"i{n}", sources=[f"series {n}"]) for n in range(3)]
    masks = [mask("mask.nii.gz", dataset=f"m{n}", sources=[f"series {n}"]) for n in range(3)]
    found = plan([IMAGE, MASK], [*masks, *images])
    assert [(i.inputs["image"], i.inputs["mask"]) for i in found.items] == [
        ([f"i{n}/volume.nii.gz"], [f"m{n}/mask.nii.gz"]) for n in range(3)]


def test_names_within_a_dataset_then_names():
    images = [one("case 1.nii.gz"), one("case 2.nii.gz"), one("T1.nii.gz", dataset="other")]
    masks = [mask("case 2_mask.nii.gz"), mask("case 1_mask.nii.gz"), mask("T1_seg.nii.gz", dataset="other")]
    assert pairs(plan([IMAGE, MASK], [*images, *masks])) == [
        ("case 1.nii.gz", "case 1_mask.nii.gz"), ("case 2.nii.gz", "case 2_mask.nii.gz"), ("T1.nii.gz", "T1_seg.nii.gz")]


def test_forty_datasets_of_an_image_and_a_mask_each():
    both = [make(name, dataset=f"p{n}") for n in range(40) for make, name in ((one, "image.nii.gz"), (mask, "mask.nii.gz"))]
    found = plan([IMAGE, MASK], both)
    assert len(found.items) == 40 and found.left_out == []
    assert all(item.inputs["image"][0].split("/")[0] == item.inputs["mask"][0].split("/")[0] for item in found.items)
    assert found.items[3].label == "Set p3 / image.nii.gz"


def test_one_reference_goes_to_every_item():
    found = plan([IMAGE, MASK], [*(one(f"scan {n}") for n in range(4)), mask("atlas.nii.gz", dataset="atlas")])
    assert [item.inputs["mask"] for item in found.items] == [["atlas/atlas.nii.gz"]] * 4


def test_a_mask_of_one_image_is_no_reference_for_all():
    found = plan([IMAGE, MASK], [*(one(f"scan {n}") for n in range(3)), mask("m.nii.gz", sources=["d/scan 1"])])
    assert pairs(found) == [("scan 1", "m.nii.gz")] and found.left_out == ["d/scan 0", "d/scan 2"]


def test_two_masks_of_each_image_are_two_items():
    masks = [mask(f"lesion {k}", dataset=f"r{n}{k}", sources=[f"d/scan {n}"]) for n in range(2) for k in range(2)]
    found = plan([IMAGE, MASK], [one("scan 0"), one("scan 1"), *masks])
    assert [item.inputs["image"][0] for item in found.items] == ["d/scan 0", "d/scan 0", "d/scan 1", "d/scan 1"]


def test_what_is_ambiguous_is_left_out():
    images = [one("a.nii.gz", dataset="x"), one("a.nii.gz", dataset="y"), one("b.nii.gz", dataset="x")]
    masks = [mask("a.nii.gz", dataset="v"), mask("a.nii.gz", dataset="w"), mask("b.nii.gz", dataset="v")]
    found = plan([IMAGE, MASK], [*images, *masks])
    assert pairs(found) == [("b.nii.gz", "b.nii.gz")]
    assert set(found.left_out) == {"x/a.nii.gz", "y/a.nii.gz", "v/a.nii.gz", "w/a.nii.gz"}


def test_an_optional_input_keeps_no_item_out():
    found = plan([IMAGE, OPTIONAL], [one("case 1"), one("case 2"), mask("case 2 mask"), mask("stray")])
    assert [item.inputs for item in found.items] == [
        {"image": ["d/case 1"]}, {"image": ["d/case 2"], "mask": ["d/case 2 mask"]}]
    assert found.left_out == ["d/stray"]


@pytest.mark.parametrize(("inputs", "chosen", "reason"), [
    ([Input("pair", "Pair", "", (("*", "*"),), 2, 2)], [one("a"), one("b")],
     "“Pair” needs 2 entries for each run; run it once with them."),
    ([IMAGE, MASK], [one("a"), one("b")],
     "Nothing in the selection can be “Mask”; select what belongs to each of the others too."),
    ([IMAGE, MASK], [one("a"), one("b"), mask("x"), mask("y")],
     "Nothing in the selection belongs together for sure: name the files of a case alike."),
])
def test_why_there_is_no_item(inputs, chosen, reason):
    found = plan(inputs, chosen)
    assert (found.items, found.reason) == ([], reason) and found.left_out == [c.id for c in chosen]


def test_two_inputs_for_the_same_kind_are_told_apart_by_names_only():
    fixed = Input("fixed", "Fixed image", "", (("mr-image", "nifti"),), 1, 1)
    moving = Input("moving", "Moving image", "", (("mr-image", "nifti"),), 1, 1)
    chosen = [one(f"p{n}_{role}.nii.gz") for n in range(3) for role in ("fixed", "moving")]
    found = plan([fixed, moving], chosen)
    assert [item.inputs for item in found.items] == [
        {"fixed": [f"d/p{n}_fixed.nii.gz"], "moving": [f"d/p{n}_moving.nii.gz"]} for n in range(3)]
    assert plan([fixed, moving], [one("a"), one("b")]).items == []


def test_of_combinations_the_one_that_makes_the_most_items():
    series = Input("series", "Series", "", (("*", "dicom"),), 0, 1)
    image, masks = (Input(one.name, one.title, "", one.accepts, 0, 1) for one in (IMAGE, MASK))
    options = [frozenset({"series"}), frozenset({"image", "mask"})]
    chosen = [*(one(f"s{n}", file_format="dicom") for n in range(2)), *(one(f"case {n}") for n in range(3)),
              *(mask(f"case {n} mask") for n in range(3))]
    found = plan([series, image, masks], chosen, options)
    assert len(found.items) == 3 and set(found.items[0].inputs) == {"image", "mask"} and found.left_out == ["d/s0", "d/s1"]
    assert len(plan([series, image, masks], chosen[:2], options).items) == 2


@pytest.mark.parametrize(("name", "stemmed", "cased"), [
    ("Case 07_T1.nii.gz", "case 07_t1", "case 07"), ("case-07-mask.nii", "case-07-mask", "case 07"), ("mask.nii.gz", "mask", ""),
    ("ctscan.nii.gz", "ctscan", "ctscan"), ("patient1.seg.nrrd", "patient1.seg", "patient1"), ("Größe.csv", "größe", "größe"),
])
def test_stems(name, stemmed, cased):
    assert (stem(name), case(name)) == (stemmed, cased)


def test_free_names():
    assert free("a", {"a", "a (2)"}) == "a (3)" and free("b", {"a"}) == "b"


names = st.sampled_from(["a.nii.gz", "a_mask.nii.gz", "b.nii.gz", "b_seg.nii.gz", "image.nii.gz", "mask.nii.gz", "c"])
ids = st.integers(0, 30).map(str)


@st.composite
def selections(draw):
    chosen = {}
    for number in range(draw(st.integers(1, 14))):
        kind = draw(st.sampled_from(["mr-image", "segmentation-mask", "document"]))
        chosen[str(number)] = one(draw(names), kind, draw(st.sampled_from("xyz")), draw(st.sampled_from(["", "r1", "r2"])),
                                  draw(st.lists(ids, max_size=2)), entry_id=str(number))
    return list(chosen.values())


@given(selections(), st.sampled_from([[IMAGE], [IMAGE, MASK], [IMAGE, OPTIONAL]]))
def test_every_plan_fits_the_tool_and_names_all_that_is_left_out(chosen, inputs):
    found = plan(inputs, chosen)
    by_id = {c.id: c.entry for c in chosen}
    used = set()
    for item in found.items:
        assert check(inputs, {name: [by_id[o] for o in many] for name, many in item.inputs.items()}) == ""
        used |= {o for many in item.inputs.values() for o in many}
    assert used.isdisjoint(found.left_out) and used | set(found.left_out) == set(by_id)
    assert len({item.label for item in found.items}) == len(found.items) and bool(found.reason) == (not found.items)
    lead = [item.inputs["image"][0] for item in found.items] if inputs == [IMAGE] else []
    assert len(set(lead)) == len(lead)
