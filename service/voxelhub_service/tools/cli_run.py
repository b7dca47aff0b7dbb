"""`voxelhub tool run` and `voxelhub tool test`: a tool's folder on plain files, behind the same walls as a run."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from voxelhub_sandbox.bubblewrap import unavailable

from ..errors import Problem, invalid
from ..runs.trying import Trial, outputs_of, run_tests, try_tool
from ..settings import Settings
from .handover import OURS
from .manifest import Manifest, ManifestError, load_manifest


def add_to(commands: Any, codes: str) -> None:
    run = commands.add_parser(
        "run", help="run a tool's folder on files of yours, as VoxelHub will run it", epilog=codes,
        description="The same adapter, sandbox and limits as a run has. At the end it says whether the tool keeps what it "
                    "promises: exit code, outputs, what it says about them, log.")
    run.add_argument("folder", type=Path, metavar="FOLDER")
    run.add_argument("--input", action="append", default=[], metavar="NAME=PATH",
                     help="a file, or the folder of a series, for the input NAME; may be repeated, also for the same input")
    run.add_argument("--set", action="append", default=[], metavar="ARGUMENT=VALUE", dest="values",
                     help="a value for an argument; the others keep their defaults. A list is written as JSON: [1, 2]")
    run.add_argument("--output", type=Path, metavar="DIR", help="folder to make for the outputs (NAME-run001 and so on, here)")
    run.set_defaults(run=_run)

    test = commands.add_parser("test", help="run the tests that lie in a tool's folder, where the tool will run", epilog=codes,
                               description="test_*.py by unittest, test_*.R by Rscript, test_*.sh by sh.")
    test.add_argument("folder", type=Path, metavar="FOLDER")
    test.set_defaults(run=_test)


def _run(settings: Settings, wanted: argparse.Namespace) -> int:
    manifest = _manifest(settings, wanted.folder)
    inputs: dict[str, list[Path]] = {}
    for name, path in map(_pair, wanted.input):
        inputs.setdefault(name, []).append(Path(path))
    arguments = {name: _value(manifest, name, text) for name, text in map(_pair, wanted.values)}
    target = wanted.output or _free(manifest.name)
    if target.exists():
        raise invalid("exists", f"There is a {target} already; nothing was run.", "Choose another --output.")
    with tempfile.TemporaryDirectory(prefix="voxelhub-run-") as scratch:
        print(f"{manifest.title} {manifest.version} runs.", flush=True)
        trial = try_tool(settings, manifest, inputs, arguments, Path(scratch), _tell)
        kept = _keep(trial, outputs_of(Path(scratch)), target)
    return _verdict(manifest, trial, target if kept else None)


def _test(settings: Settings, wanted: argparse.Namespace) -> int:
    manifest = _manifest(settings, wanted.folder)
    with tempfile.TemporaryDirectory(prefix="voxelhub-test-") as scratch:
        ended = run_tests(settings, manifest, Path(scratch), _tell)
    if not ended:
        raise Problem(404, "no_tests", "There are no tests in this folder.",
                      "Write test_*.py, test_*.R or test_*.sh beside the program.")
    for name, seen in ended:
        print(f"{'passed' if seen.outcome == 'ok' else 'FAILED'} {name} {'' if seen.outcome == 'ok' else seen.reason}".rstrip())
    return 0 if all(seen.outcome == "ok" for _, seen in ended) else 1


def _manifest(settings: Settings, folder: Path) -> Manifest:
    try:
        manifest = load_manifest(folder.resolve(), any_name=True)
    except ManifestError as error:
        raise invalid("manifest", f"{error}", "`voxelhub tool check` says everything that is wrong.") from None
    if settings.isolation and (reason := unavailable()):
        raise Problem(503, "no_sandbox", reason, "With VOXELHUB_ISOLATION=false it runs without a sandbox: only what you trust.")
    return manifest


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise invalid("usage", f"“{text}” is no NAME=VALUE.", "Write for example --input table=some.csv or --set digits=2.")
    return name, value


def _value(manifest: Manifest, name: str, text: str) -> Any:
    """A text stays one where the manifest wants a text; anything else is read as JSON."""
    kind = manifest.arguments["properties"].get(name, {}).get("type")
    if kind in ("string", None):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _tell(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _free(name: str) -> Path:
    number = 1
    while Path(f"{name}-run{number:03d}").exists():
        number += 1
    return Path(f"{name}-run{number:03d}")


def _keep(trial: Trial, outputs: Path, target: Path) -> bool:
    """What it wrote, its own words about it included, so that a failed run can be looked into."""
    if not any(path.is_file() for path in outputs.rglob("*") if OURS not in path.relative_to(outputs).parts):
        return False
    shutil.copytree(outputs, target, symlinks=True, ignore=shutil.ignore_patterns("*.part"))
    return True


def _verdict(manifest: Manifest, trial: Trial, target: Path | None) -> int:
    seen, usage = trial.seen, trial.seen.usage
    print(f"\nexit code     {seen.exit_code if seen.exit_code is not None else '-'}")
    for output in manifest.outputs:
        files = [one.path for one in trial.results if one.output == output.name]
        shown = ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
        print(f"{'output':<13} {output.title}: {shown or ('missing' if output.required else 'none')}")
    said = f"fits, describes {trial.described}" if trial.described else "says nothing"
    print(f"out_metadata  {trial.contradiction or said}")
    print(f"log           {len(trial.log.splitlines())} lines")
    memory = usage.get("peak_memory", 0) / 1024**2
    print(f"used          {usage.get('cpu_seconds', 0)} s of CPU, {memory:.0f} MiB of memory at most")
    if target is not None:
        print(f"written to    {target}")
    kept = f"It keeps what it promises: {manifest.name} {manifest.version}."
    print(kept if trial.ok else f"FAILED: {trial.reason or trial.contradiction}")
    return 0 if trial.ok else 1
