"""The journey of a script: httpx and a hub token, no browser; the same stations as tests/ui/test_journey.py."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import httpx
from support.installation import SERVICE_SCOPE, Installation, until
from support.kernel import Outcome, RemoteKernel
from support.person import NewPerson
from support.sending import finished, upload
from support.study import assert_same_volume, make_study


async def in_a_kernel(server_url: str, token: str, code: str) -> Outcome:
    async with RemoteKernel(server_url, token) as kernel:
        return await kernel.execute(code)


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
