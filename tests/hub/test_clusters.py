"""A Dask cluster on the whole installation: it belongs to the notebook server that asked for it, and dies with it."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from support.clustering import ENVIRONMENT, processes_naming
from support.installation import Installation, until
from support.person import NewPerson, processes

pytestmark = pytest.mark.skipif(not ENVIRONMENT.is_dir(), reason="the environment imaging is not made here")


def test_a_cluster_dies_with_its_server_unless_it_is_pinned(installation: Installation, new_person: NewPerson) -> None:
    """Made through Lab's proxy, with the server's own token; the server is killed with all of its processes."""
    with new_person(("demo",)) as person:
        person.sign_in()
        assert person.spawn({"profile": "small"}).status_code in (201, 202)
        until(person.ready, 90, "the server")

        def call(method: str, path: str, **options: object) -> dict[str, object]:
            answer = person.server(method, f"voxelhub/api/v1{path}", **options)
            assert answer.status_code < 300, answer.text
            found: dict[str, object] = answer.json()
            return found

        body = {"project": "demo", "made_in": "panel"}
        pin = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        plain, pinned = (call("POST", "/clusters", json=each) for each in (body, body | {"pinned_until": pin}))
        assert (plain["server"], pinned["server"]) == ("", "")
        ids = [str(one["id"]) for one in (plain, pinned)]
        for cluster_id in ids:
            until(lambda cluster_id=cluster_id: call("GET", f"/clusters/{cluster_id}")["state"] == "running", 90, "a cluster")
        folders = [str(installation.settings.clusters_dir / cluster_id) for cluster_id in ids]
        assert all(processes_naming(folder) for folder in folders)
        with installation.client(person.name, password=person.password) as api:
            for process in processes(installation, person.name):
                try:
                    process.send_signal(signal.SIGKILL)
                except psutil.NoSuchProcess:
                    continue
            until(lambda: not processes_naming(folders[0]), 60, "the end of the cluster that belonged to it")
            until(lambda: api.get(f"/clusters/{ids[0]}").json()["state"] == "closed", 30, "its row")
            assert api.get(f"/clusters/{ids[0]}").json()["reason"] == "Closed with the notebook server that it belonged to."
            assert api.get(f"/clusters/{ids[1]}").json()["state"] == "running"
            entries = api.get("/spend/entries").json()["items"]
            assert {ids[0], ids[1]} <= {one["subject"] for one in entries if one["kind"] == "cluster"}
            assert api.delete(f"/clusters/{ids[1]}").status_code == 202
            until(lambda: not processes_naming(folders[1]), 60, "the end of the pinned one")
