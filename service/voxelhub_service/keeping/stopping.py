"""Ends what still runs when the grace of a spent budget is over: runs, clusters, notebook servers, each by its own door."""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import quote

import httpx
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from ..clusters.store import ask_close
from ..context import Context, emit
from ..executors.folder import RunFolder
from ..ledger.budgets import spent_sentence
from ..ledger.enforcing import Judged
from ..models import ENDED_CLUSTERS, TERMINAL_STATES, Cluster, LedgerEntry, Run
from ..runs.endings import end_run, tell
from ..runs.next_step import STOPPED
from ..secrets import read_secret
from ..wire_spend import BudgetState

log = logging.getLogger(__name__)
StopServer = Callable[[str, str], bool]  # user, server name -> whether the hub is at it


def reason(state: BudgetState) -> str:
    return f"{STOPPED} {spent_sentence(state)}"


def stop_runs(context: Context, session: Session, one: Judged) -> int:
    """Tool runs that wait or run; imports go on, as half a dataset helps nobody. How many were told now."""
    mine = _of(one, Run.owner, Run.project_id)
    active = select(Run).where(mine, Run.kind == "tool", Run.wanted == "run", Run.state.not_in(TERMINAL_STATES))
    rows = list(session.scalars(active.where(Run.state != "staging_out")))  # what it wrote is published: it costs nothing more
    for run in rows:
        _stop_run(context, session, run, reason(one.state))
    return len(rows)


def _stop_run(context: Context, session: Session, run: Run, why: str) -> None:
    context.audit.append(session, "system", "budget.stop", f"run:{run.id}", detail={"state": run.state})
    if run.state == "queued":
        end_run(context, session, run, "cancelled", why)
        return
    run.wanted = "finish" if run.state == "running" and _may_finish(context, run) else "cancel"
    run.reason = why
    tell(session, run)


def _may_finish(context: Context, run: Run) -> bool:
    """Its tool says that it ends in good order when it is asked to, with what it has by then."""
    folder = RunFolder(context.settings.runs_dir / run.id)
    return folder.spec.exists() and folder.read_job().finish_on_time


def stop_clusters(context: Context, session: Session, one: Judged) -> int:
    mine = _of(one, Cluster.owner, Cluster.project_id)
    rows = list(session.scalars(select(Cluster).where(mine, Cluster.wanted == "open", Cluster.state.not_in(ENDED_CLUSTERS))))
    for cluster in rows:
        context.audit.append(session, "system", "budget.stop", f"cluster:{cluster.id}")
        ask_close(session, cluster, reason(one.state))
    return len(rows)


def servers_of(session: Session, one: Judged) -> list[tuple[str, str]]:
    """Notebook servers that run on this budget: user and server name."""
    mine = _of(one, LedgerEntry.owner, LedgerEntry.project_id)
    growing = select(LedgerEntry.subject).where(mine, LedgerEntry.kind == "server", LedgerEntry.ended_at.is_(None))
    return [tuple(subject.rpartition("@")[0].split("/", 1)) for subject in session.scalars(growing)]  # type: ignore[misc]


def told(context: Context, session: Session, one: Judged, user: str, server: str) -> None:
    """That the hub ends a server; its person reads why."""
    context.audit.append(session, "system", "budget.stop", f"server:{user}/{server}")
    payload = {"act": "stop", "sentence": f"Your notebook server is stopped. {reason(one.state)}"}
    emit(session, "spend", f"person:{user}", project_id=None, user=user, payload=payload)


def hub_stops(context: Context) -> StopServer:
    """Through the hub's API, as its own pages do it."""
    token = read_secret(context.settings.secrets_dir, "service-hub-token")

    def stop(user: str, server: str) -> bool:
        path = f"/users/{quote(user, safe='')}/" + (f"servers/{quote(server, safe='')}" if server else "server")
        try:
            answer = httpx.delete(context.settings.hub_api_url + path, headers={"Authorization": f"token {token}"},
                                  timeout=15, trust_env=False)
        except httpx.HTTPError as error:
            log.warning("the hub does not answer, so a server at the end of its budget runs on: %s", type(error).__name__)
            return False
        if answer.status_code not in (202, 204):
            log.warning("the hub did not stop a server at the end of its budget: %d", answer.status_code)
        return answer.status_code in (202, 204)

    return stop


def _of(one: Judged, owner: object, project_id: object) -> ColumnElement[bool]:
    found: ColumnElement[bool] = owner == one.state.name if one.project_id is None else project_id == one.project_id  # type: ignore
    return found
