"""A workspace of many entries, written straight into the database: rows as imports and runs leave them, without files."""

from __future__ import annotations

import hashlib
import random
from datetime import timedelta
from typing import Any

from sqlalchemy import insert
from voxelhub_service.context import Context
from voxelhub_service.database import writing
from voxelhub_service.datasets.names import fold
from voxelhub_service.models import Dataset, DatasetVersion, Entry, File, Run, new_id, utcnow
from voxelhub_service.projects.store import ensure_project

KINDS = [  # kind, data type, file format, ending
    ("series", "ct-image", "dicom", ""), ("series", "mr-image", "dicom", ""),
    ("volume", "ct-image", "nifti", ".nii.gz"), ("volume", "segmentation-mask", "nifti", ".nii.gz"),
    ("image", "image", "png", ".png"), ("table", "table", "csv", ".csv"),
    ("text", "document", "text", ".txt"), ("file", "file", "binary", ".bin"),
]
PER_DATASET = 100


def seed(context: Context, entries: int, project: str = "demo", seed_of_random: int = 7) -> str:
    """Add `entries` rows to the project, in datasets of 100. Returns the project's id."""
    random_ = random.Random(seed_of_random)
    with writing(context.engine) as session:
        owner = ensure_project(session, project, title=project, quota_bytes=context.settings.project_quota, open=True)
        identifier = owner.id
    for first in range(0, entries, 50 * PER_DATASET):  # transactions of 5,000 rows
        rows: dict[Any, list[dict[str, Any]]] = {Run: [], Dataset: [], DatasetVersion: [], Entry: [], File: []}
        for start in range(first, min(first + 50 * PER_DATASET, entries), PER_DATASET):
            _dataset(rows, identifier, start // PER_DATASET, min(PER_DATASET, entries - start), random_)
        with writing(context.engine) as session:
            for model, values in rows.items():
                session.execute(insert(model), values)
    return identifier


def _dataset(rows: dict[Any, list[dict[str, Any]]], project: str, number: int, count: int, random_: random.Random) -> None:
    made = utcnow() - timedelta(minutes=random_.randrange(500_000))
    run, dataset, version = new_id(), new_id(), new_id()
    tool = number % 3 == 0
    sizes = [int(10 ** random_.uniform(2, 8.5)) for _ in range(count)]
    rows[Run].append({
        "id": run, "number": 1_000_000 + number, "project_id": project, "owner": "ada", "kind": "tool" if tool else "import",
        "title": f"Cohort {number:04d}", "state": "succeeded", "created_at": made, "ended_at": made,
        "output_dataset": f"cohort-{number:04d}", "output_version_id": version,
    })
    rows[Dataset].append({"id": dataset, "project_id": project, "name": f"cohort-{number:04d}", "title": f"Cohort {number:04d}",
                          "created_by": "ada", "created_at": made})
    rows[DatasetVersion].append({
        "id": version, "dataset_id": dataset, "number": 1, "digest": hashlib.sha256(version.encode()).hexdigest(),
        "size": sum(sizes), "n_files": count, "created_by": "ada", "created_at": made, "run_id": run,
    })
    for size in sizes:
        kind, data_type, file_format, ending = random_.choice(KINDS)
        entry = new_id()
        name = f"{random_.choice(('thorax', 'head', 'abdomen', 'pelvis', 'spine'))}-{random_.randrange(10**6):06d}{ending}"
        path = f"{entry[:6]}/{name}"
        rows[Entry].append({
            "id": entry, "version_id": version, "dataset_id": dataset, "project_id": project, "visible": True,
            "name": name, "folded": fold(name), "path": path,
            "kind": kind, "data_type": data_type, "file_format": file_format, "n_files": 1, "size": size,
            "execution": f"run{1_000_000 + number}" if tool else "", "created_at": made, "meta": {"shape": [512, 512, 200]},
        })
        rows[File].append({"id": new_id(), "version_id": version, "entry_id": entry, "path": path, "size": size,
                           "sha256": hashlib.sha256(entry.encode()).hexdigest()})
