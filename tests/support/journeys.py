"""What a client does that comes back after every cut connection, from its first request to the end of the run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sqlalchemy import select
from support.fleet import Fleet
from support.world import run_row, until, versions_of
from voxelhub_service.database import NoAnswer, reading
from voxelhub_service.fsck.registry import checks
from voxelhub_service.models import TERMINAL_STATES, AuditEvent, Dataset, File, QuarantineItem, Run, Upload

CHUNK = 256 * 1024
NAME = "PLANTED^KILL"


def going(fleet: Fleet) -> list[Run]:
    with reading(fleet.context.engine) as session:
        return list(session.scalars(select(Run).where(Run.state.not_in(TERMINAL_STATES))))


@dataclass
class Journey:
    """One upload or tool run, from the client's first request to its end; every request may meet a dead service."""

    fleet: Fleet
    kind: str
    name: str
    sleep: float = 0.0
    run_id: str | None = None

    def walk(self) -> Run:
        self.begin()
        return self.end()

    def begin(self) -> None:
        self.run_id = {"tool": self._tool, "url": self._url, "release": self._release}.get(self.kind, self._upload)()

    def end(self) -> Run:
        found: list[Run] = []
        until(lambda: self._look(found) and found[-1].state in TERMINAL_STATES, 240)
        until(lambda: not (self.fleet.settings.runs_dir / str(self.run_id) / "open").exists())
        until(lambda: self._look(found))
        return found[-1]

    def _look(self, found: list[Run]) -> bool:
        try:
            found.append(run_row(self.fleet.context, str(self.run_id)))
        except NoAnswer:  # a test may have killed the database
            return False
        return True

    @property
    def project(self) -> str:
        return "demo" if self.kind == "clinical" else "alpha"

    @property
    def files(self) -> dict[str, bytes]:
        seed = random.Random(self.name)
        if self.kind == "url":
            return {"numbers.csv": b"x\n" + seed.randbytes(9 * 1024**2).hex().encode()}
        if self.kind == "release":
            return {"numbers.csv": b"x,y\n1,2\n", "broken.nii": f"Of {self.name}".encode()}
        if self.kind == "clinical":
            return {"numbers.csv": b"a,b\n" + b"".join(b"%d,%d\n" % (n, seed.randrange(99)) for n in range(50)),
                    f"{NAME}.txt": f"Of {self.name}.\n".encode()}
        return {"numbers.csv": b"x\n" + b"".join(b"%d\n" % seed.randrange(10**6) for _ in range(60_000)),
                "notes/readme.txt": f"Of {self.name}.\n".encode()}

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self.fleet.request(method, path, **options)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def _upload(self) -> str:
        files = self.files
        body = {"project": self.project, "title": self.name, "files": [{"path": p, "size": len(b)} for p, b in files.items()]}
        upload = self._ask("POST", "/uploads", json=body, headers={"Idempotency-Key": self.name}).json()
        for file in upload["files"]:
            self._send(f"/uploads/{upload['id']}/files/{file['id']}", files[file["path"]])
        return str(self._ask("POST", f"/uploads/{upload['id']}/complete").json()["id"])

    def _send(self, path: str, data: bytes) -> None:
        """tus: after a cut connection, ask for the offset and go on from there."""
        headers = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
        deadline = time.monotonic() + 240
        while (offset := int(self._ask("HEAD", path, headers=headers).headers["Upload-Offset"])) < len(data):
            assert time.monotonic() < deadline, f"{path} stays at {offset}"
            answer = self.fleet.request("PATCH", path, content=data[offset:offset + CHUNK],
                                        headers={**headers, "Upload-Offset": str(offset)})
            assert answer.status_code in (204, 409, 423), answer.text
        self._ask("POST", f"{path}/digest", json={"sha256": hashlib.sha256(data).hexdigest()})

    def _url(self) -> str:
        with web_server(self.files["numbers.csv"]) as url:
            body = {"project": "alpha", "title": self.name, "url": f"{url}/numbers.csv"}
            run_id = str(self._ask("POST", "/imports/url", json=body, headers={"Idempotency-Key": self.name}).json()["id"])
            until(lambda: run_row(self.fleet.context, run_id).state in TERMINAL_STATES, 240)
        return run_id

    def _release(self) -> str:
        """Of the one file of an import that was held; that import is over before the kill is armed again."""
        armed = self.fleet.trigger.read_text() if self.fleet.trigger.exists() else ""
        self.fleet.disarm()
        first = self._upload()
        until(lambda: run_row(self.fleet.context, first).state in TERMINAL_STATES, 240)
        until(lambda: not (self.fleet.settings.runs_dir / first / "open").exists())
        if armed:
            self.fleet.arm(armed)
        (item,) = self._ask("GET", "/quarantine", params={"run": first}).json()["items"]
        said = {"reason": "The kill test lets it in."}
        return str(self._ask("POST", f"/quarantine/{item['id']}/release", json=said).json()["release_run_id"])

    def _tool(self) -> str:
        body = {"tool": "probe", "project": "alpha", "inputs": {"volume": [self.fleet.entries["table.csv"]]},
                "arguments": {"sleep": self.sleep}, "output_title": self.name}
        return str(self._ask("POST", "/runs", json=body, headers={"Idempotency-Key": self.name}).json()["id"])

    def check(self, run: Run, expected: str | None) -> None:
        """It ended as expected, once, and the installation is whole."""
        assert run.state in ("succeeded", "failed") and (run.state == expected or expected is None), f"{run.state}: {run.reason}"
        assert run.state == "succeeded" or run.reason.endswith(".")
        versions = versions_of(self.fleet.context, run.id)
        assert len(versions) == (run.state == "succeeded")
        with reading(self.fleet.context.engine) as session:
            assert len(session.scalars(select(Dataset).where(Dataset.title == self.name)).all()) == len(versions)
            mine = select(Run).where(Run.output_dataset == self.name)
            runs = session.scalars(mine.where(Run.id == run.id) if self.kind == "release" else mine).all()
            ends = session.scalars(select(AuditEvent).where(
                AuditEvent.action == "run.end", AuditEvent.resource == f"run:{run.id}")).all()
            made = session.scalars(select(AuditEvent).where(
                AuditEvent.action == "run.create", AuditEvent.resource == f"run:{run.id}")).all()
            uploads = session.scalars(select(Upload).where(Upload.run_id == run.id)).all()
            items = session.scalars(select(QuarantineItem).where(QuarantineItem.title == self.name)).all()
        assert len(runs) == len(ends) == len(made) == 1, "it happened twice"
        assert [one.state for one in items] == {"clinical": ["held"], "release": ["released"]}.get(self.kind, [])
        if self.kind != "tool":
            assert [one.state for one in uploads] == [{"succeeded": "done", "failed": "failed"}[run.state]]
        else:
            assert len(list((self.fleet.settings.runs_dir / run.id).glob("claim-*"))) == 1, "a tool ran twice"
        if versions and self.kind == "clinical":
            assert versions[0].n_files == 2 and not self._names_left()
        elif versions and self.kind != "tool":
            self._compare(versions[0].id)
        findings = [finding.sentence for check in checks() for finding in check.run(self.fleet.context, True)]
        assert findings == []

    def _names_left(self) -> list[str]:
        """Nothing but the quarantine knows what the held file is called."""
        state, quarantine = self.fleet.settings.state_dir, self.fleet.settings.quarantine_dir
        return [str(path) for path in state.rglob("*") if path.is_file() and quarantine not in path.parents
                and NAME.encode() in path.read_bytes() + os.fsencode(path)]

    def _compare(self, version_id: str) -> None:
        with reading(self.fleet.context.engine) as session:
            stored = {file.path: file.sha256 for file in session.scalars(select(File).where(File.version_id == version_id))}
        assert stored == {path: hashlib.sha256(data).hexdigest() for path, data in self.files.items()}


class Page(BaseHTTPRequestHandler):
    """One file, without ranges."""

    data = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.data)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(self.data)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def web_server(data: bytes) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Page", (Page,), {"data": data})) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
