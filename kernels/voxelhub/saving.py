"""voxelhub.save: what a notebook made becomes a dataset of a project."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import uuid
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import ArrayLike

from . import client
from .catalogue import Dataset, projects
from .errors import VoxelHubError
from .nifti import write_nifti
from .progress import Progress, size_text
from .running import Run
from .uploading import send_file, sha256_of
from .volume import Volume


def save(
    what: Any,
    title: str,
    project: str | None = None,
    *,
    affine: ArrayLike | None = None,
    data_type: str | None = None,
    file_format: str | None = None,
) -> Dataset:
    """Make a dataset named `title` (a new version of it, where the project has one of that title) and return it.

    `what` is a folder, a file, a list of files, a Volume, an array with `affine=` (4×4, mm, RAS+), a text, or a dict of
    file names to any of these. Volumes are written as compressed NIfTI. Bytes that the project already holds are
    not sent again; a broken connection is taken up where it stopped, and so is an interrupted cell that is run again. Files
    are checked by SHA-256 on arrival. Links in a folder are left out.
    `data_type` and `file_format` are terms of the vocabulary; left out, the content decides.

        voxelhub.save("results", "Segmentation 1", project="demo")
        voxelhub.save(volume.like(mask), "Nodule mask", project="demo")
        voxelhub.save({"mask.nii.gz": mask, "volume.csv": "name,ml\\nnodule,1.7\\n"}, "Nodule", project="demo")
    """
    target = project or _default_project()
    with tempfile.TemporaryDirectory(prefix="voxelhub-save-") as scratch:
        files = collect(what, title, Path(scratch), affine)
        with Progress(f"Saving {title}") as progress:
            dataset = _upload(files, title, target, data_type, file_format, progress)
            progress.finish(f"saved as version {dataset.version} in {dataset.project}")
    return dataset


def collect(what: Any, title: str, scratch: Path, affine: ArrayLike | None = None) -> dict[str, Path]:
    """Relative name -> file of everything to save; arrays and texts are written into `scratch` first."""
    if isinstance(what, Mapping):
        files: dict[str, Path] = {}
        for name, part in what.items():
            if not isinstance(name, str) or not name or name.startswith("/") or ".." in name.split("/"):
                raise VoxelHubError("bad_name", f"{name!r} is no relative file name.")
            files.update(_part(part, name, scratch, affine))
        found = files
    elif isinstance(what, str | PathLike) and Path(what).is_dir():
        root = Path(what)
        found = {p.relative_to(root).as_posix(): p for p in sorted(root.rglob("*")) if p.is_file() and not p.is_symlink()}
    elif isinstance(what, list | tuple) and all(isinstance(p, str | PathLike) for p in what):
        found = {Path(p).name: _existing(p) for p in what}
        if len(found) < len(what):
            raise VoxelHubError("same_name", "Two of these files have the same name.",
                                "Save a folder, or give a dict of names to files.")
    elif isinstance(what, str | PathLike):
        found = {Path(what).name: _existing(what)}
    else:
        found = _part(what, f"{_file_name(title)}.nii.gz", scratch, affine)
    if not found:
        raise VoxelHubError("nothing", "There is no file to save here.", "Write your results into the folder first.")
    return found


def _part(part: Any, name: str, scratch: Path, affine: ArrayLike | None) -> dict[str, Path]:
    if isinstance(part, PathLike) or (isinstance(part, str) and "\n" not in part and len(part) < 4096 and Path(part).exists()):
        path = Path(part)
        if path.is_dir():
            return {f"{name}/{inner}": file for inner, file in collect(path, name, scratch).items()}
        return {name: _existing(path)}
    target = scratch / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(part, str):
        target.write_text(part, encoding="utf-8")
    elif isinstance(part, bytes):
        target.write_bytes(part)
    else:
        target = write_nifti(_as_volume(part, affine), target)
    return {target.relative_to(scratch).as_posix(): target}


def _as_volume(part: Any, affine: ArrayLike | None) -> Volume:
    if isinstance(part, Volume):
        return part
    if hasattr(part, "dataobj") and hasattr(part, "affine"):  # a nibabel image
        return Volume(np.asanyarray(part.dataobj), np.asarray(part.affine))
    if isinstance(part, np.ndarray):
        if affine is None:
            raise VoxelHubError("no_affine", "An array alone has no place in space.",
                                "Give affine= (4×4, millimetres), or save volume.like(array).")
        return Volume(part, np.asarray(affine, dtype=np.float64))
    raise VoxelHubError("cannot_save", f"An object of type {type(part).__name__} cannot be saved.",
                        "Save a folder, a file, a Volume, an array with affine=, or a text under a file name.")


def _existing(path: str | PathLike[str]) -> Path:
    found = Path(path)
    if not found.is_file():
        raise VoxelHubError("no_such_file", f"There is no file {found.name}.")
    return found


def _file_name(title: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in title).lower().split()) or "volume"


def _default_project() -> str:
    """My own project where it takes files, else the only open one. Nothing is shared by accident: else the caller says."""
    mine = projects()
    takes = [p for p in mine if p.open]
    own = [p.name for p in takes if p.kind == "personal"]
    if own:
        return own[0]
    if len(takes) == 1:
        return takes[0].name
    names = ", ".join(p.name for p in takes or mine)
    raise VoxelHubError("which_project", "Say in which project to save.", f"Give project= one of: {names}.")


def _upload(
    files: dict[str, Path], title: str, project: str, data_type: str | None, file_format: str | None, progress: Progress,
) -> Dataset:
    total = sum(path.stat().st_size for path in files.values())
    body = {
        "project": project, "title": title, "data_type": data_type, "file_format": file_format,
        "source": "notebook", "unpack": False,
        "files": [{"path": name, "size": path.stat().st_size, "sha256": sha256_of(path)} for name, path in files.items()],
    }
    upload = _announce(body)
    if upload["run_id"] is None:
        run = Run(_fill(upload, files, total, progress))
    else:
        run = Run(client.request("GET", f"runs/{upload['run_id']}"))
    run.follow(lambda at: progress.update(0.9 + 0.1 * at.progress, at.progress_text or at.state))
    if run.state != "succeeded":
        raise VoxelHubError("import_failed", run.reason or "The import was stopped.")
    return run.output()


def _announce(body: dict[str, Any]) -> dict[str, Any]:
    """The upload for exactly this content: one that was broken off goes on, an ended one makes room for a new one."""
    key = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    for attempt in (key, uuid.uuid4().hex):
        upload: dict[str, Any] = client.request("POST", "uploads", repeat=True, json=body, headers={"Idempotency-Key": attempt})
        if upload["state"] in ("open", "importing"):
            break
    return upload


def _fill(upload: dict[str, Any], files: dict[str, Path], total: int, progress: Progress) -> dict[str, Any]:
    """Send what is missing and complete the upload; the import's run. What can never succeed gives its quota back."""
    try:
        _send(upload, files, total, progress)
        run: dict[str, Any] = client.request("POST", f"uploads/{upload['id']}/complete", repeat=True)
    except VoxelHubError as error:
        if error.code != "unavailable":
            with contextlib.suppress(VoxelHubError, httpx.TransportError):
                client.read(client.send("DELETE", f"uploads/{upload['id']}"))
        raise
    return run


def _send(upload: dict[str, Any], files: dict[str, Path], total: int, progress: Progress) -> None:
    """What the project does not hold yet. The bar's last tenth is for the import."""
    done = sum(file["size"] for file in upload["files"] if file["present"])
    for file in upload["files"]:
        if file["present"]:
            continue
        before = done

        def report(arrived: int, before: int = before) -> None:
            now = before + arrived
            progress.update(0.9 * now / max(total, 1), f"{size_text(now)} of {size_text(total)}")

        send_file(upload["id"], file, files[file["path"]], report)
        done += file["size"]
