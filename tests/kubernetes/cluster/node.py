"""The first process of the node's namespaces: makes the node's own view of the machine, starts its programs, starts again
what ends, and buries orphans. Ended from outside by SIGKILL, and the kernel ends everything else with it.

    python -m cluster.node FOLDER [RESOURCE=COUNT ...]
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from string import Template

from . import api, names, pki, requirements
from .binaries import program
from .programs import control_plane, kube_router, workers

# The kubelet wants these of the whole machine. It sees them so, and the machine keeps its own.
KERNEL = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
          "kernel/keys/root_maxkeys": 1000000, "kernel/keys/root_maxbytes": 25000000}
# Of the node's network namespace alone. A connection whose other end is gone would hold it for minutes; and of many refusals
# at once the kernel would say one a second, so that the others look like silence.
NETWORK = {"ipv4/ip_forward": 1, "bridge/bridge-nf-call-iptables": 1, "ipv4/tcp_orphan_retries": 1, "ipv4/icmp_ratelimit": 0}


class Programs:
    """Children by name. FOLDER/node.json says their numbers (in the node's process namespace), and every end."""

    def __init__(self, folder: Path, host_pid: int) -> None:
        self.folder = folder
        self.commands: dict[str, list[str]] = {}
        self.children: dict[int, tuple[str, subprocess.Popen[bytes]]] = {}
        self.state: dict[str, object] = {"pid": host_pid, "programs": {}, "ended": [], "started": False}
        self.say()

    def start(self, name: str, command: list[str]) -> None:
        self.commands[name] = command
        with Path(f"/var/log/{name}.log").open("ab") as log:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.children[child.pid] = name, child
        self.say()

    def bury(self) -> None:
        """Those of the dead that are programs of ours start again."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.children:
                name, _ = self.children.pop(pid)
                self.state["ended"].append([name, os.waitstatus_to_exitcode(status)])  # type: ignore[attr-defined]
                self.say()
                time.sleep(0.2)
                self.start(name, self.commands[name])

    def say(self, **news: object) -> None:
        self.state |= {"programs": {name: pid for pid, (name, _) in self.children.items()}, **news}
        part = self.folder / "node.json.part"
        part.write_text(json.dumps(self.state))
        part.replace(self.folder / "node.json")

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self.bury()
            if time.monotonic() > deadline:
                raise SystemExit(f"{what} did not come true within {seconds:.0f} s")
            time.sleep(0.05)


def main(folder: Path, gpus: list[str]) -> None:
    programs = Programs(folder, int(os.readlink("/proc/self")))  # the number that the machine knows us by
    os.environ["PATH"] = requirements.search_path()
    mounts(folder)
    kernel_settings()
    pki.write(names.PKI)
    configure()
    programs.until(lambda: "eth0:" in Path("/proc/net/dev").read_text(), "the cable to the machine")
    network()
    programs.start("outside", ["ip", "netns", "exec", "outside", str(program("probe")), "serve", "80", "443"])
    for name, command in control_plane().items():
        programs.start(name, command)
    images = sorted((folder / "images").iterdir())
    programs.until(lambda: quiet(["ctr", "version"]), "containerd")
    for image in images:
        run(["ctr", "--namespace", "k8s.io", "images", "import", str(image)])
    with api.session(names.PKI / "admin.kubeconfig") as client:
        programs.until(lambda: api.answers(client, "/readyz"), "the API server")
        for name, command in workers().items():
            programs.start(name, command)
        programs.start("gpu-plugin", [str(program("gpu-plugin")), *gpus])
        programs.start("volumes", [sys.executable, "-m", "cluster.volumes"])
        run([str(names.TOOLS / "kubectl"), "--kubeconfig", str(names.PKI / "admin.kubeconfig"), "--cache-dir", "/run/kubectl",
             "apply", "--filename", str(names.CONFIGURATION / "objects.yaml")])
        # kube-router ends where it does not find its node.
        programs.until(lambda: api.answers(client, f"/api/v1/nodes/{names.NODE}"), "the node's registration")
    programs.start("kube-router", kube_router())
    programs.say(started=True)
    while True:
        programs.bury()
        time.sleep(0.1)


def mounts(folder: Path) -> None:
    """Folders of ours where the programs have fixed paths; volumes that pods mount have to spread from here on."""
    run(["mount", "-t", "proc", "proc", "/proc"])
    run(["mount", "--bind", str(folder / "lib"), "/var/lib"])
    run(["mount", "--bind", str(folder / "log"), "/var/log"])
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])
    run(["mount", "--make-rshared", "/"])
    for made in (Path("/run/lock"), names.PKI, names.VOLUMES):
        made.mkdir(parents=True)


def kernel_settings() -> None:
    pretended = Path("/run/kernel")
    for name, value in KERNEL.items():
        file = pretended / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")
        run(["mount", "--bind", str(file), f"/proc/sys/{name}"])
    for name, value in NETWORK.items():
        Path("/proc/sys/net", name).write_text(str(value))


def configure() -> None:
    """The files of configuration/ with the names of names.py put in."""
    values = {key.lower(): value for key, value in vars(names).items() if key.isupper()}
    shutil.copytree(names.HERE / "configuration", names.CONFIGURATION)
    for path in names.CONFIGURATION.rglob("*.*"):
        path.write_text(Template(path.read_text()).substitute(values))


def network() -> None:
    """This end of the cable to the machine; and everything else leads to a place that answers at every address."""
    run(["ip", "link", "set", "lo", "up"])
    run(["ip", "address", "add", f"{names.NODE_IP}/24", "dev", "eth0"])
    run(["ip", "link", "set", "eth0", "up"])
    run(["ip", "netns", "add", "outside"])
    run(["ip", "link", "add", "outside", "type", "veth", "peer", "name", "eth0", "netns", "outside"])
    run(["ip", "address", "add", f"{names.ROUTER_IP}/24", "dev", "outside"])
    run(["ip", "link", "set", "outside", "up"])
    run(["ip", "-n", "outside", "address", "add", f"{names.OUTSIDE_IP}/24", "dev", "eth0"])
    for device in ("lo", "eth0"):
        run(["ip", "-n", "outside", "link", "set", device, "up"])
    run(["ip", "-n", "outside", "route", "add", "local", "default", "dev", "lo", "table", "main"])
    for inner in (names.PODS, names.SERVICES):  # of a service to which no way is laid yet, it must not play the server
        run(["ip", "-n", "outside", "route", "add", "unreachable", inner, "table", "main"])
    run(["ip", "netns", "exec", "outside", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])  # so that it says so
    run(["ip", "route", "add", "default", "via", names.OUTSIDE_IP])


def run(command: list[str]) -> None:
    subprocess.run(command, check=True)


def quiet(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
