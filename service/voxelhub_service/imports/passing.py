"""Each file through a worker: looked at in an open project, cleaned in a clinical one. What comes of it is passed or stopped."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..datasets import names, series, sniff
from .arriving import Arrival, Stopped, held_of
from .job import Bar, Job
from .workshop import Workshop


@dataclass(frozen=True)
class Passed:
    """A file that may be published. `path` is where it wants to be; `report` is there for a cleaned one."""

    arrival: Arrival
    source: Path
    path: str
    sha256: str | None  # None of what a worker wrote: it is taken when no worker lives any more
    seen: sniff.Seen | series.Instance
    report: dict[str, Any] | None = None


@dataclass
class Result:
    passed: list[Passed] = field(default_factory=list)
    held: list[Stopped] = field(default_factory=list)


def pass_files(job: Job, shop: Workshop, arrived: Sequence[Arrival], bar: Bar) -> Result:
    """In the order of arrival, whichever worker was first."""
    (job.work / "cleaned").mkdir(exist_ok=True)
    by_number = {one.number: one for one in arrived}
    found: dict[int, Passed | Stopped] = {}
    for request, answer in shop.each(_requests(job, arrived)):
        one = by_number[request["number"]]
        found[one.number] = _judged(job, one, answer)
        bar.add(one.size, f"File {len(found)} of {len(arrived)}")
    result = Result()
    for number in by_number:
        one_of = found[number]
        if isinstance(one_of, Stopped):
            result.held.append(one_of)
        else:
            result.passed.append(one_of)
    return result


def _requests(job: Job, arrived: Sequence[Arrival]) -> Iterator[dict[str, Any]]:
    for one in arrived:
        request = {"op": "look", "file": str(one.source), "path": one.name, "size": one.size, "number": one.number}
        if job.key:
            request |= {"op": "clean", "into": str(_cleaned(job, one)), "waived": job.order.waived}
        yield request


def _cleaned(job: Job, one: Arrival) -> Path:
    return job.work / "cleaned" / str(one.number)


def _judged(job: Job, one: Arrival, answer: dict[str, Any]) -> Passed | Stopped:
    if "held" in answer:
        if job.order.waived and not job.key:
            return Passed(one, one.source, one.name, one.sha256, sniff.FILE)
        held = held_of(answer)
        return Stopped(one, held if job.key else dataclasses.replace(held, releasable=True))
    if not job.key:
        return Passed(one, one.source, one.name, one.sha256, seen_of(answer, one.name))
    path = str(answer["path"])
    if names.refusal(path) or path == job.report_path:
        raise ValueError("a door worker gave a file a name that no file may have")
    return Passed(one, _cleaned(job, one), path, None, seen_of(answer, path), dict(answer["report"]))


def seen_of(answer: dict[str, Any], path: str) -> sniff.Seen | series.Instance:
    """Of a file that will lie at `path`."""
    if "instance" in answer:
        fields: dict[str, Any] = {name: _plain(value) for name, value in answer["instance"].items()}
        return series.Instance(**(fields | {"path": path}))
    return sniff.Seen(**answer["seen"])


def _plain(value: Any) -> Any:
    return tuple(_plain(one) for one in value) if isinstance(value, list) else value
