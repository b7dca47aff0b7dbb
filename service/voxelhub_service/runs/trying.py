"""A tool's folder run on plain files, without a service: the same adapter, supervisor, walls and limits as a run has.

What it tells is what a run would be told: whether the program ended well, which files are its outputs, and whether what it
says of them fits.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ..datasets.sniff import Seen, sniff
from ..datasets.vocabulary import vocabulary
from ..errors import Problem, invalid
from ..executors.base import Job, Observation
from ..executors.folder import RunFolder
from ..executors.local import LocalExecutor
from ..settings import Settings
from ..tools import handover
from ..tools.environments import own_environment
from ..tools.manifest import ArgumentError, Input, Manifest
from ..tools.matching import Selected, check
from .jobs import tool_job, write_handed
from .results import Result, ResultError, find_results
from .staging import safe_name

LOOK = 0.1  # seconds
RUN_ID = "trial"
Kinds = dict[tuple[str, Path], tuple[str, str]]  # (input, file) -> (data type, file format)
TEST_TIME = 600  # seconds
TESTS = (("test_*.py", ["python", "-m", "unittest"]), ("test_*.R", ["Rscript"]), ("test_*.sh", ["sh"]))


@dataclass
class Trial:
    """`reason` is the sentence of a run that failed; `contradiction` what is wrong with out_metadata.json."""

    seen: Observation
    results: list[Result] = field(default_factory=list)
    reason: str = ""
    contradiction: str = ""
    described: int = 0
    log: str = ""

    @property
    def ok(self) -> bool:
        return not self.reason and not self.contradiction


def try_tool(
    settings: Settings, manifest: Manifest, inputs: Mapping[str, Sequence[Path]], arguments: Mapping[str, object], scratch: Path,
    tell: Callable[[str], None],
) -> Trial:
    """Runs it in `scratch`, an empty folder; what it wrote is in `outputs_of(scratch)`. Raises Problem for what does not fit."""
    environment = _environment(settings, manifest)
    given = {name: [path.resolve() for path in paths] for name, paths in inputs.items()}
    kinds = _kinds(manifest, given)
    try:
        complete = manifest.with_defaults(dict(arguments))
    except ArgumentError as error:
        raise invalid("arguments_do_not_fit", str(error), field=f"arguments.{error.name}" if error.name else "") from None
    folder = RunFolder(scratch / RUN_ID)
    folder.outputs.mkdir(parents=True)
    handed = _bring(settings, folder, given, kinds)
    write_handed(settings, folder, manifest, handed, complete, project="trial", title=manifest.title)
    size = sum(file.stat().st_size for paths in given.values() for path in paths for file in _files(path))
    seen = _follow(scratch, tool_job(settings, manifest, folder, environment, size), tell)
    return _judged(settings, manifest, folder, handed, seen)


def outputs_of(scratch: Path) -> Path:
    return scratch / RUN_ID / "outputs"


def run_tests(
    settings: Settings, manifest: Manifest, scratch: Path, tell: Callable[[str], None]
) -> list[tuple[str, Observation]]:
    """Runs the tests that lie in the tool's folder, where the tool will run: a name and how it ended for each."""
    environment = _environment(settings, manifest)
    ended: list[tuple[str, Observation]] = []
    for pattern, command in TESTS:
        names = sorted(path.name for path in manifest.folder.glob(pattern))
        for one in [""] if names and command[-1] == "unittest" else names:
            folder = RunFolder(scratch / f"{RUN_ID}-{len(ended)}")
            for path in (folder.inputs, folder.handed, folder.outputs):
                path.mkdir(parents=True)
            job = tool_job(settings, manifest, folder, environment, 0)
            where = "/tool" if settings.isolation else str(manifest.folder)
            job = replace(job, command=[*command, *([one] if one else [])], cwd=where, time=TEST_TIME, network=False)
            ended.append((one or "test_*.py", _follow(scratch, job, tell, folder.path.name)))
    return ended


def _environment(settings: Settings, manifest: Manifest) -> Path:
    """The one of its own lock where that is installed, else the one that it names."""
    for name in (own_environment(manifest), manifest.environment):
        if name and (settings.envs_dir / name / "bin").is_dir():
            return settings.envs_dir / name
    there = sorted(path.parent.name for path in settings.envs_dir.glob("tool-*/bin"))
    raise Problem(409, "no_environment", f"The environment {manifest.environment} is not installed here.",
                  f"Installed are {', '.join(there) or 'none'}. The set-up makes them, as hub_config/bootstrap.py tool-base.")


