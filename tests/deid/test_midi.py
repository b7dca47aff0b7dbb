"""The ten actions of the MIDI-B benchmark (arXiv 2507.23608) as an answer key over the planted corpus.

Written by hand from PS3.15 and what the profile "research" promises: 100 % of the required actions. The score is printed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from support.cleaned import KEY, PATIENT, Cleaned, cleaned
from support.planted import PERSON, Corpus, PlantedFile, Planter
from support.planted_dicom import ct, mr, write
from support.planted_objects import enhanced_mr, rtstruct, seg, sr

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
ACTIONS = ("tag_retained", "text_notnull", "text_retained", "text_removed", "date_shifted", "uid_changed", "uid_consistent",
           "patid_consistent", "pixels_hidden", "pixels_retained")  # fmt: skip
Score = Counter[tuple[str, bool]]

# What any image needs to be used: geometry, acquisition, display. Values stay to the letter.
RETAINED = (
    "SOPClassUID", "Modality", "ImageType", "SpecificCharacterSet", "Manufacturer", "PatientSex", "PatientAge", "Rows",
    "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation",
    "PixelSpacing", "SliceThickness", "SliceLocation", "ImagePositionPatient", "ImageOrientationPatient", "PatientPosition",
    "SeriesNumber", "InstanceNumber", "AcquisitionNumber", "KVP", "RescaleIntercept", "RescaleSlope", "RescaleType",
    "WindowCenter", "WindowWidth", "BodyPartExamined", "BurnedInAnnotation", "NumberOfFrames", "RepetitionTime", "EchoTime",
    "EchoTrainLength", "ScanningSequence", "SequenceVariant", "MRAcquisitionType", "PlanarConfiguration",
    "LossyImageCompression", "LossyImageCompressionMethod", "LossyImageCompressionRatio", "SegmentationType", "VerificationFlag",
    "CompletionFlag", "ValueType", "ContinuityOfContent", "ContentQualification", "StudyTime", "SeriesTime", "AcquisitionTime",
    "ContentTime",
)  # fmt: skip
# Type 1 attributes of nested items: there with a value, whatever it is. By keyword, anywhere in the object.
NOT_NULL = (
    "ROINumber", "ROIGenerationAlgorithm", "ReferencedROINumber", "RTROIInterpretedType", "ContourGeometricType", "ContourData",
    "SegmentNumber", "SegmentLabel", "SegmentAlgorithmType", "CodeValue", "CodingSchemeDesignator", "CodeMeaning",
    "RelationshipType", "MeasuredValueSequence", "NumericValue", "StructureSetLabel", "ContentLabel", "DimensionIndexPointer",
    "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
)  # fmt: skip
REMOVED = (
    "PatientAddress", "PatientTelephoneNumbers", "InstitutionName", "InstitutionAddress", "StationName", "DeviceSerialNumber",
    "IssuerOfPatientID", "AdditionalPatientHistory", "PatientComments", "OperatorsName", "PerformingPhysicianName",
    "ReviewerName", "ROIInterpreter",
)  # fmt: skip
DATES = (
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "ContentDate",
    "StructureSetDate",
    "AcquisitionDateTime",
    "FrameAcquisitionDateTime",
)
UIDS = (
    "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "ReferencedSOPInstanceUID",
    "ReferencedFrameOfReferenceUID", "DimensionOrganizationUID", "TrackingUID", "UID",
)  # fmt: skip


@dataclass
class Judge:
    """One file's required actions, each told as done or not."""

    before: Dataset
    after: Dataset
    mapped: dict[str, str]  # UIDs of the whole corpus, before -> after
    patients: dict[tuple[str, str], str]

    def actions(self) -> Iterator[tuple[str, bool, str]]:
        yield from self._top()
        yield from self._nested()
        yield from self._patient()
        if "PixelData" in self.before:
            same = "PixelData" in self.after and pixels(self.before) == pixels(self.after)
            yield "pixels_retained", same, "PixelData"

    def _top(self) -> Iterator[tuple[str, bool, str]]:
        for keyword in RETAINED:
            if self.before.get(keyword) not in (None, ""):
                yield "tag_retained", keyword in self.after, keyword
                yield "text_retained", str(self.after.get(keyword)) == str(self.before.get(keyword)), keyword
        for keyword in ("StudyDescription", "SeriesDescription"):
            said = str(self.before.get(keyword, ""))
            for word in re.findall(r"\b(CT|CHEST|AXIAL|5mm)\b", said):  # what is told of the picture stays, the name does not
                yield "text_retained", word.lower() in str(self.after.get(keyword, "")).lower(), f"{keyword}: {word}"
            if said:
                lost = not any(word.lower() in str(self.after.get(keyword, "")).lower() for word in PERSON.values())
                yield "text_removed", lost, keyword

    def _nested(self) -> Iterator[tuple[str, bool, str]]:
        after = list(self.after.iterall())
        there = Counter(each.keyword for each in after if each.value not in (None, "", []))
        wanted = Counter(each.keyword for each in self.before.iterall() if each.value not in (None, "", []))
        for keyword in NOT_NULL:
            if wanted[keyword]:
                yield "text_notnull", there[keyword] >= wanted[keyword], keyword
        texts = {keyword: [str(each.value) for each in after if each.keyword == keyword] for keyword in REMOVED}
        for element in self.before.iterall():
            if element.keyword in REMOVED and element.value:
                yield "text_removed", str(element.value) not in texts[element.keyword], element.keyword
            elif element.keyword in DATES and element.value:
                yield "date_shifted", self._shifted(element.keyword, str(element.value)), element.keyword
            elif element.keyword in UIDS and element.value and not str(element.value).startswith("1.2.840.10008."):
                old = str(element.value)
                now = [str(each.value) for each in after if each.keyword == element.keyword]
                yield "uid_changed", old not in now, element.keyword
                if now:
                    expected = self.mapped.setdefault(old, KEY.uid(old))
                    yield "uid_consistent", expected in now, element.keyword

    def _shifted(self, keyword: str, old: str) -> bool:
        days = KEY.shift_days(str(self.before.PatientID), str(self.before.get("IssuerOfPatientID", "")))
        moved = f"{date.fromordinal(date(int(old[:4]), int(old[4:6]), int(old[6:8])).toordinal() + days):%Y%m%d}{old[8:]}"
        return moved in [str(each.value) for each in self.after.iterall() if each.keyword == keyword]

    def _patient(self) -> Iterator[tuple[str, bool, str]]:
        who = (str(self.before.PatientID), str(self.before.get("IssuerOfPatientID", "")))
        now = str(self.after.PatientID)
        yield "patid_consistent", now == self.patients.setdefault(who, now) and now != who[0], "PatientID"
        yield "text_removed", str(self.after.PatientName) != str(self.before.PatientName), "PatientName"
        yield "text_notnull", bool(now), "PatientID"


