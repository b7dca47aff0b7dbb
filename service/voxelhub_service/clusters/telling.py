"""The event of a cluster's change, for its owner: the panel reads the cluster again."""

from __future__ import annotations

from sqlalchemy.orm import Session

from ..context import emit
from ..models import Cluster


def tell(session: Session, cluster: Cluster) -> None:
    emit(session, "cluster", cluster.id, project_id=cluster.project_id, user=cluster.owner, payload={"state": cluster.state})
