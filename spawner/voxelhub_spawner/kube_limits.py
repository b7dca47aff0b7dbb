"""How many servers and GPUs a person and a project may have at the same time. Pure, but for the list of what is being started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .kube_chart import KubeLimits
from .kube_gpus import asked, finished, name_of
from .shared import Shared


@dataclass(frozen=True)
class Held:
    """What one server holds, or asks for."""

    user: str
    project: str
    gpus: int


class Starting(Shared):
    """Servers whose pod the hub has not seen yet, by the pod's name, so that two starts at once do not both find room."""

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}

    def with_pods(self, pods: Iterable[Mapping[str, Any]], resources: Iterable[str], without: str) -> list[Held]:
        """All that is held or asked for, except by the pod `without`."""
        kinds = set(resources)
        seen = {name_of(pod): held_by(pod, kinds) for pod in pods if not finished(pod)}
        return [held for name, held in {**seen, **self.held}.items() if name != without]


def held_by(pod: Mapping[str, Any], resources: Iterable[str]) -> Held:
    told = pod["metadata"].get("annotations") or {}
    return Held(told.get("hub.jupyter.org/username", ""), told.get("voxelhub/project", ""),
                sum(asked(pod, kind) for kind in resources))


def exceeded(limits: KubeLimits, wish: Held, others: Iterable[Held]) -> str:
    """Why this server may not start beside the others, or an empty text."""
    others = list(others)
    mine = [one for one in others if one.user == wish.user]
    if limits.servers_per_user and len(mine) >= limits.servers_per_user:
        return f"You may have {_many(limits.servers_per_user, 'server')} at the same time, and have {len(mine)}. Stop one first."
    return (_gpus("You", limits.gpus_per_user, wish, mine)
            or (_gpus(f"The project {wish.project}", limits.gpus_per_project, wish,
                      [one for one in others if one.project == wish.project]) if wish.project else ""))


def _gpus(who: str, limit: int, wish: Held, held: Iterable[Held]) -> str:
    having = sum(one.gpus for one in held)
    if not limit or not wish.gpus or having + wish.gpus <= limit:
        return ""
    has = "have" if who == "You" else "has"
    if wish.gpus > limit:
        return f"{who} may have {_many(limit, 'GPU')} at the same time, and this profile has {wish.gpus}. Choose another profile."
    return (f"{who} may have {_many(limit, 'GPU')} at the same time, and {has} {having}. "
            "Stop a server that has one, or choose a profile without.")


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
