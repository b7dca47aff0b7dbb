"""Projects, datasets and entries as the service lists them, and their files as this server sees them."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from . import client
from .errors import VoxelHubError
from .loading import load_files
from .progress import size_text

T = TypeVar("T")


class Listing(list[T]):
    """A list that shows itself as a table in a notebook."""

    def _repr_html_(self) -> str:
        if not self:
            return "<p>Nothing here yet.</p>"
        rows = [item._row() for item in self]  # type: ignore[attr-defined]
        return _table(list(rows[0]), [list(row.values()) for row in rows])


def _table(head: list[str], rows: Iterable[list[Any]]) -> str:
    cells = "".join(f"<th style='text-align:left'>{html.escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(str(value))}</td>" for value in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


@dataclass(frozen=True)
class Project:
    name: str
    title: str
    open: bool
    role: str
    kind: str
    quota_bytes: int
    used_bytes: int

    def _row(self) -> dict[str, Any]:
        return {"project": self.name, "title": self.title, "kind": "open" if self.open else "clinical", "my role": self.role,
                "used": f"{size_text(self.used_bytes)} of {size_text(self.quota_bytes)}"}


def projects() -> Listing[Project]:
    """The projects that I am in, my own included."""
    names = Project.__dataclass_fields__
    found = client.request("GET", "me")["projects"]
    return Listing(Project(**{name: item[name] for name in names}) for item in found)


@dataclass(frozen=True, repr=False)
class Entry:
    """One row of the workspace: a series, a volume, an image, a table, a text or a plain file of a dataset version."""

    id: str
    name: str
    kind: str
    data_type: str
    file_format: str
    project: str
    dataset: str
    dataset_id: str
    dataset_title: str
    version: int
    n_files: int
    size: int
    execution: str
    created_at: datetime
    meta: dict[str, Any]
    location: str = field(default="")  # /projects/<project>/<dataset>/v<N>/<path>

    @property
    def path(self) -> Path:
        """Where it lies on this server: a file, or the folder of a series. Raises VoxelHubError when it is not mounted."""
        return _mounted(self.location, self.project)

    def files(self) -> list[Path]:
        """The files it is made of, in the order of their names."""
        version = _version_folder(self.project, self.dataset, self.version)
        return [version / item["path"] for item in client.pages(f"entries/{self.id}/files")]

    def load(self) -> Any:
        """What is in it: a Volume (series, volume), an array (image), a Table (table) or a str (text)."""
        return load_files(self.kind, self.file_format, self.files())

    def _row(self) -> dict[str, Any]:
        return {"name": self.name, "type": self.data_type, "format": self.file_format, "files": self.n_files,
                "size": size_text(self.size), "run": self.execution, "dataset": self.dataset_title, "version": self.version}

    def __repr__(self) -> str:
        return f"<Entry {self.name!r}, {self.data_type}, {self.file_format}, {size_text(self.size)}>"


@dataclass(frozen=True, repr=False)
class Dataset:
    """A dataset at one of its versions, the newest unless another was asked for.

        study = voxelhub.dataset("Phantom chest CT")
        study.files()                    # where everything is
        study.load("chest-ct")           # one entry by its name
    """

    id: str
    title: str
    project: str
    name: str
    version: int
    description: str
    created_by: str
    created_at: datetime
    size: int
    n_files: int
    digest: str
    versions: list[int]

    @property
    def path(self) -> Path:
        """Its folder on this server, read-only: /projects/<project>/<dataset>/v<N>."""
        return _version_folder(self.project, self.name, self.version)

    def files(self) -> list[Path]:
        """Every file of this version, as paths relative to `path`."""
        return [Path(item["path"]) for item in client.pages(f"datasets/{self.id}/versions/{self.version}/files")]

    def entries(self) -> Listing[Entry]:
        """What this version holds: series, volumes, tables …"""
        found = client.pages("entries", {"dataset": self.id, "version": self.version})
        return Listing(_entry(item) for item in found if item["version"] == self.version)

    def entry(self, name: str) -> Entry:
        """The entry with this name or id; a part of the name is enough where only one has it."""
        return _choose(self.entries(), name, lambda e: (e.id, e.name), "entry", f"the dataset “{self.title}”")

    def load(self, name: str | None = None) -> Any:
        """What is in the entry `name`, or in the only one there is. See Entry.load."""
        if name is not None:
            return self.entry(name).load()
        entries = self.entries()
        volumes = [entry for entry in entries if entry.kind in ("series", "volume")]
        for candidates in (entries, volumes):
            if len(candidates) == 1:
                return candidates[0].load()
        raise VoxelHubError("several_entries", f"“{self.title}” holds {len(entries)} entries.",
                            f"Name one of them: {_names([entry.name for entry in entries])}.")

    def at(self, version: int) -> Dataset:
        """The same dataset at another version."""
        return dataset_of(client.request("GET", f"datasets/{self.id}"), version)

    def _row(self) -> dict[str, Any]:
        return {"title": self.title, "project": self.project, "version": self.version, "files": self.n_files,
                "size": size_text(self.size), "made by": self.created_by, "date": f"{self.created_at:%Y-%m-%d %H:%M}"}

    def __repr__(self) -> str:
        return f"<Dataset {self.title!r} v{self.version} in project {self.project}: {self.n_files} files, {size_text(self.size)}>"

    def _repr_html_(self) -> str:
        return _table(list(self._row()), [list(self._row().values())]) + self.entries()._repr_html_()


def datasets(project: str | None = None, q: str | None = None) -> Listing[Dataset]:
    """The datasets of my projects, newest first: of one project, or those whose title holds `q`."""
    found = client.pages("datasets", {"project": project, "q": q})
    return Listing(dataset_of(item) for item in found if item["versions"])


def dataset(title_or_id: str, project: str | None = None, version: int | None = None) -> Dataset:
    """One dataset by its title, folder name or id; a part of the title is enough where only one has it.

        voxelhub.dataset("Phantom chest CT")
        voxelhub.dataset("phantom", project="demo", version=1)
    """
    if len(title_or_id) == 32 and set(title_or_id) <= set("0123456789abcdef"):
        return dataset_of(client.request("GET", f"datasets/{title_or_id}"), version)
    place = f"project {project}" if project else "your projects"
    found = _choose(datasets(project), title_or_id, lambda d: (d.id, d.title, d.name), "dataset", place)
    return found if version is None else found.at(version)


def entry(id: str) -> Entry:
    """One entry by its id, as the panels show it under Details."""
    return _entry(client.request("GET", f"entries/{id}"))


def dataset_of(item: dict[str, Any], version: int | None = None) -> Dataset:
    """The dataset of a wire object, at its newest version or the one asked for."""
    versions = {v["number"]: v for v in item["versions"]}
    if not versions:
        raise VoxelHubError("no_version", f"“{item['title']}” has no version yet.", "Wait until its import has ended.")
    number = max(versions) if version is None else version
    if number not in versions:
        raise VoxelHubError("no_such_version", f"“{item['title']}” has no version {number}.", f"It has: {sorted(versions)}.")
    at = versions[number]
    return Dataset(
        id=item["id"], title=item["title"], project=item["project"], name=item["name"], version=number,
        description=item["description"], created_by=at["created_by"], created_at=datetime.fromisoformat(at["created_at"]),
        size=at["size"], n_files=at["n_files"], digest=at["digest"], versions=sorted(versions),
    )


def _entry(item: dict[str, Any]) -> Entry:
    names = set(Entry.__dataclass_fields__) - {"location", "created_at"}
    made = datetime.fromisoformat(item["created_at"])
    return Entry(**{name: item[name] for name in names}, location=item["path"], created_at=made)


def _version_folder(project: str, name: str, version: int) -> Path:
    return _mounted(f"/projects/{project}/{name}/v{version}", project)


def _mounted(location: str, project: str) -> Path:
    """The path on this server of a location below /projects. Raises VoxelHubError when its project is not mounted."""
    root = client.projects_root()
    if not (root / project).is_dir():
        raise VoxelHubError(
            "not_mounted", f"This notebook server does not see the project {project}: you joined it after the server started.",
            "Restart the server (File → Hub Control Panel → Stop My Server, then Start).",
        )
    return root.joinpath(*PurePosixPath(location).parts[2:])


def _choose(items: Iterable[T], wanted: str, names: Any, what: str, where: str) -> T:
    """The one item with exactly this name, else the one whose name holds it."""
    every = list(items)
    exact = [item for item in every if wanted in names(item)]
    part = [item for item in every if any(wanted.lower() in name.lower() for name in names(item)[1:])]
    for found in (exact, part):
        if len(found) == 1:
            return found[0]
    shown = _names([names(item)[1] for item in (exact or part or every)])
    if exact or part:
        raise VoxelHubError("ambiguous", f"More than one {what} in {where} goes by “{wanted}”.", f"Choose by id, among: {shown}.")
    raise VoxelHubError("not_found", f"There is no {what} “{wanted}” in {where}.", f"There is: {shown}." if shown else "")


def _names(names: list[str], limit: int = 10) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")
