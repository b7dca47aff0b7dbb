"""(b) A large file through the service (tus, SHA-256 checked) against `curl -T` to a plain file server.

The client is curl in both cases, so that what differs is the server. Rounds take turns; every round sends other bytes,
or the service would say that it holds them already.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from benchmarks.measure import median, table
from support.installation import Installation, free_ports

MIB = 1024**2


def measure(installation: Installation, folder: Path, size: int = 1024 * MIB, rounds: int = 5) -> str:
    source = folder / "source.bin"
    make_file(source, size)
    found: dict[str, list[dict[str, float]]] = {"plain": [], "direct": [], "proxy": []}
    token = installation.hub_token("ada")
    direct = f"{installation.settings.service_url}/api/v1"
    with plain_server(folder / "plain") as (url, server):
        for number in range(rounds):
            stamp(source, number)
            digest = sha256(source)
            found["plain"].append(send_plain(source, url, server))
            stamp(source, 1000 + number)
            digest = sha256(source)
            found["direct"].append(send_tus(source, direct, direct, token, digest, installation))
            stamp(source, 2000 + number)
            digest = sha256(source)
            found["proxy"].append(send_tus(source, installation.api, direct, token, digest, installation))
            seconds = ", ".join(f"{name} {times[-1]['send']:.2f} s" for name, times in found.items())
            print(f"  round {number}: {seconds}", flush=True)
    return report(found, size)


def make_file(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))


def stamp(path: Path, number: int) -> None:
    """Make it another file."""
    with path.open("r+b") as file:
        file.write(f"{number:032d}".encode())


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def plain_server(folder: Path) -> Iterator[tuple[str, int]]:
    folder.mkdir()
    [port] = free_ports(1)
    process = subprocess.Popen([sys.executable, Path(__file__).with_name("plain_server.py"), str(port), folder])
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(10)


class Memory:
    """The largest resident memory of a process while it is watched, and what it had before."""

    def __init__(self, pid: int) -> None:
        self._process, self._stop = psutil.Process(pid), threading.Event()
        self.before = self.peak = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, self._process.memory_info().rss)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def curl(*arguments: str) -> float:
    """Seconds that curl took; it must succeed."""
    started = time.perf_counter()
    subprocess.run(["curl", "-sS", "--fail-with-body", "--noproxy", "*", "-o", os.devnull, *arguments], check=True)
    return time.perf_counter() - started


def send_plain(source: Path, url: str, pid: int) -> dict[str, float]:
    with Memory(pid) as memory:
        seconds = curl("-T", str(source), f"{url}/file")
    return {"send": seconds, "rss": memory.peak, "grown": memory.peak - memory.before}


def send_tus(source: Path, api: str, direct: str, token: str, digest: str, installation: Installation) -> dict[str, float]:
    """One PATCH with the whole file, then the import to its end. `send` is the time until the bytes are safe on disk."""
    with httpx.Client(base_url=f"{direct}/", headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False) as client:
        body = {"project": "demo", "title": f"Bench {digest[:8]}", "unpack": False,
                "files": [{"path": "source.bin", "size": source.stat().st_size, "sha256": digest}]}
        upload = wire(client.post("uploads", json=body))
        address = f"{api}/uploads/{upload['id']}/files/{upload['files'][0]['id']}"
        with Memory(installation.pid("service")) as memory:
            seconds = curl("-X", "PATCH", "-T", str(source), "-H", f"Authorization: Bearer {token}", "-H", "Tus-Resumable: 1.0.0",
                           "-H", "Upload-Offset: 0", "-H", "Content-Type: application/offset+octet-stream", address)
        started = time.perf_counter()
        run = wire(client.post(f"uploads/{upload['id']}/complete"))["id"]
        while (state := wire(client.get(f"runs/{run}"))["state"]) not in {"succeeded", "failed", "cancelled"}:
            time.sleep(0.05)
        assert state == "succeeded", state
        published = time.perf_counter() - started
        remove(client, run)
    return {"send": seconds, "publish": published, "rss": memory.peak, "grown": memory.peak - memory.before}


def remove(client: httpx.Client, run: str) -> None:
    """To the trash, so that the listing benchmark is not disturbed."""
    wire(client.delete(f"datasets/{wire(client.get(f'runs/{run}'))['output_dataset_id']}"))


def wire(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def report(found: dict[str, list[dict[str, float]]], size: int) -> str:
    names = {"plain": "plain file server", "direct": "VoxelHub, at the service", "proxy": "VoxelHub, through the hub's proxy"}
    base = median([t["send"] for t in found["plain"]])
    rows = []
    for key, name in names.items():
        send = median([t["send"] for t in found[key]])
        published = [t["publish"] for t in found[key] if "publish" in t]
        rows.append([name, f"{send:.2f} s", f"{size / send / 1e6:.0f} MB/s", f"{base / send:.2f}",
                     f"{median(published):.2f} s" if published else "–",
                     f"{max(t['rss'] for t in found[key]) / 1e6:.0f} MB", f"{max(t['grown'] for t in found[key]) / 1e6:.0f} MB"])
    return (
        f"{size / 2**20:.0f} MiB in one request, medians of {len(found['plain'])} rounds taking turns; the client is curl each "
        "time. VoxelHub's time ends when the bytes are safe on disk (fsync), the plain server's when they are written. "
        "“Publish” is from `complete` to a registered dataset: the worker reads all bytes again for SHA-256.\n\n"
        + table(["way", "send", "rate", "of plain", "publish", "server RSS, peak", "grown by"], rows)
    )
