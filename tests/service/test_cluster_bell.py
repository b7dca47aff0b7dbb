"""The bell of the clusters wakes its one listener, holds up nobody who rings, and can be done without."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from voxelhub_service.clusters.bell import NAME, Bell, ring

LONG = 20.0  # seconds; none of these waits lasts so long


def waited(bell: Bell, seconds: float) -> float:
    began = time.monotonic()
    bell.wait(seconds)
    return time.monotonic() - began


def test_it_wakes_the_listener(tmp_path: Path) -> None:
    bell = Bell(tmp_path)
    threading.Timer(0.2, ring, [tmp_path]).start()
    assert waited(bell, LONG) < LONG / 2
    bell.close()


def test_who_rang_before_is_heard_and_many_are_one(tmp_path: Path) -> None:
    bell = Bell(tmp_path)
    for _ in range(70_000):  # more than a pipe holds: nobody waits for it to be emptied
        ring(tmp_path)
    assert waited(bell, LONG) < LONG / 2
    assert waited(bell, 0.3) >= 0.3
    bell.close()


def test_without_a_listener_nobody_waits(tmp_path: Path) -> None:
    ring(tmp_path)
    Bell(tmp_path).close()
    ring(tmp_path)
    assert (tmp_path / NAME).is_fifo()
    bell = Bell(tmp_path)  # the next worker's
    assert waited(bell, 0.3) >= 0.3
    bell.close()


@pytest.mark.parametrize("folder", ["not there", "a file in its place"])
def test_where_there_can_be_none_the_looks_go_on(tmp_path: Path, folder: str) -> None:
    if folder == "a file in its place":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / NAME).write_text("x" * 10)
    ring(tmp_path / folder)
    bell = Bell(tmp_path / folder)
    assert waited(bell, 0.3) >= 0.3
    bell.close()
