"""FASTQ and FASTA: malformed files get a sentence, whole ones keep every letter and lose every name."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cleanable import KEY, SHARED, TOKEN, shared
from voxelhub_service.deid.outcome import Held, Released
from voxelhub_service.deid.sequences import check_fastq, clean_sequences, fastq_records, neutral_read


def cleaned(data: bytes, folder: Path, kind: str = "fastq") -> tuple[Any, Path]:
    source, target = folder / "source", folder / "clean"
    source.write_bytes(data)
    target.unlink(missing_ok=True)
    outcome = clean_sequences(source, target, kind=kind, key=KEY)
    assert target.exists() == isinstance(outcome, Released)
    return outcome, target


MUST_REJECT = ("diff_ids", "double_seq", "no_qual", "qual_escape", "qual_space", "qual_unit_sep", "short_qual", "tabs",
               "trunc_at_qual", "trunc_in_plus", "trunc_in_seq")  # fmt: skip
VALID = ("R1.fq", "R2.fq", "example.fastq", "example.fastq.gz", "illumina_full_range_as_sanger.fastq",
         "illumina_full_range_original_illumina.fastq", "longreads_original_sanger.fastq", "tricky.fastq",
         "wrapping_original_sanger.fastq")  # fmt: skip


@pytest.mark.parametrize("name", MUST_REJECT)
def test_every_malformed_file_gets_a_sentence(tmp_path: Path, name: str) -> None:
    data = shared(f"metagenomics/fastq/error_{name}.fastq").read_bytes()
    reason = check_fastq(io.BytesIO(data))
    assert reason is not None and reason.endswith(".") and "record" in reason.lower()
    outcome, _ = cleaned(data, tmp_path)
    assert isinstance(outcome, Held) and outcome.reason == reason and not outcome.releasable
    assert outcome.code == ("not_whole" if "trunc" in name else "unreadable")


@pytest.mark.parametrize("name", VALID)
def test_every_valid_file_keeps_its_letters(tmp_path: Path, name: str) -> None:
    data = shared(f"metagenomics/fastq/{name}").read_bytes()
    outcome, target = cleaned(data, tmp_path)
    assert isinstance(outcome, Released), outcome
    before, after = (
        [(record.letters, record.qualities) for record in fastq_records(io.BytesIO(plain(raw)))]
        for raw in (data, target.read_bytes())
    )
    assert before == after and before
    assert check_fastq(io.BytesIO(plain(target.read_bytes()))) is None


def test_all_of_the_shared_files_are_named_here() -> None:
    shared("metagenomics/fastq")
    named = {f"error_{name}.fastq" for name in MUST_REJECT} | set(VALID)
    assert {file.name for file in (SHARED / "metagenomics/fastq").iterdir() if file.suffix in (".fq", ".gz", ".fastq")} == named


def plain(data: bytes) -> bytes:
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


@pytest.mark.parametrize("pack", [False, True])
def test_names_and_comments_go(tmp_path: Path, pack: bool) -> None:
    data = "".join(f"@{TOKEN}.{n}/1 {TOKEN} x\nACGT\n+{TOKEN}.{n}/1 {TOKEN} x\nIIII\n" for n in range(3)).encode()
    outcome, target = cleaned(gzip.compress(data) if pack else data, tmp_path)
    assert isinstance(outcome, Released) and TOKEN.encode() not in plain(target.read_bytes())
    assert outcome.report.actions["comment: removed"] == 3
    outcome, target = cleaned(f">{TOKEN} {TOKEN}\nACGT\nAC-T\n>chr7 {TOKEN}\nNN\n".encode(), tmp_path, "fasta")
    assert isinstance(outcome, Released) and TOKEN.encode() not in target.read_bytes()
    assert target.read_bytes().endswith(b"\nACGT\nAC-T\n>chr7\nNN\n")


def test_names_keep_what_tools_need() -> None:
    first, second = (neutral_read(f"M00123:45:000000000-ABCDE:1:1101:15589:1334/{end}".encode(), KEY) for end in (1, 2))
    assert first[:-2] == second[:-2] and b"M00123" not in first and first.endswith(b":1:1101:15589:1334/1") and b":45:" in first
    assert neutral_read(b"SRR001666.1", KEY) == b"SRR001666.1"
    assert neutral_read(b"smith_1", KEY) != neutral_read(b"smith_2", KEY)


def test_casava_comments_stay(tmp_path: Path) -> None:
    _, target = cleaned(b"@a 1:N:0:ATCACG\nAC\n+\nII\n", tmp_path)
    assert b" 1:N:0:ATCACG\n" in target.read_bytes()


def test_a_reader_of_any_stream_stops_at_broken_packing() -> None:
    packed = gzip.compress(b"@a\nACGT\n+\nIIII\n" * 999)
    assert check_fastq(gzip.GzipFile(fileobj=io.BytesIO(packed))) is None
    assert check_fastq(gzip.GzipFile(fileobj=io.BytesIO(packed[:-12]))) == "The compressed data is broken or ends too early."
    assert check_fastq(io.BytesIO(b"")) is not None


@given(st.lists(st.tuples(st.text("ACGTN", max_size=30), st.integers(1, 9)), min_size=1, max_size=5), st.integers(0, 40))
def test_wrapped_records_read_back(records: list[tuple[str, int]], quality: int) -> None:
    """Qualities of "@" and "+" at the start of a line are no new record."""
    parts = []
    for number, (letters, width) in enumerate(records):
        marks = (("@+" + chr(33 + quality)) * 20)[: len(letters)]
        wrapped = ["\n".join(text[at : at + width] for at in range(0, len(text), width)) for text in (letters, marks)]
        parts.append(f"@r{number}\n{wrapped[0]}\n+\n{wrapped[1]}\n")
    read = [record.letters.decode() for record in fastq_records(io.BytesIO("".join(parts).encode()))]
    assert read == [letters for letters, _ in records]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["fastq", "fasta"]), st.booleans())
def test_any_bytes_never_raise(tmp_path: Path, data: bytes, kind: str, pack: bool) -> None:
    start = b"@a\nACGT\n+\nIIII\n" if kind == "fastq" else b">a\nACGT\n"
    cleaned(gzip.compress(start + data)[: 40 + len(data)] if pack else start + data, tmp_path, kind)
