"""Valid before, valid after: dciodvfy finds no new error. Real files with an invented identity come out without it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian
from support.cleanable import shared
from support.cleaned import Cleaned, cleaned, text_of
from support.planted import PlantedFile

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
FOLDERS = (
    "dicom/derived-objects", "dicom/transfer-syntaxes", "dicom/charsets", "dicom/seg-with-source", "volumes/ct-tiny-series",
    "mammography/dicom", "deid/pseudo-phi-series/before", "deid/already-deidentified",
)  # fmt: skip
IDENTIFYING = (
    "PatientName", "PatientID", "PatientAddress", "PatientTelephoneNumbers", "ReferringPhysicianName", "PerformingPhysicianName",
    "AccessionNumber", "InstitutionName", "DeviceSerialNumber", "OperatorsName", "StationName", "OtherPatientIDs",
    "InstitutionAddress", "ScheduledProcedureStepID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
    "FrameOfReferenceUID", "PatientBirthDate", "StudyDate", "DateOfLastCalibration",
)  # fmt: skip


@pytest.fixture(scope="module")
def dciodvfy() -> str:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is not installed (Debian: dicom3tools)")
    return program


def errors(dciodvfy: str, path: Path) -> Counter[str]:
    """Its error lines without values and UIDs, with how often each stands there."""
    done = subprocess.run([dciodvfy, str(path)], capture_output=True, timeout=60)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    found = [line for line in lines if line.startswith("Error")]
    return Counter(re.sub(r"[0-9.]{9,}", "#", re.sub(r"= <[^>]*>|value <[^>]*>", "= <>", line)) for line in found)


def inflated(each: Cleaned) -> Path:
    """The source in a form that dciodvfy reads: it knows no deflated data sets."""
    dataset = each.before()
    if dataset.file_meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return each.source
    copy = each.target.with_suffix(".inflated")
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(copy)
    return copy


def new_errors(dciodvfy: str, files: list[Cleaned]) -> tuple[list[str], int]:
    """(lines that were not there before, errors there were before)."""
    new, before_all = [], 0
    for each in files:
        before, after = errors(dciodvfy, inflated(each)), errors(dciodvfy, each.target)
        before_all += before.total()
        new += [f"{each.before().get('Modality')}: {line}" for line in (after - before)]
    return new, before_all


def test_no_new_error_in_the_planted_objects(dciodvfy: str, research: list[tuple[PlantedFile, Cleaned]]) -> None:
    files = [each for file, each in research if file.valid and not each.held]
    new, before = new_errors(dciodvfy, files)
    print(f"dciodvfy: {len(files)} objects, {before} errors before, {len(new)} new ones after")
    assert len(files) > 25
    assert not new, "\n".join(dict.fromkeys(new))


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_new_error_in_real_files(dciodvfy: str, folder: str, tmp_path: Path) -> None:
    paths = [path for path in sorted(shared(folder).rglob("*")) if path.is_file() and path.suffix in (".dcm", "")]
    files = [cleaned(path, path.name, tmp_path / str(number), waived=True) for number, path in enumerate(paths)]
    released = [each for each in files if not each.held]  # a steward waived what only pixels hold back
    new, before = new_errors(dciodvfy, released)
    held = Counter(each.held for each in files if each.held)
    print(f"{folder}: {len(released)} of {len(files)} released, held: {dict(held)}; {before} errors before, {len(new)} new ones")
    assert released
    assert not new, "\n".join(dict.fromkeys(new))


def identity_of(dataset: Dataset) -> set[str]:
    """Values of the attributes that say who it is; names in their parts."""
    values: set[str] = set()
    for element in dataset.iterall():
        if element.keyword not in IDENTIFYING and not (element.tag.is_private and element.VR in ("LO", "SH", "PN")):
            continue
        if element.tag.is_private_creator or not element.value:
            continue
        for value in [element.value] if isinstance(element.value, str) or element.VM == 1 else element.value:
            values |= {str(value)} | (set(re.split(r"[\^=, ]+", str(value))) if element.VR in ("PN", "LO", "ST") else set())
    return {value for value in values if len(value) > 3 and value not in ("DICOM", "Data", "Private")}


def test_nothing_of_an_invented_identity_is_left(tmp_path: Path) -> None:
    """Short values are looked for in the decoded texts, long ones in the bytes, too."""
    paths = sorted(shared("deid/pseudo-phi-series/before").glob("*.dcm"))
    before = [dcmread(path) for path in paths]
    values = set().union(*map(identity_of, before))
    left = []
    for number, path in enumerate(paths):
        each = cleaned(path, path.name, tmp_path / str(number))
        assert not each.held, each.outcome
        data, text = each.target.read_bytes(), text_of(each.after()).decode()
        left += [len(value) for value in values if len(value) > 5 and value.encode() in data + each.told]
        left += [len(value) for value in values if value in re.split(r"[\s\\^,/]+", text)]
        assert each.after().PixelData == before[number].PixelData
    print(f"{len(paths)} files, {len(values)} identifying values, {len(left)} left")
    assert len(values) > 30
    assert not left


def test_what_is_already_deidentified_is_kept_and_reported(tmp_path: Path) -> None:
    for number, path in enumerate(sorted(shared("deid/already-deidentified").glob("*.dcm"))):
        each = cleaned(path, path.name, tmp_path / str(number))
        assert not each.held, each.outcome
        before, after = each.before(), each.after()
        assert before.PatientIdentityRemoved == after.PatientIdentityRemoved == "YES"
        codes = before.get("DeidentificationMethodCodeSequence", [])
        former = {str(item.CodeValue) for item in codes if item.CodingSchemeDesignator == "DCM" and item.CodeValue.isdigit()}
        now = {str(item.CodeValue) for item in after.DeidentificationMethodCodeSequence}
        assert former and former <= now | {"113100"}, "what was done before is no longer said"
        assert after.PixelData == before.PixelData


def test_marks_of_the_standard_are_written(research: list[tuple[PlantedFile, Cleaned]]) -> None:
    """(0012,0062), (0012,0063), (0012,0064), (0028,0303): PS3.15 E.1.1 and E.3."""
    for _, each in research:
        if each.held or each.target.read_bytes()[128:132] != b"DICM":
            continue
        after = each.after()
        assert after.PatientIdentityRemoved == "YES"
        assert after.DeidentificationMethod
        assert "113100" in [item.CodeValue for item in after.DeidentificationMethodCodeSequence]
        assert after.LongitudinalTemporalInformationModified == "MODIFIED"
        assert [str(item.CodeValue) for item in after.DeidentificationMethodCodeSequence] == each.outcome.report.codes  # type: ignore[union-attr]
        for item in after.DeidentificationMethodCodeSequence:
            assert item.CodingSchemeDesignator == "DCM" and item.CodeMeaning
