"""The event stream over a real socket: what one sees, how one resumes, when it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.live import LiveService, live_service
from support.service import ACTORS, ALICE, BOB, bearer, make_service
from support.world import until
from voxelhub_service.api import feed, routes_events
from voxelhub_service.context import emit
from voxelhub_service.database import reading, writing
from voxelhub_service.identity.actor import Actor
from voxelhub_service.models import Event
from voxelhub_service.projects.store import project_by_name, projects_of


@pytest.fixture
def service(tmp_path) -> Iterator[LiveService]:
    with live_service(tmp_path) as made:
        for actor in (ALICE, BOB):
            projects_of(made.context, actor)
        yield made


class Stream:
    """Messages of GET /events as they come."""

    def __init__(self, service: LiveService, name: str, last: str | None = None) -> None:
        headers = bearer(name) | ({"Last-Event-ID": last} if last is not None else {})
        self.service, self.name = service, name
        self.client = httpx.Client(timeout=60)
        self.response = self.client.send(self.client.build_request("GET", f"{service.url}/events", headers=headers), stream=True)
        self.raw: list[str] = []
        self.ended = False
        self._messages = self._read()

    def _read(self) -> Iterator[dict[str, Any]]:
        number = ""
        for line in self.response.iter_lines():
            self.raw.append(line)
            if line.startswith("id: "):
                number = line[4:]
            if line.startswith("data: "):
                yield {"id": number, **json.loads(line[6:])}
        self.ended = True

    def next(self) -> dict[str, Any]:
        return next(self._messages)

    def rest(self) -> list[dict[str, Any]]:
        """Until the service ends it."""
        return list(self._messages)

    def until_now(self) -> list[str]:
        """The subjects before one that is told now, to this user alone: messages come in the order in which they were told."""
        tell(self.service, None, "now", topic="run", user=self.name)
        return list(iter(lambda: str(self.next()["subject"]), "now"))

    def close(self) -> None:
        self.client.close()


def tell(service: LiveService, project: str | None, subject: str, *, topic: str = "dataset", user: str | None = None) -> None:
    with writing(service.context.engine) as session:
        found = project_by_name(session, project) if project else None
        emit(session, topic, subject, project_id=found.id if found else None, user=user, payload={"state": "x"})


def test_one_sees_the_changes_of_ones_own_projects_and_no_others(service):
    streams = {name: Stream(service, name) for name in ("alice", "bob", "mallory", "admin")}
    for stream in streams.values():
        assert stream.next()["topic"] == "ready"
    tell(service, "demo", "for-members")
    tell(service, "alpha", "for-alpha")
    tell(service, "home-alice", "for-alice-at-home")
    tell(service, "demo", "for-alice", topic="upload", user="alice")
    tell(service, None, "for-bob", topic="run", user="bob")
    tell(service, None, "for-nobody")
    tell(service, "demo", "of-no-topic", topic="secret")
    tell(service, "alpha", "project-alpha", topic="project")
    assert {name: stream.until_now() for name, stream in streams.items()} == {
        "alice": ["for-members", "for-alpha", "for-alice-at-home", "for-alice", "project-alpha"],
        "bob": ["for-members", "for-bob"],
        "mallory": [],
        "admin": ["for-members", "project-alpha"],  # may configure alpha, may not read in it
    }


def test_a_message_comes_by_itself_and_before_any_sign_of_life(service):
    stream = Stream(service, "alice")
    stream.next()
    tell(service, "demo", "x")
    message = stream.next()
    assert ": here" not in stream.raw
    assert (message["topic"], message["project"], message["payload"]) == ("dataset", "demo", {"state": "x"})


def test_a_stream_goes_on_after_the_last_id(service):
    stream = Stream(service, "alice")
    stream.next()
    tell(service, "demo", "one")
    number = stream.next()["id"]
    stream.close()
    tell(service, "alpha", "two")
    tell(service, "demo", "three")
    assert Stream(service, "alice", number).until_now() == ["two", "three"]


@pytest.mark.parametrize("last", ["999999", "9" * 30, "-1", "x", ""])
def test_an_id_that_is_not_ours_starts_anew(service, last):
    tell(service, "demo", "one")
    assert Stream(service, "alice", last).next()["topic"] in {"ready", "reset"}


def test_what_was_dropped_meanwhile_is_said(service):
    for number in range(3):
        tell(service, "demo", str(number))
    with writing(service.context.engine) as session:
        session.query(Event).filter(Event.id <= 2).delete()
    assert Stream(service, "alice", "1").next()["topic"] == "reset"
    assert Stream(service, "alice", "2").next()["subject"] == "2"


def test_ids_are_never_used_twice(service):
    tell(service, "demo", "one")
    with writing(service.context.engine) as session:
        session.query(Event).delete()
    tell(service, "demo", "two")
    with reading(service.context.engine) as session:
        assert session.query(Event).one().id == 2


def test_the_head_of_a_stream(service):
    stream = Stream(service, "alice")
    stream.next()
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    assert stream.response.headers["cache-control"] == "no-store"
    assert stream.raw[0] == "retry: 2000"


def test_a_quiet_stream_says_that_it_lives(service, monkeypatch):
    monkeypatch.setattr(routes_events, "HEARTBEAT", 0.5)
    stream = Stream(service, "alice")
    assert next(line for line in stream.response.iter_lines() if line.startswith(":")) == ": here"


def test_a_revoked_token_ends_the_stream(service, monkeypatch):
    monkeypatch.setattr(routes_events, "RECHECK", 0.4)
    stream = Stream(service, "alice")
    stream.next()
    del service.identity.actors["token-of-alice"]
    assert stream.rest() == []
    assert stream.ended


def test_a_lost_group_ends_the_view_of_its_project(service, monkeypatch):
    monkeypatch.setattr(routes_events, "RECHECK", 0.2)
    asked = []
    real = service.identity.actor_of

    async def counted(*arguments, **options):
        asked.append(await real(*arguments, **options))
        return asked[-1]

    monkeypatch.setattr(service.identity, "actor_of", counted)
    stream = Stream(service, "alice")
    stream.next()
    changed = Actor("alice", ALICE.groups - {"/projects/alpha", "/projects/alpha/owners"})
    service.identity.actors["token-of-alice"] = changed
    until(lambda: asked.count(changed) >= 2)  # whoever asks again has taken the last answer in
    tell(service, "alpha", "gone")
    tell(service, "demo", "here")
    assert stream.until_now() == ["here"]


def test_streams_per_user_are_bounded_and_places_are_given_back(service, monkeypatch):
    monkeypatch.setattr(feed, "STREAMS_PER_USER", 2)
    streams = [Stream(service, "alice") for _ in range(2)]
    refused = Stream(service, "alice")
    assert refused.response.status_code == 429
    assert json.loads(refused.response.read())["code"] == "too_many_streams"
    assert Stream(service, "bob").response.status_code == 200
    streams[0].close()

    def again() -> bool:
        stream = Stream(service, "alice")
        return stream.response.status_code == 200 or stream.close()

    until(again)


def test_a_stop_ends_every_stream_at_once(tmp_path):
    with live_service(tmp_path) as service:  # whose end waits for the streams
        stream = Stream(service, "alice")
        stream.next()
    assert stream.rest() == [] and stream.ended, "it was cut off"


def test_without_token_no_stream(tmp_path):
    client, _ = make_service(tmp_path)
    assert client.get("/events").status_code == 401
    assert "token-of-alice" in ACTORS
