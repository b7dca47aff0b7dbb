"""The virus scanner hook against a real clamd with one signature of its own, and against one that is not there.

The signatures of the world are not here: the scanner is given a file with the digest of the EICAR test file, which is no
virus and which every scanner takes for one. It is put together from two halves, so that nobody's scanner takes this file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support.ports import free_ports
from voxelhub_hub import doctor
from voxelhub_service.errors import Problem
from voxelhub_service.imports.scanning import Scan, Scanner, address_of, make_scanner, refusal, understood
from voxelhub_service.settings import Settings, SettingsError

CLAMD = shutil.which("clamd") or "/usr/sbin/clamd"
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
SIGNATURE = "Test.Local.Eicar.UNOFFICIAL"
LIMIT = 1024**2  # bytes that the scanner of the tests reads of one file
needs_clamd = pytest.mark.skipif(not os.access(CLAMD, os.X_OK), reason="clamd is not installed (Debian: clamav-daemon)")


@dataclass
class Clamd:
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "clamd.socket"

    def start(self) -> None:
        signatures = self.folder / "signatures"
        signatures.mkdir(exist_ok=True)
        digest = hashlib.md5(EICAR, usedforsecurity=False).hexdigest()
        (signatures / "local.hdb").write_text(f"{digest}:{len(EICAR)}:Test.Local.Eicar\n")
        (self.folder / "clamd.conf").write_text("\n".join([
            f"LocalSocket {self.socket}", f"TCPSocket {self.port}", "TCPAddr 127.0.0.1", f"DatabaseDirectory {signatures}",
            "Foreground yes", f"StreamMaxLength {LIMIT}", f"TemporaryDirectory {self.folder}", "FixStaleSocket yes", ""]))
        self.process = subprocess.Popen(
            [CLAMD, "--config-file", str(self.folder / "clamd.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 240
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < deadline, "clamd did not start"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return all(Scanner(where, required=True).version() for where in (str(self.socket), ("127.0.0.1", self.port)))
        except Exception:
            return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(180)
            self.process = None


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clamd]:
    made = Clamd(tmp_path_factory.mktemp("clamd"), free_ports(1)[0])
    made.start()
    yield made
    made.stop()


@pytest.fixture(params=["socket", "port"])
def scanner(request: pytest.FixtureRequest, clamd: Clamd) -> Scanner:
    text = str(clamd.socket) if request.param == "socket" else f"127.0.0.1:{clamd.port}"
    made = make_scanner(replace(Settings(), clamd=text))
    assert made is not None
    return made


def put(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


@needs_clamd
@pytest.mark.parametrize("data", [b"", b"hello", bytes(range(256)) * 4000], ids=["nothing", "a word", "four chunks"])
def test_what_is_clean_is_called_clean(scanner: Scanner, tmp_path: Path, data: bytes) -> None:
    assert scanner.scan(put(tmp_path, data)) == Scan("clean")


@needs_clamd
def test_the_test_virus_is_held_by_its_name_and_nobody_may_waive_it(scanner: Scanner, tmp_path: Path) -> None:
    found = scanner.scan(put(tmp_path, EICAR))
    assert found == Scan("virus", SIGNATURE)
    for required in (True, False):
        held = refusal(found, required=required, waived=True)
        assert held is not None and (held.code, held.releasable) == ("virus", False) and SIGNATURE in held.reason


@needs_clamd
@pytest.mark.parametrize("size", [LIMIT + 1, 40 * LIMIT], ids=["a little", "much"])
def test_what_the_scanner_refuses_for_its_size_is_unscanned(scanner: Scanner, tmp_path: Path, size: int) -> None:
    found = scanner.scan(put(tmp_path, b"\0" * size))
    assert found.verdict == "unscanned" and found.reason in {"too_large", "failed"}
    held = refusal(found, required=True)
    assert held is not None and held.releasable and held.code in {"too_large", "unscanned"}
    assert refusal(found, required=True, waived=True) is None and refusal(found, required=False) is None


@needs_clamd
def test_many_at_a_time(scanner: Scanner, tmp_path: Path) -> None:
    files = [put(folder, EICAR if i % 3 == 0 else b"x" * i) for i in range(12) if (folder := tmp_path / str(i)).mkdir() is None]
    found: dict[int, str] = {}
    threads = [threading.Thread(target=lambda i=i, p=p: found.update({i: scanner.scan(p).verdict})) for i, p in enumerate(files)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == {i: "virus" if i % 3 == 0 else "clean" for i in range(12)}


@needs_clamd
def test_a_scanner_that_comes_back_in_time_was_never_away(tmp_path: Path) -> None:
    """It is stopped, asked, and started while we wait for it."""
    own = Clamd(tmp_path, free_ports(1)[0])
    own.start()
    own.stop()
    answer: list[Scan] = []
    asking = threading.Thread(target=lambda: answer.append(
        Scanner(str(own.socket), required=True, patience=60).scan(put(tmp_path, EICAR))))
    asking.start()
    try:
        own.start()
        asking.join(240)
        assert answer == [Scan("virus", SIGNATURE)]
    finally:
        own.stop()


def absent(kind: str, folder: Path) -> str:
    return str(folder / "nobody") if kind == "socket" else f"127.0.0.1:{free_ports(1)[0]}"


@pytest.mark.parametrize("kind", ["socket", "port"])
def test_a_scanner_that_is_down_stops_imports_or_not_as_the_site_has_set(tmp_path: Path, kind: str) -> None:
    address, path = address_of(absent(kind, tmp_path)), put(tmp_path, EICAR)
    with pytest.raises(Problem) as raised:
        Scanner(address, required=True, patience=0).scan(path)
    assert (raised.value.status, raised.value.code) == (503, "scanner_down")
    found = Scanner(address, required=False).scan(path)
    assert found == Scan("unscanned", reason="down") and refusal(found, required=False) is None


@pytest.fixture
def rude(tmp_path: Path) -> Iterator[str]:
    """Accepts, reads a little, and hangs up."""
    path = str(tmp_path / "rude")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    talk, _ = listening.accept()
                except OSError:
                    return
                with talk:
                    if talk.recv(100).startswith(b"zVERSION"):
                        talk.sendall(b"Rude 1.0\0")

        thread = threading.Thread(target=serve)
        thread.start()
        yield path
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_scanner_that_hangs_up_holds_that_file_and_not_the_import(rude: str, tmp_path: Path) -> None:
    for size in (3, 50 * 1024**2):
        found = Scanner(rude, required=True, patience=0).scan(put(tmp_path, b"\0" * size))
        assert found == Scan("unscanned", reason="failed")
        held = refusal(found, required=True)
        assert held is not None and held.code == "unscanned"


@pytest.mark.parametrize(("said", "scan"), [
    ("stream: OK", Scan("clean")),
    ("stream: Win.Test.EICAR_HDB-1 FOUND", Scan("virus", "Win.Test.EICAR_HDB-1")),
    ("stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND", Scan("unscanned", reason="too_large")),
    ("INSTREAM size limit exceeded. ERROR", Scan("unscanned", reason="too_large")),
    ("stream: Can't allocate memory ERROR", Scan("unscanned", reason="failed")),
    ("UNKNOWN COMMAND", Scan("unscanned", reason="failed")),
    ("", Scan("unscanned", reason="failed")),
    ("stream: OK FOUND", Scan("virus", "OK")),
])
def test_only_the_word_for_clean_is_clean(said: str, scan: Scan) -> None:
    assert understood(said) == scan


def test_addresses() -> None:
    assert address_of("/run/clamav/clamd.ctl") == "/run/clamav/clamd.ctl"
    assert address_of("scanner.example:3310") == ("scanner.example", 3310)
    assert address_of("[::1]:3310") == ("::1", 3310)
    for wrong in ("scanner", ":3310", "scanner:0", "scanner:99999", "scanner:port"):
        with pytest.raises(SettingsError, match="VOXELHUB_CLAMD"):
            address_of(wrong)
    assert make_scanner(Settings()) is None


def lines(clamd: str, required: bool = True) -> list[tuple[str, str]]:
    settings = replace(Settings(), clamd=clamd, clamd_required=required)
    return [(one.verdict, one.text) for one in doctor.look_at_scanner(settings)]


def test_the_doctor_says_when_it_does_not_answer(tmp_path: Path) -> None:
    nobody = str(tmp_path / "nobody")
    assert lines("") == []
    assert [verdict for verdict, _ in lines(nobody)] == ["wrong"] and "fail" in lines(nobody)[0][1]
    assert [verdict for verdict, _ in lines(nobody, required=False)] == ["wrong"] and "unscanned" in lines(nobody, False)[0][1]
    assert lines("nonsense")[0][0] == "wrong"


@needs_clamd
def test_the_doctor_says_which_scanner_answers(clamd: Clamd) -> None:
    ((verdict, text),) = lines(str(clamd.socket))
    assert verdict == "ok" and "ClamAV" in text
