"""What every place that holds clusters promises in clusters/base.py, with the real Dask. A further driver joins `PLACES`."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from support.clustering import ENVIRONMENT, MIB, LocalPlace, connected, has, wait, working
from support.world import until
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.clusters.base import Group, Size, Wish

pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not ENVIRONMENT.is_dir(), reason="the environment imaging is not made here"),
]
PLACES = {"local": LocalPlace}


@pytest.fixture(params=PLACES)
def place(request, tmp_path):
    place = PLACES[request.param](tmp_path)
    yield place
    place.end()


def scale_events(driver, cluster_id):
    return [(one.measured["from"], one.measured["to"]) for one in driver.events(cluster_id, 0) if one.kind == "scale"]


def test_the_life_of_an_adaptive_cluster(place):
    """Begun once, grows with the load, shrinks one by one, keeps results, is adopted, scaled, read and closed."""
    driver = place.driver
    assert driver.observe("one").process == "absent"
    for each in (driver, place.again(), driver):  # whoever calls twice starts once
        each.create("one", place.spec(Wish(True, 0, 2, 0)))
    wait(driver, "one", lambda seen: seen.process == "running")
    assert driver.adopt() == ["one"]

    def slow(number):
        time.sleep(0.4)
        return number * number

    with connected(driver, "one") as client:
        futures = client.map(slow, range(20))  # first: the first look at what waits sees them all
        kept = client.submit(lambda: "kept", pure=False)
        wait(driver, "one", has(2))
        assert client.gather(futures) == [number * number for number in range(20)]
        del futures
        # One leaves; the last one holds a result that nobody else could hold.
        seen = wait(driver, "one", has(1))
        again = place.again()  # the service's worker was started anew
        assert again.adopt() == ["one"]
        assert again.observe("one").address == seen.address
        time.sleep(4)
        assert working(again.observe("one")) == 1
        assert kept.result() == "kept"
        again.wish("one", Wish(False, 2, 2, 2))
        wait(again, "one", has(2))
        again.wish("one", Wish(True, 0, 2, 0))
        del kept
        wait(again, "one", lambda seen: not seen.workers)
    moves = scale_events(again, "one")
    assert all(to - at == -1 for at, to in moves if to < at)
    assert moves[0] == (0, 2)
    assert all(one.measured["desired"] >= 0 and one.text for one in again.events("one", 0) if one.kind == "scale")
    assert [one.number for one in again.events("one", 3)][:1] == [4]  # numbered, none twice
    assert again.log_names("one")[:2] == ["scheduler", "worker-1"]
    assert "Scheduler at" in again.log("one", "scheduler", 10_000)
    assert again.log("one", "../spec", 10_000) == ""

    processes = place.processes("one")
    assert len(processes) >= 3
    again.close("one", "Closed by a test.")
    seen = wait(again, "one", lambda seen: seen.process == "ended")
    assert (seen.outcome, seen.reason, seen.workers, seen.running) == ("closed", "Closed by a test.", (), {})
    until(lambda: driver.observe("one").process == "ended" and not place.processes("one"))
    again.sweep("one")
    with pytest.raises(KeyError):
        again.credentials("one")
    assert "Scheduler at" in again.log("one", "scheduler", 10_000)
    assert again.adopt() == []


def test_workers_of_a_group_have_their_own_work(place):
    """What asks for a group's resource goes there and calls for no worker of the other kind. Counters are of what ran."""
    driver = place.driver
    begun = time.monotonic()
    group = Group("big", 1, Size("medium", 1, 512 * MIB, resources={"BIG": 1}))
    driver.create("two", place.spec(Wish(True, 0, 2, 0), groups=(group,)))

    def where():
        from distributed import get_worker
        time.sleep(0.3)
        return get_worker().name

    with connected(driver, "two") as client:
        wait(driver, "two", has(1))
        futures = [client.submit(where, resources={"BIG": 1}, pure=False) for _ in range(12)]
        assert set(client.gather(futures)) == {"group-big-1"}
        seen = wait(driver, "two", lambda seen: seen.usage.get("medium", {}).get("seconds", 0) > 3)
        assert scale_events(driver, "two") == []
        assert seen.running == {"scheduler": 1, "medium": 1}
        impossible = client.submit(where, resources={"NOWHERE": 1})
        time.sleep(2)
        assert impossible.status == "pending"
        assert scale_events(driver, "two") == []  # no worker of any kind could do it
        impossible.cancel()
    driver.close("two", "Done.")
    used = wait(driver, "two", lambda seen: seen.process == "ended").usage
    longest = time.monotonic() - begun
    assert set(used) == {"scheduler", "medium"}
    assert seen.usage["medium"]["seconds"] <= used["medium"]["seconds"] <= longest
    assert used["medium"]["core_seconds"] == pytest.approx(used["medium"]["seconds"])
    assert 0 < used["medium"]["used_cpu_seconds"] < longest
    assert 10 * MIB < used["medium"]["peak_memory"] <= 512 * MIB


