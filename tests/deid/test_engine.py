"""The header engine on data sets made here: every VR, every depth, references, dates, marks."""

from __future__ import annotations

import copy
import io
from dataclasses import replace

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import DataElement, Dataset, Sequence
from pydicom.data import get_testdata_file
from pydicom.datadict import DicomDictionary
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from voxelhub_service.deid import steps, values
from voxelhub_service.deid.engine import clean_dataset
from voxelhub_service.deid.icc import without_texts
from voxelhub_service.deid.outcome import Report
from voxelhub_service.deid.profile import PROFILES, Profile
from voxelhub_service.deid.pseudonyms import Key

KEY = Key(b"k" * 32)
RESEARCH, BASIC = PROFILES["research"], PROFILES["basic"]
TOKEN = b"QZXTOKEN0042"
VRS = [
    "AE",
    "AS",
    "AT",
    "CS",
    "DA",
    "DS",
    "DT",
    "FL",
    "FD",
    "IS",
    "LO",
    "LT",
    "OB",
    "OD",
    "OF",
    "OL",
    "OV",
    "OW",
    "PN",
    "SH",
    "SL",
    "SS",
    "ST",
    "SV",
    "TM",
    "UC",
    "UI",
    "UL",
    "UN",
    "UR",
    "US",
    "UT",
    "UV",
]
PIXELS = {0x7FE00008, 0x7FE00009, 0x7FE00010}


def cleaned(dataset: Dataset, profile: Profile = RESEARCH) -> Report:
    return clean_dataset(dataset, key=KEY, profile=profile)


def raw(tag: int, vr: str, value: bytes) -> RawDataElement:
    return RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)


def values_of(dataset: Dataset) -> bytes:
    """Every raw or decoded value in a data set, at any depth."""
    found = []
    for tag in list(dataset.keys()):
        element = dataset.get_item(tag)
        if element.is_raw:
            found.append(element.value or b"")
        elif element.VR == "SQ":
            found += [values_of(item) for item in element.value]
        else:
            found.append(repr(element.value).encode())
    return b"\n".join(found)


def left(dataset: Dataset, what: bytes) -> bool:
    return what in values_of(dataset)


def small_ct() -> Dataset:
    return pydicom.dcmread(get_testdata_file("CT_small.dcm"))


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
@pytest.mark.parametrize("vr", VRS)
def test_no_vr_carries_a_token_through_any_attribute(vr: str, profile: Profile) -> None:
    dataset = Dataset()
    dataset.set_original_encoding(False, True)
    value = TOKEN + b" " * (-len(TOKEN) % 8)
    for tag in DicomDictionary:
        if tag not in PIXELS:
            dataset[tag] = raw(tag, vr, value)
    if profile is BASIC:
        outer = Dataset()
        outer.ContentSequence = [Dataset()]
        outer.ContentSequence[0].SharedFunctionalGroupsSequence = [dataset]
        dataset = outer
    cleaned(dataset, profile)
    assert not left(dataset, TOKEN)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "shift_jis", "gb18030", "cp1251", "euc_kr"])
def test_no_character_set_carries_a_name_through(encoding: str) -> None:
    name = {"shift_jis": "山田太郎", "gb18030": "王小东", "cp1251": "Иванов", "euc_kr": "홍길동"}.get(
        encoding, "Mustermann"
    ).encode(encoding)
    dataset = small_ct()
    for tag, vr in ((0x00081030, "LO"), (0x00204000, "LT"), (0x0040A160, "UT"), (0x00280008, "IS"), (0x00080060, "CS")):
        dataset[tag] = raw(tag, vr, name + b" " * (len(name) % 2))
    cleaned(dataset)
    assert not left(dataset, name)


