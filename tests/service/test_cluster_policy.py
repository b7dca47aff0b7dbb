"""The pure parts of clusters: how many workers, how machines are shared, what is done next, and what a scheduler may say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voxelhub_service.clusters.adapting import LOOKS, Measured, next_size
from voxelhub_service.clusters.base import ClusterObservation
from voxelhub_service.clusters.channel import MAX_NUMBER, Report, Retired, parse
from voxelhub_service.clusters.listening import ASK, GAP, Listening
from voxelhub_service.clusters.next_step import (
    IDLE,
    KEPT,
    KERNEL_GONE,
    LEFT_PROJECT,
    LOST,
    SERVER_GONE,
    Around,
    ClusterView,
    Step,
    next_step,
)
from voxelhub_service.clusters.sharing import Room, Share, ceilings, promised

GIB = 1024**3
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


# how many workers


def look(desired: int, closable: int | None = None, waiting: int = 0) -> Measured:
    return Measured(desired, waiting, 0, closable if closable is not None else 10)


def play(desired: list[int], floor: int, ceiling: int, now: int = 0) -> list[int]:
    """The sizes over a trace of looks; what was seen before a change does not count after it."""
    history: list[Measured] = []
    sizes = []
    for each in desired:
        history.append(look(each))
        size = next_size(history, now, floor, ceiling).size
        if size != now:
            history = []
        now = size
        sizes.append(now)
    return sizes


def test_it_grows_at_once_and_shrinks_one_by_one():
    assert play([0, 4], 0, 4) == [0, 4]
    down = play([0] * 4 * LOOKS, 1, 4, now=4)
    assert down[LOOKS - 2:LOOKS] == [4, 3]
    assert [size for size, before in zip(down[1:], down, strict=False) if size != before] == [3, 2, 1]
    assert down[-1] == 1


def test_one_look_that_asks_for_more_keeps_them_all():
    assert set(play(([1] * (LOOKS - 1) + [4]) * 5, 0, 4, now=4)) == {4}


def test_nobody_leaves_while_all_are_busy_or_hold_what_nobody_else_could():
    history = [look(0, closable=0)] * (2 * LOOKS)
    assert next_size(history, 3, 0, 4).size == 3


def test_it_says_why():
    assert next_size([look(9, waiting=40)], 1, 0, 4).cause == (
        "The load asks for 9 workers, 40 tasks wait; the ceiling is 4.")
    assert next_size([look(1)] * LOOKS, 2, 0, 4).cause == "For 3 seconds the load has asked for 1 worker or fewer."
    assert next_size([look(0)], 0, 2, 4).cause == "The floor is 2 workers."
    assert next_size([look(3)], 3, 0, 4).cause == ""


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 50), max_size=80), st.integers(0, 8), st.integers(0, 8), st.integers(0, 12))
def test_whatever_the_load(desired, floor, more, now):
    """Never below the floor nor above the ceiling once within; down by one; up only as far as was asked; it comes to rest."""
    ceiling = floor + more
    sizes = play(desired, floor, ceiling, now)
    before = now
    for size, asked in zip(sizes, desired, strict=True):
        assert size >= min(floor, before)
        assert size >= before - 1
        if size > before:
            assert size == max(floor, min(asked, ceiling))
        if floor <= before <= ceiling:
            assert floor <= size <= ceiling
        before = size
    rest = play([*desired, *[0] * (LOOKS * 70)], floor, ceiling, now)
    assert rest[-1] == floor


# how a machine is shared


def share(name: str, floor: int, now: int, ceiling: int, cpus: float = 1) -> Share:
    return Share(name, Room(cpus, GIB), floor, now, ceiling)


def test_what_is_free_is_divided():
    room = Room(4, 100 * GIB)
    assert ceilings(room, [share("a", 0, 0, 4)]) == {"a": 4}
    assert ceilings(room, [share("a", 0, 0, 4), share("b", 0, 0, 4)]) == {"a": 2, "b": 2}
    assert ceilings(room, [share("a", 0, 3, 4), share("b", 0, 0, 4)]) == {"a": 4, "b": 0}
    assert ceilings(room, [share("a", 0, 4, 4), share("b", 1, 0, 4)]) == {"a": 4, "b": 1}  # a floor was promised
    assert ceilings(Room(4, 3 * GIB), [share("a", 0, 0, 4)]) == {"a": 3}


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 64), st.lists(min_size=1, max_size=6, elements=st.tuples(
    st.integers(0, 3), st.integers(0, 6), st.integers(0, 10), st.sampled_from([1.0, 2.0, 4.0]))))
def test_no_more_is_given_than_there_is(cores, wanted):
    room = Room(cores, 10_000 * GIB)
    shares = [share(str(n), floor, now, floor + more, cpus) for n, (floor, now, more, cpus) in enumerate(wanted)]
    found = ceilings(room, shares)
    held = sum(one.worker.cpus * max(one.floor, min(one.now, one.ceiling)) for one in shares)
    given_away = sum(one.worker.cpus * found[one.name] for one in shares)
    assert given_away <= max(held, room.cpus) + 1e-6
    assert all(one.floor <= found[one.name] <= max(one.floor, one.ceiling) for one in shares)
    assert promised(shares).cpus == sum(one.worker.cpus * one.floor for one in shares)


# what is done next


def view(state: str = "running", wanted: str = "open", server: bool = True, pinned: datetime | None = None,
         kept: bool = False) -> ClusterView:
    return ClusterView(state, wanted, "asked" if wanted == "closed" else "", server, pinned, kept)


def step(cluster: ClusterView, seen: ClusterObservation, around: Around | None = None, idle: float = 60) -> Step:
    return next_step(cluster, seen, around or Around(), NOW, idle)


RUNNING = ClusterObservation("running", address="tls://127.0.0.1:1")


@pytest.mark.parametrize(("cluster", "seen", "around", "expected"), [
    (view("starting"), ClusterObservation("absent"), None, Step("create")),
    (view("starting"), ClusterObservation("starting"), None, Step("wait")),
    (view("starting"), RUNNING, None, Step("move", "running")),
    (view("starting", "closed"), ClusterObservation("absent"), None, Step("finish", "closed", "asked")),
    (view(), RUNNING, None, Step("wait")),
    (view(), ClusterObservation("absent"), None, Step("finish", "failed", LOST)),  # its folder is gone
    (view(), ClusterObservation("lost"), None, Step("finish", "failed", LOST)),
    (view("closing", "closed"), ClusterObservation("lost"), None, Step("finish", "closed", "asked")),
    (view(wanted="closed"), RUNNING, None, Step("close", "closing", "asked")),
    (view("closing", "closed"), ClusterObservation("closing"), None, Step("wait")),
    (view(), ClusterObservation("closing", reason="Stopped."), None, Step("move", "closing", "Stopped.")),
    (view(), ClusterObservation("ended", "failed", "why"), None, Step("finish", "failed", "why")),
    (view(), ClusterObservation("ended", "closed", "why"), None, Step("finish", "closed", "why")),
    (view(), RUNNING, Around(server_lives=False), Step("close", "closing", SERVER_GONE)),
    (view(), RUNNING, Around(server_lives=None), Step("wait")),  # a hub that is silent ends nothing
    (view(server=False), RUNNING, Around(server_lives=None, may_read=True), Step("wait")),
    (view(), RUNNING, Around(server_lives=True, may_read=False), Step("close", "closing", LEFT_PROJECT)),
    (view(pinned=NOW + timedelta(hours=1)), RUNNING, Around(server_lives=False), Step("wait")),
    (view(pinned=NOW + timedelta(hours=1)), RUNNING, Around(may_read=False), Step("close", "closing", LEFT_PROJECT)),
    (view(pinned=NOW - timedelta(hours=1)), RUNNING, Around(server_lives=True), Step("wait")),
    (view(), ClusterObservation("running", idle=60), None, Step("close", "closing", IDLE.format("60 seconds"))),
    (view(), ClusterObservation("running", idle=59), None, Step("wait")),
    (view(pinned=NOW + timedelta(hours=1)), ClusterObservation("running", idle=999), None, Step("wait")),
    (view(kept=True), RUNNING, Around(silence=KEPT - 0.1), Step("wait")),
    (view(kept=True), RUNNING, Around(silence=KEPT), Step("close", "closing", KERNEL_GONE)),
    (view("starting", kept=True), ClusterObservation("absent"), Around(silence=KEPT), Step("close", "closing", KERNEL_GONE)),
    (view(kept=False), RUNNING, Around(silence=9 * KEPT), Step("wait")),  # made in the panel, or let go
    (view(kept=True), RUNNING, Around(server_lives=False, silence=KEPT), Step("close", "closing", SERVER_GONE)),
    (view(kept=True, pinned=NOW + timedelta(hours=1)), RUNNING, Around(silence=9 * KEPT), Step("wait")),
    (view(kept=True, pinned=NOW - timedelta(hours=1)), RUNNING, Around(silence=KEPT), Step("close", "closing", KERNEL_GONE)),
])
def test_next_step(cluster, seen, around, expected):
    assert step(cluster, seen, around) == expected


def test_a_pin_that_is_over_ends_with_a_server_that_is_gone():
    found = step(view(pinned=NOW - timedelta(seconds=1)), RUNNING, Around(server_lives=False))
    assert found.action == "close"
    assert "end time" in found.reason


@given(st.sampled_from(["starting", "running", "closing"]), st.sampled_from(["open", "closed"]),
       st.sampled_from(["absent", "starting", "running", "closing", "ended", "lost"]),
       st.sampled_from([None, "closed", "failed"]), st.sampled_from([None, True, False]), st.sampled_from([None, True, False]))
def test_every_state_has_its_step(state, wanted, process, outcome, lives, may_read):
    """What has ended is finished; what shall end is never begun; a failure gives a reason."""
    if (process == "ended") != (outcome is not None):
        return
    seen = ClusterObservation(process, outcome, reason="why" if outcome else "")
    found = step(view(state, wanted), seen, Around(lives, may_read))
    if process in ("ended", "lost"):
        assert found.action == "finish"
    if found.action == "create":
        assert (wanted, process) == ("open", "absent")
        assert lives is not False
    if found.action in ("finish", "close") and found.state != "closing":
        assert found.reason


# for how long no kernel has kept it


class Ears:
    """A reconciler's looks, one a second by a clock of their own; a living kernel keeps its cluster every ten seconds."""

    def __init__(self) -> None:
        self.now, self.api, self.hub, self.kept_at = 1000.0, True, True, NOW
        self.listening = Listening(lambda: self.api, lambda: self.now)

    def pass_by(self, seconds: int, kernel: bool = False) -> float:
        """The longest silence."""
        longest = 0.0
        for second in range(seconds):
            self.now += 1
            if kernel and self.api and self.hub and second % 10 == 9:
                self.kept_at += timedelta(seconds=10)
            self.listening.look(self.hub)
            longest = max(longest, self.listening.silence("c", self.kept_at))
        return longest


