"""An installation with one of everything, and for every operation of the API the ids and the body of a sensible call.

Nothing is listed by route: ids are chosen by the name of the path parameter, bodies are made from the schema. Only where an
operation needs an object in a certain state does STATES name it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient
from support.brought import tool_zip
from support.held import hold
from support.probe import write_probe
from support.samples import write_volume
from support.service import ACTORS, TableIdentity, bearer, make_test_context
from support.uploads import TUS, announce, bring_in, open_project, patch, sha256
from support.world import ROOT
from voxelhub_service.api.app import create_app
from voxelhub_service.api.gate import PREFIX
from voxelhub_service.audit.checkpoint import make
from voxelhub_service.context import Context
from voxelhub_service.database import reading, writing
from voxelhub_service.identity.actor import personal_project
from voxelhub_service.identity.tokens import Identity
from voxelhub_service.models import Cluster, Dataset, DatasetVersion, Entry, File, Project

UNKNOWN = "0" * 32
# Operations whose sensible call needs an object in a state of its own.
STATES = {
    ("POST", "/datasets/{dataset_id}/restore"): {"dataset_id": "trashed"},
    ("DELETE", "/uploads/{upload_id}"): {"upload_id": "second_upload"},
    ("POST", "/uploads/{upload_id}/complete"): {"upload_id": "full_upload"},
    ("POST", "/runs/{run_id}/cancel"): {"run_id": "second_run"},
    ("POST", "/batches/{batch_id}/cancel"): {"batch_id": "batch_to_cancel"},
    ("POST", "/batches/{batch_id}/retry"): {"batch_id": "batch_to_retry"},
    ("POST", "/quarantine/{item_id}/release"): {"item_id": "item_to_release"},
    ("POST", "/quarantine/{item_id}/reject"): {"item_id": "item_to_reject"},
    ("POST", "/tools/submissions/{submission_id}/decision"): {"submission_id": "submission_to_decide"},
    ("POST", "/tools/submissions/{submission_id}/withdraw"): {"submission_id": "submission_to_withdraw"},
}


@dataclass
class Populated:
    client: TestClient
    context: Context
    app: Any
    user: str
    ids: dict[str, str] = field(default_factory=dict)

    def path_parameters(self, method: str, path: str, *, known: bool = True) -> dict[str, str]:
        """Real ids, or well-formed ones that name nothing, for the parameters of a path below the prefix."""
        found = {}
        for name in re.findall(r"\{(\w+)\}", path):
            if known:
                found[name] = self.ids[STATES.get((method, path), {}).get(name) or self._kind(name, path)]
            else:
                found[name] = {"project": "no-such-project", "name": "no-such-tool", "number": "1"}.get(name, UNKNOWN)
        return found

    def _kind(self, name: str, path: str) -> str:
        return "upload_file_id" if name == "file_id" and "/uploads/" in path else name

    def body(self, method: str, path: str, *, known: bool = True) -> Any:
        """A JSON body from the schema with real names and ids in it; None where the operation takes none."""
        operation = self.app.openapi()["paths"][PREFIX + path][method.lower()]
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return None
        values = {
            "project": self.ids["project"] if known else "no-such-project",
            "tool": "probe",
            "inputs": {"volume": [self.ids["entry_id"] if known else UNKNOWN]},
            "sha256": sha256(b"12345"),
            "files": [{"path": "new.txt", "size": 3}],
            "arguments": {},
            "url": "https://data.example/study.zip",
            "reason": "Looked at: it shows nothing of a patient.",
            "decision": "reject",
            "items": [{"label": "One", "inputs": {"volume": [self.ids["entry_id"] if known else UNKNOWN]}}],
            "entries": [self.ids["entry_id"] if known else UNKNOWN],
            "kind": "server",
        }
        return self._example(schema, values)

    def _example(self, schema: dict[str, Any], values: dict[str, Any]) -> Any:
        if "$ref" in schema:
            schema = self.app.openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if schema.get("type") != "object":
            return "Title"
        wanted = schema.get("required") or [name for name in schema["properties"] if name in {"title", "name"}]
        return {name: values.get(name, "A title") for name in wanted}

    def headers(self, method: str, path: str, body: Any) -> dict[str, str]:
        if self._takes_zip(method, path):
            return {"Content-Type": "application/zip"}
        is_bytes = method == "PATCH" and body is None
        return {**TUS, "Upload-Offset": "0"} if is_bytes else {}

    def _takes_zip(self, method: str, path: str) -> bool:
        operation = self.app.openapi()["paths"].get(PREFIX + path, {}).get(method.lower(), {})
        return "application/zip" in operation.get("requestBody", {}).get("content", {})

    def call(self, method: str, path: str, user: str | None = None, *, known: bool = True, headers: Any = None) -> Any:
        """A sensible call of an operation given by its path template."""
        body = self.body(method, path, known=known)
        return self.client.request(
            method,
            path.format(**self.path_parameters(method, path, known=known)),
            headers={**(bearer(user) if user else {}), **self.headers(method, path, body), **(headers or {})},
            **self._content(method, path, body),
        )


    def _content(self, method: str, path: str, body: Any) -> dict[str, Any]:
        if body is not None:
            return {"json": body}
        if self._takes_zip(method, path):
            return {"content": tool_zip("fresh")}
        return {"content": b"12345"} if self.headers(method, path, body) else {}


def operations(app: Any, *, hidden: bool = True) -> list[tuple[str, str]]:
    """(method, path below the prefix) of every route of the application; those that change most come last."""
    order = ["OPTIONS", "HEAD", "GET", "PATCH", "PUT", "POST", "DELETE"]
    found = [
        (method, str(route.path_format or route.path).removeprefix(PREFIX))
        for route in iter_route_contexts(app.routes)
        if hidden or getattr(route, "include_in_schema", True)
        for method in (route.methods or ())
    ]
    found = [(method, path) for method, path in found if path != "/openapi.json"]
    return sorted(found, key=lambda one: (order.index(one[0]), one[1].endswith("complete"), one[1]))


def populate(folder: Path, user: str = "alice", identity: Identity | None = None, hub: Any = None) -> Populated:
    context = make_test_context(folder, tools_dir=str(write_probe(folder / "tools")), envs_dir=ROOT / ".envs")
    app = create_app(context, identity or TableIdentity(ACTORS), hub)
    setup = TestClient(create_app(context, TableIdentity(ACTORS)), base_url=f"http://testserver{PREFIX}")
    made = Populated(TestClient(app, base_url=f"http://testserver{PREFIX}"), context, app, user)
    open_project(context, "demo")
    made.ids |= {"project": "demo", "name": "probe", "number": "1", "seq": "1", "path": "status"}
    _datasets(setup, made, folder)
    _uploads(setup, made)
    _runs(setup, made)
    _batches(setup, made)
    _quarantine(made)
    _submissions(setup, made)
    _cluster(made)
    make(context.audit, context.engine)  # records have proofs
    return made


def _datasets(client: TestClient, made: Populated, folder: Path) -> None:
    volume = write_volume(folder / "volume.nii.gz").read_bytes()
    for title, key in (("Study", "dataset_id"), ("Old", "trashed")):
        version = bring_in(
            client, made.context, {"volume.nii.gz": volume, "table.csv": b"a,b\n1,2\n"}, user=made.user, title=title
        )
        with reading(made.context.engine) as session:
            made.ids[key] = session.get_one(Dataset, session.get_one(DatasetVersion, version.id).dataset_id).id
            entry = session.query(Entry).filter_by(version_id=version.id, kind="volume").one()
            made.ids |= (
                {"entry_id": entry.id, "file_id": session.query(File).filter_by(entry_id=entry.id).first().id}
                if key == "dataset_id"
                else {}
            )
    assert client.delete(f"/datasets/{made.ids['trashed']}", headers=bearer(made.user)).status_code == 204


def _uploads(client: TestClient, made: Populated) -> None:
    for key, file_key in (("upload_id", "upload_file_id"), ("second_upload", ""), ("full_upload", "")):
        upload = announce(client, {"part.txt": b"12345"}, user=made.user, title=f"Upload {key}").json()
        made.ids[key] = upload["id"]
        file = upload["files"][0]["id"]
        if file_key:
            made.ids[file_key] = file
        if key == "full_upload":
            assert patch(client, upload["id"], file, 0, b"12345", made.user).status_code == 204
            client.post(
                f"/uploads/{upload['id']}/files/{file}/digest", json={"sha256": sha256(b"12345")}, headers=bearer(made.user)
            )


def _runs(client: TestClient, made: Populated) -> None:
    for key in ("run_id", "second_run"):
        body = {"tool": "probe", "project": "demo", "inputs": {"volume": [made.ids["entry_id"]]}, "arguments": {}}
        run = client.post("/runs", json=body, headers=bearer(made.user))
        assert run.status_code == 201, run.text
        made.ids[key] = run.json()["id"]


def _batches(client: TestClient, made: Populated) -> None:
    for key in ("batch_id", "batch_to_cancel", "batch_to_retry"):
        items = [{"label": f"Item {n}", "inputs": {"volume": [made.ids["entry_id"]]}} for n in (1, 2)]
        body = {"tool": "probe", "project": "demo", "title": key, "items": items}
        batch = client.post("/batches", json=body, headers=bearer(made.user))
        assert batch.status_code == 201, batch.text
        made.ids[key] = batch.json()["id"]
    assert client.post(f"/batches/{made.ids['batch_to_retry']}/cancel", headers=bearer(made.user)).status_code == 202


def _quarantine(made: Populated) -> None:
    """In the user's own project: there they are owner, and decide."""
    project = personal_project(made.user)
    open_project(made.context, project, open=False)
    items = hold(made.context, project, made.user, [b"one", b"two", b"three"])
    made.ids |= dict(zip(("item_id", "item_to_release", "item_to_reject"), items, strict=True))


def _submissions(client: TestClient, made: Populated) -> None:
    headers = {**bearer(made.user), "Content-Type": "application/zip"}
    for key in ("submission_id", "submission_to_decide", "submission_to_withdraw"):
        row = client.post("/tools/submissions", content=tool_zip(key.replace("_", "-")), headers=headers)
        assert row.status_code == 201, row.text
        made.ids[key] = row.json()["id"]


def _cluster(made: Populated) -> None:
    with writing(made.context.engine) as session:
        project = session.query(Project.id).filter_by(name="demo").scalar()
        cluster = Cluster(title="Cluster", project_id=project, owner=made.user, made_in="api", kind="small",
                          environment="imaging", cpu=1.0, memory=2**30, adaptive=True, minimum=0, maximum=4, workers=0,
                          state="running")
        session.add(cluster)
        session.flush()
        made.ids["cluster_id"] = cluster.id
