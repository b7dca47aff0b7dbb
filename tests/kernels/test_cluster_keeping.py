"""The process that says for a kernel that it lives."""

from __future__ import annotations

import itertools
import os

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from support.live import serving
from voxelhub import cluster_keeping as keeping

ID = "1" * 32


def test_what_the_service_answers(monkeypatch):
    answers = [(200, {"kept": True}), (503, {}), (401, {}), (200, {"kept": False}), (404, {}), (200, [])]
    asked = []

    async def keep(request: Request) -> JSONResponse:
        status, body = answers[len(asked)]
        asked.append((request.path_params["id"], request.headers["authorization"]))
        return JSONResponse(body, status)

    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "mine")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving(Starlette(routes=[Route("/api/clusters/{id}/keep", keep, methods=["POST"])])) as port:
        monkeypatch.setenv("VOXELHUB_API_URL", f"http://127.0.0.1:{port}/api/")
        assert [keeping.say(ID) for _ in answers] == [True, None, None, False, False, None]
    assert asked == [(ID, "Bearer mine")] * len(answers)
    assert keeping.say(ID) is None  # nobody is there any more


@pytest.mark.parametrize(("answers", "waited"), [
    ([True, None, None, True, False], [keeping.EVERY_S, keeping.RETRY_S, keeping.RETRY_S, keeping.EVERY_S]),
    ([True, "dies"], [keeping.EVERY_S]),
])
def test_it_goes_on_until_there_is_nothing_to_keep_or_its_kernel_is_gone(monkeypatch, answers, waited):
    """And asks sooner after a service that was away."""
    clock, left, said, parent = [0.0], list(answers), [], [os.getppid()]

    def say(_: str) -> bool | None:
        said.append(clock[0])
        if left[0] == "dies":
            parent[0] = 1
            return True
        return left.pop(0)

    monkeypatch.setattr(keeping, "say", say)
    monkeypatch.setattr(keeping.os, "getppid", lambda: parent[0])
    monkeypatch.setattr(keeping.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(keeping.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    keeping.keep(ID, parent[0])
    assert [after - before for before, after in itertools.pairwise(said)] == waited
