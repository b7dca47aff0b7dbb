"""Keyed pseudonyms: shape, linkage within a key, none across keys."""

from __future__ import annotations

import pickle
import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from voxelhub_service.deid.pseudonyms import Key

ONE, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))
texts = st.text(min_size=1, max_size=64)


@given(texts)
def test_uids_are_version_8_uuids_and_stay_the_same(uid: str) -> None:
    new = Key(bytes(range(32))).uid(uid)
    assert new == ONE.uid(uid)
    assert new != OTHER.uid(uid)
    assert re.fullmatch(r"2\.25\.\d{1,39}", new) and len(new) <= 64
    drawn = uuid.UUID(int=int(new.removeprefix("2.25.")))
    assert (drawn.version, drawn.variant) == (8, uuid.RFC_4122)


def test_what_dicom_names_itself_stays() -> None:
    assert ONE.uid("1.2.840.10008.5.1.4.1.1.2") == "1.2.840.10008.5.1.4.1.1.2"
    assert ONE.uid("1.2.840.10008.9.NAME") != "1.2.840.10008.9.NAME"
    assert ONE.uid("1.2.840.10008.1.20031112131500.4711.123456789").startswith("2.25.")


@given(texts, st.sampled_from(["", "HOSPITAL"]))
def test_patients_link_within_a_key_only(patient: str, issuer: str) -> None:
    pseudonym, shift = ONE.patient(patient, issuer), ONE.shift_days(patient, issuer)
    assert re.fullmatch(r"P-[A-Z2-7]{12}", pseudonym)
    assert -3650 <= shift <= -1
    assert pseudonym == ONE.patient(f" {patient} \0", issuer)
    assert pseudonym != OTHER.patient(patient, issuer)


def test_shifts_spread_and_are_never_zero() -> None:
    shifts = {ONE.shift_days(str(number)) for number in range(5000)}
    assert min(shifts) >= -3650 and max(shifts) <= -1 and len(shifts) > 2500


def test_domains_and_issuers_do_not_meet() -> None:
    assert ONE.patient("A", "B") != ONE.patient("A", "C")
    assert ONE.patient("AB", "") != ONE.patient("B", "A")
    words = {ONE.token(domain, "x") for domain in ("study", "series", "instance")} | {ONE.patient("x")[2:].lower()}
    assert len(words) == 4
    assert re.fullmatch("[a-z2-7]{20}", ONE.token("study", "x", 20))


def test_projects_of_one_root_differ_and_no_key_shows() -> None:
    root = b"r" * 32
    assert (
        Key.of_project(root, "a").patient("1")
        == Key.of_project(root, "a").patient("1")
        != Key.of_project(root, "b").patient("1")
    )
    assert "00" not in repr(ONE) and repr(ONE) == "Key(hidden)"
    assert pickle.loads(pickle.dumps(ONE)).uid("1.2.3") == ONE.uid("1.2.3")
    with pytest.raises(ValueError, match="32 bytes"):
        Key(b"short")
