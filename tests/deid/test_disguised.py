"""Identity that looks like something else: names that are words, numbers and dates in sentences or in places for numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydicom import Dataset
from support.cleaned import cleaned, text_of
from support.planted import Planter
from support.planted_dicom import ct, put, write

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
DESCRIPTORS = ("StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments", "BodyPartExamined", "ContrastBolusAgent",
               "RequestedProcedureDescription", "AcquisitionComments", "DerivationDescription", "SequenceName", "FilterType",
               "ConvolutionKernel", "SoftwareVersions", "ManufacturerModelName", "ReceiveCoilName")  # fmt: skip


def after(tmp_path: Path, change: dict[str, str], **who: str) -> Dataset:
    """A CT with these values, cleaned."""
    planter = Planter(tmp_path / "in")
    with planter.file(".dcm") as path:
        dataset = ct(planter)
        for keyword, value in {**change, **who}.items():
            put(dataset, keyword, value)
        write(path, dataset)
    return cleaned(path, "a.dcm", tmp_path / "out").after()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Sharp^Axial", "Sharp"), ("Chest^May", "May"), ("Young^Head", "Young"), ("Bone^Contrast", "Contrast"), ("Li^Wei", "Wei"),
        ("Van Thorax^Anna", "Thorax"), ("Kidney-Stone^Rose", "Kidney"),
    ],
)  # fmt: skip
def test_names_that_are_ordinary_words(tmp_path: Path, name: str, said: str) -> None:
    """What would stay in anybody else's descriptors goes where the patient is called so."""
    found = after(tmp_path, dict.fromkeys(DESCRIPTORS, f"CT {said} 5mm"), PatientName=name)
    for keyword in DESCRIPTORS:
        assert said.lower() not in str(found.get(keyword, "")).lower(), keyword


@pytest.mark.parametrize(
    "said",
    [
        "17.04.1962", "1962-04-17", "17/04/62", "19620417", "April 17 1962", "17APR1962", "born 1962", "0447188213",
        "447 188 213", "44-71-88", "T4471882", "C4471", "L44718", "447188mm", "4471882x13", "MRN4471", "M-44718", "DOB17041962",
        "a.okonkwo@example.org", "+44 20 7946 0018", "10.1.44.71", "4471.88.213", "Okonkwo_A_1962", "okonkwo", "OKONKWO",
        "O k o n k w o", "Okon kwo", "0k0nkw0", "AOkonkwo", "v4471.88213", "Dr. Thistlethwaite", "St. Larkspur",
        "14 Bramblewick Lane", "000-44-7188",
    ],
)  # fmt: skip
def test_identity_in_sentences(tmp_path: Path, said: str) -> None:
    """No piece of four digits or five letters of it stays in any descriptor, among words that may stay or alone."""
    pieces = [piece for piece in re.findall(r"\d{4,}|[A-Za-z]{5,}", said) if piece.lower() not in ("april", "chest")]
    short = re.findall(r"\d{2}[./-]\d{2}[./-]\d{2}", said)
    for template in ("{}", "CT chest {} axial 5mm", "{} contrast"):
        found = after(tmp_path, {keyword: template.format(said) for keyword in DESCRIPTORS})
        left = "\n".join(str(found.get(keyword, "")) for keyword in DESCRIPTORS).lower()
        for piece in [*pieces, *short]:
            assert piece.lower() not in left, f"{piece!r} of {said!r} stays: {left!r}"
        assert said.lower() not in left.replace("\n", " | ")
        tmp_path = tmp_path / "next"


PLACES = ("SeriesNumber", "AcquisitionNumber", "InstanceNumber", "StudyID", "TemporalPositionIdentifier")


@pytest.mark.parametrize("keyword", PLACES)
def test_the_patients_number_in_a_place_for_numbers(tmp_path: Path, keyword: str) -> None:
    number = "447188213"
    found = after(tmp_path, {keyword: number}, PatientID=number)
    assert number.encode() not in text_of(found)


def test_other_names_for_the_same_person(tmp_path: Path) -> None:
    """Other ids, in their sequences, under issuers; and the name once more in a person's telecom and kin."""
    change = {"OtherPatientNames": "Okonkwo^Ada", "PatientMotherBirthName": "Eze^Ngozi", "ResponsiblePerson": "Okonkwo^Chidi",
              "CountryOfResidence": "Ruritania", "RegionOfResidence": "Zenda", "EthnicGroup": "Zendan", "Occupation":
              "lighthouse keeper", "MilitaryRank": "Colonel", "PatientReligiousPreference": "Pastafarian", "MedicalAlerts":
              "afraid of Eze",
              "CurrentPatientLocation": "Ward 7 Larkspur", "PatientInstitutionResidence": "Larkspur House"}  # fmt: skip
    text = text_of(after(tmp_path, change)).decode().lower()
    for word in ("okonkwo", "ngozi", "chidi", "ruritania", "zenda", "lighthouse", "colonel", "pastafarian", "larkspur", "ward 7"):
        assert word not in text, word