def test_silence_is_counted_from_what_was_heard_last():
    ears = Ears()
    assert ears.pass_by(300, kernel=True) <= 10
    assert KEPT - 1 <= ears.pass_by(int(KEPT)) <= KEPT + 1
    assert ears.pass_by(1, kernel=False) > KEPT
    ears.kept_at += timedelta(seconds=1)
    assert ears.pass_by(1) <= 1


@pytest.mark.parametrize("ear", ["api", "hub"])
def test_an_outage_does_not_count(ear):
    """Nor does what was counted before it; a kernel that ended meanwhile is found out afterwards."""
    ears = Ears()
    ears.pass_by(40)
    setattr(ears, ear, False)
    assert ears.pass_by(600) < 40 + ASK + 1  # it takes a few seconds until an outage is seen
    setattr(ears, ear, True)
    assert ears.pass_by(200, kernel=True) <= 10 + 1
    setattr(ears, ear, False)
    ears.pass_by(600)
    setattr(ears, ear, True)
    assert ears.pass_by(int(KEPT + ASK) + 1) >= KEPT


def test_nor_does_a_pause_of_the_worker_or_a_jump_of_the_wall_clock():
    ears = Ears()
    ears.pass_by(30, kernel=True)
    ears.now += GAP + 3600  # the machine slept, or the database was away
    assert ears.pass_by(12, kernel=True) <= 11
    for jump in (timedelta(hours=5), timedelta(hours=-9)):
        ears.kept_at += jump  # as the service's clock says
        assert ears.pass_by(100, kernel=True) <= 10
    ears.listening.forget()
    assert ears.pass_by(20) <= 20  # a new worker begins anew


