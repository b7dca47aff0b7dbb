"""Checks of clusters for `voxelhub fsck`."""

from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path

from sqlalchemy import select

from ..context import Context
from ..database import reading, writing
from ..fsck.base import Check, Finding
from ..models import ENDED_CLUSTERS, Cluster, Lease, utcnow
from ..runs.lease import NAME
from . import bell
from .local import LocalClusters

PATIENCE = 60.0  # seconds within which a worker takes a step that is due
HEARTBEAT = 60.0  # seconds without a word of a supervisor after which it hangs


def owners(context: Context, deep: bool) -> list[Finding]:
    """An open cluster is held by a supervisor that gives signs of life, as long as a worker is there to see to that."""
    driver, findings = LocalClusters(context.settings.clusters_dir), []
    with reading(context.engine) as session:
        lease = session.get(Lease, NAME)
        working = lease is not None and lease.expires_at > utcnow()
        rows = list(session.scalars(select(Cluster).where(Cluster.state.not_in(ENDED_CLUSTERS))))
    for row in rows:
        seen = driver.observe(row.id)
        where = f"The cluster “{row.title}” ({row.id}) of {row.owner}"
        age = (utcnow() - (row.started_at or row.created_at)).total_seconds()
        if working and age > PATIENCE and seen.process in ("absent", "lost", "ended"):
            findings.append(Finding(f"{where} is said to be {row.state}, but nobody holds it.", "close it",
                                    partial(_close, context, row.id)))
        elif seen.process == "running" and time.time() - driver.folder(row.id).status.stat().st_mtime > HEARTBEAT:
            findings.append(Finding(f"The supervisor of {where[0].lower()}{where[1:]} lives but has said nothing for a minute."))
    return findings


def folders(context: Context, deep: bool) -> list[Finding]:
    """No folder without a cluster, no key and no spilled data of one that has ended."""
    findings = []
    driver = LocalClusters(context.settings.clusters_dir)
    with reading(context.engine) as session:
        states = dict(session.execute(select(Cluster.id, Cluster.state)).all())
    for path in sorted(context.settings.clusters_dir.iterdir()):
        folder = driver.folder(path.name)
        if path.name == bell.NAME or folder.held():
            continue
        if path.name not in states:
            findings.append(Finding(f"There is a cluster folder {path.name} without a cluster.", "delete it",
                                    partial(_drop, path)))
        elif states[path.name] in ENDED_CLUSTERS and (folder.tls.exists() or folder.scratch.exists()):
            findings.append(Finding(f"Keys or data of the ended cluster {path.name} are still there.", "delete them",
                                    partial(_sweep, driver, path.name)))
    return findings


def supervisors(context: Context, deep: bool) -> list[Finding]:
    """No process goes on for a cluster that has ended."""
    driver = LocalClusters(context.settings.clusters_dir)
    with reading(context.engine) as session:
        states = dict(session.execute(select(Cluster.id, Cluster.state)).all())
    why = {True: "has ended", False: "does not exist"}
    return [Finding(f"Processes still run for cluster {cluster_id}, which {why[cluster_id in states]}.", "end them",
                    partial(_end, driver, cluster_id))
            for cluster_id in driver.adopt() if states.get(cluster_id, "closed") in ENDED_CLUSTERS]


def _close(context: Context, cluster_id: str) -> str:
    with writing(context.engine) as session:
        row = session.get_one(Cluster, cluster_id)
        row.state, row.wanted, row.ended_at = "failed", "closed", utcnow()
        row.reason = "It was found without processes, and closed by fsck."
    LocalClusters(context.settings.clusters_dir).sweep(cluster_id)
    return "closed it"


def _drop(path: Path) -> str:
    shutil.rmtree(path, ignore_errors=True)
    return "deleted the folder"


def _sweep(driver: LocalClusters, cluster_id: str) -> str:
    driver.sweep(cluster_id)
    return "deleted them"


def _end(driver: LocalClusters, cluster_id: str) -> str:
    driver.close(cluster_id, "It had ended.")
    deadline = time.monotonic() + 10
    while cluster_id in driver.adopt() and time.monotonic() < deadline:
        time.sleep(0.1)
    return "asked them to end"


CHECKS = [
    Check("cluster-owners", "Dask clusters that nobody holds", owners),
    Check("cluster-folders", "cluster folders without a cluster, keys of ended ones", folders),
    Check("cluster-supervisors", "processes of ended clusters", supervisors),
]