def test_what_the_dictionary_does_not_know_goes() -> None:
    dataset = small_ct()
    for tag, vr in (
        (0x00189FFF, "LO"),
        (0x60000022, "LO"),
        (0x60003000, "OW"),
        (0x50000005, "US"),
        (0x00080001, "UL"),
        (0xFFFCFFFC, "OB"),
    ):
        dataset[tag] = raw(tag, vr, TOKEN)
    report = cleaned(dataset)
    assert not {0x00189FFF, 0x60000022, 0x60003000, 0x50000005, 0x00080001, 0xFFFCFFFC} & {int(tag) for tag in dataset.keys()}  # noqa: SIM118
    assert report.actions["(60xx,3000) X"] == 1 and report.actions["(0018,9fff) X"] == 1


def test_private_elements_go_but_for_the_safe_list() -> None:
    def made() -> Dataset:
        dataset = small_ct()
        block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0C, "IS", "1000")
        block.add_new(0x0E, "FD", [0.1, 0.2, 0.3])
        block.add_new(0x0D, "CS", "QZXTOKEN")
        block.add_new(0x99, "LO", "QZXTOKEN")
        return dataset

    kept = made()
    report = cleaned(kept)
    block = kept.private_block(0x0019, "SIEMENS MR HEADER")
    assert block[0x0C].value == 1000 and list(block[0x0E].value) == [0.1, 0.2, 0.3]
    assert 0x0D not in block and 0x99 not in block
    assert report.actions["private K"] == 2 and report.actions["private X"] > 2
    none = made()
    cleaned(none, BASIC)
    assert not any(tag.is_private for tag in none.keys())  # noqa: SIM118


def test_references_follow_and_names_of_things_stay() -> None:
    dataset = small_ct()
    old = str(dataset.SOPInstanceUID)
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = dataset.SOPClassUID, old
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = dataset.SeriesInstanceUID, [item]
    dataset.ReferencedSeriesSequence = [series]
    dataset.CodingSchemeIdentificationSequence = [Dataset()]
    dataset.CodingSchemeIdentificationSequence[0].CodingSchemeUID = "2.16.840.1.113883.6.96"
    cleaned(dataset)
    assert (
        dataset.ReferencedSeriesSequence[0].SeriesInstanceUID
        == dataset.SeriesInstanceUID
        == KEY.uid(small_ct().SeriesInstanceUID)
    )
    inside = dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    assert (
        inside.ReferencedSOPInstanceUID
        == dataset.SOPInstanceUID
        == dataset.file_meta.MediaStorageSOPInstanceUID
        == KEY.uid(old)
    )
    assert inside.ReferencedSOPClassUID == dataset.SOPClassUID == small_ct().SOPClassUID
    assert dataset.CodingSchemeIdentificationSequence[0].CodingSchemeUID == "2.16.840.1.113883.6.96"


def test_uids_stay_where_the_profile_retains_them() -> None:
    dataset = small_ct()
    cleaned(dataset, replace(RESEARCH, retain_uids=True))
    assert dataset.SOPInstanceUID == small_ct().SOPInstanceUID


def test_the_patient_is_one_pseudonym() -> None:
    dataset = small_ct()
    dataset.PatientName, dataset.OtherPatientNames = "Roe^Jane^Q=山田^花子=やまだ", ["Doe^Jane", "Roe^J"]
    dataset.IssuerOfPatientID, dataset.OtherPatientIDs = "HOSPITAL", ["1", "2"]
    cleaned(dataset)
    assert dataset.PatientID == dataset.PatientName == KEY.patient(small_ct().PatientID, "HOSPITAL")
    assert "OtherPatientNames" not in dataset and "OtherPatientIDs" not in dataset and "IssuerOfPatientID" not in dataset
    nameless, same = Dataset(), Dataset()
    nameless.StudyInstanceUID = same.StudyInstanceUID = "1.2.3"
    nameless.PatientID, nameless.StudyDate, same.StudyDate = "", "20200229", "20200229"
    cleaned(nameless), cleaned(same)
    assert nameless.PatientID.startswith("P-") and nameless.StudyDate == same.StudyDate != "20200229"


