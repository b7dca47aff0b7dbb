"""Tools and their runs: `voxelhub.run("dicom-to-nifti", study)` and wait for the result."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import client
from .catalogue import Dataset, Entry, Listing, dataset_of
from .errors import VoxelHubError
from .progress import Progress

ENDED = frozenset({"succeeded", "failed", "cancelled"})
POLL_S = (0.2, 2.0)  # first and longest pause between two looks at a run


class Tool:
    """A packaged analysis. `inputs`, `arguments` (JSON Schema) and `outputs` say what it takes and gives."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        self.name: str = item["name"]
        self.version: str = item["version"]
        self.title: str = item["title"]
        self.description: str = item["description"]
        self.keywords: list[str] = list(item["keywords"])
        self.inputs: list[dict[str, Any]] = list(item["inputs"])
        self.arguments: dict[str, Any] = dict(item["arguments"])
        self.outputs: list[dict[str, Any]] = list(item["outputs"])
        self.eligible: bool = item["eligible"]
        self.reason: str = item["reason"]
        self.assignment: dict[str, list[str]] = dict(item["assignment"])

    def _row(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version, "title": self.title,
                "takes": ", ".join(i["title"] for i in self.inputs), "arguments": ", ".join(self.arguments.get("properties", {})),
                "fits my selection": "yes" if self.eligible else self.reason}

    def __repr__(self) -> str:
        return f"<Tool {self.name} {self.version}: {self.title}>"


@dataclass(frozen=True)
class Comparison:
    """A run beside an earlier one. `identical`: both wrote the same bytes; None where one of them wrote nothing (yet)."""

    identical: bool | None
    compared: int  # files
    differences: list[str]  # a sentence each: tool, environment, inputs, arguments, outputs, how it ended

    def __repr__(self) -> str:
        if self.identical and not self.differences:
            return f"<Comparison: the same bytes in {self.compared} file(s)>"
        return "<Comparison: " + (" ".join(self.differences) or "nothing to compare yet") + ">"


