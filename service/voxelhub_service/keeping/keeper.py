"""Reads every few seconds what runs, and does what budgets ask. May be killed at any point."""

from __future__ import annotations

import logging
from datetime import timedelta

from ..context import Context
from ..database import reading
from ..errors import Problem
from ..executors.base import Executor
from ..ledger import of_runs, of_servers
from ..ledger.enforcing import Judged, decide, judged, mark
from ..ledger.prices import known_prices
from ..models import utcnow
from ..runs.lease import WorkerLease
from . import stopping

log = logging.getLogger(__name__)
EVERY = 5.0  # seconds between two looks


class Keeper:
    def __init__(
        self, context: Context, executor: Executor, lease: WorkerLease, stop_server: stopping.StopServer | None = None,
    ) -> None:
        self.context, self.executor, self.lease = context, executor, lease
        self.stop_server = stop_server or stopping.hub_stops(context)

    def look(self) -> None:
        self.read()
        if self.context.settings.budgets_file:
            self.enforce()

    def read(self) -> None:
        """Runs and notebook servers; clusters are read by who keeps them."""
        runs = of_runs.going(self.context, self.executor)
        servers = list(of_servers.records(self.context.settings.servers_dir))
        if not runs and not servers and not of_runs.open_entries(self.context):
            return
        prices = known_prices(self.context.settings)
        with self.lease.writing() as session:
            for run, seen in runs:
                of_runs.meter_run(self.context, session, run, seen, prices, running=True)
            for record in servers:
                of_servers.meter_server(self.context, session, record, prices)
            of_runs.close_ended(session)
        for record in servers:
            if not record.running:
                record.path.unlink(missing_ok=True)

    def enforce(self) -> None:
        now, grace = utcnow(), timedelta(seconds=self.context.settings.budget_grace)
        try:
            with reading(self.context.engine) as session:
                due = [(one, acts) for one in judged(self.context, session, now)
                       if (acts := decide(one.state, one.marks, now, grace))]
        except Problem as problem:
            log.error("budgets are not looked at: %s", problem.__cause__ or problem)
            return
        for one, acts in due:
            with self.lease.writing() as session:
                for act in (act for act in acts if act != "stop"):
                    mark(self.context, session, one, act, now)
            if "stop" in acts:
                self.stop(one)

    def stop(self, one: Judged) -> None:
        with self.lease.writing() as session:
            stopping.stop_runs(self.context, session, one)
            stopping.stop_clusters(self.context, session, one)
            servers = stopping.servers_of(session, one)
        for user, server in servers:
            if self.stop_server(user, server):
                with self.lease.writing() as session:
                    stopping.told(self.context, session, one, user, server)
