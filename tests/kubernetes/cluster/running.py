"""The cluster from outside: starts its node, waits for it, loads images, kills programs of it, and ends it without a trace."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

from . import binaries, images, names, requirements
from .client import Client, Failed

PR_SET_PDEATHSIG = 1
NAMESPACES = ["--net", "--mount", "--pid"]
CGROUPS = Path("/sys/fs/cgroup")


class Cluster(Client):
    """`with Cluster() as it:`; in VOXELHUB_KUBERNETES_DIR, or in a folder that is gone afterwards. What was there is removed.

    Only from the main thread: the node ends with the thread that started it.
    """

    node_ip = names.NODE_IP

    def __init__(self, folder: Path | None = None, gpus: dict[str, int] | None = None) -> None:
        self.given = folder or (Path(given).resolve() if (given := os.environ.get("VOXELHUB_KUBERNETES_DIR")) else None)
        folder = self.given or Path(tempfile.mkdtemp(prefix="voxelhub-kubernetes-"))
        super().__init__(folder / "kubeconfig", folder)
        self.gpus = names.GPUS if gpus is None else gpus
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        assert threading.current_thread() is threading.main_thread()
        if reason := requirements.unavailable(self.folder) or _other():
            raise Failed(reason)
        unlink()
        remove_groups()
        self._folders()
        with (self.folder / "log" / "node.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", *NAMESPACES, "--fork", "--kill-child", "--propagation", "private",
                 sys.executable, "-m", "cluster.node", str(self.folder),
                 *(f"{name}={count}" for name, count in self.gpus.items())],
                cwd=names.HERE.parent, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=_end_with_parent)
        self._until(lambda: self.node.get("pid"), "the node's first process")
        self._cable()
        self._until(lambda: self.node["started"], "the start of the node's programs", 300)
        shutil.copyfile(self.folder / "lib/kubernetes/pki/admin.kubeconfig", self.kubeconfig)
        self.kubeconfig.chmod(0o600)
        self._until(self.ready, "the readiness of the cluster")

    def stop(self) -> None:
        """The kernel ends everything inside with the first process: programs, pods, mounts, addresses and rules."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, KeyError, ValueError):
                os.kill(int(self.node["pid"]), signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
            self.process.kill()
            self.process.wait(30)
            unlink()
            remove_groups()
            self.process = None
        if not self.given:
            shutil.rmtree(self.folder, ignore_errors=True)

    def ready(self) -> bool:
        """All of it: a kube-router that is not there refuses nothing, and no test of a refusal would say why."""
        try:
            node = self.get("node", names.NODE)
            dns = self.get("deployment/coredns", "--namespace", "kube-system")
        except Failed:
            return False
        conditions = {each["type"]: each["status"] for each in node["status"]["conditions"]}
        gpus = {resource: int(node["status"]["allocatable"].get(resource, 0)) for resource in self.gpus}
        return (conditions.get("Ready") == "True" and gpus == self.gpus and dns["status"].get("availableReplicas", 0) == 1
                and self.healthy("http://127.0.0.1:20244/healthz"))

    def healthy(self, url: str) -> bool:
        """Asked from within the node."""
        probe = str(binaries.program("probe"))
        return self.inside([probe, "get", url], check=False).stdout.startswith("200")

    @property
    def node(self) -> dict[str, Any]:
        """What the node's first process says: its number here, its programs' numbers there, what ended and was started again."""
        try:
            state: dict[str, Any] = json.loads((self.folder / "node.json").read_text())
        except FileNotFoundError:
            return {}
        return state

    # -- what a test may do to it -----------------------------------------------------------------------------------

    def inside(self, command: list[str], check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """A program of the machine, run in the node's namespaces."""
        done = subprocess.run(["nsenter", f"--target={self.node['pid']}", *NAMESPACES, *command], capture_output=True, text=True,
                              check=False, **options)
        if check and done.returncode:
            raise Failed(f"{' '.join(command)}: {done.stderr or done.stdout}")
        return done

    def load_image(self, archive: Path) -> str:
        """`podman save` or `cluster.images` wrote it; the names it holds."""
        with archive.open("rb") as file:
            return self.inside(["ctr", "--namespace", "k8s.io", "images", "import", "-"], stdin=file).stdout

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """A program of the node ("kubelet", "kube-router" …): it is started again at once, and this returns when it is."""
        before = self.node["programs"][name]
        self.inside(["sh", "-c", f"kill -{how.value} {before}"])
        self.until(lambda: self.node["programs"].get(name, before) != before, f"a new {name}")

    # -- parts ------------------------------------------------------------------------------------------------------

    def _folders(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("lib", "log", "images"):
            (self.folder / name).mkdir(parents=True, mode=0o755)
        self.folder.chmod(0o755)
        for name, program, arguments in ((names.PAUSE_IMAGE, "probe", ["pause"]), (names.PROBE_IMAGE, "probe", []),
                                         (names.DNS_IMAGE, "coredns", [])):
            file = self.folder / "images" / f"{name.split('/')[1].split(':')[0]}.tar"
            images.from_scratch(file, name, binaries.program(program), arguments)

    def _cable(self) -> None:
        """From the machine to the node, its services and its pods."""
        _ip("link", "add", names.LINK, "type", "veth", "peer", "name", "eth0", "netns", str(self.node["pid"]))
        _ip("link", "set", names.LINK, "alias", str(self.folder))
        _ip("address", "add", f"{names.HOST_IP}/24", "dev", names.LINK)
        _ip("link", "set", names.LINK, "up")
        for inner in (names.PODS, names.SERVICES):
            _ip("route", "add", inner, "via", names.NODE_IP)

    def _until(self, condition: Any, what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if (self.process and self.process.poll() is not None) or time.monotonic() > deadline:
                raise Failed(f"{what} did not come within {seconds:.0f} s.\n{self.logs()}")
            time.sleep(0.1)

    def logs(self) -> str:
        """The end of each log of the node."""
        found = sorted((self.folder / "log").glob("*.log"))
        return "\n".join(f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-8:]) for path in found)


def attached(kubeconfig: Path) -> Client:
    """The cluster of a kubeconfig: one of ours that runs, with all that can be done to it, or any other."""
    folder = kubeconfig.resolve().parent
    if (folder / "node.json").exists() and running_folder() == str(folder):
        return Cluster(folder)
    return Client(kubeconfig.resolve(), Path(tempfile.mkdtemp(prefix="voxelhub-kubectl-")))


def remove_groups() -> None:
    """The empty control groups that a kubelet leaves; they stay for a moment after the last process in them."""
    deadline = time.monotonic() + 20
    while left := [path for hierarchy in (CGROUPS, *CGROUPS.iterdir()) for path in (hierarchy / "kubepods",) if path.is_dir()]:
        for top in left:
            for folder, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
        if time.monotonic() > deadline:
            raise Failed(f"Another kubelet runs on this machine: {left[0]} is in use. Set KUBECONFIG to use its cluster.")
        time.sleep(0.05)


def _other() -> str:
    where = running_folder()
    return f"a cluster of the tests runs already: set KUBECONFIG={where}/kubeconfig to use it" if where else ""


def running_folder() -> str:
    """Of the cluster that runs on this machine, or ""."""
    try:
        folder = Path(f"/sys/class/net/{names.LINK}/ifalias").read_text().strip()
        pid = json.loads((Path(folder) / "node.json").read_text())["pid"]
        return folder if b"cluster.node" in Path(f"/proc/{pid}/cmdline").read_bytes() else ""
    except FileNotFoundError:
        return ""


def unlink() -> None:
    """The kernel takes the cable away in its own time, when the node has ended."""
    with contextlib.suppress(subprocess.CalledProcessError):
        _ip("link", "delete", names.LINK, stderr=subprocess.DEVNULL)


def _ip(*arguments: str, **options: Any) -> None:
    subprocess.run(["ip", *arguments], check=True, env=os.environ | {"PATH": requirements.search_path()}, **options)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
