"""Archives are unpacked whole or refused with a sentence; no bomb fills disk or memory, and nothing leads out of the folder."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from voxelhub_service.datasets.archives import DEEPEST, Budget, Member, is_archive, unpack
from voxelhub_service.errors import Problem

FILES = {
    "scan/IM0": bytes(range(256)) * 3,
    "scan/deep/IM1": b"\0" * 5000,
    "empty": b"",
    "Ünïcode/日本.txt": b"x" * 512,
    "noise": np.random.default_rng(0).bytes(3_000_000),
    "inner.zip": b"PK\x03\x04 stays the file that it is",
}


def tar_of(files: dict[str, bytes], **more: Any) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", **more) as archive:
        folder = tarfile.TarInfo("scan")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("scan")
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def zst(data: bytes) -> bytes:
    half = len(data) // 2
    return b"".join(zstandard.ZstdCompressor().compress(part) for part in (data[:half], data[half:]))  # two frames


def xz(data: bytes) -> bytes:
    half = len(data) // 2
    return lzma.compress(data[:half]) + b"\0" * 8 + lzma.compress(data[half:])  # two streams, padded


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes, ".tar.gz": gzip.compress, ".tgz": gzip.compress, ".tar.bz2": bz2.compress, ".tar.xz": xz,
    ".txz": lzma.compress, ".tar.zst": zst, ".tzst": zst,
}  # fmt: skip


def unpacked(folder: Path, name: str, data: bytes, *, most: int = 10**9, files: int = 1000, ratio: int = 200) -> list[Member]:
    (folder / name).write_bytes(data)
    assert is_archive(folder / name, name)
    return unpack(folder / name, name, folder / f"out/{name}", Budget(most, files, ratio), lambda count: None)


def refused(folder: Path, name: str, data: bytes, **more: int) -> str:
    with pytest.raises(Problem) as caught:
        unpacked(folder, name, data, **more)
    assert caught.value.code in ("archive_refused", "archive_broken") and caught.value.fix
    return caught.value.detail


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
@pytest.mark.parametrize("ending", PACKERS)
def test_tar(tmp_path: Path, ending: str, form: int) -> None:
    members = unpacked(tmp_path, f"study{ending}", PACKERS[ending](tar_of(FILES, format=form)))
    assert {one.path: (one.size, one.sha256) for one in members} == {
        name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()
    }
    for name, data in FILES.items():
        assert (tmp_path / f"out/study{ending}" / name).read_bytes() == data


def test_zip(tmp_path: Path) -> None:
    assert {one.path for one in unpacked(tmp_path, "study.zip", zip_of(FILES))} == set(FILES)


def test_the_real_programs(tmp_path: Path) -> None:
    """GNU tar's own archive, with its `./` and folders."""
    (tmp_path / "in/scan").mkdir(parents=True)
    (tmp_path / "in/scan/IM0").write_bytes(FILES["noise"])
    subprocess.run(["tar", "-czf", tmp_path / "made.tar.gz", "-C", tmp_path / "in", "."], check=True)
    assert [one.path for one in unpacked(tmp_path, "made.tar.gz", (tmp_path / "made.tar.gz").read_bytes())] == ["scan/IM0"]


