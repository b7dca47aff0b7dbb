"""Keycloak access tokens against a realm's keys served on loopback; each forgery is one row."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from support.identity import FORGERIES, NEXT, THEIRS, Realm, claims, sign
from support.live import serving
from voxelhub_service.errors import Problem
from voxelhub_service.identity import keycloak
from voxelhub_service.identity.keycloak import KeycloakIdentity, RealmKeys
from voxelhub_service.identity.tokens import Credential


@pytest.fixture
def realm() -> Iterator[Realm]:
    made = Realm()
    with serving(made.app()) as made.port:
        yield made


async def test_an_access_token_becomes_its_user(realm):
    actor = await KeycloakIdentity(realm.issuer).actor_of(Credential(sign(claims(realm))))
    assert (actor.name, actor.kind, actor.roles, actor.allowed, actor.admin) == ("alice", "keycloak", ["researcher"], True, False)
    assert actor.project_roles["demo"] == "member"


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forgery_is_refused(realm, name):
    with pytest.raises(Problem) as refused:
        await KeycloakIdentity(realm.issuer).actor_of(Credential(FORGERIES[name](realm)))
    assert refused.value.status == 401


@pytest.mark.parametrize("groups", [None, [], "/voxelhub-users", {"a": 1}, [7, None], ["/projects/demo"]])
async def test_without_the_allowed_group_nobody_is_allowed(realm, groups):
    actor = await KeycloakIdentity(realm.issuer).actor_of(Credential(sign(claims(realm, groups=groups))))
    assert not actor.allowed


async def test_a_group_cannot_pass_for_a_role(realm):
    actor = await KeycloakIdentity(realm.issuer).actor_of(
        Credential(sign(claims(realm, groups=["role:data-protection-officer"], roles=[]))))
    assert actor.roles == []


async def test_keys_are_read_once_and_survive_keycloaks_absence(realm):
    identity = KeycloakIdentity(realm.issuer)
    for _ in range(3):
        await identity.actor_of(Credential(sign(claims(realm))))
    assert realm.asked == 1
    realm.silent = True
    identity._keys._read_at = identity._keys._tried_at = float("-inf")
    assert (await identity.actor_of(Credential(sign(claims(realm))))).name == "alice"
    assert realm.asked == 2


async def test_a_new_key_is_found_and_forgeries_do_not_make_us_ask(realm, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(keycloak, "time", SimpleNamespace(time=time.time, monotonic=lambda: clock[0]))
    identity = KeycloakIdentity(realm.issuer)
    await identity.actor_of(Credential(sign(claims(realm))))
    for number in range(5):
        with pytest.raises(Problem):
            await identity.actor_of(Credential(sign(claims(realm), THEIRS, kid=f"forged-{number}")))
    assert realm.asked == 1
    realm.keys["k2"] = NEXT
    clock[0] += keycloak.KEYS_REST
    assert (await identity.actor_of(Credential(sign(claims(realm), NEXT, kid="k2")))).name == "alice"
    assert realm.asked == 2


async def test_without_any_key_nobody_is_let_in(realm):
    realm.silent = True
    with pytest.raises(Problem) as refused:
        await KeycloakIdentity(realm.issuer).actor_of(Credential(sign(claims(realm))))
    assert (refused.value.status, refused.value.code) == (503, "keycloak_unreachable")
    with pytest.raises(Problem):
        await KeycloakIdentity("http://127.0.0.1:9", RealmKeys("http://127.0.0.1:9/certs")).actor_of(Credential(sign(claims(realm))))