def test_dates_move_together_and_times_stay() -> None:
    dataset = small_ct()
    dataset.StudyDate, dataset.SeriesDate, dataset.AcquisitionDateTime = "20200301", "20200302", "20200301101112.5+0200"
    dataset.StudyTime, dataset.PatientBirthDate, dataset.PatientAge, dataset.TimezoneOffsetFromUTC = (
        "101112",
        "19400101",
        "093Y",
        "+0200",
    )
    cleaned(dataset)
    shift = KEY.shift_days(small_ct().PatientID)
    assert dataset.StudyDate == values.shifted("DA", "20200301", shift) and dataset.SeriesDate == values.shifted(
        "DA", "20200302", shift
    )
    assert dataset.AcquisitionDateTime == f"{dataset.StudyDate}101112.5"
    assert dataset.StudyTime == "101112" and not dataset.PatientBirthDate and dataset.PatientAge == "090Y"
    assert "TimezoneOffsetFromUTC" not in dataset and dataset.LongitudinalTemporalInformationModified == "MODIFIED"
    full = small_ct()
    cleaned(full, replace(RESEARCH, retain_modified_dates=False, retain_full_dates=True))
    assert full.StudyDate == small_ct().StudyDate and full.LongitudinalTemporalInformationModified == "UNMODIFIED"
    none = small_ct()
    cleaned(none, BASIC)
    assert none.StudyDate == "" and "SeriesDate" not in none and none.LongitudinalTemporalInformationModified == "REMOVED"


@given(st.dates(min_value=__import__("datetime").date(1900, 1, 1)), st.integers(-3650, -1))
def test_shifted_dates_keep_their_distance_and_precision(day: object, shift: int) -> None:
    text = f"{day:%Y%m%d}"
    assert values.shifted("DT", text + "0102", shift) == f"{values.shifted('DA', text, shift)}0102"
    assert values.shifted("DT", text[:6], shift) == values.shifted("DA", text[:6] + "01", shift)[:6]  # type: ignore[index]
    assert values.shifted("DA", "20209999", shift) is None and values.shifted("DA", "Roe", shift) is None


def test_codes_of_registered_schemes_stay_with_their_meaning() -> None:
    dataset = small_ct()
    dataset.AnatomicRegionSequence = [_code("40983000", "SCT", "Arm of Jane Roe"), _code("ROEJANE", "99HOSP", "Head")]
    cleaned(dataset)
    known, local = dataset.AnatomicRegionSequence
    assert known.CodeValue == "40983000" and "Roe" not in known.CodeMeaning and known.CodeMeaning
    assert local.CodingSchemeDesignator == "99LOCAL" and len(local.CodeValue) == 12 and local.CodeMeaning == "Head"


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def test_descriptions_forget_the_name_even_where_it_is_a_word() -> None:
    dataset = small_ct()
    dataset.PatientName, dataset.StudyDescription = "Sharp^Long", "CHEST CT sharp of Long with contrast"
    cleaned(dataset)
    assert dataset.StudyDescription == "CHEST CT of with contrast"


def test_marks_are_those_of_the_profile_and_former_ones_stay() -> None:
    dataset = small_ct()
    dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", "Method of Dr Roe"
    dataset.DeidentificationMethodCodeSequence = [_code("113112", "DCM", "Roe"), _code("ROE", "99X", "Roe")]
    report = cleaned(dataset)
    assert report.codes == ["113100", "113103", "113104", "113105", "113107", "113108", "113111", "113112"]
    assert [item.CodeValue for item in dataset.DeidentificationMethodCodeSequence] == report.codes
    assert dataset.PatientIdentityRemoved == "YES" and "Roe" not in dataset.DeidentificationMethod
    assert not left(dataset, b"Roe")


def test_the_report_names_tags_and_actions_only() -> None:
    dataset = small_ct()
    report = cleaned(dataset)
    assert report.what == "DICOM CT Image Storage"
    assert all(action.startswith(("(", "private ")) and action[-1] in "DZXKCU" for action in report.actions)
    assert small_ct().PatientID not in str(report.to_json())