def test_it_ends_by_itself_when_nobody_minds_it(place):
    """And a clock that is set does not count: the lease is a change that is seen, not a time that is read."""
    driver = place.driver
    driver.create("three", place.spec(Wish(False, 1, 1, 1), lease=5.0))
    wait(driver, "three", has(1))
    lease = driver.folder("three").lease
    for jump in (-7200, 7200, -60, 60):  # seconds; touched by a worker whose clock jumps
        os.utime(lease, (time.time() + jump, time.time() + jump))
        time.sleep(0.8)
    assert driver.observe("three").process == "running"
    processes = place.processes("three")
    seen = wait(driver, "three", lambda seen: seen.process == "ended", hold=False)
    assert (seen.outcome, seen.reason) == ("closed", "It was closed because VoxelHub no longer answered.")
    driver.observe("three")
    _, living = psutil.wait_procs(processes, timeout=60)
    assert living == []


def test_a_cluster_that_cannot_start_says_why(place, tmp_path):
    broken = tmp_path / "broken"
    (broken / "bin").mkdir(parents=True)
    (broken / "bin" / "python").write_text("#!/bin/sh\necho 'No module named distributed'\nexit 3\n")
    (broken / "bin" / "python").chmod(0o755)
    spec = place.spec(Wish(False, 1, 1, 1))
    read_only = (*spec.read_only, (str(broken), str(broken)))
    place.driver.create("four", replace(spec, environment=str(broken), read_only=read_only))
    seen = wait(place.driver, "four", lambda seen: seen.process == "ended")
    assert seen.outcome == "failed"
    assert "ended with code 3" in seen.reason
    assert seen.reason.endswith("No module named distributed")
    until(lambda: not place.processes("four"))


def test_what_a_worker_sees(place, tmp_path):
    """The owner's projects read-only, its own key, nothing of the installation, and no other cluster's folder."""
    project = tmp_path / "projects" / "demo"
    project.mkdir(parents=True)
    (project / "data.txt").write_text("seven")
    secret = tmp_path / "secret"
    secret.write_text("not for you")
    spec = place.spec(Wish(False, 1, 1, 1))
    place.driver.create("five", replace(spec, read_only=(*spec.read_only, (str(project), "/projects/demo"))))

    def look(paths):
        from pathlib import Path

        def attempt(path):
            try:
                return Path(path).read_text()
            except OSError as error:
                return type(error).__name__

        try:
            Path("/projects/demo/new").write_text("x")
            wrote = True
        except OSError:
            wrote = False
        tls = sorted(one.name for one in Path("/tls").iterdir())
        return {path: attempt(path) for path in paths}, wrote, tls, "-----BEGIN" in attempt("/tls/ca.pem")

    with connected(place.driver, "five") as client:
        wait(place.driver, "five", has(1))
        paths = ["/projects/demo/data.txt", str(secret), str(place.folder / "five" / "tls" / "client" / "key.pem"),
                 str(place.folder / "five" / "spec.json"), str(Path.home() / ".bashrc")]
        found, wrote, tls, has_ca = client.submit(look, paths).result()
    assert found.pop("/projects/demo/data.txt") == "seven"
    assert set(found.values()) == {"FileNotFoundError"}
    assert not wrote
    assert tls == ["ca.pem", "cert.pem", "key.pem"]
    assert has_ca
