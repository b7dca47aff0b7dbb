"""The archive of a backup: what it keeps of a file tree, and what a restore refuses to unpack."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from voxelhub_hub.backup import ABOUT, Archive, Exactly
from voxelhub_hub.refusal import Refusal
from voxelhub_hub.restore import check, unpack


def archive(target: Path, tree: Path) -> None:
    with target.open("wb") as file:
        made = Archive(file)
        made.text(ABOUT, '{"format": 1}')
        made.tree(tree, tree / "service")
        made.close()


def test_what_is_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    tree = tmp_path / "state"
    folder = tree / "service" / "v1"
    folder.mkdir(parents=True)
    (tree / "service" / "voxelhub.db").write_bytes(b"database")
    (folder / "a\\b\n.txt").write_bytes(b"x" * 100_000)
    os.link(folder / "a\\b\n.txt", folder / "same")
    (folder / "points").symlink_to("/nowhere")
    (folder / "secret").write_text("s")
    (folder / "secret").chmod(0o600)
    os.mkfifo(folder / "pipe")
    folder.chmod(0o555)
    archive(tmp_path / "b.tar", tree)
    back = tmp_path / "back"
    with tarfile.open(tmp_path / "b.tar") as tar:
        unpack(tar, back)
    assert check(back) == 5
    again = back / "service" / "v1"
    assert (again / "same").stat().st_ino == (again / "a\\b\n.txt").stat().st_ino
    assert (again / "secret").stat().st_mode & 0o777 == 0o600 and again.stat().st_mode & 0o777 == 0o555
    assert (again / "points").readlink() == Path("/nowhere") and not (again / "pipe").exists()


def test_a_file_that_shrinks_while_it_is_read_keeps_its_promised_size() -> None:
    reader = Exactly(io.BufferedReader(io.BytesIO(b"abc")), 5)  # type: ignore[arg-type]
    assert reader.read(4) + reader.read(4) == b"abc\0\0"


@pytest.mark.parametrize(("name", "kind", "link"), [
    ("/etc/passwd", tarfile.REGTYPE, ""),
    ("homes/../../outside", tarfile.REGTYPE, ""),
    ("homes/link/inside", tarfile.REGTYPE, ""),
    ("homes/link", tarfile.REGTYPE, ""),
    ("homes/hard", tarfile.LNKTYPE, "/etc/passwd"),
    ("homes/hard", tarfile.LNKTYPE, "homes/link"),
    ("homes/device", tarfile.CHRTYPE, ""),
])
def test_a_hostile_archive_is_refused_before_anything_is_written(tmp_path: Path, name: str, kind: bytes, link: str) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        first = tarfile.TarInfo("homes/link")
        first.type, first.linkname = tarfile.SYMTYPE, str(tmp_path)
        tar.addfile(first)
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, link
        tar.addfile(entry)
    with tarfile.open(tmp_path / "bad.tar") as tar, pytest.raises(Refusal, match="The backup holds"):
        unpack(tar, tmp_path / "back")
    assert not (tmp_path / "back").exists()
