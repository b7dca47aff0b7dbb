"""Helm as the tests of the chart call it: the pinned one that `make test-setup` fetches, or the one on the path."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from .installation import ENVS, ROOT

CHART = ROOT / "helm" / "voxelhub"
Manifest = dict[str, Any]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The least that an administrator must say.
LEAST: dict[str, Any] = {
    "publicUrl": "https://vre.example.org", "keycloak": {"url": "https://login.example.org"},
    "database": {"url": "postgresql://voxelhub@db.example.org/voxelhub", "existingSecret": "database"}}
EVALUATION = CHART / "values-evaluation.yaml"
PILOT = CHART / "values-pilot.yaml"


def binary(name: str = "helm") -> str:
    pinned = ENVS / "helm" / "bin" / name
    found = str(pinned) if pinned.exists() else shutil.which(name)
    assert found, f"{name} is not there: `python3 hub_config/bootstrap.py helm` fetches it"
    return found


@functools.cache
def _home() -> dict[str, str]:
    """Folders of its own: no configuration, plugin or repository of whoever runs the tests, and no cluster."""
    folder = tempfile.mkdtemp(prefix="helm-")
    return {"PATH": os.environ["PATH"], "HOME": folder, "KUBECONFIG": "/dev/null",
            **{f"HELM_{name}_HOME": f"{folder}/{name}" for name in ("CACHE", "CONFIG", "DATA")}}


def helm(
    *arguments: str, values: Mapping[str, Any] | None = None, files: Sequence[Path] = (),
) -> subprocess.CompletedProcess[str]:
    options = [option for file in files for option in ("--values", str(file))]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as own:
        if values is not None:
            yaml.safe_dump(dict(values), own)
            own.flush()
            options += ["--values", own.name]
        return subprocess.run([binary(), *arguments, *options], capture_output=True, text=True, env=_home(), timeout=60)


def render(values: Mapping[str, Any] | None = None, *arguments: str, files: Sequence[Path] = ()) -> list[Manifest]:
    """The chart's objects for these values, in the namespace `vre`."""
    text = _rendered(json.dumps(values), arguments, tuple(files))
    return [document for document in yaml.load_all(text, LOADER) if document]


@functools.cache
def _rendered(values: str, arguments: tuple[str, ...], files: tuple[Path, ...]) -> str:
    done = helm("template", "voxelhub", str(CHART), "--namespace", "vre", *arguments, values=json.loads(values), files=files)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(values: Mapping[str, Any], files: Sequence[Path] = ()) -> str:
    """Helm's words when it does not render the chart for these values."""
    done = helm("template", "voxelhub", str(CHART), values=values, files=files)
    assert done.returncode != 0, "the chart was rendered"
    return " ".join(done.stderr.split())


def of_kind(manifests: Sequence[Manifest], kind: str) -> dict[str, Manifest]:
    return {m["metadata"]["name"]: m for m in manifests if m["kind"] == kind}


def pods(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """Pod templates by the name of what makes them."""
    makers = ("Deployment", "StatefulSet", "DaemonSet", "Job")
    return {m["metadata"]["name"]: m["spec"]["template"] for m in manifests if m["kind"] in makers}


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def environ(container: Manifest) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container.get("env", [])}