def test_file_meta_says_nothing_of_where_it_came_from() -> None:
    dataset = small_ct()
    dataset.file_meta.SourceApplicationEntityTitle, dataset.file_meta.PrivateInformation = "ROE", b"ROE!"
    dataset.file_meta.PrivateInformationCreatorUID = "1.2.3"
    cleaned(dataset)
    assert {int(tag) & 0xFFFF for tag in dataset.file_meta.keys()} <= {0x0001, 0x0002, 0x0003, 0x0010, 0x0012, 0x0013}  # noqa: SIM118
    assert dataset.file_meta.ImplementationVersionName == "VOXELHUB_DEID"


def test_numbers_stay_and_floats_that_spell_are_blunted() -> None:
    dataset = small_ct()
    dataset[0x00189310] = raw(0x00189310, "FD", __import__("struct").pack("<d", 38.4))
    dataset[0x00189311] = raw(0x00189311, "FD", b"QZXTOKEN")
    cleaned(dataset)
    assert dataset[0x00189310].value == 38.4 and dataset.PixelSpacing == small_ct().PixelSpacing
    assert steps.blunted(b"QZXTOKEN", 8, True) == b"\0\0XTOKEN"


def test_colour_profiles_keep_colours_and_lose_texts() -> None:
    def entry(signature: bytes, offset: int, size: int) -> bytes:
        return signature + offset.to_bytes(4, "big") + size.to_bytes(4, "big")

    tags = (2).to_bytes(4, "big") + entry(b"desc", 156, 32) + entry(b"wtpt", 188, 20)
    profile = bytearray(128) + tags + b"desc" + TOKEN.ljust(28) + b"XYZ " + b"\1" * 16
    profile[36:40], profile[48:52] = b"acsp", b"ROE!"
    clean = without_texts(bytes(profile))
    assert clean is not None and TOKEN not in clean and b"ROE!" not in clean and clean.endswith(b"XYZ " + b"\1" * 16)
    assert without_texts(b"no profile " * 20) is None


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_decoded_data_sets_come_out_as_raw_ones(profile: Profile) -> None:
    lazy, decoded = small_ct(), small_ct()
    for _ in decoded:
        pass  # iterating decodes
    assert cleaned(lazy, profile).actions == cleaned(decoded, profile).actions
    assert lazy == decoded


def test_cleaning_twice_keeps_the_structure() -> None:
    dataset = small_ct()
    cleaned(dataset)
    tags = list(dataset.keys())
    cleaned(dataset)
    assert list(dataset.keys()) == tags


def test_sequences_deeper_than_anyone_needs_are_cut() -> None:
    dataset = inner = Dataset()
    for _ in range(60):
        inner.ContentSequence = [Dataset()]
        inner = inner.ContentSequence[0]
    inner.PatientName = TOKEN.decode()
    cleaned(dataset)
    assert not left(dataset, TOKEN)


elements = st.tuples(st.sampled_from(sorted(DicomDictionary)), st.sampled_from(VRS), st.binary(max_size=24))


@settings(max_examples=60, deadline=None)
@given(st.lists(elements, max_size=12), st.sampled_from(list(PROFILES.values())))
def test_no_bytes_break_the_engine(made: list[tuple[int, str, bytes]], profile: Profile) -> None:
    dataset = Dataset()
    dataset.set_original_encoding(False, True)
    for tag, vr, value in made:
        dataset[tag] = raw(tag, vr, value)
    before = copy.deepcopy(dataset)
    first, second = cleaned(dataset, profile), cleaned(before, profile)
    assert first.actions == second.actions
    assert values_of(dataset) == values_of(before)


def test_an_object_can_be_written_after_cleaning() -> None:
    dataset = small_ct()
    dataset[0x00400555] = DataElement(0x00400555, "SQ", Sequence([_code("113014", "DCM", "Study")]))
    cleaned(dataset)
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    assert pydicom.dcmread(io.BytesIO(out.getvalue())).PatientName == dataset.PatientName
