"""The hub of a cluster at the service's door: it waits for a service that is away, and takes a refusal as one."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from support.installation import free_ports
from support.live import serving
from support.pods import HubPod
from voxelhub_hub import cli, doctor
from voxelhub_hub.service_client import ServiceClient, ServiceSilent


class Service:
    """Answers with these in turn, the last one for ever; keeps what it was told."""

    def __init__(self, *answers: int) -> None:
        self.answers, self.told = list(answers), []

    async def take(self, request: Request) -> Response:
        self.told.append((request.url.path, request.headers["authorization"], await request.json()))
        code = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Response(status_code=204) if code == 204 else JSONResponse({"detail": f"because {code}"}, code)

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/api/internal/{what}", self.take, methods=["POST"])])


def client(port: int, patience: float = 10) -> ServiceClient:
    return ServiceClient(f"http://127.0.0.1:{port}/api", "token", patience)


def test_folders_are_asked_for_until_they_are_there() -> None:
    service = Service(503, 500, 204)
    with serving(service.app) as port:
        asyncio.run(client(port).ensure_projects(["alpha", "home-ada"]))
    assert service.told == 3 * [("/api/internal/projects", "Bearer token", {"projects": ["alpha", "home-ada"]})]


def test_without_projects_nobody_is_asked() -> None:
    asyncio.run(client(free_ports(1)[0]).ensure_projects([]))


@pytest.mark.parametrize(("code", "asked"), [(422, 1), (401, 1), (503, 2)])
def test_a_refusal_is_final_and_a_failure_is_asked_again(code: int, asked: int) -> None:
    service = Service(code)
    with serving(service.app) as port, pytest.raises(ServiceSilent, match=f"{code}.*because {code}"):
        asyncio.run(client(port, patience=0.3).ensure_projects(["alpha"]))
    assert len(service.told) == asked


def test_a_service_that_is_away_is_named() -> None:
    with pytest.raises(ServiceSilent, match="does not answer"):
        asyncio.run(client(free_ports(1)[0], patience=0.6).ensure_projects(["alpha"]))


def test_what_a_server_used_is_told_once_and_not_waited_for() -> None:
    service = Service(503)
    with serving(service.app) as port, pytest.raises(ServiceSilent):
        asyncio.run(client(port, patience=30).charge({"id": "a" * 32, "seconds": 3.0}))
    assert service.told == [("/api/internal/servers", "Bearer token", {"servers": [{"id": "a" * 32, "seconds": 3.0}]})]


def test_configuration_copies_no_client() -> None:
    made = client(1)
    assert deepcopy({"charge": made.charge})["charge"].__self__ is made


@pytest.mark.parametrize(("command", "said"), [
    (["up"], "the chart starts each part"), (["status"], "kubectl get pods"), (["backup", "FILE"], "docs/administrator.md"),
    (["restore", "FILE"], "docs/administrator.md")])
def test_what_is_for_one_machine_is_refused_in_a_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str], said: str,
) -> None:
    pod = HubPod(tmp_path)
    for name, value in pod.environ.items():
        monkeypatch.setenv(name, value)
    before = sorted(pod.secrets.iterdir())
    assert cli.main([str(tmp_path / "file") if part == "FILE" else part for part in command]) == 1
    assert said in capsys.readouterr().err
    assert sorted(pod.secrets.iterdir()) == before and not (tmp_path / "file").exists()


def test_the_doctor_of_a_pod_says_where_it_is_and_what_does_not_run(tmp_path: Path) -> None:
    pod = HubPod(tmp_path)
    said = list(doctor.look(pod.settings))
    text = "\n".join(finding.text for finding in said)
    assert text.startswith("Runs on Kubernetes, ") and "Tools and Dask clusters do not run on Kubernetes yet" in text
    assert "does not serve the realm voxelhub" in text and "bubblewrap makes sandboxes" not in text
    assert [finding.verdict for finding in said].count("wrong") == 1  # no Keycloak is here