def pixels(dataset: Dataset) -> bytes:
    return np.ascontiguousarray(dataset.pixel_array).tobytes()


def key_of(planter: Planter) -> None:
    """One of each kind of object, of one patient."""
    made: dict[str, Dataset] = {}

    def slices() -> list[Dataset]:
        return [made[name] for name in ("ct1", "ct2", "ct3")]

    builders: list[tuple[str, Callable[[], Dataset]]] = [
        *((f"ct{number}", lambda number=number: ct(planter, number=number)) for number in (1, 2, 3)),  # type: ignore[misc]
        ("mr", lambda: mr(planter)), ("enhanced", lambda: enhanced_mr(planter)), ("rtstruct", lambda: rtstruct(planter,
        slices())), ("seg", lambda: seg(planter, slices())), ("sr", lambda: sr(planter, slices())),
    ]  # fmt: skip
    for name, build in builders:
        with planter.file(".dcm", valid=True) as path:
            made[name] = build()
            write(path, made[name])


def judged(files: list[tuple[PlantedFile, Cleaned]]) -> tuple[Score, list[str]]:
    score: Score = Counter()
    missing: list[str] = []
    mapped: dict[str, str] = {}
    patients: dict[tuple[str, str], str] = {}
    for number, (file, each) in enumerate(files):
        if not file.valid:
            continue
        assert not each.held, each.outcome
        before = each.before()
        for action, done, what in Judge(before, each.after(), mapped, patients).actions():
            score[action, done] += 1
            if not done:
                missing.append(f"{number} {before.Modality}: {action} {what}")
    return score, missing


def printed(score: Score) -> str:
    done, required = sum(score[a, True] for a in ACTIONS), score.total()
    lines = [f"{action:18} {score[action, True]:6} of {score[action, True] + score[action, False]:6}" for action in ACTIONS]
    return "\n".join([*lines, f"{'all':18} {done:6} of {required:6} = {100 * done / required:.2f} %"])


def test_all_required_actions(corpus: Corpus, research: list[tuple[PlantedFile, Cleaned]], tmp_path: Path) -> None:
    planter = Planter(tmp_path / "in", seed=9)
    key_of(planter)
    made = [
        (file, cleaned(tmp_path / "in" / file.path, file.path, tmp_path / f"out/{n}")) for n, file in enumerate(planter.files)
    ]
    score, missing = judged([*research, *made])
    for hidden, what in burned_in(corpus, research):
        score["pixels_hidden", hidden] += 1
        missing += [] if hidden else [what]
    print(f"\n{printed(score)}")
    assert all(score[action, True] for action in ACTIONS), "an action that nothing was asked for"
    assert not missing, "\n".join(missing)


def burned_in(corpus: Corpus, research: list[tuple[PlantedFile, Cleaned]]) -> Iterator[tuple[bool, str]]:
    """Pixels that say who it is are not seen: the file is held, or, for a slide, the pictures of label and macro are gone.

    What is masked where a reader of text has found some is judged with real readers and real pictures in test_pixels*.py."""
    for file, each in research:
        if file.expect & {"burned_in"}:
            yield bool(each.held), f"{file.path}: pixels_hidden"
        if file.path.endswith(".svs"):
            data = each.target.read_bytes()
            for plant in file.plants:
                if plant.where.startswith("pixels of the"):
                    yield not any(needle in data for needle in plant.needles), f"{plant.where}: pixels_hidden"


def test_the_key_notices_what_is_not_done(tmp_path: Path) -> None:
    """The judge against a cleaner that does nothing: it must fail every action that changes something."""
    planter = Planter(tmp_path / "in", seed=9)
    key_of(planter)
    score: Score = Counter()
    for file in planter.files:
        each = Cleaned(tmp_path / "in" / file.path, tmp_path / "in" / file.path, None)  # type: ignore[arg-type]
        for action, done, _ in Judge(each.before(), each.after(), {}, {}).actions():
            score[action, done] += 1
    for action in ("text_removed", "date_shifted", "uid_changed", "uid_consistent", "patid_consistent"):
        assert score[action, False] > score[action, True], action
    assert PATIENT
