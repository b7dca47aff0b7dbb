"""Why no kubelet can run here, as one sentence."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from . import binaries, names

PROGRAMS = {
    "containerd": "containerd", "ctr": "containerd", "runc": "runc", "iptables": "iptables", "ipset": "ipset",
    "conntrack": "conntrack", "nsenter": "util-linux", "unshare": "util-linux", "ip": "iproute2", "mount": "mount",
}
CNI = Path("/usr/lib/cni/bridge")
CONTROLLERS = {"cpu", "memory", "pids"}
CAP_SYS_ADMIN = 1 << 21
CONTROL_PLANE = ("kubernetes", "etcd")  # the modules of which it consists


def skipped() -> str:
    """Why nobody wants a cluster now, or ""."""
    return os.environ.get("VOXELHUB_KUBERNETES_SKIP", "")


def unavailable(folder: Path | None = None) -> str:
    """Why the cluster cannot run here, or ""."""
    return machine(folder) or software()


def machine(folder: Path | None = None) -> str:
    if reason := skipped():
        return reason
    if platform.system() != "Linux" or os.getuid() != 0 or not _capabilities() & CAP_SYS_ADMIN:
        return "a kubelet needs root on Linux with CAP_SYS_ADMIN, and this is not that; set KUBECONFIG to use another cluster"
    if not os.access("/sys/fs/cgroup", os.W_OK) or (absent := sorted(CONTROLLERS - _controllers())):
        missing = ", ".join(absent) if os.access("/sys/fs/cgroup", os.W_OK) else "a writable /sys/fs/cgroup"
        return f"a kubelet needs control groups, and this machine lacks {missing}"
    for used in (folder, names.ENVS, names.CACHE, names.ROOT):
        if used and any(used.is_relative_to(covered) for covered in ("/var/lib", "/var/log", "/run")):
            return f"the cluster has /run, /var/lib and /var/log of its own and would not see {used}; use another folder"
    return ""


def software() -> str:
    absent = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program, path=search_path())})
    absent += [] if CNI.exists() else ["containernetworking-plugins"]
    if absent:
        return f"not installed: {', '.join(absent)} (tests/kubernetes/system_packages.sh installs them as root)"
    if not (names.TOOLS / "kubectl").exists():
        return "kubectl and helm are not here; `python3 hub_config/bootstrap.py helm` fetches them"
    if missing := binaries.missing():
        return f"not built: {', '.join(missing)} (`make kubernetes-setup` builds them once, about 8 minutes on two cores)"
    return ""


def search_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin"


def _capabilities() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("CapEff:")).split()[1], 16)


def _controllers() -> set[str]:
    """Of both versions of control groups."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers")
    if unified.exists():
        return set(unified.read_text().split())
    return {path.name for path in Path("/sys/fs/cgroup").iterdir() if (path / "cgroup.procs").exists()}
