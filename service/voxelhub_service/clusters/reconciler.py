"""One look at each open cluster, and one step: what `next_step` decides is done here, in short transactions under the lease."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ..checkpoints import reached
from ..context import Context
from ..database import NoAnswer, reading
from ..ledger.metering import Counters, Meter, meter
from ..ledger.prices import known_prices
from ..models import ENDED_CLUSTERS, Cluster, ClusterEvent, utcnow
from ..runs.lease import LeaseLost, WorkerLease
from . import choices
from .base import ClusterDriver, ClusterObservation, ClusterSpec, Group, Size, Wish
from .listening import Answers, Listening
from .making import share_of
from .next_step import KEPT, Around, ClusterView, Step, next_step
from .processes import KERNELS
from .servers import Owner, Servers
from .sharing import ceilings
from .telling import tell

log = logging.getLogger(__name__)
METER = 5.0  # seconds between two readings into the ledger
HOLD = 5.0  # seconds between two touches of the leases
ASK = 5.0  # seconds between two questions to the hub
SEEN = 1.0  # seconds between two writings of what is seen, while nothing of weight changes
UNEXPECTED = "Something in VoxelHub failed; an administrator finds it in the worker's log under this cluster's id."


class ClusterReconciler:
    def __init__(self, context: Context, driver: ClusterDriver, lease: WorkerLease, servers: Servers | None = None,
                 answers: Answers = lambda: True) -> None:
        """`answers`: whether the API does, so that kernels can be heard."""
        self.context, self.driver, self.lease, self.servers = context, driver, lease, servers
        self.listening, self.patience = Listening(answers), KEPT
        self.forget()

    def forget(self) -> None:
        """As after a restart: nothing here is more than a memory of when something was done last."""
        self._metered: dict[str, float] = {}
        self._held: dict[str, float] = {}
        self._wrote: dict[str, float] = {}
        self._numbers: dict[str, int] = {}  # of the newest event that is in the database
        self._owners: dict[str, tuple[float, Owner | None]] = {}
        self._silent = -ASK  # when the hub did not answer last
        self._hub_answers = True
        self.listening.forget()

    def look(self) -> int:
        """One step for each that has not ended; how many there are."""
        with reading(self.context.engine) as session:
            rows = list(session.scalars(
                select(Cluster).where(Cluster.state.not_in(ENDED_CLUSTERS)).order_by(Cluster.created_at, Cluster.id)))
        allowed = ceilings(choices.room(self.context.settings), [share_of(row) for row in rows]) if rows else {}
        for row in rows:  # all of them first: a slow step shall cost no other cluster its lease
            self._hold(row, allowed[row.id])
        if any(row.kept_at is not None for row in rows):
            self.listening.look(self._hub_answers)
        for row in rows:
            try:
                self.step(row, allowed[row.id])
            except (LeaseLost, *NoAnswer):
                raise
            except Exception:
                log.exception("cluster %s", row.id)
                self.driver.close(row.id, UNEXPECTED)
                self._finish(row, Step("finish", "failed", UNEXPECTED), ClusterObservation("lost"))
        return len(rows)

    def sweep(self) -> None:
        """Once, at the start: nothing goes on for a cluster that has ended or never was."""
        with reading(self.context.engine) as session:
            states = dict(session.execute(select(Cluster.id, Cluster.state)).all())
        for cluster_id in self.driver.adopt():
            if states.get(cluster_id, "closed") in ENDED_CLUSTERS:
                self.driver.close(cluster_id, "It had ended.")

    def hold_all(self) -> None:
        """While the database does not answer: what lives here goes on, and no kernel is heard."""
        self.listening.forget()
        for cluster_id in self.driver.adopt():
            self.driver.hold(cluster_id)

    def step(self, row: Cluster, ceiling: int) -> None:
        seen = self.driver.observe(row.id)
        view = ClusterView(row.state, row.wanted, row.reason, row.server is not None, row.pinned_until, row.kept_at is not None)
        step = next_step(view, seen, self._around(row), utcnow(), self.context.settings.cluster_idle, self.patience)
        match step.action:
            case "create" if reason := choices.broken(self.context.settings, row.environment):
                self._finish(row, Step("finish", "failed", reason), seen)
            case "create":
                self.driver.create(row.id, self._spec(row, ceiling))
            case "close":
                self.driver.close(row.id, step.reason)
                self._move(row, step, seen)
            case "move":
                self._move(row, step, seen)
            case "finish":
                self._finish(row, step, seen)
            case "wait":
                self._note(row, seen)

    def _hold(self, row: Cluster, ceiling: int) -> None:
        self.driver.wish(row.id, _wish(row, ceiling))
        if time.monotonic() - self._held.get(row.id, -HOLD) >= HOLD:
            self._held[row.id] = time.monotonic()
            self.driver.hold(row.id)

    def _around(self, row: Cluster) -> Around:
        silence = 0.0 if row.kept_at is None else self.listening.silence(row.id, row.kept_at)
        if self.servers is None:
            return Around(silence=silence)
        at, owner = self._owners.get(row.owner, (-ASK, None))
        if time.monotonic() - max(at, self._silent) >= ASK:
            owner = self.servers.owner(row.owner)
            self._owners[row.owner] = (time.monotonic(), owner)
            self._hub_answers = owner is not None
            if owner is None:
                self._silent = time.monotonic()
        if owner is None:
            return Around(silence=silence)
        started = row.seen.get("server_started")
        lives = None if row.server is None else owner.lives(row.server, started)
        if lives and started is None and row.server is not None and owner.servers:
            with self.lease.writing() as session:
                stored = session.get_one(Cluster, row.id)
                stored.seen = {**stored.seen, "server_started": owner.servers[row.server]}
        return Around(lives, owner.reads(row.seen.get("projects", [])) if row.seen.get("by") == "hub" else None, silence)

    def _spec(self, row: Cluster, ceiling: int) -> ClusterSpec:
        settings = self.context.settings
        environment = settings.envs_dir / row.environment
        mounts = [(str(environment), str(environment)), (str(KERNELS), str(KERNELS))]
        for name in row.seen.get("projects", ()):
            folder = settings.projects_dir / name
            folder.mkdir(parents=True, exist_ok=True)
            mounts.append((str(folder), f"/projects/{name}"))
        return ClusterSpec(
            str(environment), Size(row.kind, row.cpu, row.memory, row.gpus, dict(row.resources)), _wish(row, ceiling),
            tuple(Group(one["name"], one["workers"], Size(one["kind"], one["cpu"], one["memory"], one["gpus"], one["resources"]))
                  for one in row.groups),
            read_only=tuple(mounts), isolated=settings.isolation, scratch=settings.run_max_output,
            environ={} if settings.isolation else {"VOXELHUB_PROJECTS_DIR": str(settings.projects_dir)})

    def _note(self, row: Cluster, seen: ClusterObservation) -> None:
        """What is seen, what happened and what it used, when it is time to write that down."""
        due = time.monotonic() - self._metered.get(row.id, -METER) >= METER
        fresh = self.driver.events(row.id, self._number(row.id))
        changed = self._changed(row, seen)
        if not (due or fresh or changed):
            return
        with self.lease.writing() as session:
            stored = session.get_one(Cluster, row.id)
            if stored.state in ENDED_CLUSTERS:
                return
            self._write(session, stored, seen)
            self._take_in(session, stored, fresh)
            if due:
                self._meter(session, stored, seen)
            if fresh or changed:
                tell(session, stored)

    def _changed(self, row: Cluster, seen: ClusterObservation) -> bool:
        """At once when workers come or go; else once a second when figures differ."""
        names = [(one.get("name"), one.get("state")) for one in row.seen.get("workers", ())]
        if names != [(one.name, one.state) for one in seen.workers] or row.seen.get("wanted") != seen.wanted:
            return True
        figures = (row.seen.get("waiting", 0), [one.get("tasks") for one in row.seen.get("workers", ())])
        now = (seen.waiting, [one.tasks for one in seen.workers])
        return figures != now and time.monotonic() - self._wrote.get(row.id, -SEEN) >= SEEN

    def _write(self, session: Session, row: Cluster, seen: ClusterObservation) -> None:
        self._wrote[row.id] = time.monotonic()
        row.seen = {
            **row.seen, "workers": [asdict(one) for one in seen.workers], "wanted": seen.wanted, "desired": seen.desired,
            "waiting": seen.waiting, "running": dict(seen.running), "address": seen.address}
        if seen.process == "running":
            row.active_at = utcnow() - timedelta(seconds=seen.idle)

    def _take_in(self, session: Session, row: Cluster, fresh: list[Any]) -> None:
        for one in fresh:
            session.add(ClusterEvent(cluster_id=row.id, number=one.number, at=datetime.fromisoformat(one.at), kind=one.kind,
                                     text=one.text, measured=one.measured))
        if fresh:
            session.flush()
            self._numbers[row.id] = fresh[-1].number

    def _number(self, cluster_id: str) -> int:
        if cluster_id not in self._numbers:
            with reading(self.context.engine) as session:
                self._numbers[cluster_id] = session.scalar(
                    select(func.max(ClusterEvent.number)).where(ClusterEvent.cluster_id == cluster_id)) or 0
        return self._numbers[cluster_id]

    def _meter(self, session: Session, row: Cluster, seen: ClusterObservation) -> None:
        prices = known_prices(self.context.settings)
        self._metered[row.id] = time.monotonic()
        for profile, counters in seen.usage.items():
            meter(session, Meter(
                "cluster", row.id, row.title, row.owner, row.project_id, profile, Counters.of(counters),
                prices.of_worker(profile), running=bool(seen.running.get(profile)), since=row.started_at or row.created_at))

    def _move(self, row: Cluster, step: Step, seen: ClusterObservation) -> None:
        fresh = self.driver.events(row.id, self._number(row.id))
        with self.lease.writing() as session:
            stored = session.get_one(Cluster, row.id)
            if stored.state in ENDED_CLUSTERS:
                return
            if step.state == "running" and stored.started_at is None:
                stored.started_at = utcnow()
            if step.state == "closing" and stored.wanted == "open":
                stored.wanted = "closed"
            stored.state, stored.reason = step.state, step.reason
            self._write(session, stored, seen)
            self._take_in(session, stored, fresh)
            tell(session, stored)
        reached(f"cluster.{step.state}")

    def _finish(self, row: Cluster, step: Step, seen: ClusterObservation) -> None:
        self.driver.sweep(row.id)
        fresh = self.driver.events(row.id, self._number(row.id))
        with self.lease.writing() as session:
            stored = session.get_one(Cluster, row.id)
            if stored.state in ENDED_CLUSTERS:
                return
            stored.state, stored.reason, stored.ended_at, stored.wanted = step.state, step.reason, utcnow(), "closed"
            stored.seen = {**stored.seen, "workers": [], "running": {}, "waiting": 0, "wanted": 0}
            self._take_in(session, stored, fresh)
            self._meter(session, stored, seen)
            self.context.audit.append(session, "system", "cluster.end", f"cluster:{row.id}",
                                      "failure" if step.state == "failed" else "success", {"state": step.state})
            tell(session, stored)
        for known in (self._metered, self._held, self._wrote, self._numbers):
            known.pop(row.id, None)
        self.listening.drop(row.id)
        reached("cluster.finished")


def _wish(row: Cluster, ceiling: int) -> Wish:
    """Of the row, within what the machine has for it now."""
    if not row.adaptive:
        return Wish(False, row.workers, max(row.workers, ceiling), row.workers)
    return Wish(True, row.minimum, max(row.minimum, min(row.maximum, ceiling)), row.workers)
