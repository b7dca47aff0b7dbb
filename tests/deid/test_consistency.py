"""What belongs together still does after cleaning: references, patients, intervals; in any order; in one project, not in two."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from support.cleaned import KEY, Cleaned, cleaned
from support.planted import Corpus, PlantedFile, Planter
from support.planted_dicom import ct, write
from support.planted_objects import study
from voxelhub_service.deid.pseudonyms import Key

WELL_KNOWN = "1.2.840.10008."
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
Files = list[tuple[PlantedFile, Cleaned]]


def by_kind(files: Files) -> dict[str, list[tuple[Dataset, Dataset]]]:
    """(before, after) of the study's objects by modality."""
    found: dict[str, list[tuple[Dataset, Dataset]]] = {}
    for file, each in files:
        if file.valid and not each.held:
            found.setdefault(each.before().Modality, []).append((each.before(), each.after()))
    return found


@pytest.fixture(scope="module")
def one_study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Dataset, Dataset]]]:
    """CT of three slices with RTSTRUCT, SEG and SR that refer to it, before and after."""
    folder = tmp_path_factory.mktemp("study")
    planter = Planter(folder / "in")
    study(planter)
    return by_kind(
        [(file, cleaned(folder / "in" / file.path, file.path, folder / f"out/{n}")) for n, file in enumerate(planter.files)]
    )


def references(dataset: Dataset) -> list[tuple[str, str]]:
    """(place, UID) of every UID of an instance, in document order."""
    found: list[tuple[str, str]] = []
    for element in dataset.iterall():
        if element.VR == "UI" and element.value:
            values = [element.value] if isinstance(element.value, str) else element.value
            found += [(element.keyword, str(value)) for value in values if not str(value).startswith(WELL_KNOWN)]
    return found


def test_references_of_a_study_resolve(one_study: dict[str, list[tuple[Dataset, Dataset]]]) -> None:
    assert {kind: len(pairs) for kind, pairs in one_study.items()} == {"CT": 3, "RTSTRUCT": 1, "SEG": 1, "SR": 1}
    instances = {str(after.SOPInstanceUID) for pairs in one_study.values() for _, after in pairs}
    assert len(instances) == 6
    series = {str(after.SeriesInstanceUID) for _, after in one_study["CT"]}
    studies = {str(after.StudyInstanceUID) for pairs in one_study.values() for _, after in pairs}
    frames = {str(after.FrameOfReferenceUID) for _, after in one_study["CT"]}
    assert (len(series), len(studies), len(frames)) == (1, 1, 1)
    targets = {"ReferencedSOPInstanceUID": instances | studies, "ReferencedFrameOfReferenceUID": frames}
    for kind, expected in (("RTSTRUCT", 5), ("SEG", 6), ("SR", 4)):
        _, after = one_study[kind][0]
        found = [uid for place, uid in references(after) if place == "ReferencedSOPInstanceUID"]
        assert len(found) == expected, kind
        for place, uid in references(after):
            assert uid in targets.get(place, {uid}), f"{kind}: {place} points nowhere"
    nested = [uid for place, uid in references(one_study["SEG"][0][1]) if place == "SeriesInstanceUID"]
    assert set(nested) - {str(one_study["SEG"][0][1].SeriesInstanceUID)} == series


def test_every_uid_is_mapped_one_to_one(research: Files) -> None:
    """Over the whole corpus: equal before, equal after; different before, different after; and the file's meta follows."""
    there: dict[str, str] = {}
    for file, each in research:
        if each.held or not file.valid:
            continue
        before, after = each.before(), each.after()
        assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
            if keyword in before and keyword in after:
                assert there.setdefault(str(before[keyword].value), str(after[keyword].value)) == after[keyword].value
                assert after[keyword].value.startswith("2.25.") and len(after[keyword].value) <= 64
    assert len(set(there.values())) == len(there) > 100
    assert not set(there) & set(there.values())


