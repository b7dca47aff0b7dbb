"""What a cluster asks of the service, and the sentences that its answers become. Needs no Dask."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

from . import client
from .errors import VoxelHubError

OPEN = frozenset({"starting", "running", "closing"})
ENDED = frozenset({"closed", "failed"})
# Pauses between two looks at a cluster that starts or ends: the first, as none is done sooner; while it may come any moment;
# and the longest, afterwards.
FIRST_S, LOOK_S, LONGEST_S = 0.3, 0.1, 0.5
BRISK_S = 3.0
START_S = 120.0
ADAPT = (0, 4)  # floor and ceiling where the caller says nothing
Groups = Mapping[str, Mapping[str, Any]] | Iterable[Mapping[str, Any]]
Until = datetime | timedelta | None


def wish(
    *, workers: int | None, adapt: tuple[int, int] | None, environment: str | None, project: str | None, kind: str | None,
    groups: Groups, resources: Mapping[str, float] | None, name: str | None, pinned_until: Until,
) -> dict[str, Any]:
    """The body of a request for a new cluster, with the choices that follow from where this kernel runs."""
    offered = client.request("GET", "clusters/choices")
    if offered["unavailable"]:
        raise VoxelHubError("no_clusters", f"No cluster can be made here: {offered['unavailable']}")
    floor, ceiling = bounds(workers, adapt)
    return {
        "title": name or _notebook() or "Cluster", "project": project or _project(), "kind": kind,
        "environment": _environment(environment, offered["environments"]), "minimum": floor, "maximum": ceiling,
        "adaptive": adapt is not None or workers is None, "workers": workers, "resources": dict(resources or {}),
        "groups": _groups(groups), "pinned_until": moment(pinned_until),
        "made_in": "notebook" if "ipykernel" in sys.modules else "api",
    }


def bounds(workers: int | None, adapt: tuple[int, int] | None) -> tuple[int, int]:
    """Floor and ceiling. A number alone is a fixed number, which may grow later."""
    if adapt is not None:
        floor, ceiling = adapt
        return floor, ceiling
    return ADAPT if workers is None else (0, max(1, workers))


def create(body: Mapping[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """Ask for it; `say` gets its price before anything starts. Raises VoxelHubError where it is refused."""
    estimate = client.request("POST", "clusters/estimate", repeat=True, json=body)
    if estimate["refused"]:
        raise VoxelHubError("cluster_refused", estimate["refused"])
    if estimate["currency"]:
        say(estimate["sentence"])
    key = {"Idempotency-Key": uuid.uuid4().hex}  # a request that is repeated makes nothing twice
    item: dict[str, Any] = client.request("POST", "clusters", repeat=True, json=body, headers=key)
    return item


def get(id: str) -> dict[str, Any]:
    item: dict[str, Any] = client.request("GET", f"clusters/{id}")
    return item


def change(id: str, **values: Any) -> dict[str, Any]:
    item: dict[str, Any] = client.request("PATCH", f"clusters/{id}", repeat=True, json=values)
    return item


def scaling(item: Mapping[str, Any], workers: int) -> dict[str, Any]:
    """The change to a fixed number; floor and ceiling make room for it."""
    bounds = {"minimum": min(workers, item["minimum"]), "maximum": max(workers, item["maximum"])}
    return {"adaptive": False, "workers": workers, **bounds}


def adapting(item: Mapping[str, Any], floor: int, ceiling: int | None) -> dict[str, Any]:
    return {"adaptive": True, "minimum": floor, "maximum": item["maximum"] if ceiling is None else ceiling}


def pinning(until: Until) -> dict[str, Any]:
    return {"unpin": True} if until is None else {"pinned_until": moment(until)}


def close(id: str) -> dict[str, Any]:
    item: dict[str, Any] = client.request("DELETE", f"clusters/{id}", repeat=True)
    return item


def let_go(id: str) -> None:
    """It ends with no kernel from now on."""
    client.request("DELETE", f"clusters/{id}/keep", repeat=True)


def wait(
    item: Mapping[str, Any], states: Iterable[str], seconds: float, look: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """Until it is in one of these states, or has ended, or the time is over; the last answer."""
    known = dict(item)
    wanted = {*states, *ENDED}
    began = time.monotonic()
    pause = FIRST_S
    while known["state"] not in wanted and time.monotonic() < began + seconds:
        look(known)
        time.sleep(pause)
        pause = LOOK_S if time.monotonic() < began + BRISK_S else min(1.5 * pause, LONGEST_S)
        known = get(known["id"])
    look(known)
    return known


def running(item: Mapping[str, Any]) -> dict[str, Any]:
    """The same, or the VoxelHubError that says why it does not run."""
    if item["state"] == "running":
        return dict(item)
    why = item["reason"] or {
        "starting": f"Its scheduler did not answer within {START_S:.0f} seconds.",
        "closing": "It is being closed.", "closed": "It was closed."}.get(item["state"], "No reason was given.")
    raise VoxelHubError(f"cluster_{item['state']}", f"The cluster {item['title']!r} is not running. {why}",
                        f"Its log may say more: voxelhub.Cluster.log_of({item['id']!r})." if item["state"] == "failed" else "")


def log(id: str, name: str = "scheduler") -> dict[str, Any]:
    answer: dict[str, Any] = client.request("GET", f"clusters/{id}/logs", params={"name": name})
    return answer


def logs(id: str, name: str | None = None) -> dict[str, str]:
    """The ends of the logs of its processes, by name; of the one named."""
    if name is not None:
        return {name: log(id, name)["text"]}
    first = log(id)
    return {one: first["text"] if one == first["name"] else log(id, one)["text"] for one in first["names"]}


def same_versions(theirs: Mapping[str, str], environment: str) -> None:
    """Raise VoxelHubError unless this kernel has what the workers have: what one pickles, the other must read."""
    mine = {"distributed": metadata.version("distributed"), "python": f"{sys.version_info[0]}.{sys.version_info[1]}"}
    differing = [name for name in mine if theirs.get(name) and theirs[name] != mine[name]]
    if differing:
        said = " and ".join(f"{name} {mine[name]}, they {theirs[name]}" for name in differing)
        sentence = f"This kernel does not fit the workers of the environment {environment}: it has {said}."
        raise VoxelHubError("versions_differ", sentence, f"Take the kernel of {environment}, or another environment=.")


def moment(until: Until) -> str | None:
    """A point in time, or a time from now on, as the API writes it (ISO 8601, with a zone)."""
    if until is None:
        return None
    return (datetime.now(UTC) + until if isinstance(until, timedelta) else until.astimezone(UTC)).isoformat()


def money(amount: float | None, currency: str | None) -> str:
    """0.12 EUR; empty where there is no price. Small sums keep four decimals."""
    if amount is None or currency is None:
        return ""
    text = f"{amount:.2f}" if amount >= 0.1 else f"{amount:.4f}".rstrip("0").ljust(4, "0")
    return f"{text} {currency}"


def dashboard_link(item: Mapping[str, Any]) -> str:
    """Address of the dashboard in this user's Lab; empty outside of one, and for clusters of others."""
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "")
    path = item.get("dashboard_path")
    return f"{prefix.rstrip('/')}/voxelhub/api/v1/{path}" if prefix and path else ""


