"""A driver of clusters and a hub that say what a test wants: for what the reconciler makes of it."""

from __future__ import annotations

from voxelhub_service.clusters.base import ClusterObservation, ClusterSpec, Happened, Wish
from voxelhub_service.clusters.servers import Owner


class PlayedDriver:
    """`seen` is what it observes; without an entry, a cluster that was created is starting."""

    def __init__(self) -> None:
        self.seen: dict[str, ClusterObservation] = {}
        self.created: dict[str, ClusterSpec] = {}
        self.wishes: dict[str, Wish] = {}
        self.closed: dict[str, str] = {}
        self.happened: dict[str, list[Happened]] = {}
        self.swept: set[str] = set()
        self.broken: set[str] = set()

    def create(self, cluster_id: str, spec: ClusterSpec) -> None:
        self.created.setdefault(cluster_id, spec)

    def observe(self, cluster_id: str) -> ClusterObservation:
        if cluster_id in self.broken:
            raise RuntimeError("broken")
        default = ClusterObservation("starting" if cluster_id in self.created else "absent")
        return self.seen.get(cluster_id, default)

    def events(self, cluster_id: str, after: int) -> list[Happened]:
        return [one for one in self.happened.get(cluster_id, []) if one.number > after]

    def wish(self, cluster_id: str, wish: Wish) -> None:
        self.wishes[cluster_id] = wish

    def hold(self, cluster_id: str) -> None:
        pass

    def close(self, cluster_id: str, reason: str) -> None:
        self.closed.setdefault(cluster_id, reason)

    def sweep(self, cluster_id: str) -> None:
        self.swept.add(cluster_id)

    def credentials(self, cluster_id: str) -> tuple[str, str, str]:
        raise KeyError(cluster_id)

    def log_names(self, cluster_id: str) -> list[str]:
        return []

    def log(self, cluster_id: str, name: str, size: int) -> str:
        return ""

    def adopt(self) -> list[str]:
        return list(self.created)

    def shutdown(self) -> None:
        pass


class PlayedServers:
    """None, or nobody of that name: the hub does not answer."""

    def __init__(self) -> None:
        self.owners: dict[str, Owner | None] = {}

    def owner(self, name: str) -> Owner | None:
        return self.owners.get(name)
