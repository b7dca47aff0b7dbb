"""Metering: the sum of a ledger's entries is the cost of what ran, whatever was restarted, read twice, or set on the clock."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session
from support.service import make_test_context
from voxelhub_service.database import reading, writing
from voxelhub_service.ledger.metering import Counters, Meter, close_all, cost_of, meter, shares
from voxelhub_service.ledger.prices import Price
from voxelhub_service.models import LedgerEntry

PRICE = Price(0.36, "EUR", "2026-11-01")
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture
def session(tmp_path) -> Iterator[Session]:
    with writing(make_test_context(tmp_path).engine) as session:
        yield session


def read(session: Session, seconds: float, at: datetime, *, running: bool = True, epoch: str = "", since: datetime = NOON,
         price: Price = PRICE, subject: str = "c1") -> None:
    counters = Counters(seconds, 2 * seconds, 0.5 * seconds, 0.1 * seconds, int(seconds))
    meter(session, Meter("cluster", subject, "A cluster", "alice", None, "small", counters, price, running, epoch=epoch,
                         since=since, at=at))


def rows(session: Session) -> list[LedgerEntry]:
    return session.query(LedgerEntry).order_by(LedgerEntry.day).all()


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_reading_adds_what_is_new_and_the_same_one_nothing(session):
    for seconds in (5, 10, 10, 10, 4):  # the last one is an old reading that came late
        read(session, seconds, after(seconds))
    (row,) = rows(session)
    assert (row.seconds, row.core_seconds, row.gpu_seconds, row.used_cpu_seconds, row.peak_memory) == (10, 20, 5, 1, 10)
    assert row.ended_at is None and row.started_at == NOON and cost_of(row) == pytest.approx(0.001)
    read(session, 12, after(12), running=False)
    read(session, 12, after(99), running=False)
    assert (row.seconds, row.ended_at) == (12, after(12))


def test_midnight_closes_a_days_entry_and_opens_the_next_at_the_boundary(session):
    began, midnight = datetime(2026, 11, 29, 23, 59, 50, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)
    read(session, 8, began + timedelta(seconds=8), since=began)
    read(session, 14, began + timedelta(seconds=14), since=began)
    first, second = rows(session)
    assert (first.day, first.seconds, first.ended_at) == ("2026-11-29", 10, midnight)
    assert (second.day, second.seconds, second.started_at, second.ended_at) == ("2026-11-30", 4, midnight, None)
    assert "at" in second.mark and first.mark != second.mark


def test_a_gap_of_days_is_shared_by_wall_time(session):
    read(session, 0, NOON)
    read(session, 2.5 * 86400, NOON + timedelta(days=2.5), running=False)
    assert [row.day[-2:] for row in rows(session)] == ["29", "30", "01"]
    assert [row.seconds / 86400 for row in rows(session)] == pytest.approx([0.5, 1.0, 1.0])


def test_a_day_that_the_clock_jumped_over_gets_nothing(session):
    read(session, 10, after(10))
    read(session, 15, NOON + timedelta(days=900))
    read(session, 20, after(20))
    assert [(row.day, row.seconds) for row in rows(session)] == [("2026-11-29", 15), ("2029-05-17", 5)]
    assert [row.ended_at is None for row in rows(session)] == [True, False]


def test_counters_of_another_epoch_begin_at_nothing(session):
    read(session, 30, after(30), epoch="1")
    read(session, 4, after(40), epoch="2")
    read(session, 30, after(40), epoch="1")
    read(session, 7, after(43), epoch="2", running=False)
    assert [row.seconds for row in rows(session)] == [37]


def test_what_used_nothing_leaves_no_entry_unless_it_runs(session):
    read(session, 0, NOON, running=False)
    assert rows(session) == []
    read(session, 0, NOON)
    assert [row.ended_at for row in rows(session)] == [None]


def test_a_new_price_is_in_force_from_the_next_days_entry(session):
    read(session, 10, after(10))
    dearer = Price(0.72, "EUR", "2026-11-29")
    read(session, 20, after(20), price=dearer)
    read(session, 20 + 86400, after(20 + 86400), price=dearer)
    assert [(row.price_per_hour, row.price_date) for row in rows(session)] == [(0.36, "2026-11-01"), (0.72, "2026-11-29")]


def test_entries_of_what_is_gone_are_closed_where_they_were_read_last(session):
    read(session, 10, after(10))
    read(session, 10, after(10), subject="c2")
    close_all(session, "cluster", ["c1"])
    assert {row.subject: row.ended_at for row in rows(session)} == {"c1": after(10), "c2": None}


@given(st.floats(0, 10 * 86400), st.floats(0, 1e6) | st.none(), st.integers(0, 86399))
def test_shares_are_a_whole_and_in_order(seconds, gap, second_of_day):
    at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=second_of_day)
    parts = shares(None if gap is None else at - timedelta(seconds=gap), at, seconds)
    assert sum(part.fraction for part in parts) == pytest.approx(1) and all(part.fraction >= -1e-9 for part in parts)
    assert parts[-1].ends == at and len({part.day for part in parts}) == len(parts)
    assert all(one.ends == two.begins for one, two in itertools.pairwise(parts))


# One thing's life: it runs a while, is read (twice, or late), the wall clock jumps, the reader or the thing is restarted.
STEP = st.one_of(
    st.tuples(st.just("run"), st.floats(0, 200_000)),
    st.tuples(st.just("read"), st.integers(1, 2)),
    st.tuples(st.just("stale"), st.floats(0, 1)),
    st.tuples(st.just("clock"), st.floats(-3e7, 3e7)),
    st.tuples(st.just("restart"), st.just(0)),
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return make_test_context(tmp_path_factory.mktemp("ledger")).engine


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, min_size=3, max_size=25))
def test_the_sum_of_the_entries_is_the_cost_of_what_ran(engine, steps):
    with writing(engine) as session:
        session.query(LedgerEntry).delete()
    ran, counter, epoch, jumped, history = 0.0, 0.0, 1, 0.0, [0.0]
    wall = NOON

    def look(seconds: float, running: bool = True) -> None:
        with writing(engine) as session:  # each look is a transaction of its own, as after a restart of the reader
            read(session, seconds, wall + timedelta(seconds=jumped), running=running, epoch=str(epoch))

    for what, value in steps:
        if what == "run":
            ran, counter, wall = ran + value, counter + value, wall + timedelta(seconds=value)
            history.append(counter)
        elif what == "read":
            for _ in range(value):
                look(counter)
        elif what == "stale":
            look(history[int(value * (len(history) - 1))])
        elif what == "clock":
            jumped += value
        else:  # the last word of an epoch is always read: its record outlives it
            look(counter)
            counter, epoch, history = 0.0, epoch + 1, [0.0]
    look(counter, running=False)
    with reading(engine) as session:
        entries = session.query(LedgerEntry).all()
        assert sum(row.seconds for row in entries) == pytest.approx(ran, rel=1e-9, abs=1e-6)
        assert sum(row.core_seconds for row in entries) == pytest.approx(2 * ran, rel=1e-9, abs=1e-6)
        assert sum(cost_of(row) or 0 for row in entries) == pytest.approx(ran * 0.36 / 3600, rel=1e-9, abs=1e-9)
        assert all(row.ended_at is not None and row.ended_at >= row.started_at for row in entries)
        assert len({row.day for row in entries}) == len(entries)
