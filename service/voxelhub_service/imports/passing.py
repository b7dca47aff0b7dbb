"""Each file through a worker: looked at in an open project, cleaned in a clinical one. What comes of it is passed or stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..datasets import series, sniff
from .arriving import Arrival, Stopped, held_of
from .job import Bar, Job
from .workshop import Workshop


@dataclass(frozen=True)
class Passed:
    """A file that may be published. `path` is where it wants to be; `report` is there for a cleaned one."""

    arrival: Arrival
    source: Path
    path: str
    size: int
    sha256: str
    seen: sniff.Seen | series.Instance
    report: dict[str, Any] | None = None


@dataclass
class Result:
    passed: list[Passed] = field(default_factory=list)
    held: list[Stopped] = field(default_factory=list)


def pass_files(job: Job, shop: Workshop, arrived: Sequence[Arrival], bar: Bar) -> Result:
    """In the order of arrival, whichever worker was first."""
    result = Result()
    cleaned = job.work / "cleaned"
    cleaned.mkdir(exist_ok=True)
    by_number = {one.number: one for one in arrived}
    answers = {}
    for request, answer in shop.each(_requests(job, cleaned, arrived)):
        number = request["number"]
        answers[number] = answer
        bar.add(request["size"], f"Looking at the content: {len(answers)} of {len(arrived)} files")
    for number, one in by_number.items():
        answer = answers[number]
        if "held" in answer and job.order.waived and not job.key:
            answer = {"seen": {"kind": "file", "data_type": "file", "file_format": "binary", "meta": {}}}
        if "held" in answer:
            result.held.append(Stopped(one, held_of(answer)))
        elif job.key:
            result.passed.append(Passed(
                one, cleaned / str(number), answer["path"], answer["size"], answer["sha256"], seen_of(answer, answer["path"]),
                answer["report"]))
        else:
            assert one.sha256 is not None
            result.passed.append(Passed(one, one.source, one.name, one.size, one.sha256, seen_of(answer, one.name)))
    return result


def _requests(job: Job, cleaned: Path, arrived: Sequence[Arrival]) -> Iterator[dict[str, Any]]:
    for one in arrived:
        request = {"op": "look", "file": str(one.source), "path": one.name, "size": one.size, "number": one.number}
        if job.key:
            request |= {"op": "clean", "into": str(cleaned / str(one.number)), "waived": job.order.waived}
        yield request


def seen_of(answer: dict[str, Any], path: str) -> sniff.Seen | series.Instance:
    """Of a file that will lie at `path`."""
    if "instance" in answer:
        fields = {name: tuple(value) if isinstance(value, list) else value for name, value in answer["instance"].items()}
        return series.Instance(**(fields | {"path": path}))
    return sniff.Seen(**answer["seen"])
