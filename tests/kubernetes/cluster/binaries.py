"""Builds the cluster's programs from the Go modules beside this file and keeps them: what did not change is not built again."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import names

MODULES = names.HERE / "modules"
_VERSION = {"gitVersion": f"v{names.KUBERNETES}", "gitMajor": names.KUBERNETES.split(".")[0],
            "gitMinor": names.KUBERNETES.split(".")[1], "gitTreeState": "clean"}
_STAMPED = " ".join(f"-X {package}.{key}={value}" for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
                    for key, value in _VERSION.items())


@dataclass(frozen=True)
class Module:
    """A folder of modules/, and the programs that are built in it: name -> package."""

    name: str
    programs: dict[str, str]
    linker: str = "-s -w"

    @property
    def key(self) -> str:
        """Changes with the module's files, the flags and the architecture."""
        total = hashlib.sha256(f"{self.programs} {self.linker} {platform.machine()}".encode())
        for path in sorted((MODULES / self.name).iterdir()):
            total.update(path.name.encode() + path.read_bytes())
        return total.hexdigest()[:16]

    @property
    def folder(self) -> Path:
        return names.CACHE / f"{self.name}-{self.key}"


ALL = [
    Module("kubernetes", {f"kube-{part}": f"k8s.io/kubernetes/cmd/kube-{part}"
                          for part in ("apiserver", "controller-manager", "scheduler", "proxy")}
           | {"kubelet": "k8s.io/kubernetes/cmd/kubelet"}, f"-s -w {_STAMPED}"),
    Module("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Module("kube-router", {"kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"}),
    Module("coredns", {"coredns": "."}),
    Module("gpu-plugin", {"gpu-plugin": "."}),
    Module("probe", {"probe": "."}),
]


def missing(only: Collection[str] = ()) -> list[str]:
    """Modules that are not built, of all or of these."""
    return [module.name for module in ALL if not module.folder.exists() and (not only or module.name in only)]


def program(name: str) -> Path:
    return next(module.folder / name for module in ALL if name in module.programs)


def build(only: Collection[str] = ()) -> None:
    """What is missing, of all or of these modules. Go's own caches (6 GB) lie beside the programs and are removed at the end."""
    if not (wanted := missing(only)):
        return
    if not shutil.which("go"):
        raise SystemExit("[voxelhub] Go builds Kubernetes for the tests, and it is not here: install Go 1.26 or newer from your "
                         "distribution or go.dev, or set KUBECONFIG to use a cluster that runs already.")
    caches = names.CACHE / "building"
    with _alone():
        for module in ALL:
            if module.name in wanted and not module.folder.exists():
                _build(module, caches)
        shutil.rmtree(caches)


def _build(module: Module, caches: Path) -> None:
    print(f"[voxelhub] building {', '.join(module.programs)}", flush=True)
    started = time.monotonic()
    part = caches / "bin" / module.name
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    environ = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
                            "GOMODCACHE": str(caches / "go-modules"), "GOCACHE": str(caches / "go-build")}
    several = len(module.programs) > 1  # then Go names them, and builds them at once
    for name, packages in [("", list(module.programs.values()))] if several else [(n, [p]) for n, p in module.programs.items()]:
        subprocess.run(["go", "build", "-trimpath", "-ldflags", module.linker, "-o", f"{part}/{name}", *packages],
                       cwd=MODULES / module.name, env=environ, check=True)
    for old in names.CACHE.glob(f"{module.name}-*"):
        if len(old.name) == len(module.folder.name):
            shutil.rmtree(old)
    part.rename(module.folder)
    print(f"[voxelhub] {module.name} ready in {time.monotonic() - started:.0f} s", flush=True)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    names.CACHE.mkdir(parents=True, exist_ok=True)
    with (names.CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
