"""A script's way to bring files in: announced, sent, digested, completed, imported."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx

from .installation import until

TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}


def upload(api: httpx.Client, project: str, title: str, files: list[Path]) -> dict[str, Any]:
    """Brings files in as one dataset and waits; returns the dataset."""
    wanted = [{"path": f"{title}/{file.name}", "size": file.stat().st_size} for file in files]
    made = api.post("/uploads", json={"project": project, "title": title, "files": wanted})
    assert made.status_code == 201, made.text
    base = f"/uploads/{made.json()['id']}"
    by_path = {one["path"]: one["id"] for one in made.json()["files"]}
    for file in files:
        data = file.read_bytes()
        target = f"{base}/files/{by_path[f'{title}/{file.name}']}"
        assert api.patch(target, content=data, headers={**TUS, "Upload-Offset": "0"}).status_code == 204
        digest = api.post(f"{target}/digest", json={"sha256": hashlib.sha256(data).hexdigest()})
        assert digest.is_success, digest.text
    done = api.post(f"{base}/complete")
    assert done.is_success, done.text
    return finished(api, done.json()["id"])


def finished(api: httpx.Client, run_id: str) -> dict[str, Any]:
    """Waits for a run's success and returns its result's dataset."""
    def ended() -> dict[str, Any] | None:
        run = api.get(f"/runs/{run_id}").json()
        return run if run["state"] in {"succeeded", "failed", "cancelled"} else None

    run = until(ended, 120, "the run's end")
    assert run["state"] == "succeeded", run
    return dict(api.get(f"/datasets/{run['output_dataset_id']}").json())
