"""Logs of clusters that ended long ago go; their rows, events and ledger stay."""

from __future__ import annotations

import shutil
from datetime import timedelta

from sqlalchemy import select

from ..context import Context
from ..database import reading
from ..models import ENDED_CLUSTERS, Cluster, utcnow

KEPT = timedelta(days=30)


def sweep_clusters(context: Context) -> None:
    """Delete the folders of clusters that ended more than KEPT ago."""
    with reading(context.engine) as session:
        old = session.scalars(select(Cluster.id).where(Cluster.state.in_(ENDED_CLUSTERS), Cluster.ended_at < utcnow() - KEPT))
        for cluster_id in old:
            shutil.rmtree(context.settings.clusters_dir / cluster_id, ignore_errors=True)
