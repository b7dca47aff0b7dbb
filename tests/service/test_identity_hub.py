"""Hub tokens against a hub on loopback that answers as JupyterHub 6.1 does (the real one: tests/hub/test_service_identity.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from support.identity import ACCESS, Hub, make_hub
from support.live import serving
from voxelhub_service.errors import Problem
from voxelhub_service.identity import remembered
from voxelhub_service.identity.hub import HubClient, HubIdentity
from voxelhub_service.identity.tokens import Credential


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = make_hub()
    with serving(made.app()) as made.port:
        yield made


def _identity(hub: Hub, seconds: float = 5.0, secret: str = "service-secret") -> HubIdentity:
    return HubIdentity(HubClient(f"http://127.0.0.1:{hub.port}/hub/api", secret), seconds)


async def _status(identity: HubIdentity, token: str) -> int:
    with pytest.raises(Problem) as refused:
        await identity.actor_of(Credential(token))
    return refused.value.status


@pytest.mark.parametrize("token", ["good", "broad"])
async def test_a_token_with_access_becomes_its_user_with_groups(hub, token):
    actor = await _identity(hub).actor_of(Credential(token))
    assert (actor.name, actor.kind, actor.roles, actor.allowed) == ("alice", "hub", ["researcher"], True)
    assert actor.project_roles["demo"] == "member"


@pytest.mark.parametrize(("token", "status"), [
    ("unknown", 401), ("service", 401), ("narrow", 403), ("nameless", 401),
    ("ghost", 503), ("blind", 503),  # nobody is guessed into a group
])
async def test_other_tokens_are_refused(hub, token, status):
    assert await _status(_identity(hub), token) == status


@pytest.mark.parametrize("status", [500, 502, 302, 429])
async def test_a_hub_in_trouble_is_never_a_yes(hub, status):
    hub.status = status
    assert await _status(_identity(hub), "good") == 503


async def test_an_unreachable_hub_is_503_with_a_sentence():
    identity = HubIdentity(HubClient("http://127.0.0.1:9/hub/api", "x"))
    with pytest.raises(Problem) as refused:
        await identity.actor_of(Credential("good"))
    assert (refused.value.status, refused.value.code) == (503, "hub_unreachable")


async def test_our_own_token_being_refused_is_not_the_callers_fault(hub):
    assert await _status(_identity(hub, secret="wrong"), "good") == 503


async def test_twenty_requests_at_once_ask_once(hub):
    identity = _identity(hub)
    actors = await asyncio.gather(*(identity.actor_of(Credential("good")) for _ in range(20)))
    assert {actor.name for actor in actors} == {"alice"}
    assert hub.asked == ["/user", "/users/alice"]


async def test_an_answer_is_remembered_briefly_and_a_refusal_never(hub, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(remembered, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    identity = _identity(hub, seconds=2)
    await identity.actor_of(Credential("good"))
    del hub.whose["good"]
    await identity.actor_of(Credential("good"))
    clock[0] += 2.1
    assert await _status(identity, "good") == 401
    hub.whose["good"] = {"kind": "user", "name": "alice", "scopes": [ACCESS]}
    assert (await identity.actor_of(Credential("good"))).name == "alice"


async def test_fresh_asks_again(hub):
    identity = _identity(hub)
    await identity.actor_of(Credential("good"))
    del hub.whose["good"]
    with pytest.raises(Problem):
        await identity.actor_of(Credential("good"), fresh=True)
    assert await _status(identity, "good") == 401, "what was remembered is forgotten with it"


async def test_a_caller_who_goes_away_does_not_fail_the_others(hub):
    identity = _identity(hub)
    first = asyncio.create_task(identity.actor_of(Credential("good")))
    second = asyncio.create_task(identity.actor_of(Credential("good")))
    await asyncio.sleep(0.02)
    first.cancel()
    assert (await second).name == "alice"


async def test_memory_is_bounded(hub):
    identity = _identity(hub)
    identity._remembered._limit = 3
    for number in range(6):
        hub.whose[f"t{number}"] = {"kind": "user", "name": "alice", "scopes": [ACCESS]}
        await identity.actor_of(Credential(f"t{number}"))
    assert len(identity._remembered._known) == 3


def test_a_credential_never_shows_its_token():
    assert "good" not in repr(Credential("good"))


NAMED = {"kind": "user", "name": "alice", "scopes": [ACCESS, "access:servers!server=alice/"]}


@pytest.mark.parametrize(("server", "reached"), [
    ({"user_options": {"profile": "small"}, "state": {"projects": ["demo"]}}, {"home-alice", "demo", "web"}),
    ({"user_options": {"project": ""}, "state": {"projects": ["demo"]}}, {"home-alice", "demo", "web"}),
    ({"user_options": {"project": "web"}, "state": {"projects": ["web"]}}, {"web"}),
    ({"user_options": {"project": "web"}, "state": {"projects": ["web", "other"]}}, {"web"}),  # no group, no project
    ({"user_options": {"project": "web"}, "state": {"projects": []}}, set()),
    ({"user_options": {"project": "web"}, "state": None}, set()),
    ({"user_options": {"project": "web"}}, set()),
])
async def test_a_server_of_a_project_reaches_what_it_mounts(hub, server, reached):
    hub.whose["of-server"] = NAMED
    hub.groups["alice"] = ["/voxelhub-users", "/projects/demo", "/projects/web/owners"]
    hub.servers["alice"] = {"": server, "other": {"user_options": {}}}
    actor = await _identity(hub).actor_of(Credential("of-server"))
    assert set(actor.project_roles) == reached and actor.server == ""
    own = await _identity(hub).actor_of(Credential("good"))
    assert set(own.project_roles) == {"home-alice", "demo", "web"}, "a person's own token is of no server"
