"""SIGKILL to the hub in each state of an upload and of a tool run: work goes on, and the client goes on when it may again."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import httpx
import pytest
from support.installation import Installation, until

TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
DATA = b"patient,volume\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(50_000))
ENDED = {"succeeded", "failed", "cancelled"}


class Patient:
    """A client that asks again while the hub cannot say who it is, for at most a minute."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        deadline = time.monotonic() + 180
        while True:
            answer = self._client.request(method, path, **options)
            if answer.status_code not in (502, 503) or time.monotonic() > deadline:
                assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
                return answer
            time.sleep(0.5)

    def ended(self, run_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            run: dict[str, Any] = self.ask("GET", f"/runs/{run_id}").json()
            return run if run["state"] in ENDED else None

        return until(look, 240, "the run's end")


def bring_in(installation: Installation, client: Patient, title: str, state: str) -> dict[str, Any]:
    body = {"project": "demo", "title": title, "files": [{"path": "table.csv", "size": len(DATA)}]}
    upload = client.ask("POST", "/uploads", json=body, headers={"Idempotency-Key": title}).json()
    file = f"/uploads/{upload['id']}/files/{upload['files'][0]['id']}"
    half = len(DATA) // 2
    client.ask("PATCH", file, content=DATA[:half], headers={**TUS, "Upload-Offset": "0"})
    if state == "open":
        installation.restart("hub")
    offset = int(client.ask("HEAD", file, headers=TUS).headers["Upload-Offset"])
    assert offset == half
    client.ask("PATCH", file, content=DATA[half:], headers={**TUS, "Upload-Offset": str(half)})
    client.ask("POST", f"{file}/digest", json={"sha256": hashlib.sha256(DATA).hexdigest()})
    run = client.ask("POST", f"/uploads/{upload['id']}/complete").json()
    if state == "importing":
        installation.restart("hub")
    return client.ended(run["id"])


def convert(installation: Installation, client: Patient) -> dict[str, Any]:
    rows = client.ask("GET", "/entries", params={"project": "demo", "file_format": "dicom"}).json()["items"]
    body = {"tool": "dicom-to-nifti", "project": "demo", "inputs": {"series": [rows[0]["id"]]}}
    run = client.ask("POST", "/runs", json=body).json()
    installation.restart("hub")
    return client.ended(run["id"])


@pytest.mark.parametrize("state", ["open", "importing", "tool run"])
def test_killed_hub_loses_nothing(installation: Installation, state: str) -> None:
    with installation.client("ada") as http:
        client = Patient(http)
        title = f"Survives: {state}"
        run = convert(installation, client) if state == "tool run" else bring_in(installation, client, title, state)
        assert run["state"] == "succeeded", run["reason"]
        if state != "tool run":
            page = client.ask("GET", "/datasets", params={"project": "demo", "q": title}).json()
            assert [len(one["versions"]) for one in page["items"]] == [1]
    checked = installation.command("fsck", "--deep", check=False)
    assert checked.returncode == 0, checked.stdout
