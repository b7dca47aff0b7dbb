"""The queue: over random histories nothing exceeds the machine, nobody waits for ever, order and shares are kept."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voxelhub_service.runs.queue import GIB, PATIENCE, Capacity, Going, Waiting, decide

START = datetime(2026, 11, 30, tzinfo=UTC)
LONGEST = 40  # minutes that a run of the histories takes at most


def run(name: str, owner: str = "alice", *, minute: float = 0, cpu: float = 1, memory: float = 1, **more) -> Waiting:
    return Waiting(name, owner, START + timedelta(minutes=minute), cpu, int(memory * GIB), **more)


def going(owner: str, *, minute: float = 0, cpu: float = 1, memory: float = 1, **more) -> Going:
    return Going(owner, START + timedelta(minutes=minute), cpu, int(memory * GIB), **more)


def machine(cpus: float = 4, memory: float = 16, slots: int = 8, share: int = 4) -> Capacity:
    return Capacity(cpus, int(memory * GIB), slots, share)


def now(minute: float = 1) -> datetime:
    return START + timedelta(minutes=minute)


# --- what is said, and the plain cases -------------------------------------------------------------------------------------


def test_first_come_first_served_of_equals():
    decision = decide([run("b", minute=0.2), run("a", minute=0.1), run("c", minute=0.3)], [], machine(cpus=2), now())
    assert decision.start == ["a", "b"] and decision.reasons == {"c": "Waits for cores: it needs 1; 0 of 2 are free."}


def test_priority_comes_first_and_the_others_are_told_their_place():
    waiting = [run("plain", "alice"), run("low", "bob", priority=-1), run("high", "carol", minute=0.9, priority=1)]
    decision = decide(waiting, [going("dora", cpu=3)], machine(), now())
    assert decision.start == ["high"]
    assert decision.reasons == {"plain": "Waits for cores: it needs 1; 0 of 4 are free.", "low": "1 run is before it."}


def test_whoever_has_fewer_runs_going_comes_first():
    decision = decide([run("alice's", "alice"), run("bob's", "bob", minute=0.5)], [going("alice")], machine(cpus=2), now())
    assert decision.start == ["bob's"]


def test_a_batch_takes_turns_with_the_same_persons_other_runs():
    waiting = [*(run(f"item {n}", number=n, batch="batch") for n in range(9)), run("single", minute=0.5)]
    assert decide(waiting, [going("alice", batch="batch")], machine(cpus=2), now()).start == ["single"]


@pytest.mark.parametrize(("waiting", "others", "sentence"), [
    (run("x", memory=8), [going("bob", memory=12)], "Waits for memory: it needs 8 GiB; 4 of 16 GiB are free."),
    (run("x", memory=0.25), [going("bob", memory=15.9)], "Waits for memory: it needs 0.25 GiB; 0.1 of 16 GiB are free."),
    (run("x", cpu=2), [going("bob", cpu=2.5)], "Waits for cores: it needs 2; 1.5 of 4 are free."),
    (run("x", cpu=0.1), [going(f"p{n}", cpu=0.1) for n in range(8)], "Waits for a place: 8 runs may go on at the same time."),
    (run("x", memory=17), [], "It needs 17 GiB of memory, and all tool runs of this machine share 16. "
                              "An administrator can raise VOXELHUB_RUN_MEMORY."),
])
def test_why_a_run_waits(waiting, others, sentence):
    assert decide([waiting], others, machine(), now()).reasons == {"x": sentence}


def test_a_long_line_is_told_in_round_numbers():
    waiting = [run(f"{n:04d}", minute=n / 10_000) for n in range(1500)]
    reasons = decide(waiting, [going("bob", cpu=4)], machine(), now()).reasons
    assert reasons["0003"] == "3 runs are before it." and reasons["0010"] == "10 runs are before it."
    assert reasons["0042"] == "More than 10 runs are before it." and reasons["1499"] == "More than 1000 runs are before it."
    assert len(set(reasons.values())) < 25


def test_more_cores_than_there_are_take_all_of_them():
    assert decide([run("wide", cpu=64)], [], machine(cpus=2), now()).start == ["wide"]
    assert decide([run("wide", cpu=64)], [going("bob", cpu=0.5)], machine(cpus=2), now()).start == []
    assert decide([run("small")], [going("bob", cpu=64)], machine(cpus=2), now()).start == []


def test_what_can_never_fit_keeps_nobody_out():
    assert decide([run("giant", memory=99), run("small", "bob", minute=0.5)], [], machine(), now()).start == ["small"]


def test_the_share_holds_only_while_others_wait():
    many = [run(f"a{n}", "alice", minute=n / 100, cpu=0.5) for n in range(8)]
    assert len(decide(many, [], machine(share=2), now()).start) == 8
    big = run("bob's", "bob", minute=0.9, memory=16)
    decision = decide([*many, big], [going("carol", memory=4)], machine(share=2), now())
    assert decision.start == ["a0"] and decision.reasons["bob's"].startswith("Waits for memory"), "no more of them keep it out"
    small = decide([*many, replace(big, memory=GIB)], [], machine(cpus=8, share=2), now())
    assert len(small.start) == 8 and "bob's" in small.start[:2], "then nobody else waits, and alice may have all the places"
    two = decide([*many, big], [going("alice", cpu=0.5), going("alice", cpu=0.5)], machine(share=2), now())
    assert two.start == [] and two.reasons["a0"] == "alice has 2 runs going on, and others wait too."


def test_small_ones_pass_only_where_the_first_still_fits_beside_them():
    first = run("first", "bob", minute=0, cpu=3)
    small = [run(f"s{n}", "carol", minute=0.5 + n / 10) for n in range(3)]
    before = [going("alice", minute=-9, cpu=2)]
    decision = decide([first, *small], before, machine(), now())
    assert decision.start == ["s0"], "4 cores: one beside the three that are kept for the first"
    later = decide([first, *small[1:]], [*before, going("carol", minute=1)], machine(), now(2))
    assert later.start == [] and decide([first, *small[1:]], [going("carol", minute=1)], machine(), now(3)).start == ["first"]


def test_who_waited_an_hour_without_a_start_of_the_group_goes_first():
    low = run("low", "alice", priority=-1)
    high = [run(f"h{n}", "bob", minute=60, priority=1) for n in range(3)]
    hour = PATIENCE.total_seconds() / 60
    assert decide([low, *high], [], machine(cpus=1), now(hour - 1)).start == ["h0"]
    assert decide([low, *high], [], machine(cpus=1), now(hour)).start == ["low"]
    began = {low.group: now(hour - 1)}
    assert decide([low, *high], [], machine(cpus=1), now(hour), began).start == ["h0"], "its group had its turn"


# --- random histories ----------------------------------------------------------------------------------------------------


@dataclass
class World:
    """A machine in simulated time: runs arrive, the queue decides at each event, runs end after the minutes they take."""

    capacity: Capacity
    arrivals: list[tuple[Waiting, int]]  # and the minutes it takes
    begun: dict[str, datetime] = field(default_factory=dict)
    most: Counter[str] = field(default_factory=Counter)

    def play(self) -> None:
        pending = sorted(self.arrivals, key=lambda one: one[0].created_at)
        takes = {one.id: timedelta(minutes=minutes) for one, minutes in pending}
        waiting: list[Waiting] = []
        active: dict[str, Going] = {}
        last: dict = {}
        moments = {one.created_at for one, _ in pending}
        while moments:
            moment = min(moments)
            moments.remove(moment)
            active = {key: one for key, one in active.items() if one.began + takes[key] > moment}
            while pending and pending[0][0].created_at <= moment:
                waiting.append(pending.pop(0)[0])
            decision = decide(waiting, list(active.values()), self.capacity, moment, last)
            assert set(decision.start) | set(decision.reasons) == {one.id for one in waiting}
            assert not set(decision.start) & set(decision.reasons) and all(r.endswith(".") for r in decision.reasons.values())
            by_id = {one.id: one for one in waiting}
            for name in decision.start:
                one = by_id[name]
                active[name] = Going(one.owner, moment, one.cpu, one.memory, one.priority, one.batch)
                self.begun[name], last[one.group] = moment, moment
                moments.add(moment + takes[name])
            waiting = [one for one in waiting if one.id not in self.begun]
            self._check(list(active.values()))
            if waiting and not moments:
                raise AssertionError(f"nothing goes on and {[one.id for one in waiting]} wait: {decision.reasons}")

    def _check(self, active: list[Going]) -> None:
        assert sum(min(one.cpu, self.capacity.cpus) for one in active) <= self.capacity.cpus + 1e-6
        assert sum(one.memory for one in active) <= self.capacity.memory and len(active) <= self.capacity.slots
        for owner, count in Counter(one.owner for one in active).items():
            self.most[owner] = max(self.most[owner], count)


def a_run(draw, number: int) -> tuple[Waiting, int]:
    owner = draw(st.sampled_from(["alice", "bob", "carol"]))
    waiting = run(
        f"r{number}", owner, minute=draw(st.integers(0, 120)), cpu=draw(st.sampled_from([0.5, 1, 2, 3, 8])), number=number,
        memory=draw(st.sampled_from([0.5, 1, 4, 12])), priority=draw(st.sampled_from([-1, 0, 0, 1])),
        batch=draw(st.sampled_from([None, None, f"{owner}'s batch"])))
    return waiting, draw(st.integers(1, LONGEST))


@st.composite
def histories(draw) -> World:
    capacity = Capacity(draw(st.sampled_from([1, 2, 3.5])), 12 * GIB, draw(st.integers(1, 4)), draw(st.integers(1, 3)))
    return World(capacity, [a_run(draw, number) for number in range(draw(st.integers(1, 40)))])


@given(histories())
@settings(max_examples=150, deadline=None)
def test_in_every_history_the_machine_holds_and_everybody_has_their_turn(world):
    """`play` checks the machine after each event, and that nothing is left waiting."""
    world.play()
    assert set(world.begun) == {one.id for one, _ in world.arrivals}
    for one, _ in world.arrivals:
        earlier = [other for other, _ in world.arrivals if other.group == one.group and other.created_at < one.created_at
                   and (other.cpu, other.memory) == (one.cpu, one.memory)]
        assert all(world.begun[other.id] <= world.begun[one.id] for other in earlier), "order within a group of equals"


@pytest.mark.parametrize("seed", range(5))
def test_a_run_that_needs_all_is_begun_under_an_endless_stream_of_small_ones(seed):
    """Bound: what went on when it became the first has ended, and nothing that passed it keeps it out."""
    dice = random.Random(seed)
    stream = [(run(f"s{n}", dice.choice(["bob", "carol"]), minute=4 * n, priority=dice.choice([0, 1])), dice.randint(1, 20))
              for n in range(150)]
    world = World(machine(cpus=2, memory=8, slots=4), [*stream, (run("whole", "alice", minute=30, cpu=2, memory=8), 5)])
    world.play()
    waited = (world.begun["whole"] - START).total_seconds() / 60 - 30
    assert waited <= PATIENCE.total_seconds() / 60 + LONGEST, waited


def test_low_priority_moves_on_under_an_endless_stream_of_high():
    stream = [(run(f"h{n}", "bob", minute=5 * n, priority=1), 20) for n in range(150)]
    world = World(machine(cpus=2), [*stream, *((run(f"l{n}", "alice", minute=1, number=n, priority=-1), 5) for n in range(4))])
    world.play()
    hours = [(world.begun[f"l{n}"] - START) / PATIENCE for n in range(4)]
    assert all(hour <= 1.5 * (n + 1) for n, hour in enumerate(hours)), hours


def test_two_people_with_as_much_to_do_get_as_much():
    arrivals = [(run(f"{owner}{n}", owner, minute=0 if owner == "alice" else 1, number=n), 7)
                for owner in ("alice", "bob") for n in range(60)]
    world = World(machine(cpus=4), arrivals)
    world.play()
    for minute in range(20, 100, 10):
        begun = Counter(name.rstrip("0123456789") for name, at in world.begun.items() if at <= now(minute))
        assert abs(begun["alice"] - begun["bob"]) <= 4, (minute, begun)


def test_a_batch_keeps_nobody_elses_run_waiting(capsys):
    batch = [run(f"{n:04d}", "alice", number=n, batch="batch") for n in range(1000)]
    for cores in (2, 1):  # with one core nothing goes on when it is decided: it counts whose turn was longer ago
        world = World(machine(cpus=cores), [*((one, 3) for one in batch[:100]), (run("bob's", "bob", minute=10.5), 1)])
        world.play()
        assert (world.begun["bob's"] - START).total_seconds() / 60 - 10.5 <= 3, "the next one that ends makes way"
    began = time.perf_counter()
    decide(batch, [going("bob", cpu=2)], machine(cpus=2), now())
    with capsys.disabled():
        print(f"\none decision over 1000 waiting runs: {1000 * (time.perf_counter() - began):.1f} ms")
