"""A home on a volume that holds no byte more: what Jupyter says to whoever saves."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.lab_server import LabServer, lab_server
from voxelhub_lab.full import FULL


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LabServer]:
    if os.geteuid():
        pytest.skip("only root may mount a small volume")
    (tmp_path / "work").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path / "work")], check=True)
    try:
        with lab_server(tmp_path, "http://127.0.0.1:9", "none") as started:
            yield started
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path / "work")], check=True)


def test_saving_to_a_full_home_says_so_and_goes_on_when_there_is_room(server: LabServer, tmp_path: Path) -> None:
    def save(text: str, name: str = "notes.txt") -> httpx.Response:
        return httpx.put(f"{server.url}/api/contents/{name}", headers=server.headers, timeout=60,
                         json={"type": "file", "format": "text", "content": text})

    assert save("before").status_code == 201
    fill = tmp_path / "work" / "fill"
    with pytest.raises(OSError, match="No space"), fill.open("wb", buffering=0) as file:
        while file.write(b"0" * 4096):
            pass
    for name in ("notes.txt", "new.txt"):
        answer = save("0123456789" * 2000, name)
        assert (answer.status_code, answer.json()["message"]) == (507, FULL)
    assert httpx.get(f"{server.url}/api/contents/notes.txt", headers=server.headers).json()["content"] == "before"
    fill.unlink()
    assert save("after").status_code == 200
