"""A tool's folder as an archive: the same bytes for the same files, and nothing of a foreign one is believed."""

from __future__ import annotations

import io
import json
import os
import stat
import zipfile

import pytest
from support.brought import tool_files, tool_zip
from voxelhub_service.errors import Problem
from voxelhub_service.tools import package, template
from voxelhub_service.tools.manifest import load_manifest, tool_digest
from voxelhub_service.tools.scanning import scan

MOST = 20 * 1024**2


def archive_of(*members: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


GOOD = ("tool.json", tool_files()["tool.json"])
BAD = {
    "not a zip": (b"hello" * 100, "no whole ZIP"),
    "cut off": (tool_zip()[:-200], "no whole ZIP"),
    "damaged": (tool_zip().replace(b"numbers", b"nUmbers", 1), "no whole ZIP"),
    "absolute": (archive_of(GOOD, ("/etc/cron.d/x", b"x")), "absolute"),
    "upwards": (archive_of(GOOD, ("a/../../x", b"x")), "lead out"),
    "backslash": (archive_of(GOOD, ("a\\x.py", b"x")), "backslash"),
    "control character": (archive_of(GOOD, ("a\nb", b"x")), "control"),
    "link": (archive_of(GOOD, (special("l", stat.S_IFLNK | 0o777), b"/etc/passwd")), "link or another special"),
    "device": (archive_of(GOOD, (special("d", stat.S_IFCHR | 0o666), b"")), "link or another special"),
    "setuid": (archive_of(GOOD, (special("s", stat.S_IFREG | 0o4755), b"x")), "setuid"),
    "twice": (archive_of(GOOD, ("a", b"1"), ("a", b"2")), "same name"),
    "a file as a folder": (archive_of(GOOD, ("a", b"1"), ("a/b", b"2")), "same name as a folder"),
    "hidden": (archive_of(GOOD, (".git/config", b"x")), "“.git/config”"),
    "cache": (archive_of(GOOD, ("a/__pycache__/x.pyc", b"x")), "__pycache__"),
    "no manifest": (archive_of(("main.py", b"x")), "no tool.json"),
    "too many": (archive_of(GOOD, *((f"f{i}", b"") for i in range(600))), "more than 500 files"),
    "far too many": (archive_of(*((f"f{i}", b"") for i in range(3000))), "more than 500 files"),
    "too large": (archive_of(GOOD, ("x", bytes(MOST))), "20 MiB"),
    "bomb": (archive_of(GOOD, ("x", bytes(MOST - 10_000)), compression=zipfile.ZIP_DEFLATED), "grows more than"),
    "large bomb": (
        archive_of(GOOD, *((f"x{i}", bytes(MOST)) for i in range(5)), compression=zipfile.ZIP_DEFLATED), "grows more than"),
    "too deep": (archive_of(GOOD, ("a/" * 12 + "x", b"x")), "too deep"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_tool_is_refused_with_a_sentence(name):
    data, part = BAD[name]
    with pytest.raises(Problem) as refused:
        package.read(data, MOST)
    assert part in refused.value.detail + refused.value.fix and refused.value.detail.endswith(".") and refused.value.fix
    assert refused.value.status in (413, 422)


@pytest.mark.parametrize("kind", template.KINDS)
def test_packed_and_read_it_is_the_same_and_its_digest_is_the_folders(tmp_path, kind):
    folder = tmp_path / "my-tool"
    template.write(kind, "my-tool", folder)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "main.pyc").write_bytes(b"x")
    (folder / ".hidden").write_text("x")
    data = package.pack(folder, MOST)
    files = package.read(data, MOST)
    assert package.zipped(files) == data == package.pack(folder, MOST)
    assert not any("pyc" in path or "hidden" in path for path in files)
    package.write(files, tmp_path / "copy")
    raw = json.loads(files["tool.json"])
    assert scan(files).digest == load_manifest(folder).digest == tool_digest(raw, tmp_path / "copy")


def test_a_folder_around_it_and_what_a_mac_adds_are_taken_off():
    files = tool_files()
    around = archive_of(*((f"rows/{path}", data) for path, data in files.items()), ("__MACOSX/rows/._main.py", b"x"),
                        ("rows/.DS_Store", b"x"), ("rows/", b""))
    assert package.read(around, MOST) == files


@pytest.mark.parametrize(("make", "part"), [
    (lambda folder: os.symlink("/etc/passwd", folder / "link"), "link or another special file"),
    (lambda folder: os.mkfifo(folder / "pipe"), "link or another special file"),
    (lambda folder: (folder / "main.py").chmod(0o4755), "setuid"),
    (lambda folder: (folder / "tool.json").unlink(), "no tool.json"),
    (lambda folder: (folder / "large").write_bytes(bytes(MOST)), "20 MiB"),
])
def test_a_folder_that_cannot_be_packed(tmp_path, make, part):
    template.write("python", "rows", tmp_path / "rows")
    make(tmp_path / "rows")
    with pytest.raises(Problem, match=part):
        package.pack(tmp_path / "rows", MOST)


def test_sealed_it_is_read_only_and_can_be_removed(tmp_path):
    files = tool_files(add={"sub/run.sh": "#!/bin/sh\n"})
    package.write(files, tmp_path / "x")
    package.seal(tmp_path / "x")
    modes = {path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "x").rglob("*")}
    assert modes["x/main.py"] == 0o444 and modes["x/sub/run.sh"] == modes["x/sub"] == 0o555


def test_the_template_writes_over_nothing(tmp_path):
    (tmp_path / "rows").mkdir()
    with pytest.raises(Problem, match="already"):
        template.write("python", "rows", tmp_path / "rows")
    assert list((tmp_path / "rows").iterdir()) == []
    with pytest.raises(Problem, match="cannot be a tool's name"):
        template.write("python", "../x", tmp_path / "y")


PEM = "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIE\n"
LOCK = "numpy==2.0.0 \\\n    --hash=sha256:" + "a" * 64 + "\n"
NETWORK = {"network": True, "security": {"reaches": ["example.org"], "sends": "Nothing."}, "account": "Nobody"}
# what is changed -> (level, where, part of the sentence)
FOUND = {
    "private key": ({"add": {"key.pem": PEM}}, ("error", "key.pem:1", "a private key")),
    "token": ({"add": {"main.py": 'x = "ghp_' + "a" * 36 + '"\n'}}, ("error", "main.py:1", "a token of GitHub")),
    "password": ({"add": {"a.py": "\n\npassword = 'correct-horse-battery'\n"}}, ("warning", "a.py:3", "may be a password")),
    "shell": ({"add": {"a.py": "import subprocess\nsubprocess.run(x, shell=True)\n"}}, ("warning", "a.py:2", "to a shell")),
    "absolute path": ({"add": {"a.py": "open('/home/me/data.csv')\n"}}, ("warning", "a.py:1", "one particular computer")),
    "network": ({"add": {"a.py": "import requests\n"}}, ("warning", "a.py:1", "seems to use the network")),
    "network, as it says": ({"add": {"a.py": "import requests\n"}, **NETWORK}, ("note", "a.py:1", "as the manifest says")),
    "install": ({"add": {"run.sh": "pip install numpy\n"}}, ("warning", "run.sh:1", "installs packages")),
    "compiled": ({"add": {"fast": b"\x7fELF" + bytes(60)}}, ("warning", "fast", "a compiled program")),
    "archive": ({"add": {"more.zip": tool_zip()}}, ("warning", "more.zip", "is an archive")),
    "stored object": ({"add": {"model.pkl": b"\x80\x04\x00\x00"}}, ("warning", "model.pkl", "stored objects")),
    "binary": ({"add": {"weights.bin": bytes(100)}}, ("note", "weights.bin", "no text (100 bytes)")),
    "dicom": ({"add": {"scan.bin": bytes(128) + b"DICM" + bytes(50)}}, ("error", "scan.bin", "DICOM")),
    "notebook with outputs": (
        {"add": {"a.ipynb": '{"cells": [{"outputs": [\n {"x": 1}]}]}'}}, ("warning", "a.ipynb", "an earlier execution")),
    "no program": ({"command": ["python", "gone.py"]}, ("error", "command[1]", "no file gone.py")),
    "not executable": ({"command": ["./main.py"]}, ("error", "command[0]", "does not begin with #!")),
    "program as a text": ({"command": ["python", "-c", "x"]}, ("warning", "command", "as a text")),
    "environment of the platform": ({"environment": "core"}, ("error", "environment", "no environment for tools")),
    "lock without hashes": ({"lock": "l.txt", "add": {"l.txt": "numpy==2.0.0\n"}}, ("error", "l.txt:1", "by its SHA-256")),
    "lock with an index": (
        {"lock": "l.txt", "add": {"l.txt": "--index-url https://e.example/\n" + LOCK}}, ("error", "l.txt:1", "an option or an")),
    "lock with an address": (
        {"lock": "l.txt", "add": {"l.txt": "numpy @ https://e.example/n.whl\n"}}, ("error", "l.txt:1", "an option or an")),
    "empty lock": ({"lock": "l.txt", "add": {"l.txt": "# none\n"}}, ("error", "l.txt", "pins nothing")),
}


@pytest.mark.parametrize("name", FOUND)
def test_the_scan_finds(name):
    changes, (level, where, part) = FOUND[name]
    scanned = scan(tool_files(**changes))
    found = [one for one in scanned.findings if (one.level, one.where) == (level, where) and part in one.sentence]
    assert len(found) == 1, [(one.level, one.where, one.sentence) for one in scanned.findings]
    assert found[0].sentence.endswith(".") and (found[0].fix or level == "note")
    assert scanned.ok == (level != "error") == bool(scanned.digest)
    assert not any("correct-horse" in one.text() or "ghp_" in one.text() for one in scanned.findings)


@pytest.mark.parametrize("kind", template.KINDS)
def test_nothing_is_wrong_with_the_templates(kind):
    assert [(one.where, one.sentence) for one in scan(template.files(kind, "my-tool")).findings] == []


def test_a_good_lock_is_read():
    scanned = scan(tool_files(lock="l.txt", add={"l.txt": f"# made by uv\n{LOCK}"}))
    assert scanned.ok, scanned.findings


def test_many_places_of_one_kind_are_counted():
    found = [one for one in scan(tool_files(add={"a.py": "import requests\n" * 50})).findings if one.where.startswith("a.py")]
    assert [one.where for one in found] == ["a.py:1", "a.py:2", "a.py:3", "a.py"] and "47 further lines" in found[-1].sentence


def test_a_virus_is_an_error(tmp_path):
    from voxelhub_service.imports.scanning import Scan, Scanner

    class Finds(Scanner):
        def scan(self, path):
            return Scan("virus", "Eicar-Test-Signature") if path.name == "bad.bin" else Scan("clean")

    scanned = scan(tool_files(add={"bad.bin": bytes(10)}), Finds("/nowhere", required=True))
    assert [one.where for one in scanned.findings if one.level == "error"] == ["bad.bin"] and not scanned.ok
