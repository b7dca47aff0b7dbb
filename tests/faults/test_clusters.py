"""Dask clusters under kills, hunger and strangers: the answer is right or the failure says why, and no process is left.

Real processes all through: api and worker of the service, supervisors, bubblewrap, schedulers, workers, and Dask's client.

`CLUSTERS=20 pytest -m slow tests/faults/test_clusters.py` opens so many at once and kills among them by a seed.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import ssl
import threading
import time
import uuid

import psutil
import pytest
from distributed import Client
from distributed.security import Security
from support.clustering import ENVIRONMENT, LocalPlace, connected, has, processes_naming, security, wait, working
from support.fleet import Fleet
from support.world import add_project, until
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.checkpoints import NAMES
from voxelhub_service.clusters.base import Wish
from voxelhub_service.clusters.local import LocalClusters

pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not ENVIRONMENT.is_dir(), reason="the environment imaging is not made here"),
]


PATIENCE = 240  # seconds, as a busy machine starts Python slowly


@pytest.fixture
def place(tmp_path):
    place = LocalPlace(tmp_path)
    yield place
    place.end()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    add_project(fleet.context)
    driver, over = LocalClusters(fleet.settings.clusters_dir), threading.Event()

    def mind() -> None:
        """A busy machine takes longer to start a worker anew than a lease lasts; what that leads to has its own test."""
        while not over.wait(5):
            for cluster_id in driver.adopt():
                driver.hold(cluster_id)

    minding = threading.Thread(target=mind)
    minding.start()
    with fleet:
        yield fleet
    over.set()
    minding.join()
    driver.shutdown()


def gone(processes: list[psutil.Process], seconds: float = 60) -> bool:
    """None lives, and none is a zombie."""
    return psutil.wait_procs(processes, timeout=seconds)[1] == []


def worker_events(place, cluster_id):
    return [one.text for one in place.driver.events(cluster_id, 0) if one.kind == "worker"]


def test_workers_that_are_killed_or_hungry_and_a_scheduler_that_is_killed(place):
    """One cluster through all of it: what is computed stays right, and its end is explained."""
    driver = place.driver
    driver.create("one", place.spec(Wish(False, 2, 2, 2)))

    def slow(number):
        time.sleep(0.2)
        return number + 1

    def eat():
        data = bytearray()
        while True:
            data += b"x" * (32 * 1024**2)

    with connected(driver, "one") as client:
        wait(driver, "one", has(2))
        futures = client.map(slow, range(24))
        time.sleep(0.8)
        place.program("one", "worker-1").send_signal(signal.SIGKILL)
        assert client.gather(futures) == [number + 1 for number in range(24)]
        wait(driver, "one", has(2))
        assert worker_events(place, "one") == ["worker-1 was ended by SIGKILL; another takes its place."]

        hungry = client.submit(eat, pure=False)
        until(lambda: len(worker_events(place, "one")) > 1)
        hungry.cancel()
        assert "needed more memory than its limit of 512 MiB and was ended" in worker_events(place, "one")[1]
        assert client.submit(slow, 1, pure=False).result(timeout=120) == 2  # the others go on

    processes = place.processes("one")
    place.program("one", "scheduler").send_signal(signal.SIGKILL)
    seen = wait(driver, "one", lambda seen: seen.process == "ended")
    assert (seen.outcome, seen.reason) == (
        "failed", "Its scheduler was ended by SIGKILL, and with it what was computed; create a new cluster.")
    driver.observe("one")
    assert gone(processes)
    driver.sweep("one")
    assert not (place.folder / "one" / "tls").exists()


def test_a_supervisor_that_is_killed_takes_everything_with_it(place):
    driver = place.driver
    driver.create("two", place.spec(Wish(False, 1, 1, 1)))
    wait(driver, "two", has(1))
    processes = place.processes("two")
    assert len(processes) >= 3
    place.supervisor("two").send_signal(signal.SIGKILL)
    seen = wait(driver, "two", lambda seen: seen.process == "lost")
    assert seen.running == {}
    assert seen.usage["small"]["seconds"] > 0  # what was counted stays
    driver.observe("two")
    assert gone(processes)
    driver.sweep("two")
    assert not (place.folder / "two" / "tls").exists()


def test_a_worker_that_dies_at_once_is_not_started_for_ever(place):
    """Its cluster fails with what it said last."""
    driver = place.driver
    driver.create("three", place.spec(Wish(False, 1, 1, 1), environ={"DASK_DISTRIBUTED__WORKER__PRELOAD": "no_such_module"}))
    seen = wait(driver, "three", lambda seen: seen.process == "ended", seconds=90)
    assert seen.outcome == "failed"
    assert seen.reason.startswith("Its workers end before they are ready")
    assert "no_such_module" in seen.reason


def test_strangers_on_loopback_reach_nothing(place, tmp_path):
    """Every port that a cluster listens on wants TLS and a certificate of this very cluster."""
    for name in ("mine", "theirs"):
        place.driver.create(name, place.spec(Wish(False, 1, 1, 1)))
    for name in ("mine", "theirs"):
        wait(place.driver, name, has(1))
    address = place.driver.observe("mine").address
    ports = {one.laddr.port: one.laddr.ip for each in place.processes("mine") for one in each.net_connections()
             if one.status == psutil.CONN_LISTEN}
    assert len(ports) == 2  # scheduler and worker, and no HTTP server
    assert set(ports.values()) == {"127.0.0.1"}
    folders = [tmp_path / name for name in ("mine-keys", "their-keys")]
    for name, folder in zip(("mine", "theirs"), folders, strict=True):
        folder.mkdir()
        security(place.driver.credentials(name), folder)

    async def said(port: int, context: ssl.SSLContext | None, patience: float = 5) -> bytes:
        """What a port answers to a peer: b"" where it hangs up or says nothing."""
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port, ssl=context), patience)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            await writer.drain()
            data = await asyncio.wait_for(reader.read(4096), patience)
            writer.close()
        except (OSError, ssl.SSLError):
            return b""
        return data

    def context(folder=None) -> ssl.SSLContext:
        found = ssl.create_default_context()
        found.check_hostname, found.verify_mode = False, ssl.CERT_NONE  # a stranger trusts anybody
        if folder is not None:
            found.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        return found

    for port in ports:
        assert asyncio.run(said(port, None)) == b""  # no TLS
        assert asyncio.run(said(port, context())) == b""  # no certificate
        assert asyncio.run(said(port, context(folders[1]))) == b""  # another cluster's
    owner = asyncio.run(said(int(address.rpartition(":")[2]), context(folders[0]), 120))
    assert owner != b""  # so that the silence above is a refusal
    for wrong in (None, Security(require_encryption=False), security(place.driver.credentials("theirs"), folders[1])):
        target = address if wrong is not None and wrong.require_encryption else address.replace("tls://", "tcp://")
        with pytest.raises((OSError, TimeoutError, ValueError, RuntimeError)):
            Client(target, security=wrong, timeout=3)


# the service's processes


def test_each_named_point_and_a_service_that_is_killed_while_it_computes(fleet):
    """Killed at every named point: it is made once, goes on, and is closed; what it computed is right."""
    killed = []

    def ask(method: str, path: str, **options):
        return fleet.request(method, path, seconds=PATIENCE, **options)

    def kill_at(name: str) -> None:
        fleet.arm(name)

    def was_killed(name: str) -> bool:
        until(lambda: not fleet.trigger.exists(), PATIENCE)
        killed.append(name)
        return True

    kill_at("cluster.created")
    body, headers = {"project": "demo", "maximum": 2}, {"Idempotency-Key": uuid.uuid4().hex}
    cluster_id = ask("POST", "/clusters", json=body, headers=headers).json()["id"]
    assert was_killed("cluster.created")
    assert ask("GET", "/clusters").json()["total"] == 1

    def state() -> str:
        return str(ask("GET", f"/clusters/{cluster_id}").json()["state"])

    first = cluster_id
    kill_at("cluster.running")  # armed before there is one that could run
    cluster_id = ask("POST", "/clusters", json=body).json()["id"]
    assert was_killed("cluster.running")
    until(lambda: state() == "running", PATIENCE)
    address_of = ask("GET", f"/clusters/{cluster_id}/credentials").json()
    folder = fleet.logs.parent / "keys"
    folder.mkdir()
    own = security((address_of["ca"], address_of["certificate"], address_of["key"]), folder)

    def slow(number):
        time.sleep(0.1)
        return number * 2

    with Client(address_of["address"], security=own, timeout=60, set_as_default=False) as client:
        futures = client.map(slow, range(60))
        fleet.kill("worker")
        fleet.kill("api")
        assert client.gather(futures) == [number * 2 for number in range(60)]
    events = ask("GET", f"/clusters/{cluster_id}/logs").json()["events"]
    assert len({one["id"] for one in events}) == len(events)

    kill_at("cluster.closing")
    assert ask("DELETE", f"/clusters/{cluster_id}").status_code == 202
    assert was_killed("cluster.closing")
    kill_at("cluster.finished")
    until(lambda: state() == "closed", PATIENCE)
    assert was_killed("cluster.finished")

    assert ask("DELETE", f"/clusters/{first}").status_code == 202
    kill_at("cluster.started")
    cluster_id = ask("POST", "/clusters", json=body).json()["id"]
    until(lambda: state() == "failed", PATIENCE)
    assert was_killed("cluster.started")
    assert "its supervisor is gone" in ask("GET", f"/clusters/{cluster_id}").json()["reason"]
    assert set(killed) == {name for name in NAMES if name.startswith("cluster.")}
    until(lambda: not processes_naming(str(fleet.settings.clusters_dir)))
    assert not list(fleet.settings.clusters_dir.glob("*/tls"))


@pytest.mark.slow
def test_many_clusters_at_once_under_kills(tmp_path):
    """Answers are right, or the failure is explained; in the end nothing is left, and every second was counted once."""
    count, seed = int(os.environ.get("CLUSTERS", "20")), int(os.environ.get("SEED", "1"))
    chance = random.Random(seed)
    place = LocalPlace(tmp_path)
    driver = place.driver
    begun = time.monotonic()
    names = [f"c{number}" for number in range(count)]
    try:
        for name in names:
            driver.create(name, place.spec(Wish(True, 1, 2, 1)))
        answers: dict[str, str] = {}
        for name in names:
            for each in names:
                driver.hold(each)
            what = chance.choice(["nothing", "worker", "worker", "scheduler", "supervisor"])
            answers[name] = _compute_under(place, name, what, names)
        print(f"\nseed {seed}: {answers}")
        for name in names:
            seen = driver.observe(name)
            assert seen.usage["scheduler"]["seconds"] <= time.monotonic() - begun + 1
        assert all(text == "right" or text.endswith(".") for text in answers.values()), answers
    finally:
        for name in names:
            driver.close(name, "Done.")
        until(lambda: all(driver.observe(name).process in ("ended", "lost") for name in names), 120)
        for name in names:
            driver.sweep(name)
        until(lambda: not processes_naming(str(place.folder)))
        place.end()


def _compute_under(place: LocalPlace, name: str, what: str, names: list[str]) -> str:
    """"right", or the sentence of its failure."""
    def slow(number):
        time.sleep(0.05)
        return number * 3

    wait(place.driver, name, lambda seen: working(seen) >= 1, seconds=300)
    try:
        with connected(place.driver, name) as client:
            futures = client.map(slow, range(40))
            if what == "worker":
                worker = next(one.name for one in place.driver.observe(name).workers)
                place.program(name, worker).send_signal(signal.SIGKILL)
            elif what == "scheduler":
                place.program(name, "scheduler").send_signal(signal.SIGKILL)
            elif what == "supervisor":
                place.supervisor(name).send_signal(signal.SIGKILL)
            for each in names:
                place.driver.hold(each)
            got = client.gather(futures, errors="raise") if what not in ("scheduler", "supervisor") else None
            if got is not None:
                assert got == [number * 3 for number in range(40)]
                return "right"
    except (OSError, TimeoutError):
        pass
    seen = wait(place.driver, name, lambda seen: seen.process in ("ended", "lost"))
    return seen.reason or "It was ended from outside."
