"""Events of the hub reach the service in order, survive its absence, and never wait in the caller."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from voxelhub_hub.audit_client import AuditClient, events_in, locked
from voxelhub_service.wire_evidence import AuditEventIn


class Service:
    """A service that can be away; it keeps what it took. Its port stays its own."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.status = 204
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = service.status if self.headers["Authorization"] == "Bearer events" else 401
                if status == 204 and event["action"] == "unknown":
                    status = 422
                if status == 204:
                    service.taken.append(event)
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def service() -> Iterator[Service]:
    started = Service()
    yield started
    started.server.shutdown()
    started.server.server_close()


def wait(condition: Any, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def spooled(folder: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        with locked(path) as file:
            found += list(events_in(file))
    return found


def test_events_arrive_in_order_and_leave_the_spool(service: Service, tmp_path: Path) -> None:
    client = AuditClient(service.url, "events", tmp_path / "spool")
    for number in range(50):
        client.record("ada", "user.login", f"hub:{number}")
    wait(lambda: len(service.taken) == 50)
    assert [event["resource"] for event in service.taken] == [f"hub:{number}" for number in range(50)]
    wait(lambda: not list((tmp_path / "spool").iterdir()))
    assert all(AuditEventIn.model_validate(event) for event in service.taken)
    client.close()


def test_nothing_is_lost_while_the_service_is_away(service: Service, tmp_path: Path) -> None:
    service.status = 503
    client = AuditClient(service.url, "events", tmp_path / "spool")
    for number in range(5):
        client.record("ada", "user.login", f"hub:{number}")
    wait(lambda: len(spooled(tmp_path / "spool")) == 5)
    assert not service.taken
    service.status = 204
    client.record("ada", "user.logout", "hub:5")
    wait(lambda: len({e["event_id"] for e in service.taken}) == 6)
    assert [e["resource"] for e in service.taken] == [f"hub:{number}" for number in range(6)]
    client.close()


def test_it_comes_back_by_itself(service: Service, tmp_path: Path) -> None:
    service.status = 503
    client = AuditClient(service.url, "events", tmp_path / "spool")
    client.record("ada", "user.login", "hub")
    wait(lambda: spooled(tmp_path / "spool"))
    service.status = 204
    wait(lambda: service.taken)
    client.close()


def test_what_a_killed_hub_left_goes_first(service: Service, tmp_path: Path) -> None:
    """Its last line may be cut short; that event was never promised to anyone."""
    gone = AuditClient("http://127.0.0.1:1/", "events", tmp_path / "spool")
    gone.record("ada", "user.login", "hub:old")
    gone.close()
    path = next((tmp_path / "spool").iterdir())
    path.write_bytes(path.read_bytes() + b'{"event_id": "cut sh')
    client = AuditClient(service.url, "events", tmp_path / "spool")
    client.record("ada", "user.login", "hub:new")
    wait(lambda: len(service.taken) == 2)
    assert [e["resource"] for e in service.taken] == ["hub:old", "hub:new"]
    wait(lambda: not list((tmp_path / "spool").iterdir()))
    client.close()


def test_a_spool_that_the_service_takes_in_meanwhile_loses_nothing(tmp_path: Path) -> None:
    """The service locks, reads and removes the file at its start, while the hub goes on writing."""
    client = AuditClient("http://127.0.0.1:1/", "events", tmp_path / "spool")
    seen: list[str] = []
    for number in range(200):
        client.record("ada", "user.login", f"hub:{number}")
        if number % 20 == 0:
            time.sleep(0.02)
            for path in sorted((tmp_path / "spool").glob("*.jsonl")):
                with locked(path) as file:
                    seen += [e["resource"] for e in events_in(file)]
                    path.unlink()
    client.close()
    seen += [e["resource"] for e in spooled(tmp_path / "spool")]
    assert seen == [f"hub:{number}" for number in range(200)]


def test_an_event_that_is_not_understood_does_not_block_the_others(service: Service, tmp_path: Path) -> None:
    client = AuditClient(service.url, "events", tmp_path / "spool")
    client.record("ada", "unknown", "hub")
    client.record("ada", "user.login", "hub")
    wait(lambda: service.taken)
    client.close()


def test_recording_never_waits(tmp_path: Path) -> None:
    """Not for a service that takes connections and says nothing."""
    import socket
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        client = AuditClient(f"http://127.0.0.1:{mute.getsockname()[1]}/", "events", tmp_path / "spool")
        recording = threading.Thread(daemon=True, target=lambda: [client.record("ada", "user.login", "hub") for _ in range(100)])
        recording.start()
        recording.join(60)
        assert not recording.is_alive(), "each waits for an answer that never comes, ten seconds long"
        wait(lambda: any((tmp_path / "spool").glob("*.jsonl")))


def test_spool_is_private(tmp_path: Path) -> None:
    client = AuditClient("http://127.0.0.1:1/", "events", tmp_path / "spool")
    client.record("ada", "user.login", "hub")
    client.close()
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (tmp_path / "spool").iterdir())
