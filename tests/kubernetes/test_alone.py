"""What needs the machine to itself, so before the session's cluster: that a cluster leaves no trace, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import binaries, names, requirements
from cluster.running import Cluster, attached, remove_groups, running_folder
from cluster.space import pod

pytestmark = pytest.mark.kubernetes
PROGRAMS = ("kube", "containerd", "etcd", "coredns", "gpu-plugin", "probe")


@pytest.fixture
def before() -> Iterator[dict[str, set[str]]]:
    if reason := requirements.unavailable() or (running_folder() and "one runs on this machine already"):
        pytest.skip(f"No cluster: {reason}")
    yield traces()


def test_a_cluster_that_ends_leaves_nothing(before: dict[str, set[str]], tmp_path: Path) -> None:
    with Cluster(tmp_path / "cluster") as started:
        started.apply(pod("left", "serve", "8080"))
        started.wait("pod/left")
        during = traces()
        assert all(during[kind] != before[kind] for kind in ("processes", "links", "routes", "control groups")), during
    assert traces() == before


def test_a_cluster_whose_owner_is_killed_ends_too(before: dict[str, set[str]], tmp_path: Path) -> None:
    """Empty control groups alone stay, and the next start removes them."""
    environ = os.environ | {"VOXELHUB_KUBERNETES_DIR": str(tmp_path / "cluster")}
    owner = subprocess.Popen([sys.executable, "-m", "cluster"], cwd=names.HERE.parent, env=environ, text=True,
                             stdout=subprocess.PIPE)
    try:
        assert owner.stdout and "is ready after" in owner.stdout.readline()
        with pytest.raises(AssertionError, match="runs already: set KUBECONFIG="):
            Cluster(tmp_path / "second").start()
        client = attached(tmp_path / "cluster/kubeconfig")
        client.apply(pod("left", "serve", "8080"))
        client.wait("pod/left")
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.wait(30)
    deadline = time.monotonic() + 20
    while (after := traces() | {"control groups": before["control groups"]}) != before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert after == before
    remove_groups()
    assert traces() == before


def test_where_no_kubelet_can_run_the_chart_is_tried_on_the_api_server_alone(tmp_path: Path) -> None:
    """As root without the capability that a kubelet needs."""
    absent = binaries.missing(requirements.CONTROL_PLANE)
    if reason := requirements.skipped() or (absent and f"not built: {', '.join(absent)}"):
        pytest.skip(f"No API server: {reason}")
    environ = {name: value for name, value in os.environ.items() if name not in {"KUBECONFIG", "VOXELHUB_KUBERNETES_UNTIL"}}
    command = [sys.executable, "-m", "pytest", "-q", "-m", "kubernetes", "-p", "no:cacheprovider",
               f"--basetemp={tmp_path / 'inner'}", "tests/kubernetes/test_chart_objects.py", "tests/kubernetes/test_cluster.py"]
    done = subprocess.run(["setpriv", "--bounding-set=-sys_admin", "--", *command], cwd=names.ROOT, env=environ, text=True,
                          capture_output=True, check=False, timeout=300)
    assert "The API server alone, without a node: a kubelet needs root on Linux with CAP_SYS_ADMIN" in done.stdout, done.stdout
    assert done.stdout.splitlines()[-1].startswith("4 passed, 11 skipped"), done.stdout


def traces() -> dict[str, set[str]]:
    """What a cluster could leave on a machine, without what changes by itself."""
    folders = ("kernel", "kernel/keys", "vm", "net/ipv4", "net/ipv4/conf/all", "net/bridge", "fs", "fs/inotify")
    counters = {"ns_last_pid", "dentry-state", "file-nr", "inode-nr", "inode-state", "pty", "drop_caches"}
    settings = [path for folder in folders for path in Path("/proc/sys", folder).glob("*")
                if path.is_file() and path.name not in counters]
    return {
        "processes": {line for line in _said("ps", "-eo", "comm") if line.startswith(PROGRAMS)},
        "mounts": {path for line in Path("/proc/self/mounts").read_text().splitlines()
                   if "/overlay" not in (path := line.split()[1])},  # podman builds images beside us
        "namespaces": _said("ip", "netns", "list"),
        "links": {path.name for path in Path("/sys/class/net").iterdir()},
        "routes": _said("ip", "route", "show", "table", "all"),
        "rules": {line for line in _said("iptables-save") if not line.startswith(("#", ":"))} | _said("nft", "list", "tables"),
        "control groups": {str(path) for level in ("*", "*/*") for path in Path("/sys/fs/cgroup").glob(f"{level}/")
                           if path.name.startswith(("kube", "k8s"))},
        "folders": {str(path) for parent in ("/run", "/var/lib", "/opt", "/etc", "/var/log") for path in Path(parent).iterdir()},
        "settings": {f"{path}={_content(path)}" for path in settings},
    }


def _said(*command: str) -> set[str]:
    environ = os.environ | {"PATH": requirements.search_path()}
    return set(subprocess.run(command, capture_output=True, text=True, check=False, env=environ).stdout.splitlines())


def _content(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:  # some can be written only
        return ""