def _environment(wanted: str | None, offered: list[dict[str, Any]]) -> str | None:
    """This kernel's own, where it has one: then both have the same versions."""
    names = {one["name"]: one for one in offered}
    name = wanted or (own if (own := Path(sys.prefix).name) in names else None)
    chosen = names.get(name or "") or next((one for one in offered if one["default"]), None)
    if wanted is not None and wanted not in names:
        raise VoxelHubError("unknown_environment", f"There is no environment {wanted!r} with Dask.",
                            f"Take {' or '.join(names) or 'none: there is none here'}.")
    if chosen is not None:
        same_versions({"distributed": chosen["dask"]}, chosen["name"])
    return name


def _project() -> str:
    """My own, else the only one: nobody else's budget is charged by accident."""
    mine = client.request("GET", "me")["projects"]
    own = [one["name"] for one in mine if one.get("kind") == "personal"]
    if own or len(mine) == 1:
        return str(own[0] if own else mine[0]["name"])
    names = ", ".join(one["name"] for one in mine)
    raise VoxelHubError("which_project", "Say for which project this cluster computes.", f"Give project= one of: {names}.")


def _groups(groups: Groups) -> list[dict[str, Any]]:
    if isinstance(groups, Mapping):
        return [{"name": name, **dict(values)} for name, values in groups.items()]
    return [dict(one) for one in groups]


def _notebook() -> str:
    """Of what this kernel computes, as Jupyter says."""
    return Path(os.environ.get("JPY_SESSION_NAME", "")).stem[:80]
