"""`voxelhub status`: what runs and where, from the supervisor's status file and the lock it holds."""

from __future__ import annotations

import argparse
import fcntl
import json
from pathlib import Path
from typing import Any

from voxelhub_service.settings import load_settings

from .refusal import Refusal


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="voxelhub status", description="What runs, where. Exit code 0 when all serve.")
    parser.add_argument("--json", action="store_true", help="for programs")
    wanted = parser.parse_args(arguments)
    settings = load_settings()
    if settings.on_kubernetes:
        raise Refusal("On Kubernetes each part is a pod of its own: `kubectl get pods` shows what runs.")
    state = read(settings.state_dir)
    print(json.dumps(state, indent=1) if wanted.json else text(state))
    return 0 if state["running"] and all(child["state"] == "ready" for child in state["children"].values()) else 1


def running(state_dir: Path) -> bool:
    """Whether a supervisor (or a backup, or a restore) holds the state folder."""
    path = state_dir / "run" / "lock"
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read(state_dir: Path) -> dict[str, Any]:
    """`running`, `state_dir`, `address`, `supervisor`, and per child: state, pid, url, restarts, since, last_exit."""
    try:
        known = json.loads((state_dir / "run" / "status.json").read_text())
    except FileNotFoundError:
        known = {"children": {}}
    state = {"running": running(state_dir), "state_dir": str(state_dir), **known}
    if not state["running"]:
        state["supervisor"] = None
        for child in state["children"].values():
            child.update(state="stopped", pid=None)
    return state


def text(state: dict[str, Any]) -> str:
    if not state["running"]:
        return f"VoxelHub does not run in {state['state_dir']}. `voxelhub up` starts it."
    lines = [f"VoxelHub at {state['address']}, state in {state['state_dir']}", ""]
    for name, child in state["children"].items():
        restarts = f", started again {child['restarts']} times" if child["restarts"] else ""
        lines.append(f"  {name:<9} {child['state']:<10} process {child['pid'] or '-':<8} {child['url']}{restarts}")
    return "\n".join(lines)
