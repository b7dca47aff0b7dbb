"""What is executed for a tool, on data of the catalogue or at a developer's command line: the same walls and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..executors.base import Job
from ..executors.folder import RunFolder, write_json
from ..settings import Settings
from ..tools import handover
from ..tools.manifest import Manifest


def places(settings: Settings, folder: RunFolder, manifest: Manifest) -> handover.Places:
    if settings.isolation:
        return handover.INSIDE
    return handover.Places(str(handover.adapter_folder()), str(manifest.folder), str(folder.handed), str(folder.outputs))


def write_handed(
    settings: Settings, folder: RunFolder, manifest: Manifest, handed: Sequence[handover.Handed], arguments: Mapping[str, Any], *,
    project: str, title: str,
) -> None:
    """What the tool is told, as files that it can only read."""
    folder.handed.mkdir(exist_ok=True)
    outputs = places(settings, folder, manifest).outputs
    write_json(folder.handed / "config.json", handover.config(
        manifest, handed, arguments, output=outputs, project=project, title=title))
    write_json(folder.handed / "in_metadata.json", handover.in_metadata(handed))


def tool_job(settings: Settings, manifest: Manifest, folder: RunFolder, environment: Path, input_size: int) -> Job:
    resources, where = manifest.resources, places(settings, folder, manifest)
    job = Job(
        command=where.command(),
        environ={
            "PATH": f"{environment}/bin:/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8",  # noqa: S108
            "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": where.adapter, "VOXELHUB_SIGNALS": "all",
        },
        cwd=where.adapter, outputs=str(folder.outputs), cpu=resources.cpu, memory=resources.memory, pids=resources.pids,
        time=resources.time, output=min(resources.output(input_size), settings.run_max_output), mode="sandbox",
        network=manifest.network, grace=manifest.termination.grace,
        finish_on_time=manifest.termination.on_time_limit == "finish",
        read_only=[
            (str(folder.inputs), "/inputs"), (str(manifest.folder), "/tool"), (str(environment), str(environment)),
            (str(folder.handed), "/run"), (str(handover.adapter_folder()), "/adapter"),
        ],
        read_write=[(str(folder.outputs), "/outputs")],
    )
    if settings.isolation:
        return job
    scratch = folder.path / "tmp"
    scratch.mkdir(exist_ok=True)
    return replace(job, mode="bare",
                   environ={**job.environ, "HOME": str(scratch), "TMPDIR": str(scratch)})
