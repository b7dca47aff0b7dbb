"""Runs a tool's program in its own environment, with the command of its manifest."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxelhub_service.tools.registry import registry

ROOT = Path(__file__).resolve().parents[2]
ENVS = Path(os.environ.get("VOXELHUB_ENVS_DIR", ROOT / ".envs"))
SHARED = Path(os.environ.get("VOXELHUB_SHARED", ROOT.parent / "shared")) / "data"


@dataclass(frozen=True)
class Ran:
    code: int
    said: str
    output: Path

    @property
    def error(self) -> str:
        """The sentence that people read."""
        return next((line.removeprefix("::error ") for line in self.said.splitlines() if line.startswith("::error ")), "")

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.output.iterdir())}


def installed(tool: str) -> bool:
    """By convention the environment is called after the tool; a manifest that is wrong must fail a test, not skip it."""
    return (ENVS / f"tool-{tool}" / "bin/python").exists()


def run_tool(
    tool: str, output: Path, inputs: Mapping[str, Sequence[Path]], *, seconds: float = 600,
    before: Sequence[str] = (), **arguments: object
) -> Ran:
    """Everything printed, and what is in `output`, which is made. `before` stands before the command, as a limit."""
    manifest = registry().get(tool)
    assert manifest is not None, registry().problems()
    output.mkdir()
    paths = {name: [str(path) for path in many] for name, many in inputs.items()}
    command = [*before, *manifest.expand(paths, manifest.with_defaults(arguments), str(output))]
    done = subprocess.run(
        command, cwd=manifest.folder, capture_output=True, text=True, timeout=seconds,
        env={"PATH": f"{ENVS / manifest.environment}/bin:/usr/bin:/bin", "HOME": str(output.parent), "LANG": "C.UTF-8",
             "PYTHONDONTWRITEBYTECODE": "1"})
    return Ran(done.returncode, done.stdout + done.stderr, output)
