"""voxelhub.fetch: the service loads a file from an address into a dataset."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any
from urllib.parse import unquote, urlsplit

from . import client
from .catalogue import Dataset, projects
from .errors import VoxelHubError
from .progress import Progress
from .running import Run
from .saving import _default_project


def fetch(
    url: str,
    title: str | None = None,
    project: str | None = None,
    *,
    mode: str = "replace",
    sha256: str | None = None,
    unpack: bool = True,
    data_type: str | None = None,
    file_format: str | None = None,
) -> Dataset:
    """Load `url` (http, https or ftp, without a login) into the dataset `title`, and return it.

    The service loads it, not this kernel: an interrupted cell that is run again follows the same import, a broken connection is
    taken up where it stopped, and archives are unpacked unless `unpack=False`. Without `title` an open project's dataset is
    named after the file. With `mode="add"` the new version of an existing
    dataset also holds what the last one holds. Give `sha256=` where the publisher names it.

        study = voxelhub.fetch("https://zenodo.org/records/1/files/study.zip", "Far study", project="demo")
    """
    target = project or _default_project()
    body = {
        "project": target, "title": title or _name_of(url, target), "url": url, "mode": mode, "sha256": sha256,
        "unpack": unpack, "data_type": data_type, "file_format": file_format,
    }
    with Progress(f"Loading {body['title']}") as progress:
        run = Run(_begin(body))
        run.follow(lambda at: progress.update(at.progress, at.progress_text or at.state))
        if run.state != "succeeded":
            raise VoxelHubError("import_failed", run.reason or "The import was stopped.")
        dataset = run.output()
        progress.finish(f"version {dataset.version} in {dataset.project}")
    return dataset


def _begin(body: dict[str, Any]) -> dict[str, Any]:
    """The run that loads exactly this: one that is under way is followed, an ended one makes room for a new one."""
    key = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    for attempt in (key, uuid.uuid4().hex):
        run: dict[str, Any] = client.request("POST", "imports/url", repeat=True, json=body, headers={"Idempotency-Key": attempt})
        if not Run(run).ended:
            break
    return run


def _name_of(url: str, project: str) -> str:
    """For an open project: a file of a clinical one may be named after a patient."""
    if any(one.name == project and not one.open for one in projects()):
        raise VoxelHubError("title_needed", "A dataset of a clinical project needs a title that you choose.",
                            "Give title=, and name no patient in it.")
    try:
        name = unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        name = ""
    return name[:200] or "Download"