class Run:
    """One execution of a tool or an import. `state` is as of the last `refresh`."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        self._item = dict(item)

    @classmethod
    def of(cls, id: str) -> Run:
        """The run with this id."""
        return cls(client.request("GET", f"runs/{id}"))

    id: str = property(lambda self: self._item["id"])  # type: ignore[assignment]
    label: str = property(lambda self: self._item["label"])  # type: ignore[assignment]
    title: str = property(lambda self: self._item["title"])  # type: ignore[assignment]
    project: str = property(lambda self: self._item["project"])  # type: ignore[assignment]
    state: str = property(lambda self: self._item["state"])  # type: ignore[assignment]
    reason: str = property(lambda self: self._item["reason"])  # type: ignore[assignment]
    progress: float = property(lambda self: self._item["progress"])  # type: ignore[assignment]
    progress_text: str = property(lambda self: self._item["progress_text"])  # type: ignore[assignment]
    output_dataset_id: str | None = property(lambda self: self._item["output_dataset_id"])  # type: ignore[assignment]
    output_version: int | None = property(lambda self: self._item["output_version"])  # type: ignore[assignment]

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def refresh(self) -> Run:
        """Look again."""
        self._item = client.request("GET", f"runs/{self.id}")
        return self

    def follow(self, report: Callable[[Run], None] = lambda run: None) -> Run:
        """Return when the run has ended, however it ended; `report` is called at each look."""
        pause, longest = POLL_S
        report(self)
        while not self.ended:
            time.sleep(pause)
            pause = min(1.5 * pause, longest)
            report(self.refresh())
        return self

    def wait(self) -> Dataset:
        """Wait with a progress bar and return the result. Raises VoxelHubError when the run failed or was cancelled."""
        with Progress(f"{self.label} {self.title}") as progress:
            self.follow(lambda run: progress.update(run.progress, run.progress_text or run.state))
            progress.finish(self.state)
        return self.output()

    def output(self) -> Dataset:
        """The dataset that it made."""
        if not self.ended:
            raise VoxelHubError("not_ended", f"{self.label} is still {self.state}.", "Call .wait().")
        if self.state == "succeeded" and self.output_dataset_id is None:
            raise VoxelHubError("nothing_released", self.reason or f"{self.label} made no dataset.",
                                "The panel Quarantine says why.")
        if self.state != "succeeded":
            raise VoxelHubError(f"run_{self.state}", f"{self.label} {self.state}: {self.reason or 'no reason was given'}",
                                "Its log says more: .log().")
        return dataset_of(client.request("GET", f"datasets/{self.output_dataset_id}"), self.output_version)

    def log(self) -> str:
        """What the tool has printed so far."""
        text: str = ""
        offset = 0
        while True:
            chunk = client.request("GET", f"runs/{self.id}/log", params={"offset": offset})
            text, moved = text + chunk["text"], chunk["offset"] > offset
            if chunk["end"] or not moved:
                return text
            offset = chunk["offset"]

    def compare(self, other: Run | str | None = None) -> Comparison:
        """What differs between this run and an earlier one, or the one that it repeats.

            again = voxelhub.run("dicom-to-nifti", study)
            again.wait()
            again.compare(first).identical
        """
        wanted = {"with": other.id if isinstance(other, Run) else other} if other is not None else None
        found = client.request("GET", f"runs/{self.id}/comparison", params=wanted)
        return Comparison(found["identical"], found["compared"], [one["sentence"] for one in found["differences"]])

    def cancel(self) -> Run:
        """Ask for its end; the whole process tree of the tool is ended."""
        self._item = client.request("POST", f"runs/{self.id}/cancel", repeat=True)
        return self

    def _row(self) -> dict[str, Any]:
        return {"run": self.label, "title": self.title, "project": self.project, "state": self.state,
                "progress": f"{self.progress:.0%}", "reason": self.reason}

    def __repr__(self) -> str:
        return f"<Run {self.label} {self.title!r}: {self.state}{', ' + self.reason if self.reason else ''}>"


def tools(*selection: Entry | Dataset) -> Listing[Tool]:
    """The tools there are; with a selection, each says whether it fits and why not."""
    ids = [entry.id for entry in _entries(selection)]
    params = {"entries": ",".join(ids)} if ids else None
    return Listing(Tool(item) for item in client.request("GET", "tools", params=params)["items"])


def runs(project: str | None = None) -> Listing[Run]:
    """The runs of my projects, newest first."""
    return Listing(Run(item) for item in client.pages("runs", {"project": project}))


def run(
    tool: str | Tool,
    *selection: Entry | Dataset,
    project: str | None = None,
    version: str | None = None,
    output_title: str | None = None,
    inputs: Mapping[str, Entry | Dataset | Iterable[Entry | Dataset]] | None = None,
    arguments: Mapping[str, Any] | None = None,
    **more: Any,
) -> Run:
    """Start a tool on entries (a dataset stands for all of its entries) and return its run at once.

    The selection fills the tool's inputs as the Tools panel would; `inputs=` says it input by input instead. The tool's
    arguments are given by name or, where one is called as a parameter of this function is, in `arguments=`. `version`
    left out is the newest that you may run. The result goes to `project`, or to that of the first entry.

        result = voxelhub.run("dicom-to-nifti", study, compress=False).wait()
        voxelhub.run("segment-otsu", inputs={"mr": study.entry("T1")}, project="demo", version="1.0.0")
    """
    name = tool.name if isinstance(tool, Tool) else tool
    chosen = _entries(selection)
    if inputs is not None:
        by_name = {key: _entries([many] if isinstance(many, Entry | Dataset) else many) for key, many in inputs.items()}
        assigned = {key: [entry.id for entry in entries] for key, entries in by_name.items()}
        chosen += [entry for entries in by_name.values() for entry in entries]
    else:
        assigned = _assign(name, chosen)
    if not chosen:
        raise VoxelHubError("nothing_selected", f"Say what {name} shall work on.", "Give a dataset or entries.")
    body = {"tool": name, "version": version, "project": project or chosen[0].project, "inputs": assigned,
            "arguments": {**(arguments or {}), **more}, "output_title": output_title}
    # The key makes a repeated request start nothing twice.
    return Run(client.request("POST", "runs", repeat=True, json=body, headers={"Idempotency-Key": uuid.uuid4().hex}))


def _assign(name: str, chosen: list[Entry]) -> dict[str, list[str]]:
    offered = client.request("GET", "tools", params={"entries": ",".join(entry.id for entry in chosen)})["items"]
    found = [Tool(item) for item in offered if item["name"] == name]
    if not found:
        raise VoxelHubError("no_such_tool", f"There is no tool {name}.", f"There is: {', '.join(t['name'] for t in offered)}.")
    if not found[-1].eligible:
        raise VoxelHubError("not_eligible", found[-1].reason or f"{name} does not take this selection.")
    return found[-1].assignment


def _entries(selection: Iterable[Entry | Dataset]) -> list[Entry]:
    entries: list[Entry] = []
    for item in selection:
        if isinstance(item, Dataset):
            entries.extend(item.entries())
        elif isinstance(item, Entry):
            entries.append(item)
        else:
            raise VoxelHubError("not_an_entry", f"A tool works on entries and datasets, not on {type(item).__name__}.")
    return entries
