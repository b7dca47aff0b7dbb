"""Tools from a folder of the home: a real Jupyter server before the real service, whose answers it passes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.brought import tool_files
from support.lab_server import LabServer, lab_server
from support.live import live_service
from support.ports import free_port
from support.world import ROOT
from voxelhub_lab import packing
from voxelhub_service.database import reading
from voxelhub_service.models import ToolVersion
from voxelhub_service.tools import package, template

PATIENCE = 60  # seconds


class Place:
    def __init__(self, server: LabServer, home: Path, service) -> None:
        self.server, self.home, self.service = server, home, service

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        return httpx.post(f"{self.server.url}/voxelhub/tools/{path}", json=body, headers={**self.server.headers, **headers},
                          timeout=PATIENCE)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("lab")
    with live_service(folder / "service", envs_dir=ROOT / ".envs") as service, \
            lab_server(folder / "home", service.url, "token-of-alice") as server:
        yield Place(server, folder / "home" / "work", service)


def test_new_check_and_submit(place):
    made = place.post("new", {"name": "lung-volume", "kind": "shell"})
    assert (made.status_code, made.json()) == (201, {"path": "lung-volume"})
    assert (place.home / "lung-volume" / "main.sh").read_text().startswith("#!/bin/sh")
    (place.home / "lung-volume" / ".ipynb_checkpoints").mkdir()
    checked = place.post("check", {"path": "lung-volume"}).json()
    assert checked["ok"] and checked["name"] == "lung-volume"
    (place.home / "lung-volume" / "tool.json").write_text("{")
    assert "no JSON text" in place.post("check", {"path": "/lung-volume/"}).json()["findings"][0]["sentence"]
    (place.home / "lung-volume" / "tool.json").write_bytes(template.files("shell", "lung-volume")["tool.json"])
    first, second = (place.post("submit", {"path": "lung-volume", "note": "Grüße & mehr", "key": "k"}) for _ in range(2))
    assert first.status_code == 201 and first.json() == second.json() and first.json()["note"] == "Grüße & mehr"
    assert first.json()["digest"] == checked["digest"]
    again = place.post("submit", {"path": "lung-volume", "note": ""})
    assert (again.status_code, again.json()["code"]) == (409, "version_taken")
    assert again.headers["content-type"] == "application/problem+json"
    with reading(place.service.context.engine) as session:
        assert [row.owner for row in session.query(ToolVersion)] == ["alice"]


def test_new_writes_over_nothing(place):
    (place.home / "mine").mkdir()
    (place.home / "mine" / "work.py").write_text("x")
    refused = place.post("new", {"name": "mine", "kind": "python"})
    assert refused.status_code == 409 and "There is a mine already" in refused.json()["detail"]
    assert [path.name for path in (place.home / "mine").iterdir()] == ["work.py"]
    assert place.post("new", {"name": "../x", "kind": "python"}).status_code == 422
    assert place.post("new", {"name": "x", "kind": "cobol"}).status_code == 422 and not (place.home / "x").exists()


@pytest.mark.parametrize("path", ["..", "../..", "/etc", "gone", "out", "mine.txt", "a\0b", "../home-other"])
def test_no_folder_but_those_of_the_home(place, path):
    (place.home / "mine.txt").write_text("x")
    if not (place.home / "out").is_symlink():
        (place.home / "out").symlink_to("/etc")
    for one in ("check", "submit"):
        refused = place.post(one, {"path": path})
        assert (refused.status_code, refused.json()["code"]) == (404, "no_such_folder"), refused.text


@pytest.mark.parametrize(("make", "part"), [
    (lambda folder: (folder / "passwd").symlink_to("/etc/passwd"), "link or another special file"),
    (lambda folder: os.mkfifo(folder / "pipe"), "link or another special file"),
    (lambda folder: (folder / "tool.json").unlink(), "no tool.json"),
    (lambda folder: [(folder / f"f{i}").touch() for i in range(600)], "more than 500 files"),
    (lambda folder: (folder / Path(*"abcdefghijkl")).mkdir(parents=True), "8 deep"),
])
def test_what_cannot_be_packed(place, tmp_path, make, part):
    package.write(tool_files(), place.home / tmp_path.name)
    make(place.home / tmp_path.name)
    refused = place.post("check", {"path": tmp_path.name})
    assert refused.status_code == 422 and part in refused.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"path": 5}', b'{"path": "' + b"a" * 70_000 + b'"}'])
def test_what_is_no_request(place, body):
    answer = httpx.post(f"{place.server.url}/voxelhub/tools/check", content=body, headers=place.server.headers, timeout=PATIENCE)
    assert answer.status_code == 400 and answer.json()["code"] == "bad_request"


def test_a_stranger_and_a_forged_form_are_refused(place):
    for name in ("new", "check", "submit"):
        address = f"{place.server.url}/voxelhub/tools/{name}"
        assert httpx.post(address, json={"path": "."}, timeout=PATIENCE).status_code == 403
        with httpx.Client(timeout=PATIENCE) as browser:  # a login cookie without the XSRF token, as another site would send it
            browser.get(f"{place.server.url}/login")
            browser.get(f"{place.server.url}/api/status?token={place.server.token}")
            assert browser.post(address, json={"path": "gone", "name": "!"}).status_code == 403
            proven = browser.post(address, json={"path": "gone", "name": "!"}, headers={"X-XSRFToken": browser.cookies["_xsrf"]})
            assert proven.status_code in (404, 422)


def test_an_unreachable_service_is_a_sentence(tmp_path):
    with lab_server(tmp_path / "home", f"http://127.0.0.1:{free_port()}/api", "token") as server:
        package.write(tool_files(), tmp_path / "home" / "work" / "rows")
        for name, body in (("new", {"name": "x"}), ("check", {"path": "rows"}), ("submit", {"path": "rows"})):
            answer = httpx.post(f"{server.url}/voxelhub/tools/{name}", json=body, headers=server.headers, timeout=PATIENCE)
            assert answer.status_code == 503 and answer.headers["retry-after"] == "3"
            assert answer.json()["code"] == "service_unreachable"


@pytest.mark.parametrize("kind", template.KINDS)
def test_it_packs_to_the_same_bytes_as_the_service(tmp_path, kind):
    template.write(kind, "my-tool", tmp_path / "my-tool")
    (tmp_path / "my-tool" / "a-b").mkdir()
    (tmp_path / "my-tool" / "a-b" / "c.txt").write_text("x")
    (tmp_path / "my-tool" / "a").mkdir()
    (tmp_path / "my-tool" / "a" / "d.txt").write_text("x")
    (tmp_path / "my-tool" / ".git").mkdir()
    data = packing.pack(tmp_path / "my-tool")
    assert data == package.pack(tmp_path / "my-tool", 10**6)
    packing.unpack(data, tmp_path / "copy")
    assert package.collect(tmp_path / "copy", 10**6) == package.read(data, 10**6)
