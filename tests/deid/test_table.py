"""The attribute table as data: whole, unchanged, and read as PS3.15 means it."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import pytest
from pydicom.datadict import dictionary_VR
from voxelhub_service.deid import make_table, plan, private, uids, vocabulary
from voxelhub_service.deid.profile import PROFILES, Profile, load
from voxelhub_service.deid.table import action, attribute_type, kind_of, table

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "deid" / "standard"
CT, MR, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.88.33"


def _document() -> dict[str, object]:
    return json.loads(resources.files("voxelhub_service.deid").joinpath("table.json").read_text())


def test_the_rows_are_those_of_the_checksum() -> None:
    document = _document()
    assert make_table.checksum(document["rows"]) == document["sha256"]
    assert len(table().rows) > 640
    for code, _options in table().rows.values():
        assert set(re.sub(r"[/*]", "", code)) <= set("DZXU"), code


def test_it_is_what_the_generator_makes() -> None:
    source = SHARED / "ps3.15_annexE_confidentiality_profile_attributes.json"
    if not source.exists():
        pytest.skip("the machine-readable table of ../shared/data/deid/standard is not here")
    made = make_table.rows_of_table(source.read_text())
    kept = {tag: row[:2] for tag, row in _document()["rows"].items() if len(row) == 2}
    assert kept == made


def test_a_newer_list_only_adds() -> None:
    rows = make_table.rows_of_list(
        "X_Z_TAGS = [(0x0010, 0x0010)]\nX_Z_U_STAR_TAGS = [(0x0008, 0x1140)]\nALL_TAGS = []\nx = 1\n"
    )
    assert rows == {"00100010": "X/Z", "00081140": "X/Z/U*"}


def test_every_compound_code_has_a_type_by_object() -> None:
    for tag, (code, _options) in table().rows.items():
        if "/" in code and "U" not in code:
            for sop_class in (CT, MR, SR):
                assert attribute_type(tag, kind_of(sop_class)) in "123", f"{tag:08x}"
            assert attribute_type(tag, "") == "1"  # an unknown object gets dummies, which satisfy every type


@pytest.mark.parametrize(
    ("tag", "profile", "kind", "code"),
    [
        (0x00100010, "research", "ct", "Z"),
        (0x00100030, "research", "ct", "Z"),
        (0x00101010, "research", "ct", "K"),
        (0x00101010, "basic", "ct", "X"),
        (0x00080020, "research", "ct", "C"),
        (0x00080020, "basic", "ct", "Z"),
        (0x00081030, "research", "ct", "C"),
        (0x00081030, "basic", "ct", "X"),
        (0x00080018, "basic", "ct", "U"),
        (0x00080080, "basic", "ct", "X"),
        (0x00080080, "basic", "", "D"),
        (0x00181000, "basic", "enhanced", "D"),
        (0x00181000, "basic", "ct", "X"),
        (0x0040A730, "research", "sr", "C"),
        (0x0040A730, "basic", "sr", "D"),
    ],
)
def test_actions_by_profile_and_object(tag: int, profile: str, kind: str, code: str) -> None:
    found = action(tag, PROFILES[profile], kind)
    assert found is not None and found.code == code


def test_attributes_outside_the_table_have_no_action() -> None:
    assert action(0x00280010, PROFILES["research"], "ct") is None


def test_profiles_are_loaded_by_name_or_from_json() -> None:
    assert load("basic") == PROFILES["basic"]
    own = load('{"name": "site", "base": "research", "retain_uids": true}')
    assert own.retain_uids and own.clean_descriptors and own.name == "site"
    for wrong, what in (
        ("nobody", "no profile"),
        ("{", "not valid JSON"),
        ('{"retain_everything": true}', "nobody knows"),
        ('{"retain_uids": "yes"}', "true or false"),
        ('{"base": "x"}', "start from"),
        ('{"retain_full_dates": true, "retain_modified_dates": true}', "not both"),
    ):
        with pytest.raises(ValueError, match=what):
            load(wrong)


def test_the_rules_name_attributes_that_exist() -> None:
    rules = uids.rules()
    for group in ("technical", "identifiers", "required", "bulk"):
        for tag in rules[group]:
            assert dictionary_VR(int(tag, 16)), tag
    assert {dictionary_VR(int(tag, 16))[0] for tag in rules["bulk"]} <= {"O", "U"}
    assert private._safe()


def test_a_plan_answers_for_every_attribute_of_the_dictionary() -> None:
    from pydicom.datadict import DicomDictionary

    for profile in (*PROFILES.values(), Profile("bare")):
        for kind in ("", "ct", "sr"):
            for tag in DicomDictionary:
                plan.plan(profile, kind, False).step(tag, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("MRI Brain w/o contrast", "MRI Brain w/o contrast"),
        ("T1_MPRAGE_SAG", "T1_MPRAGE_SAG"),
        ("t2_tse_sag_384 Mueller", "t2_tse_sag"),
        ("CT CHEST for Jane Roe, MRN 12345678", "CT CHEST for"),
        ("5mm axial 120 kV B1000", "5mm axial 120 kV B1000"),
        ("J O H N", "H"),
        ("Kopf nativ Zürich", ""),
        ("B\0R\0A\0I\0N\0", ""),
        ("Isocenter 2", "Isocenter 2"),
        ("12 34 56 78", ""),
        ("", ""),
    ],
)
def test_descriptors_keep_the_vocabulary_only(before: str, after: str) -> None:
    assert vocabulary.clean(before) == after
    assert vocabulary.clean(after) == after


def test_words_of_a_name_fall_though_they_are_words() -> None:
    assert vocabulary.clean("CHEST for Sharp", frozenset({"sharp"})) == "CHEST for"


def test_coded_strings_are_closed() -> None:
    for good in ("ORIGINAL", "T1W", "CT_SOM5 SPI", "HFS", "CHEST", "", "M_FFE"):
        assert vocabulary.coded(good), good
    for bad in ("ROE", "QZXTOKEN", "TKN00042QZX", "Roe", "MÜLLER", "12345678"):
        assert not vocabulary.coded(bad), bad