@pytest.mark.parametrize("ending", PACKERS)
def test_half_an_archive_is_none(tmp_path: Path, ending: str) -> None:
    """Also where `tarfile` would take the cut for the end: at a header, or between two members."""
    plain = tar_of(FILES)
    whole = PACKERS[ending](plain)
    assert "not a whole archive" in refused(tmp_path, f"a{ending}", whole[: len(whole) * 2 // 3])
    if ending == ".tar":
        at = plain.index(b"inner.zip")
        for number, cut in enumerate((at, at + 100, at - 512)):
            assert "not a whole archive" in refused(tmp_path, f"{number}.tar", plain[:cut])
        spoiled = plain[:at] + b"I" + plain[at + 1 :]
        assert "not a whole archive" in refused(tmp_path, "spoiled.tar", spoiled)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.zst", "a.tar.xz"])
@pytest.mark.parametrize("data", [b"no archive", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08", b"\xfd7zXZ\0\0", b"BZh9", b"PK\x03\x04"])
def test_what_is_no_archive(tmp_path: Path, name: str, data: bytes) -> None:
    assert "not a whole archive" in refused(tmp_path, name, data)


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../../x", "a//b", "a/./b", "C:\\x", "a\nb"])
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    assert "was not unpacked" in refused(tmp_path, "a.tar", tar_of({name: b"x"}))
    assert "was not unpacked" in refused(tmp_path, "a.zip", zip_of({name: b"x"}))
    assert not any(path.name == "x" for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices(tmp_path: Path, kind: bytes) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("x")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    assert "a link or another special file" in refused(tmp_path, "a.tar", out.getvalue())


def test_two_of_a_name(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("a"))
    assert "two files of the same name" in refused(tmp_path, "a.tar", out.getvalue())


@pytest.mark.parametrize("names", [["a", "a/b"], ["a/b", "a"]])
def test_a_file_that_is_a_folder_too(tmp_path: Path, names: list[str]) -> None:
    files = dict.fromkeys(names, b"x")
    for name, data in (("a.tar", tar_of(files)), ("a.zip", zip_of(files))):
        assert "same name as a folder" in refused(tmp_path, name, data)


def test_depth_count_and_size(tmp_path: Path) -> None:
    deep = "/".join(["d"] * (DEEPEST + 1))
    assert f"more than {DEEPEST} deep" in refused(tmp_path, "a.zip", zip_of({f"{deep}/x": b""}))
    many = {f"{number}": b"" for number in range(20)}
    assert "more files than" in refused(tmp_path, "b.tar.zst", zst(tar_of(many)), files=19)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(20):
            info = tarfile.TarInfo(f"folder{number}")
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
    assert "more files than" in refused(tmp_path, "c.tar", out.getvalue(), files=19)
    assert "larger than" in refused(tmp_path, "d.tar.gz", gzip.compress(tar_of(FILES)), most=10_000)


def zeros(size: int) -> bytes:
    """A TAR of one file of zeros, as zstd packs it: a few KiB for a GiB."""
    info = tarfile.TarInfo("zeros")
    info.size = size
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    parts = [packer.compress(info.tobuf())]
    block = bytes(1024**2)
    parts += [packer.compress(block) for _ in range(size // len(block))]
    return b"".join([*parts, packer.compress(bytes(1024)), packer.flush()])


def test_a_bomb_in_a_file(tmp_path: Path) -> None:
    data = zeros(2**28)
    assert len(data) < 2**16
    assert "grows more than 200 times" in refused(tmp_path, "a.tar.zst", data)
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file()) < 2**25


def bomb_in_a_header() -> bytes:
    """A pax header that is announced to be 256 MiB: `tarfile` would read it at once."""
    info = tarfile.TarInfo("header")
    info.type, info.size = tarfile.XHDTYPE, 2**28
    return info.tobuf(tarfile.USTAR_FORMAT) + bytes(2**28)


def bomb_before_the_end() -> bytes:
    """Folders only, without end: each is a header of 512 bytes that says the same."""
    info = tarfile.TarInfo("folder")
    info.type = tarfile.DIRTYPE
    return info.tobuf() * 2**17


@pytest.mark.parametrize(
    ("make", "words"), [(bomb_in_a_header, "not a whole"), (bomb_before_the_end, "than may be unpacked|times")]
)
def test_bombs_that_hold_no_file(tmp_path: Path, make: Callable[[], bytes], words: str) -> None:
    with pytest.raises(Problem, match=words):
        unpacked(tmp_path, "a.tar.zst", zstandard.ZstdCompressor().compress(make()), files=10**6)


MODEST = """
import resource, sys
from pathlib import Path
from voxelhub_service.datasets.archives import Budget, unpack
from voxelhub_service.errors import Problem
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
file = Path(sys.argv[1])
try:
    unpack(file, file.name, file.parent / "out", Budget(2**40, 10, 10**9), lambda count: None)
except Problem as problem:
    print(problem.code)
"""


def test_a_window_larger_than_the_memory(tmp_path: Path) -> None:
    """A zstd frame that asks for 2 GiB to look back into; an xz dictionary of 1.5 GiB: refused before they are taken."""
    frame = b"\x28\xb5\x2f\xfd" + b"\x00" + bytes([(31 - 10) << 3]) + b"\x01\0\0"  # RFC 8878, 3.1.1.1
    (tmp_path / "a.tar.zst").write_bytes(frame)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 3 * 2**29}]
    try:
        (tmp_path / "b.tar.xz").write_bytes(lzma.compress(bytes(10_000), filters=filters))
    except MemoryError:
        pytest.skip("this machine cannot make such an archive")
    for name in ("a.tar.zst", "b.tar.xz"):
        done = subprocess.run([sys.executable, "-c", MODEST, tmp_path / name], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "archive_broken"


def test_an_encrypted_zip(tmp_path: Path) -> None:
    data = bytearray(zip_of({"a": b"x" * 100}))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in refused(tmp_path, "a.zip", bytes(data))


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_never_crash(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    small = {name: data[:3000] for name, data in FILES.items()}
    ending = [".zip", *PACKERS][seed % (len(PACKERS) + 1)]
    data = bytearray(zip_of(small) if ending == ".zip" else PACKERS[ending](tar_of(small)))
    for at in random.integers(0, len(data), 8):
        data[at] ^= int(random.integers(1, 256))
    try:
        unpacked(tmp_path, f"a{ending}", bytes(data))
    except Problem as problem:
        assert problem.code in ("archive_refused", "archive_broken")
