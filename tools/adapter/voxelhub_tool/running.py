"""Runs the program of a tool as its manifest says, and describes what it wrote.

The exit code is the program's; 2 when the handed-over files do not fit, 126 or 127 when the program cannot be started,
128 + n when signal n ended it. SIGTERM is passed on, and the program's end is waited for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .expansion import expand
from .handover import Handover, HandoverError, options, read_handover, read_json, write_json
from .results import out_metadata, said_by_program
from .speaking import log, log_to, note, tell_error

if TYPE_CHECKING:
    from collections.abc import Sequence

# Set where whoever ends a run signals each of its processes: then nothing is passed on, or the program would get it twice.
SIGNALLED_ALL = os.environ.get("VOXELHUB_SIGNALS") == "all"
USAGE, NOT_EXECUTABLE, NOT_FOUND = 2, 126, 127


class Program:
    """One child at a time; knows whether the run was asked to end."""

    def __init__(self) -> None:
        self.ended_early = False
        self._process: subprocess.Popen[bytes] | None = None
        signal.signal(signal.SIGTERM, self._on_term)

    def run(self, command: Sequence[str], folder: str) -> int:
        """The exit code as a shell would give it."""
        note("{} runs {}".format(_now(), " ".join(command[:1])))
        try:
            self._process = subprocess.Popen(list(command), cwd=folder, stdin=subprocess.DEVNULL)
        except FileNotFoundError:
            tell_error(f"This tool's program {Path(command[0]).name} was not found in its environment.")
            return NOT_FOUND
        except OSError as wrong:
            tell_error(f"This tool's program {Path(command[0]).name} could not be started ({wrong.strerror}).")
            return NOT_EXECUTABLE
        if self.ended_early:
            self._pass_on()
        code = self._process.wait()
        self._process = None
        note(f"{_now()} ended with code {code}")
        return code if code >= 0 else 128 - code

    def _on_term(self, _signal: int, _frame: Any) -> None:
        self.ended_early = True
        if not SIGNALLED_ALL:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()


def main(argv: Sequence[str] | None = None) -> int:
    program = Program()
    wanted = options("Run the program of a tool.", manifest=True).parse_args(argv)
    log_to(wanted.log_file)
    try:
        manifest = read_json(wanted.manifest)
        handover = read_handover(wanted.config, wanted.in_metadata)
        return _run(program, wanted, manifest, handover)
    except HandoverError as wrong:
        tell_error(str(wrong))
        return USAGE


def _run(program: Program, wanted: Any, manifest: dict[str, Any], handover: Handover) -> int:
    folder = str(Path(wanted.manifest).absolute().parent)
    paths = {name: [str(one.path) for one in many] for name, many in handover.inputs.items()}
    output = str(handover.output.path)
    for number, hook in enumerate((manifest.get("hooks") or {}).get("pre_start", []), 1):
        code = program.run(expand(hook, paths, handover.arguments, output), folder)
        if code == 0 and program.ended_early:
            code = 128 + signal.SIGTERM
        if code:
            log(f"Step {number} before the start of the program ended with code {code}.")
            return code
    with contextlib.suppress(FileNotFoundError):
        Path(wanted.out_metadata).unlink()
    code = program.run(*_program(wanted, manifest, handover, folder, paths))
    if code:
        return code
    said = {}
    if Path(wanted.out_metadata).exists():
        said = said_by_program(read_json(wanted.out_metadata), handover)
    # A run that must end soon has no time to read its results once more; the service reads them in any case.
    described = out_metadata(handover, manifest["outputs"], said, digests=not program.ended_early)
    write_json(wanted.out_metadata, described)
    note("{} {} files are described".format(_now(), len(described["output_files"])))
    return 0


def _program(
    wanted: Any, manifest: dict[str, Any], handover: Handover, folder: str, paths: dict[str, list[str]]
) -> tuple[list[str], str]:
    """The command, and the folder that it runs in."""
    standard = ["--config", wanted.config, "--in_metadata", wanted.in_metadata,
                "--out_metadata", wanted.out_metadata, "--log_file", wanted.log_file]
    interface = manifest.get("interface", "arguments")
    if interface == "files":
        return [*manifest["command"], *standard], folder
    if interface == "notebook":
        notebook = str(Path(folder, manifest["notebook"]))
        # In our own folder, where no module of the tool hides one of the standard library's.
        return [sys.executable, "-m", "voxelhub_tool.notebook", notebook, *standard], _adapter()
    return expand(manifest["command"], paths, handover.arguments, str(handover.output.path)), folder


def _adapter() -> str:
    return str(Path(__file__).absolute().parent.parent)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
