"""(e) A clinical import of many instances, from `complete` to the registered version, against `cp -r` of the same files."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
from benchmarks.measure import table
from support.lab_server import LAB
from support.live import live_service
from support.planted import Planter
from support.planted_dicom import ct, pixels_of, put_pixels, write
from support.service import bearer
from support.uploads import TUS, open_project
from support.workplace import _working

SIDE, SERIES = 256, 200


def measure(folder: Path, count: int = 10_000, side: int = SIDE) -> str:
    source, archive = folder / "files", folder / "files.tar"
    size = make_files(source, count, side)
    print(f"  {count} instances written, {size / 1e6:.0f} MB", flush=True)
    copied = min(copy(source, folder / "copy") for _ in range(2))
    print(f"  cp -r: {copied:.1f} s", flush=True)
    subprocess.run(["tar", "-cf", archive, "-C", source, "."], check=True)
    with live_service(folder, envs_dir=LAB.parent, min_free=0) as live, _working(live.context, folder / "worker.log", {}):
        open_project(live.context, open=False, quota=10**12)
        with httpx.Client(base_url=live.url, headers=bearer("alice"), timeout=600, trust_env=False) as api:
            upload = send(api, archive)
            archive.unlink()
            with Memory() as memory:
                started = time.perf_counter()
                run = finish(api, upload)
                took = time.perf_counter() - started
    assert run["state"] == "succeeded", run
    reports = live.context.settings.projects_dir.rglob("deidentification-*.jsonl")
    published = sum(len(path.read_text().splitlines()) for path in reports)
    assert published == count, f"{published} of {count} instances were published"
    return report(count, side, size, copied, took, memory)


def make_files(folder: Path, count: int, side: int) -> int:
    """Series of 200 slices, two patients; every pixel set of a series differs a little."""
    planter = Planter(folder.parent / "planted")
    total = 0
    with planter.file(".dcm"):
        for number in range(count):
            if number % SERIES == 0:
                dataset = ct(planter, patient=f"MRN-{number // SERIES % 2}")
                target = folder / f"series{number // SERIES:03d}"
                target.mkdir(parents=True)
                pixels = pixels_of(number // SERIES, side)
            dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.77.5.{number + 1}"
            dataset.InstanceNumber, dataset.SliceLocation = number % SERIES + 1, 5.0 * (number % SERIES)
            dataset.ImagePositionPatient = [-8.0, -8.0, 5.0 * (number % SERIES)]
            put_pixels(dataset, pixels + number % SERIES)
            if hasattr(dataset, "file_meta"):
                del dataset.file_meta
            write(target / f"{number:05d}.dcm", dataset)
            total += (target / f"{number:05d}.dcm").stat().st_size
    return total


def copy(source: Path, target: Path) -> float:
    """Until the bytes are on the disk, as an import's are."""
    shutil.rmtree(target, ignore_errors=True)
    started = time.perf_counter()
    subprocess.run(["cp", "-r", source, target], check=True)
    subprocess.run(["sync", "-f", target], check=True)
    took = time.perf_counter() - started
    shutil.rmtree(target)
    return took


def send(api: httpx.Client, archive: Path) -> str:
    size = archive.stat().st_size
    body = {"project": "demo", "title": "Many", "files": [{"path": "many.tar", "size": size}]}
    upload = api.post("/uploads", json=body).raise_for_status().json()
    file = upload["files"][0]["id"]
    digest = hashlib.sha256()

    def blocks() -> Iterator[bytes]:
        with archive.open("rb") as stream:
            while block := stream.read(4 * 1024**2):
                digest.update(block)
                yield block

    headers = {**TUS, "Upload-Offset": "0", "Content-Length": str(size)}
    api.patch(f"/uploads/{upload['id']}/files/{file}", content=blocks(), headers=headers).raise_for_status()
    api.post(f"/uploads/{upload['id']}/files/{file}/digest", json={"sha256": digest.hexdigest()}).raise_for_status()
    return str(upload["id"])


def finish(api: httpx.Client, upload: str) -> dict[str, Any]:
    run: dict[str, Any] = api.post(f"/uploads/{upload}/complete").raise_for_status().json()
    said = -1
    while run["state"] not in ("succeeded", "failed", "cancelled"):
        time.sleep(0.5)
        run = api.get(f"/runs/{run['id']}").raise_for_status().json()
        if (tenth := int(10 * (run.get("progress") or 0))) != said:
            said = tenth
            print(f"  {time.strftime('%X')} {10 * said} %", flush=True)
    return run


class Memory:
    """Watches the children of this process: worker, import, sandboxes and their cleaners. Private and shared part, in MB."""

    def __init__(self) -> None:
        self.largest, self.together = 0.0, 0.0
        self._over = threading.Event()

    def __enter__(self) -> Memory:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        own = psutil.Process(os.getpid())
        while not self._over.wait(0.5):
            sizes = []
            for child in own.children(recursive=True):
                try:
                    sizes.append(child.memory_full_info().pss / 1e6)
                except psutil.Error:
                    continue
            self.largest, self.together = max([self.largest, *sizes]), max(self.together, sum(sizes))


def report(count: int, side: int, size: int, copied: float, took: float, memory: Memory) -> str:
    rows = [
        ["cp -r and sync", f"{copied:.1f} s", f"{size / copied / 1e6:.0f} MB/s", "1.00", "", ""],
        ["import into a clinical project", f"{took:.1f} s", f"{size / took / 1e6:.0f} MB/s", f"{took / copied:.1f}",
         f"{memory.largest:.0f} MB", f"{memory.together:.0f} MB"],
    ]  # fmt: skip
    return (
        f"{count:,} CT slices of {side} × {side} in 16 bit, {size / 1e6:.0f} MB, sent as one TAR. The import's time runs from "
        "“complete” to the registered version: digest of the archive, unpacking, de-identification with a look for text in every "
        "frame by two sandboxed workers, digests, publishing. Memory (PSS) of worker, import and its sandboxes: the largest "
        "process, and all.\n\n"
        f"{table(['', 'time', 'rate', 'times cp', 'largest process', 'all processes'], rows)}\n\n"
        f"{count / took:.0f} instances/s."
    )
