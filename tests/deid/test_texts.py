"""JSON beside images keeps numbers and known words; files of numbers stay; everything else is held."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.cleanable import KEY, TOKEN, shared
from voxelhub_service.deid.outcome import Held, Released
from voxelhub_service.deid.texts import LISTS, NUMBERS, WORDS, clean_text


def cleaned(data: bytes, folder: Path, kind: str = "json", ending: str = ".json") -> tuple[Any, Path]:
    source, target = folder / "source", folder / "clean"
    source.write_bytes(data)
    target.unlink(missing_ok=True)
    outcome = clean_text(source, target, kind=kind, ending=ending, key=KEY)
    assert target.exists() == isinstance(outcome, Released)
    return outcome, target


def test_a_sidecar_keeps_how_and_loses_whom(tmp_path: Path) -> None:
    kept = {
        "Modality": "MR",
        "EchoTime": 0.03,
        "SliceTiming": [0, 0.5],
        "PhaseEncodingDirection": "j-",
        "ImageType": ["ORIGINAL", "M"],
    }
    lost = dict.fromkeys(
        ("PatientName", "SeriesDescription", "InstitutionName", "AcquisitionDateTime", "ProtocolName", TOKEN), TOKEN
    )
    lost |= {
        "Manufacturer": TOKEN,
        "FlipAngle": TOKEN,
        "RepetitionTime": [1, TOKEN],
        "EchoNumber": {"a": TOKEN},
        "BIDSVersion": TOKEN,
    }
    data = kept | lost | {"ImageType": ["ORIGINAL", TOKEN, "M"]}
    outcome, target = cleaned(json.dumps(data).encode(), tmp_path)
    assert isinstance(outcome, Released) and TOKEN not in target.read_text()
    assert json.loads(target.read_text()) == kept
    assert TOKEN not in json.dumps(outcome.report.to_json())


def test_other_json_is_held(tmp_path: Path) -> None:
    for data in (b'{"note": "x"}', b"[1, 2]", b'"x"', b"{}"):
        outcome, _ = cleaned(data, tmp_path)
        assert isinstance(outcome, Held) and outcome.code == "free_text" and outcome.releasable
    for data in (b"{", b"[" * 100_000, b'{"EchoTime": }'):
        outcome, _ = cleaned(data, tmp_path)
        assert isinstance(outcome, Held) and outcome.code == "unreadable"


def test_the_real_sidecar(tmp_path: Path) -> None:
    source = shared("deid/already-deidentified/dcm2niix_sidecar.json")
    outcome, target = cleaned(source.read_bytes(), tmp_path)
    assert isinstance(outcome, Released)
    kept, given_ = json.loads(target.read_text()), json.loads(source.read_text())
    assert kept and all(given_[name] == value for name, value in kept.items() if name not in LISTS)
    assert {name for name, value in kept.items() if isinstance(value, str)} <= WORDS.keys() | {"ConversionSoftwareVersion"}
    print("kept", len(kept), "of", len(given_))


def test_numbers(tmp_path: Path) -> None:
    outcome, target = cleaned(b"0 1000 1000.5\n0\t-1e-3 nan\n", tmp_path, "numbers", ".bval")
    assert (
        isinstance(outcome, Released) and outcome.path.endswith(".bval") and target.read_text() == "0 1000 1000.5\n0 -1e-3 nan\n"
    )
    for data in (b"0 1\n19700101 2\n", b"0 x\n", b"12345678\n", b"1_0\n", "0 é\n".encode()):
        outcome, _ = cleaned(data, tmp_path, "numbers", ".bvec")
        assert isinstance(outcome, Held) and outcome.code == "free_text"


FIELDS = st.sampled_from([TOKEN, *sorted(NUMBERS)[:8], *WORDS, *LISTS])
LEAVES = st.none() | st.booleans() | st.floats() | st.just(TOKEN) | st.text(max_size=5)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4), max_leaves=12
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_a_planted_word_never_comes_through(tmp_path: Path, value: Any) -> None:
    outcome, target = cleaned(json.dumps(value).encode(), tmp_path)
    if isinstance(outcome, Released):
        assert TOKEN not in target.read_text()
        json.loads(target.read_text())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100), st.sampled_from(["json", "numbers"]))
def test_any_bytes_never_raise(tmp_path: Path, data: bytes, kind: str) -> None:
    cleaned(data, tmp_path, kind)
