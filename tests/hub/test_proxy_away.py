"""The proxy while nothing listens where the hub should be: a page for a browser, a document for a program."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.installation import until
from support.ports import free_port
from voxelhub_hub.children import proxy_command

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    port, hub = free_port(), f"http://127.0.0.1:{free_port()}"
    command = [*proxy_command("127.0.0.1", port), "--api-port", str(free_port()), "--default-target", hub,
               "--error-target", f"{hub}/hub/error"]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        until(lambda: _listens(f"http://127.0.0.1:{port}/_chp_healthz"), 60, "the proxy")
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def test_a_browser_gets_a_page_with_a_sentence_that_tries_again(url: str) -> None:
    answer = httpx.get(f"{url}/hub/home", headers=BROWSER, trust_env=False)
    assert answer.status_code == 503 and answer.headers["content-type"].startswith("text/html")
    assert "VoxelHub does not answer at the moment." in answer.text and 'http-equiv="refresh"' in answer.text


def test_a_program_gets_the_sentence_as_every_problem_of_the_api(url: str) -> None:
    answer = httpx.get(f"{url}/hub/api/user", trust_env=False)
    assert answer.status_code == 503 and answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["detail"].startswith("VoxelHub does not answer") and answer.json()["fix"]


@pytest.mark.parametrize("headers", [BROWSER, {}])
def test_the_service_away_is_not_called_ones_server_being_down(url: str, headers: dict[str, str]) -> None:
    answer = httpx.post(f"{url}/services/voxelhub/api/v1/uploads", json={}, headers=headers, trust_env=False)
    assert answer.status_code == 503
    assert "The part of VoxelHub that holds the data does not answer at the moment." in answer.text


def _listens(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False
