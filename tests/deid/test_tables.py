"""Tables: what may say who somebody is holds them; subjects, identifiers, places and days are replaced."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cleanable import KEY, TOKEN, shared
from voxelhub_service.deid import dates
from voxelhub_service.deid.columns import plain_heading
from voxelhub_service.deid.outcome import Held, Released
from voxelhub_service.deid.pseudonyms import Key
from voxelhub_service.deid.tables import clean_table


def cleaned(data: bytes | str, folder: Path, key: Key = KEY, **named: Any) -> tuple[Any, Path]:
    source, target = folder / "source", folder / "clean"
    source.write_bytes(data.encode() if isinstance(data, str) else data)
    target.unlink(missing_ok=True)
    outcome = clean_table(source, target, key=key, **named)
    assert target.exists() == isinstance(outcome, Released)
    return outcome, target


def rows(target: Path, separator: str = ",") -> list[list[str]]:
    with target.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, delimiter=separator))


@pytest.mark.parametrize(
    ("heading", "values", "code"),
    [
        ("Surname", ["Lee", "Lee", "Orr"], "name"),
        ("referring_physician", ["1", "2", "3"], "name"),
        ("Home Address", ["1", "1", "1"], "address_or_number"),
        ("date of birth", ["1970-01-01"] * 3, "birth"),
        ("Comments", ["ok", "ok", "ok"], "free_text"),
        ("Nachname", ["Meier", "Meier", "Orr"], "name"),
        ("prénom", ["Anne", "Anne", "Anne"], "name"),
        ("Straße", ["Hauptweg", "Hauptweg", "Hauptweg"], "address_or_number"),
        ("Geb.-Datum", ["1970-01-01"] * 3, "birth"),
        ("fecha de nacimiento", ["1970-01-01"] * 3, "birth"),
        ("Befund", ["ok", "ok", "ok"], "free_text"),
        ("x", ["John Smith", "John Smith", "Ann Lee"], "name"),
        ("x", ["SMITH^ANN", "SMITH^ANN", "a"], "name"),
        ("x", ["a@b.org", "1", "2"], "email"),
        ("x", ["+44 20 7946 0018", "1", "2"], "phone"),
        ("x", ["555-123-4567", "555-123-4568", "555-123-4569"], "phone"),
        ("x", ["He came on foot", "She slept", "No fever today"], "free_text"),
        ("x", ["1", "2", TOKEN], "free_text"),
        ("x", ["2020-01-01", "3", "4"], "dates_among_others"),
        ("seen", ["2020-01-01"] * 3, "dates_without_subject"),
        ("x", ["http://h/p", "1", "2"], "address"),
    ],
)  # fmt: skip
def test_personal_columns_are_held_by_number_without_a_value(tmp_path: Path, heading: str, values: list[str], code: str) -> None:
    text = f"n,{heading}\n" + "".join(f"{number},{value}\n" for number, value in enumerate(values))
    outcome, _ = cleaned(text, tmp_path)
    assert isinstance(outcome, Held) and outcome.code == "personal_columns"
    assert [(finding.code, finding.where) for finding in outcome.findings] == [(code, "column 2")]
    assert not any(value in repr(outcome) for value in values if len(value) > 2)
    assert isinstance(cleaned(text, tmp_path, waived=True)[0], Released)


def test_subjects_agree_with_dicom_and_days_move_with_them(tmp_path: Path) -> None:
    text = (
        "PatientID,visit,scan date,other,n\nMRN-1,1,2020-02-28,28.02.2020,4\nMRN-2,1,2020-02-28,29.02.2020,5\n"
        "MRN-1,2,2020-03-01,01.03.2020,\n,3,2020-03-01,,1\n"
    )
    outcome, target = cleaned(text, tmp_path)
    assert isinstance(outcome, Released)
    head, one, two, three, nobody = rows(target)
    assert head == ["PatientID", "visit", "scan date", "other", "n"]
    assert one[0] == three[0] == KEY.patient("MRN-1") and two[0] == KEY.patient("MRN-2")
    moved = [dt.date.fromisoformat(row[2]) for row in (one, two, three)]
    assert (moved[0] - dt.date(2020, 2, 28)).days == KEY.shift_days("MRN-1") and (moved[2] - moved[0]).days == 2
    assert (moved[1] - dt.date(2020, 2, 28)).days == KEY.shift_days("MRN-2")
    assert dt.datetime.strptime(one[3], "%d.%m.%Y").date() == moved[0]
    assert nobody == ["", "3", "", "", "1"]
    other = rows(cleaned(text, tmp_path, key=Key(bytes(32)))[1])
    assert {row[0] for row in other[1:4]}.isdisjoint({one[0], two[0]})


def test_identifiers_are_the_same_token_in_every_table(tmp_path: Path) -> None:
    first = rows(cleaned("sample_id,count\nS-00A1,1\nS-00B2,2\n", tmp_path)[1])
    second = rows(cleaned("count,ID\n7,S-00B2\n8,S-00A1\n", tmp_path)[1])
    assert first[1][0] == second[2][1] and first[2][0] == second[1][1] and first[1][0] != first[2][0]
    assert "S-00A1" not in str(first)
    numbered = rows(cleaned("n,k\n1,48213377\n2,48213378\n3,48213379\n", tmp_path)[1])
    assert all(not row[1].isdigit() for row in numbered[1:])


def test_numbers_and_categories_stay(tmp_path: Path) -> None:
    text = "age,sex,diagnosis,grade,value\n43,F,CD,1,1e-5\n51,M,UC,2,-2.5\n60,F,CD,NA,.5\n"
    outcome, target = cleaned(text, tmp_path)
    assert isinstance(outcome, Released) and target.read_text() == text and not outcome.report.actions.total()


def test_without_a_heading_every_row_is_a_value(tmp_path: Path) -> None:
    outcome, _ = cleaned("Smith,F\nJones,M\nOrr,F\n", tmp_path)
    assert isinstance(outcome, Held) and outcome.findings[0].where == "column 1"


def test_a_heading_that_may_be_a_name_gives_way(tmp_path: Path) -> None:
    outcome, target = cleaned("gene,Okonkwo,Adaeze Lee,tumor_size\nTP53,1,2,3\nBRCA1,3,4,5\n", tmp_path)
    assert isinstance(outcome, Released) and rows(target)[0] == ["gene", "column-2", "column-3", "tumor_size"]
    assert not plain_heading("ZQ7XAB4CDE2F") and plain_heading("Bacteroides dorei") and plain_heading("HRposHER2neg")
    assert isinstance(cleaned("gene,1970-01-01\nTP53,1\n", tmp_path)[0], Released | Held)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators(tmp_path: Path, encoding: str, separator: str) -> None:
    text = "\n".join(separator.join(row) for row in (["subject", "größe"], ["Müller-7", "1"], ["Weiß-8", "2"])) + "\n"
    outcome, target = cleaned(text.encode(encoding), tmp_path)
    assert isinstance(outcome, Released), outcome
    assert rows(target, "\t" if separator == "\t" else separator)[1][0] == KEY.patient("Müller-7")
    assert outcome.path.endswith(".tsv" if separator == "\t" else ".csv")


def test_broken_tables_say_so(tmp_path: Path) -> None:
    for data in ('a,b\n"x,1\n', "a,b\n1,2,3\n", b"a,b\n\0\0\n", "\n\n"):
        outcome, _ = cleaned(data, tmp_path)
        assert isinstance(outcome, Held) and outcome.code == "unreadable" and outcome.reason.endswith(".")


def test_real_tables(tmp_path: Path) -> None:
    for name in (
        "metagenomics/hmp2_ibd_metadata.tsv",
        "metagenomics/hmp2_ibd_taxonomy.tsv",
        "breast-mri/ispy1_clinical_mri_outcome.csv",
    ):
        source = shared(name)
        outcome, target = cleaned(source.read_bytes(), tmp_path)
        assert isinstance(outcome, Released), outcome
        before, after = rows(source, "\t" if name.endswith("tsv") else ","), rows(target, "\t" if name.endswith("tsv") else ",")
        assert len(before) == len(after)
        print(name, dict(outcome.report.actions))
        assert not {row[0] for row in before[1:]} & {row[0] for row in after[1:]}
    assert "C3001" not in (tmp_path / "clean").read_text()


@given(
    st.dates(dt.date(1900, 1, 1), dt.date(2099, 1, 1)),
    st.integers(-3650, -1),
    st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y"]),
)
def test_a_day_moves_in_its_own_writing(day: dt.date, shift: int, writing: str) -> None:
    moved = dates.moved(day.strftime(writing), shift, day_first=True)
    assert moved is not None and dt.datetime.strptime(moved, writing).date() == day + dt.timedelta(days=shift)
    assert dates.is_date(day.strftime(writing))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_never_raise(tmp_path: Path, data: bytes) -> None:
    cleaned(data, tmp_path)
    cleaned(b"a,b\n1," + data, tmp_path, waived=True)