def test_one_patient_in_a_project_is_one_and_in_two_projects_two(tmp_path: Path) -> None:
    """Two imports of different studies of one person link by pseudonym and keep intervals; another project shares nothing."""
    root = bytes(range(32, 64))
    planter = Planter(tmp_path / "in")
    days = ("20200131", "20200302")
    for day in days:
        with planter.file(".dcm") as path:
            dataset = ct(planter)
            dataset.StudyDate = dataset.AcquisitionDate = day
            dataset.PatientBirthDate = "19580817"
            write(path, dataset)
    again: dict[str, list[Dataset]] = {}
    for project in ("one", "two"):
        key = Key.of_project(root, project)
        files = [
            cleaned(tmp_path / "in" / file.path, file.path, tmp_path / project / str(n), key=key)
            for n, file in enumerate(planter.files)
        ]
        again[project] = [each.after() for each in files]
    first, second = again["one"]
    assert first.PatientID == second.PatientID and first.PatientName == second.PatientName
    assert _day(second.StudyDate) - _day(first.StudyDate) == _day(days[1]) - _day(days[0])
    assert first.StudyDate == first.AcquisitionDate != days[0]
    other = again["two"]
    assert other[0].PatientID == other[1].PatientID != first.PatientID
    assert other[0].StudyDate != first.StudyDate
    shared = {uid for _, uid in references(first)} & {uid for _, uid in references(other[0])}
    assert not shared - {str(first.file_meta.ImplementationClassUID)}


def _day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def test_intervals_and_ages_stay(research: Files) -> None:
    """All dates of one patient move by the same days; the age is kept and agrees with birth and study, where both are."""
    seen = 0
    for file, each in research:
        if each.held or not file.valid or not file.path.endswith(".dcm"):
            continue
        before, after = each.before(), each.after()
        moved = {
            (_day(after[keyword].value) - _day(before[keyword].value)).days
            for keyword in ("StudyDate", "SeriesDate", "ContentDate", "AcquisitionDate", "StructureSetDate")
            if before.get(keyword) and after.get(keyword)
        }
        assert len(moved) == 1 and moved < set(range(-3650, 0)), f"{file.path[-4:]}: dates moved apart"
        seen += 1
        assert after.get("PatientAge") == before.PatientAge
        if after.get("PatientBirthDate"):
            lived = (_day(before.StudyDate) - _day(before.PatientBirthDate)).days
            assert (_day(after.StudyDate) - _day(after.PatientBirthDate)).days == lived
    assert seen > 20


def test_very_old_ages_are_capped(tmp_path: Path) -> None:
    planter = Planter(tmp_path)
    with planter.file(".dcm") as path:
        dataset = ct(planter)
        dataset.PatientAge = "097Y"
        write(path, dataset)
    after = cleaned(path, "a.dcm", tmp_path / "out").after()
    assert after.get("PatientAge", "090Y") == "090Y"


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_order_changes_nothing(corpus: Corpus, research: Files, tmp_path: Path, seed: int) -> None:
    """A few files in any order, through a key that saw nothing before: the same bytes under the same names."""
    chosen = random.Random(seed).sample([pair for pair in research if not pair[1].held], 8)
    key = Key(bytes(range(32)))
    for number, (file, first) in enumerate(chosen):
        again = cleaned(corpus.root / file.path, file.path, tmp_path / f"{seed}-{number}", key=key)
        assert again.outcome.path == first.outcome.path  # type: ignore[union-attr]
        assert again.target.read_bytes() == first.target.read_bytes()


def test_cleaning_what_is_clean_keeps_it_readable(one_study: dict[str, list[tuple[Dataset, Dataset]]], tmp_path: Path) -> None:
    """Already de-identified files are taken again: marked, linked among each other, nothing lost but what the rules name."""
    planter = Planter(tmp_path / "in")
    with planter.file(".dcm") as path:
        write(path, ct(planter))
    once = cleaned(path, "a.dcm", tmp_path / "once")
    twice = cleaned(once.target, "a.dcm", tmp_path / "twice").after()
    assert twice.PatientIdentityRemoved == "YES"
    assert set(dcmread(once.target).keys()) == set(twice.keys())
    assert dcmread(once.target).PixelData == twice.PixelData
    assert KEY.uid(str(dcmread(once.target).SOPInstanceUID)) == twice.SOPInstanceUID
