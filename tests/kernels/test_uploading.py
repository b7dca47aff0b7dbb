"""The sending side of an upload, against a small tus server that loses connections, restarts and refuses on demand.

The whole way through the real service is in test_service.py; here are the failures that a real one shows rarely.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import voxelhub
from voxelhub import VoxelHubError, uploading

CONTENT = bytes(range(256)) * 4096  # 1 MiB


class Troubled(BaseHTTPRequestHandler):
    """Holds one file in `server.stored`; `server.troubles` is what befalls the next PATCH requests, in order."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.server.seen.append(("HEAD", 0))
        self._answer(200, {"Upload-Offset": str(len(self.server.stored))})

    def do_PATCH(self) -> None:
        trouble = self.server.troubles.pop(0) if self.server.troubles else ""
        offset, length = int(self.headers["Upload-Offset"]), int(self.headers["Content-Length"])
        self.server.seen.append(("PATCH", offset))
        assert self.headers["Authorization"] == "Bearer secret-token"
        assert self.headers["Content-Type"] == "application/offset+octet-stream"
        if trouble.isdigit():
            self.rfile.read(length)
            code = "wrong_offset" if trouble == "409" else "said_no"
            problem = {"status": int(trouble), "code": code, "detail": "No room.", "fix": "Delete something."}
            self._answer(int(trouble), {}, problem)
        elif trouble == "cut":  # half of it arrives, then the connection is gone
            self.server.stored += self.rfile.read(length // 2)
            self.close_connection = True
        elif trouble == "lost answer":  # all of it arrives, the answer does not
            self.server.stored += self.rfile.read(length)
            self.close_connection = True
        elif offset != len(self.server.stored):
            self.rfile.read(length)
            self._answer(409, {})
        else:
            self.server.stored += self.rfile.read(length)
            self._answer(204, {"Upload-Offset": str(len(self.server.stored))})

    def _answer(self, status: int, headers: dict[str, str], body: dict[str, Any] | None = None) -> None:
        raw = json.dumps(body).encode() if body else b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch, tmp_path) -> Iterator[Any]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), Troubled)
    http.stored, http.troubles, http.seen = b"", [], []
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("VOXELHUB_API_URL", f"http://127.0.0.1:{http.server_port}/services/voxelhub/api/v1")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret-token")
    monkeypatch.setattr(uploading, "CHUNK", len(CONTENT) // 4)
    http.path = tmp_path / "scan.nii"
    http.path.write_bytes(CONTENT)
    yield http
    http.shutdown()
    thread.join()
    http.server_close()


def send(server: Any, offset: int = 0) -> list[int]:
    told: list[int] = []
    server.stored = CONTENT[:offset]
    uploading.send_file("u" * 32, {"id": "f" * 32, "size": len(CONTENT), "offset": offset}, server.path, told.append)
    return told


@pytest.mark.parametrize("troubles", [
    [], ["cut"], ["lost answer"], ["503"], ["502", "504"], ["423", "423"], ["409"], ["", "cut", "cut", "lost answer", "503", ""],
], ids=lambda t: "+".join(t) or "none")
def test_every_byte_arrives_once(server, troubles):
    server.troubles = list(troubles)
    told = send(server)
    assert hashlib.sha256(server.stored).digest() == hashlib.sha256(CONTENT).digest()
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)


def test_goes_on_where_an_earlier_attempt_stopped(server):
    told = send(server, offset=700_000)
    assert server.stored == CONTENT
    assert told[0] == 700_000
    assert server.seen[0] == ("PATCH", 700_000)


def test_after_a_broken_connection_the_server_is_asked(server):
    server.troubles = ["cut"]
    send(server)
    assert [kind for kind, _ in server.seen][:3] == ["PATCH", "HEAD", "PATCH"]


@pytest.mark.parametrize("status", [401, 403, 404, 413, 507])
def test_a_refusal_is_final_and_told_in_its_own_words(server, status):
    server.troubles = [str(status)]
    with pytest.raises(VoxelHubError, match="No room") as refusal:
        send(server)
    assert (refusal.value.code, refusal.value.fix) == ("said_no", "Delete something.")
    assert len(server.seen) == 1
    assert "secret-token" not in str(refusal.value)


def test_gives_up_when_nothing_is_accepted_for_long(server, monkeypatch):
    monkeypatch.setattr(uploading, "GIVE_UP_AFTER_S", 0.5)
    server.troubles = ["503"] * 100
    with pytest.raises(VoxelHubError):
        send(server)
    assert len(server.seen) > 2


def test_a_file_that_shrinks_meanwhile_is_refused(server):
    server.path.write_bytes(CONTENT[:100_000])
    with pytest.raises(VoxelHubError, match="became shorter") as refusal:
        send(server)
    assert refusal.value.code == "changed"


def test_what_can_be_collected(tmp_path, monkeypatch):
    import nibabel
    import numpy as np
    from voxelhub.saving import collect

    monkeypatch.chdir(tmp_path)
    (tmp_path / "out/deep").mkdir(parents=True)
    (tmp_path / "out/a.txt").write_text("a")
    (tmp_path / "out/deep/b.txt").write_text("b")
    (tmp_path / "out/link").symlink_to("/etc/hostname")
    scratch = tmp_path / "scratch"
    volume = voxelhub.Volume(np.zeros((2, 2, 2), np.uint8), np.eye(4))

    assert sorted(collect("out", "t", scratch)) == ["a.txt", "deep/b.txt"]  # a link is never followed
    assert sorted(collect("out/a.txt", "t", scratch)) == ["a.txt"]
    assert sorted(collect(["out/a.txt", "out/deep/b.txt"], "t", scratch)) == ["a.txt", "b.txt"]
    assert sorted(collect(volume, "My Mask!", scratch)) == ["my-mask.nii.gz"]
    assert sorted(collect(volume.array, "x", scratch, np.eye(4))) == ["x.nii.gz"]
    assert sorted(collect(nibabel.Nifti1Image(volume.array, np.eye(4)), "n", scratch)) == ["n.nii.gz"]
    parts = collect({"m.nii.gz": volume, "t.csv": "a,b\n1,2\n", "raw.bin": b"\0", "sub": tmp_path / "out"}, "t", scratch)
    assert sorted(parts) == ["m.nii.gz", "raw.bin", "sub/a.txt", "sub/deep/b.txt", "t.csv"]
    assert parts["t.csv"].read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize(("what", "code"), [
    ("nowhere", "no_such_file"), ({}, "nothing"), ({"../x": "a\n"}, "bad_name"), ({"/x": "a\n"}, "bad_name"),
    (object(), "cannot_save"),
])
def test_what_cannot_be_saved_is_refused_before_anything_is_sent(tmp_path, what, code):
    from voxelhub.saving import collect

    with pytest.raises(VoxelHubError) as refusal:
        collect(what, "t", tmp_path)
    assert refusal.value.code == code


def test_an_array_needs_a_place(tmp_path):
    import numpy as np
    from voxelhub.saving import collect

    with pytest.raises(VoxelHubError, match="no place in space"):
        collect(np.zeros((2, 2, 2)), "t", tmp_path)
