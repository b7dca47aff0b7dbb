"""Content decides: what each file is taken for, whatever its name."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from support.study import SHARED
from voxelhub_service.datasets.describing import applied, describe
from voxelhub_service.datasets.phantom import COLUMNS, ROWS, SLICES, SPACING, make_phantom, write_phantom
from voxelhub_service.datasets.sniff import sniff
from voxelhub_service.errors import Problem


def volume(array: Any) -> bytes:
    return bytes(nibabel.Nifti1Image(array, np.eye(4)).to_bytes())


MASK = np.zeros((8, 8, 8), np.uint8)
MASK[2:4] = 3
CT = np.random.default_rng(0).integers(-1000, 1000, (8, 8, 8)).astype(np.int16)
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x03\0\0\0\x02\x08\0\0\0\0"
JPEG = b"\xff\xd8\xff\xc0\0\x11\x08\0\x02\0\x03\x03" + b"\0" * 20
TABLE = [
    ("scan", volume(CT), "volume", "volume", "nifti"),
    ("mask.nii", volume(MASK), "volume", "segmentation-mask", "nifti"),
    ("mask.nii.gz", gzip.compress(volume(MASK.astype(np.float32))), "volume", "segmentation-mask", "nifti"),
    ("two.nii", bytes(nibabel.Nifti2Image(CT, np.eye(4)).to_bytes()), "volume", "volume", "nifti"),
    ("x", PNG, "image", "image", "png"),
    ("x.txt", JPEG, "image", "image", "jpeg"),
    ("x", b"II*\0\x08\0\0\0\0\0", "image", "image", "tiff"),
    ("t.csv", b"a,b\n1,2\n", "table", "table", "csv"),
    ("t", b"a\tb\n1\t2\n", "table", "table", "tsv"),
    ("one.csv", b"a\n1\n", "table", "table", "csv"),
    ("semi", b"a;b\n1;2\n", "table", "table", "csv"),
    ("quoted", b'a,b\n"1,5",2\n', "table", "table", "csv"),
    ("prose.txt", b"Yes, we can.\nNo, we can.\n", "text", "document", "text"),
    ("README.md", b"# a, b\n", "text", "document", "markdown"),
    ("latin", "Größe: 5 µm\n".encode("latin-1"), "text", "document", "text"),
    ("utf16", "a b".encode("utf-16"), "text", "document", "text"),
    ("x.json", b'{"a": [1, 2]}', "text", "structured-data", "json"),
    ("a.json", b'{\n "format": "voxelhub-study/1", "front": {}}', "text", "plan", "json"),
    ("b.json", b'{"note": {"format":"voxelhub-study/1"}}', "text", "structured-data", "json"),
    ("broken.json", b'{"a": [1, 2', "text", "document", "text"),
    ("r.fq", b"@r\nACGT\n+\nIIII\n", "file", "sequence-reads", "fastq"),
    ("r.gz", gzip.compress(b"@r\nACGT\n+\nIIII\n"), "file", "sequence-reads", "fastq"),
    ("p", b">p\nMKV\n", "file", "sequence", "fasta"),
    ("p.pdf", b"%PDF-1.7\n\0", "file", "document", "pdf"),
    ("a.docx", b"PK\x03\x04rest\0", "file", "file", "zip"),
    ("b", b"\0\1\2\3", "file", "file", "binary"),
    ("e", b"", "file", "file", "binary"),
]


@pytest.mark.parametrize(
    ("name", "data", "kind", "data_type", "file_format"), TABLE, ids=[f"{i}-{row[0]}" for i, row in enumerate(TABLE)]
)
def test_what_it_is(tmp_path: Path, name: str, data: bytes, kind: str, data_type: str, file_format: str) -> None:
    (tmp_path / name).write_bytes(data)
    seen = sniff(tmp_path / name, name)
    assert (seen.kind, seen.data_type, seen.file_format) == (kind, data_type, file_format)  # type: ignore[union-attr]


def files_below(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]


def test_a_series_is_one_row_without_the_patients_words(tmp_path: Path) -> None:
    write_phantom(tmp_path)
    for number, path in enumerate(sorted((tmp_path / "chest-ct").iterdir())):
        raw = path.read_bytes()
        path.with_name(f"IMG{number}").write_bytes(raw[132:] if number % 2 else raw)  # with and without preamble
        path.unlink()
    found = describe(tmp_path, files_below(tmp_path))
    series, mask = found
    assert (series.name, series.kind, series.data_type, series.path) == (
        f"CT series 1 ({SLICES} slices)",
        "series",
        "ct-image",
        "chest-ct",
    )
    assert series.meta == {"modality": "CT", "shape": [COLUMNS, ROWS, SLICES], "spacing": list(SPACING)}
    assert len(series.files) == SLICES
    assert (mask.data_type, mask.meta["labels"]) == ("segmentation-mask", 2)
    for word in ("phantom", "synthetic", "2.25."):  # patient, descriptions, UIDs
        assert word not in str(found).lower()


def test_each_file_belongs_to_one_entry(tmp_path: Path) -> None:
    write_phantom(tmp_path)
    (tmp_path / "a.csv").write_bytes(b"a,b\n1,2\n")
    (tmp_path / "chest-ct/a.csv").write_bytes(b"a,b\n1,2\n")
    paths = files_below(tmp_path)
    found = describe(tmp_path, paths)
    assert sorted(path for one in found for path in one.files) == sorted(paths)
    assert {one.name for one in found if one.kind == "table"} == {"a.csv", "chest-ct/a.csv"}


def test_the_users_choice_wins_where_it_fits(tmp_path: Path) -> None:
    write_phantom(tmp_path)
    (tmp_path / "notes.txt").write_bytes(b"hello\n")
    found = describe(tmp_path, files_below(tmp_path))
    assert [one.data_type for one in applied(found, ("mr-image", None))] == ["mr-image", "mr-image", "document"]
    assert [one.data_type for one in applied(found, None)] == ["ct-image", "segmentation-mask", "document"]
    chosen = applied(found, {"notes.txt": ("table", "csv")})
    assert (chosen[2].data_type, chosen[2].file_format) == ("table", "csv")
    with pytest.raises(Problem):
        applied(found, ("horoscope", None))


def test_the_phantom_is_the_same_each_time(tmp_path: Path) -> None:
    write_phantom(tmp_path / "a")
    write_phantom(tmp_path / "b")
    for path in files_below(tmp_path / "a"):
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    phantom = make_phantom()
    millilitres = phantom.mask.sum() * np.prod(SPACING) / 1000
    assert abs(millilitres - 4 / 3 * np.pi * 1.4**3) < 0.7
    assert abs(np.median(phantom.ct[phantom.mask == 1]) - 60) < 3


STS = SHARED / "volumes" / "sts" / "STS_002" / "CT"


@pytest.mark.skipif(not STS.is_dir(), reason="the test inputs are not on this machine")
def test_a_real_series() -> None:
    found = [one for one in describe(STS, files_below(STS)) if one.kind == "series"]
    assert [(one.data_type, len(one.files)) for one in found] == [("ct-image", 48)]