# what a scheduler may say


def test_a_report_is_read():
    line = {"workers": {"worker-1": {"tasks": 2, "memory": 10, "cpu": 0.5}}, "desired": 3, "waiting": 7, "active": True,
            "closable": ["worker-1"], "unrunnable": {"GPU": 2}}
    found = parse(json.dumps(line).encode())
    assert isinstance(found, Report)
    assert (found.desired, found.waiting, found.active, found.closable) == (3, 7, True, ("worker-1",))
    assert found.unrunnable == {"GPU": 2}
    assert found.workers["worker-1"].tasks == 2
    assert parse(b'{"retired": "worker-1", "gone": 1}') == Retired("worker-1", False)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3), max_leaves=8)
KEYS = st.sampled_from(["workers", "desired", "waiting", "active", "closable", "unrunnable", "retired", "gone", "other"])


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(KEYS, values, max_size=8) | values)
def test_whatever_it_says_becomes_bounded_numbers_or_nothing(said):
    found = parse(json.dumps(said).encode())
    if isinstance(found, Report):
        numbers = [found.desired, found.waiting, *found.unrunnable.values()]
        numbers += [each for one in found.workers.values() for each in (one.tasks, one.memory, one.cpu)]
        assert all(0 <= number <= MAX_NUMBER for number in numbers)
        assert all(len(name) <= 32 for name in found.unrunnable)


@pytest.mark.parametrize("line", [b"", b"no JSON", b"\xff\xfe", b"[" * 100_000, b"12", b'{"workers": []}'])
def test_what_is_no_message_is_passed_over(line):
    assert parse(line) is None
