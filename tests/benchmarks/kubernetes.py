"""make bench-kubernetes: install to ready, a server beside plain KubeSpawner, many at once, memory, and what fits a pilot.

    .envs/test/bin/python tests/benchmarks/kubernetes.py [--quick] [--installs 3] [--rounds 5] [--people 10 30] [--no-write]

On the cluster of KUBECONFIG, where that is one of `make kubernetes`, else on one of its own. Images are built from this
checkout; VOXELHUB_IMAGES_BUILD=no takes those of before, and with VOXELHUB_KUBERNETES_KEEP=1 those on the node as they are.
VOXELHUB_KUBERNETES_NAMESPACE and VOXELHUB_KUBERNETES_PORT (and the two after it) say where. Writes docs/measured/kubernetes.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "kubernetes"))

from benchmarks import kube_memory, kube_peer, kube_report, kube_room, kube_steps
from benchmarks.kube_people import Visitor, all_at_once, all_stop
from benchmarks.measure import PAGE, dated, load
from cluster import requirements
from cluster.client import Failed
from cluster.running import Cluster, attached
from release import NAMESPACE, PORT, PYTHON, Release
from support.installation import xsrf

SERVER = 300 * 2**20  # bytes kept free for each server, so that the machine does not swap or kill
CPU, MEMORY = 1, "2 GiB"
ASKED_CPU, ASKED_MEMORY = 0.01, 1 / 32  # of them: thirty servers fit a node of two cores beside the release
# As the chart ships it, but for the sizes of volumes and what is reserved for a server.
VALUES: dict[str, Any] = {
    "storage": {"state": {"size": "2Gi"}}, "hub": {"db": {"pvc": {"storage": "1Gi"}}},
    "postgresql": {"bundled": {"storage": {"size": "1Gi"}}},
    "singleuser": {"storage": {"capacity": "1Gi"}, "guarantee": {"cpu": ASKED_CPU, "memory": ASKED_MEMORY}},
    "profiles": {"currency": "EUR", "profiles": [
        {"name": "bench", "title": "Bench", "cpu": CPU, "memory": MEMORY, "default": True}]},
}
SIZES = {"cpu": CPU, "asked_cpu": CPU * ASKED_CPU, "memory": 2 * 2**30, "asked_memory": 2 * 2**30 * ASKED_MEMORY}
PARTS: dict[str, Any] = {
    "hub": {"requests": {"cpu": "200m", "memory": "384Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}},
    "proxy": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
}
# Beside others, less is reserved for the parts.
LITTLE = {"requests": {"cpu": "50m", "memory": "64Mi"}}
QUICK: dict[str, Any] = {
    "hub": {"resources": LITTLE}, "proxy": {"resources": LITTLE}, "service": {"resources": {"api": LITTLE, "worker": LITTLE}},
    "keycloak": {"bundled": {"resources": LITTLE}}, "postgresql": {"bundled": {"resources": LITTLE}},
}
PEOPLE = """
import json, sys
from voxelhub_hub.directory import KeycloakAdmin
from voxelhub_service.identity.actor import USERS_GROUP
from voxelhub_service.settings import load_settings
with KeycloakAdmin(load_settings()) as admin:
    for name in sys.argv[1:]:
        admin.create_user(name, first=name, last="-", email=f"{name}@voxelhub.invalid", groups=[USERS_GROUP],
                          roles=["researcher"])
    print(json.dumps({name: admin.reset_password(name) for name in sys.argv[1:]}))
