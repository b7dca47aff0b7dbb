"""kubectl and helm on a cluster of which nothing is known but its kubeconfig."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from . import names

T = TypeVar("T")


class Failed(AssertionError):
    """What a program said when it failed."""


class Client:
    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        """`folder` holds what kubectl and helm like to remember."""
        self.kubeconfig, self.folder = kubeconfig, folder
        helm = {f"HELM_{name}_HOME": str(folder / "helm" / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        self.environ = os.environ | helm | {
            "KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(folder / "kubectl"), "PATH": f"{names.TOOLS}:{os.environ['PATH']}",
        }

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True, timeout: float = 120) -> str:
        """What it prints; where it fails, `Failed` with what it says, or with `check=False` both."""
        return self._run("kubectl", arguments, input, check, timeout)

    def helm(self, *arguments: str, input: str | None = None, check: bool = True, timeout: float = 600) -> str:
        return self._run("helm", arguments, input, check, timeout)

    def get(self, *arguments: str) -> dict[str, Any]:
        """`kubectl get` as a document."""
        document: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "--output", "json"))
        return document

    def apply(self, objects: str | dict[str, Any] | list[dict[str, Any]], *arguments: str) -> str:
        """YAML, an object, or several."""
        if isinstance(objects, list):
            objects = {"apiVersion": "v1", "kind": "List", "items": objects}
        text = objects if isinstance(objects, str) else json.dumps(objects)
        return self.kubectl("apply", *arguments, "--filename", "-", input=text)

    def wait(self, what: str, *arguments: str, condition: str = "condition=Ready", seconds: int = 60) -> None:
        """`wait("pod/x", "--namespace", "y")`; on failure with what the cluster says about it."""
        try:
            self.kubectl("wait", f"--for={condition}", f"--timeout={seconds}s", what, *arguments, timeout=seconds + 30)
        except Failed as failed:
            raise Failed(f"{failed}\n{self.kubectl('describe', what, *arguments, check=False)}") from None

    def until(self, condition: Callable[[], T], what: str, seconds: float = 60) -> T:
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
            time.sleep(0.2)
        return value

    def story(self) -> str:
        """What a person would look at first: pods that are not well, and the last events."""
        pods = self.kubectl("get", "pods", "--all-namespaces", "--output", "wide", check=False, timeout=20)
        events = self.kubectl("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp", check=False, timeout=20)
        return f"{pods}\n" + "\n".join(events.splitlines()[-30:])

    def _run(self, name: str, arguments: tuple[str, ...], input: str | None, check: bool, timeout: float) -> str:
        done = subprocess.run([str(names.TOOLS / name), *arguments], input=input, capture_output=True, text=True, check=False,
                              env=self.environ, timeout=timeout)
        if check and done.returncode:
            raise Failed(f"{name} {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done.stdout if check else done.stdout + done.stderr
