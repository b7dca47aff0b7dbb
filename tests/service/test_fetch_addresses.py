"""No import reaches into the private network: not by the address, nor a redirect, nor a name that resolves anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from support.service import bearer, make_service
from support.uploads import open_project
from support.web import status, web, whole
from voxelhub_service.errors import Problem
from voxelhub_service.imports import addresses
from voxelhub_service.imports.addresses import Resolve, is_public, parse
from voxelhub_service.imports.fetch import Patience
from voxelhub_service.imports.fetch_http import HttpSource
from voxelhub_service.imports.slots import slot
from voxelhub_service.imports.transfer import Record

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "::",
    "::1",
    "::7f00:1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "ff0e::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "no address",
    "",
]
OUTSIDE = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", INSIDE)
def test_inside(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_outside(address: str) -> None:
    assert is_public(address)


def load(url: str, resolve: Resolve, tmp_path: Path, private: bool = False) -> bytes:
    def place(host: str):  # type: ignore[no-untyped-def]
        return slot(tmp_path / "hosts", host, 2, lambda: None)

    with HttpSource(parse(url), private, place, 2.0, resolve).open(Record()) as opened:
        return b"".join(opened.blocks)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_this_machine_by_any_of_its_names(host: str, tmp_path: Path) -> None:
    with web(whole(b"secret")) as inner:
        with pytest.raises(Problem) as caught:
            load(f"http://{host}:{inner.port}/", addresses.look_up, tmp_path)
        assert caught.value.code == "private_address" and inner.requests == []


def test_one_private_address_among_public_ones_is_enough(tmp_path: Path) -> None:
    for found in (["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"]):
        with pytest.raises(Problem, match="inside a private network"):
            load("http://data.example/", lambda host, port, found=found: found, tmp_path)


def test_a_redirect_into_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first host may be private here: the second is asked about anew."""
    real = addresses.resolve

    def first_is_public(address: addresses.Address, private: bool, resolve: Resolve) -> list[str]:
        return real(address, private or address.host == "far.example", resolve)

    monkeypatch.setattr(addresses, "resolve", first_is_public)
    with web(whole(b"secret")) as inner, web(status(302, Location=inner.url("/latest/meta-data"))) as outer:
        with pytest.raises(Problem) as caught:
            load(f"http://far.example:{outer.port}/", lambda host, port: ["127.0.0.1"], tmp_path)
        assert caught.value.code == "private_address"
        assert (len(outer.requests), inner.requests) == (1, [])


def test_a_name_that_resolves_anew_leads_nowhere_else(tmp_path: Path) -> None:
    """DNS re-binding: each request resolves once, and speaks with what was checked."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.66"]

    with web(whole(b"first")) as host:
        assert load(f"http://rebound.example:{host.port}/", resolve, tmp_path, private=True) == b"first"
        assert asked == ["rebound.example"]
        assert host.requests[0].fields["host"] == f"rebound.example:{host.port}"


def test_the_setting_is_what_refuses(tmp_path: Path) -> None:
    from sqlalchemy import select
    from voxelhub_service.database import reading
    from voxelhub_service.datasets import tus
    from voxelhub_service.imports.fetch import fetch
    from voxelhub_service.models import Upload, UploadFile

    with web(whole(b"secret")) as host:
        client, context = make_service(tmp_path, min_free=0)
        open_project(context)
        body = {"project": "demo", "title": "Inner", "url": host.url()}
        assert client.post("/imports/url", json=body, headers=bearer("alice")).status_code == 201
        with reading(context.engine) as session:
            upload, file = session.scalars(select(Upload)).one(), session.scalars(select(UploadFile)).one()
        with pytest.raises(Problem) as caught:
            fetch(context, upload, file, tus.part_path(context, file), lambda fraction, text: None, Patience(attempts=1))
        assert "url_private" in caught.value.fix and host.requests == []