def _kinds(manifest: Manifest, given: Mapping[str, Sequence[Path]]) -> Kinds:
    """A data type and format for each input and file; raises Problem where they do not fit the tool."""
    kinds: Kinds = {}
    chosen: dict[str, list[Selected]] = {}
    for name, paths in given.items():
        taken = manifest.input(name)
        for path in paths:
            if not path.exists():
                raise invalid("no_such_file", f"There is no file {path.name} for the input {name}.", "Write --input NAME=PATH.")
            kinds[name, path] = _kind(taken, path) if taken is not None else ("file", "binary")
            chosen.setdefault(name, []).append(Selected(path.name, path.name, *kinds[name, path]))
    if reason := check(manifest.inputs, chosen, manifest.combinations):
        raise invalid("inputs_do_not_fit", reason, "Write --input NAME=PATH for each.")
    return kinds


def _kind(taken: Input, path: Path) -> tuple[str, str]:
    """As an import would see it; where the format fits, of the types that the input takes: people may choose the type too."""
    first = next(iter(sorted(_files(path))), None)
    seen = sniff(first, first.name) if first is not None else Seen("file", "file", "binary")
    if isinstance(seen, Seen):
        data_type, file_format = seen.data_type, seen.file_format
    else:
        data_type, file_format = vocabulary().of_modality(seen.modality), "dicom"
    if taken.takes(data_type, file_format):
        return data_type, file_format
    types = [one for one, wanted in taken.accepts if wanted in ("*", file_format)]
    return (types[0] if types else data_type), file_format


def _bring(
    settings: Settings, folder: RunFolder, given: Mapping[str, Sequence[Path]], kinds: Kinds
) -> list[handover.Handed]:
    base = PurePosixPath("/inputs") if settings.isolation else PurePosixPath(folder.inputs)
    folder.inputs.mkdir(parents=True)
    handed: list[handover.Handed] = []
    for name, paths in given.items():
        for position, path in enumerate(paths, 1):
            inside = f"{position}-{safe_name(path.name)}"
            target = folder.inputs / name / inside
            target.parent.mkdir(exist_ok=True)
            shutil.copytree(path, target) if path.is_dir() else shutil.copyfile(path, target)
            number = f"{len(handed) + 1:032x}"
            handed.append(handover.Handed(name, number, str(base / name / inside), path.name, *kinds[name, path]))
    return handed


def _files(path: Path) -> list[Path]:
    return [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]


def _follow(scratch: Path, job: Job, tell: Callable[[str], None], run_id: str = RUN_ID) -> Observation:
    """Until it ended; what it prints is told as it comes. Ctrl-C cancels it."""
    executor = LocalExecutor(scratch)
    executor.prepare(run_id, job)
    executor.submit(run_id)
    log, at = RunFolder(scratch / run_id).log, 0
    try:
        while True:
            seen = executor.observe(run_id)
            if log.exists() and log.stat().st_size > at:
                with log.open("rb") as file:
                    file.seek(at)
                    data = file.read()
                    at += len(data)
                tell(data.decode("utf-8", "replace"))
            if seen.process in ("ended", "lost"):
                return seen
            time.sleep(LOOK)
    except KeyboardInterrupt:
        executor.cancel(run_id)
        while executor.observe(run_id).process not in ("ended", "lost"):
            time.sleep(LOOK)
        raise
    finally:
        executor.sweep(run_id)


def _judged(
    settings: Settings, manifest: Manifest, folder: RunFolder, handed: Sequence[handover.Handed], seen: Observation
) -> Trial:
    trial = Trial(seen, log=folder.log.read_text("utf-8", "replace") if folder.log.exists() else "")
    if seen.outcome != "ok":
        trial.reason = seen.reason or "The run was lost; its supervisor ended."
        return trial
    types = {one.input: one.data_type for one in reversed(handed)}
    specs = [
        {"name": one.name, "title": one.title, "path": one.path, "required": one.required, "multiple": one.multiple,
         "file_format": one.file_format, "data_type": one.data_type or types.get(one.like, "file")} for one in manifest.outputs]
    try:
        trial.results = find_results(folder.outputs, specs)
    except ResultError as error:
        trial.reason = str(error)
        return trial
    found = {one.path: (one.output, one.data_type, one.file_format) for one in trial.results}
    root = handover.INSIDE.outputs if settings.isolation else os.fspath(folder.outputs)
    try:
        trial.described = len(handover.read_out_metadata(folder.outputs, root, found, [one.id for one in handed]))
    except handover.ContradictionError as error:
        trial.contradiction = str(error)
    return trial
