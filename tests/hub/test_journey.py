"""The journey of a script: httpx and a hub token, no browser; the same stations as tests/ui/test_journey.py."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import httpx
from support.installation import SERVICE_SCOPE, Installation, until
from support.kernel import Outcome, RemoteKernel
from support.person import NewPerson
from support.study import assert_same_volume, make_study

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


async def in_a_kernel(server_url: str, token: str, code: str) -> Outcome:
    async with RemoteKernel(server_url, token) as kernel:
        return await kernel.execute(code)


def finished(api: httpx.Client, run_id: str) -> dict[str, Any]:
    """Waits for a run's success and returns its result's dataset."""
    def ended() -> dict[str, Any] | None:
        run = api.get(f"/runs/{run_id}").json()
        return run if run["state"] in {"succeeded", "failed", "cancelled"} else None

    run = until(ended, 120, "the run's end")
    assert run["state"] == "succeeded", run
    return dict(api.get(f"/datasets/{run['output_dataset_id']}").json())


def test_a_script_walks_the_whole_way(installation: Installation, new_person: NewPerson, tmp_path: Path) -> None:
    study = make_study(tmp_path)
    with new_person(("demo",)) as person:
        person.sign_in()
        assert person.spawn({"profile": "small"}).status_code in (201, 202)
        scopes = [SERVICE_SCOPE, f"access:servers!user={person.name}"]
        token = installation.hub_token(person.name, scopes, password=person.password)
        api = httpx.Client(base_url=installation.api, headers={"Authorization": f"token {token}"}, timeout=60, trust_env=False)
        title = f"CT of {person.name}"

        dataset = upload(api, "demo", title, study.series)
        rows = api.get("/entries", params={"dataset": dataset["id"]}).json()["items"]
        assert [(row["kind"], row["file_format"], row["n_files"]) for row in rows] == [("series", "dicom", len(study.series))]

        tools = api.get("/tools", params={"entries": rows[0]["id"]}).json()["items"]
        tool = next(one for one in tools if one["name"] == "dicom-to-nifti")
        assert tool["eligible"], tool["reason"]
        made = api.post("/runs", json={"tool": tool["name"], "project": "demo", "inputs": tool["assignment"]})
        assert made.status_code == 201, made.text
        result = finished(api, made.json()["id"])

        row = api.get("/entries", params={"dataset": result["id"]}).json()["items"][0]
        assert row["execution"] == made.json()["label"]
        file = api.get(f"/entries/{row['id']}/files").json()["items"][0]
        content = api.get(f"/files/{file['id']}/content")
        assert hashlib.sha256(content.content).hexdigest() == file["sha256"]
        local = tmp_path / Path(file["path"]).name
        local.write_bytes(content.content)
        assert_same_volume(local, study)

        outcome = asyncio.run(in_a_kernel(person.server_url, token, (
            "import voxelhub\n"
            f"volume = voxelhub.dataset({result['id']!r}).load()\n"
            "print(volume.array.shape)\n"
            f"print(voxelhub.save(volume, 'Saved by {person.name}', project='demo').path)\n"
        )))
        assert outcome.status == "ok", outcome.error
        assert f"{study.array.shape}" in outcome.text
        titles = [one["title"] for one in api.get("/datasets", params={"project": "demo"}).json()["items"]]
        assert f"Saved by {person.name}" in titles
        assert installation.command("audit", "verify").returncode == 0

        person.http.get(f"{person.url}/hub/logout")
        until(lambda: person.page("/hub/home").status_code == 302, 60, "the end of the session")
        assert "kc-form-login" in person.http.get(f"{person.url}/hub/oauth_login").text