"""


def main() -> int:
    wanted = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what it made is removed then too
    signal.signal(signal.SIGINT, signal.default_int_handler)
    began, before, seen = time.monotonic(), load(), kube_report.Seen()
    try:
        with cluster() as node, tempfile.TemporaryDirectory(prefix="voxelhub-bench-") as folder:
            Bench(node, Path(folder), wanted, seen).run()
    except Failed as failed:
        raise SystemExit(f"[voxelhub] {failed}") from None
    text = kube_report.page(seen, dated(before))
    say(f"done after {(time.monotonic() - began) / 60:.1f} minutes")
    print(text)
    if not wanted.no_write:
        (PAGE.with_name("kubernetes.md")).write_text(text)
    return 1 if any(crowd.failures for crowd in seen.crowds) else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--installs", type=int, help="installs into an empty namespace (3)")
    parser.add_argument("--rounds", type=int, help="servers of each kind (5)")
    parser.add_argument("--people", type=int, nargs="*", help="how many at once (10 30)")
    parser.add_argument("--quick", action="store_true", help="one install, one round, 2 people, and no page")
    parser.add_argument("--no-write", action="store_true", help="print only")
    wanted = parser.parse_args()
    few = (1, 1, [2]) if wanted.quick else (3, 5, [10, 30])
    for name, default in zip(("installs", "rounds", "people"), few, strict=True):
        if getattr(wanted, name) is None:
            setattr(wanted, name, default)
    wanted.no_write |= wanted.quick
    return wanted


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    if given := os.environ.get("KUBECONFIG"):
        found = attached(Path(given))
        if not isinstance(found, Cluster):
            raise Failed("The cluster of KUBECONFIG is not one of `make kubernetes`, so its node and ports are not touched.")
        yield found
        return
    if reason := requirements.unavailable():
        raise Failed(f"No cluster: {reason}")
    say("starting a cluster")
    with Cluster() as started:
        yield started


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


class Bench:
    """One measurement after the other, into `seen`."""

    def __init__(self, node: Cluster, folder: Path, wanted: argparse.Namespace, seen: kube_report.Seen) -> None:
        self.node, self.folder, self.wanted, self.seen = node, folder, wanted, seen
        seen.little = wanted.quick or not kube_room.fits(node, VALUES, PARTS, CPU * ASKED_CPU, max([1, *wanted.people]))
        self.values = VALUES | {name: VALUES.get(name, {}) | part for name, part in QUICK.items()} if seen.little else VALUES
        self.resources = dict.fromkeys(PARTS, LITTLE) if seen.little else PARTS

    def run(self) -> None:
        release = self.installed()
        try:
            names = [f"p{number:02}" for number in range(max([1, *self.wanted.people]))]
            people = self.people(release, names)
            self.seen.idle = kube_memory.measured(self.node, release.namespace)
            self.spawns(release, people[0])
            for count in self.wanted.people:
                self.crowd(release, people, count)
        finally:
            self.remove(release)

    # -- install ----------------------------------------------------------------------------------------------------

    def installed(self) -> Release:
        """The last of the installs, which stays."""
        self.release(0).images()
        for number in range(self.wanted.installs):
            release = self.release(number)
            try:
                release.prepare()
                started = time.monotonic()
                release.helm("install")
                self.seen.installs.append(time.monotonic() - started)
                say(f"install {number + 1}: ready after {self.seen.installs[-1]:.1f} s")
                if number + 1 == self.wanted.installs:
                    return release
            except BaseException:
                self.remove(release)
                raise
            self.remove(release)
        raise Failed("--installs is at least 1.")

    def release(self, number: int) -> Release:
        folder = self.folder / f"release-{number}"
        return Release(self.node, folder, f"{NAMESPACE}-{number}", PORT, keep=bool(os.environ.get("VOXELHUB_KUBERNETES_KEEP")),
                       values=self.values)

    def remove(self, release: Release) -> None:
        """All of it, so that the next one finds no port taken and no program ending."""
        release.kubectl("delete", "pods", "--all", "--grace-period=1", "--wait=false", check=False)
        self.node.helm("uninstall", "voxelhub", "--namespace", release.namespace, check=False)
        self.node.kubectl("delete", "namespace", release.namespace, "--timeout=120s", check=False, timeout=150)
        shutil.rmtree(release.folder, ignore_errors=True)

    # -- servers ----------------------------------------------------------------------------------------------------

    def people(self, release: Release, names: list[str]) -> list[Visitor]:
        """Signed in through Keycloak, each with a token."""
        said = release.kubectl("exec", "deployment/hub", "--container", "hub", "--", PYTHON, "-c", PEOPLE, *names)
        found = []
        for name, password in json.loads(said.splitlines()[-1]).items():
            with release.session(name, password) as client:
                answer = client.post(f"{release.url}/hub/api/users/{name}/tokens", headers=xsrf(client), json={"note": "bench"})
                found.append(Visitor(release.url, name, answer.raise_for_status().json()["token"], release.trust))
        say(f"{len(found)} people are signed in")
        return found

    def spawns(self, release: Release, ours: Visitor) -> None:
        """Both in turn, so that what else this machine does falls on both."""
        plain = f"{NAMESPACE}-plain"
        with kube_peer.plain_hub(self.node, self.node.node_ip, plain, PORT + 2, SIZES, self.resources) as theirs:
            for number in range(self.wanted.rounds + 1):
                for kind, visitor, namespace in (("plain", theirs, plain), ("ours", ours, release.namespace)):
                    with kube_steps.watched(self.node, namespace) as moments:
                        moments |= asyncio.run(visitor.visit(**({"profile": "bench"} if kind == "ours" else {})))
                    asyncio.run(visitor.stop())
                    say(f"server {number} {kind}: answers after {kube_report.since(moments, 'answers'):.2f} s, "
                        f"first output after {kube_report.since(moments, 'output'):.2f} s")
                    if number:
                        self.seen.spawns[kind].append(dict(moments))

    def crowd(self, release: Release, people: list[Visitor], wanted: int) -> None:
        count = min(wanted, psutil.virtual_memory().available // SERVER)
        times, failures = asyncio.run(all_at_once(people[:count], profile="bench"))
        last = max((kube_report.since(one, "output") for one in times), default=0)
        say(f"{count} people at once: {len(times)} have their kernel after {last:.1f} s, {len(failures)} failed")
        memory = kube_memory.measured(self.node, release.namespace)
        self.seen.crowds.append(kube_report.Crowd(count, wanted, times, failures, memory))
        if wanted != self.wanted.people[-1]:
            asyncio.run(all_stop(people[:count]))


if __name__ == "__main__":
    sys.exit(main())
