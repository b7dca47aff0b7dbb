"""What breaks while somebody works: a plain sentence, nobody's kernel lost, nothing twice; and it answers again by itself."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from at_work import AtWork
from cluster import names
from playwright.sync_api import BrowserContext, expect
from release import Release
from support.chromium import Album, chromium
from support.steps import sign_in
from voxelhub_hub.database_away import AWAY as NO_DATABASE
from voxelhub_hub.logout import UNREACHABLE
from voxelhub_lab.away import SENTENCE as NO_HUB
from voxelhub_lab.full import FULL

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(3600)]
TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
DATA = b"patient,volume\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(400_000))
HALF = len(DATA) // 2
NO_ANSWER = "VoxelHub does not answer at the moment."  # of the proxy
NO_SERVICE = "The part of VoxelHub that holds the data does not answer at the moment."
NO_IMAGE = "The software image of this profile does not exist."
FILL = """
import pathlib
with open(pathlib.Path.home() / "fill", "wb", buffering=0) as file:
    try:
        while file.write(b"0" * 65536):
            pass
    except OSError as error:
        print(error.strerror)
"""
Rows = list[tuple[str, str, float]]


@pytest.fixture(scope="module")
def faye(release: Release) -> Iterator[AtWork]:
    with AtWork(release, "faye", "faults") as person:
        yield person


@pytest.fixture(scope="module")
def table() -> Iterator[Rows]:
    """Each fault, what a person reads meanwhile, and the seconds until all of it answered again."""
    rows: Rows = []
    yield rows
    print("".join(f"\n{seconds:6.0f} s  {fault:36}{said}" for fault, said, seconds in rows))


@pytest.fixture(scope="module")
def chrome(release: Release) -> Iterator[BrowserContext]:
    with chromium(node=release.node.node_ip) as (context, outside):
        yield context
        assert outside == []


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Album:
    return Album(tmp_path_factory.mktemp("screenshots"), "faults-")


@contextmanager
def away(release: Release, component: str, workload: str) -> Iterator[None]:
    """Killed, and kept away until it was looked at."""
    release.kubectl("scale", workload, "--replicas=0")
    kill(release, component)
    release.node.until(lambda: not pods(release, component), f"the end of {component}", 60)
    try:
        yield
    finally:
        release.kubectl("scale", workload, "--replicas=1")


def kill(release: Release, component: str) -> float:
    release.kubectl("delete", "pod", "--selector", f"app.kubernetes.io/component={component}", "--grace-period=0", "--force",
                    "--ignore-not-found")
    return time.monotonic()


def pods(release: Release, component: str = "") -> list[dict[str, Any]]:
    return [pod for pod in release.pods() if component in ("", pod["metadata"]["labels"].get("app.kubernetes.io/component"))]


def restarts(release: Release) -> dict[str, int]:
    return {f"{pod['metadata']['name']}/{each['name']}": each["restartCount"]
            for pod in pods(release) for each in pod["status"].get("containerStatuses", [])}


# -- bringing data in --------------------------------------------------------------------------------------------------


def announce(person: AtWork, title: str) -> tuple[str, str]:
    """The addresses of an upload and of its one file."""
    body = {"project": "faults", "title": title, "files": [{"path": "table.csv", "size": len(DATA)}]}
    answer = person.api.post("/uploads", json=body)
    assert answer.status_code == 201, answer.text
    upload = f"/uploads/{answer.json()['id']}"
    return upload, f"{upload}/files/{answer.json()['files'][0]['id']}"


def send(person: AtWork, file: str, begin: int, end: int = len(DATA)) -> httpx.Response:
    return person.api.patch(file, content=DATA[begin:end], headers={**TUS, "Upload-Offset": str(begin)})


def arrived(person: AtWork, file: str) -> int:
    return int(person.api.head(file, headers=TUS).headers["Upload-Offset"])


def complete(person: AtWork, upload: str, file: str) -> str:
    assert person.api.post(f"{file}/digest", json={"sha256": hashlib.sha256(DATA).hexdigest()}).status_code == 204
    answer = person.api.post(f"{upload}/complete")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def end_of(person: AtWork, run: str) -> dict[str, Any]:
    """The run as it ended; a service that is starting again is asked again."""
    def look() -> dict[str, Any] | None:
        answer = person.api.get(f"/runs/{run}")
        found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return found if found.get("state") in {"succeeded", "failed", "cancelled"} else None

    return person.release.node.until(look, "the end of the import", 240)


def is_there_once(person: AtWork, title: str, upload: str, run: str) -> None:
    (dataset,) = datasets(person, title)
    assert len(dataset["versions"]) == 1
    resources = ("upload.create", f"upload:{upload.rpartition('/')[2]}"), ("run.create", f"run:{run}"), \
        ("run.end", f"run:{run}"), ("dataset.publish", f"dataset:{dataset['id']}")
    assert {action: person.count("audit_event", f"action = '{action}' and resource = '{resource}'")
            for action, resource in resources} == {action: 1 for action, _ in resources}


def datasets(person: AtWork, title: str) -> list[dict[str, Any]]:
    answer = person.api.get("/datasets", params={"project": "faults", "q": title})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


@pytest.fixture
def title(request: pytest.FixtureRequest) -> str:
    """Of a dataset of this test and this run alone: a release may be kept."""
    return f"{request.node.name[5:25]} {time.time_ns() % 10**9}"


# -- programs that are killed ------------------------------------------------------------------------------------------


def test_without_keycloak_who_is_signed_in_works_on(
    release: Release, faye: AtWork, table: Rows, chrome: BrowserContext, album: Album,
) -> None:
    def hub_has_asked() -> bool:
        assert faye.answers()
        return "Keycloak does not answer about faye" in release.kubectl("logs", "deployment/hub", "--container", "hub",
                                                                        "--since=1m")

    with away(release, "keycloak", "deployment/keycloak"):
        page = chrome.new_page()
        page.goto(f"{release.url}/hub/login")
        page.get_by_role("link", name="Sign in").or_(page.get_by_role("button", name="Sign in")).first.click()
        expect(page.get_by_role("alert")).to_contain_text(UNREACHABLE)
        album.take(page, "keycloak-down")
        release.node.until(hub_has_asked, "the hub's question to Keycloak", 60)
        faye.works_on()
    since = time.monotonic()
    release.kubectl("rollout", "status", "deployment/keycloak", "--timeout=280s")
    release.node.until(lambda: gets_in(release, "otto"), "a sign-in", 120)
    table.append(("Keycloak down", UNREACHABLE, faye.all_answers_again(since)))


def gets_in(release: Release, name: str) -> bool:
    try:
        with release.session(name, release.person(name, "faults")) as client:
            return client.get(f"{release.url}/hub/home").url.path == "/hub/home"
    except (httpx.TransportError, AssertionError):  # no form yet
        return False


def test_a_killed_hub_ends_no_server(
    release: Release, faye: AtWork, table: Rows, chrome: BrowserContext, album: Album,
) -> None:
    with away(release, "hub", "deployment/hub"):
        gone = release.node.until(lambda: answer if (answer := faye.page("/hub/home")).status_code == 503 else None,
                                  "the word of the proxy", 60)
        assert NO_ANSWER in gone.text
        page = chrome.new_page()
        page.goto(f"{release.url}/hub/home")
        expect(page.get_by_role("alert")).to_contain_text(NO_ANSWER)
        album.take(page, "hub-killed")
        mine = release.node.until(lambda: answer if (answer := faye.page("/user/faye/lab")).status_code == 502 else None,
                                  "the word of her server", 60)
        assert NO_HUB in mine.text
        refused = faye.api.get("/me")
        assert (refused.status_code, refused.json()["code"]) == (503, "hub_unreachable")
        faye.works_on()
    since = time.monotonic()
    table.append(("Hub killed", NO_ANSWER, faye.all_answers_again(since)))
    expect(page.get_by_role("alert")).to_have_count(0)  # the page came again by itself


def test_an_upload_goes_on_after_the_service_was_killed(release: Release, faye: AtWork, table: Rows, title: str) -> None:
    upload, file = announce(faye, title)
    killed = threading.Event()

    def body() -> Iterator[bytes]:
        yield DATA[:HALF]
        assert killed.wait(120)
        yield DATA[HALF:]

    def sent() -> int:
        try:
            headers = {**TUS, "Upload-Offset": "0", "Connection": "close"}  # an answer in the middle of a body ends it anyway
            return faye.api.patch(file, content=body(), headers=headers).status_code
        except httpx.TransportError:
            return 0

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(sent)
        release.node.until(lambda: arrived(faye, file), "the first bytes", 60)
        since = kill(release, "service")
        said = release.node.until(lambda: answer if (answer := faye.api.get("/me")).is_error else None, "a refusal", 60)
        assert NO_SERVICE in said.json()["detail"] and said.json()["fix"]
        faye.works_on()
        table.append(("Service killed during an upload", NO_SERVICE, faye.all_answers_again(since)))
        killed.set()
        assert sending.result(120) in (0, 502, 503)
    begin = arrived(faye, file)
    assert 0 < begin <= HALF
    assert send(faye, file, begin).status_code == 204
    run = complete(faye, upload, file)
    assert end_of(faye, run)["state"] == "succeeded"
    is_there_once(faye, title, upload, run)


def test_a_database_that_restarts_signs_nobody_out(release: Release, faye: AtWork, table: Rows, title: str) -> None:
    upload, file = announce(faye, title)
    assert send(faye, file, 0).status_code == 204
    run = complete(faye, upload, file)
    with away(release, "postgresql", "statefulset/postgresql"):  # during the import
        gone = faye.page("/hub/home")
        assert gone.status_code == 503 and NO_DATABASE in gone.text
        mine = release.node.until(lambda: answer if (answer := faye.page("/user/faye/lab")).status_code == 502 else None,
                                  "the word of her server", 60)
        assert NO_HUB in mine.text
        refused = faye.api.get("/me")
        assert refused.status_code == 503 and refused.json()["detail"] and refused.json()["fix"]
        faye.works_on()
    since = time.monotonic()
    release.kubectl("rollout", "status", "statefulset/postgresql", "--timeout=280s")
    table.append(("Database restarted", NO_DATABASE, faye.all_answers_again(since)))
    ended = end_of(faye, run)
    assert ended["state"] == "succeeded", ended["reason"]
    is_there_once(faye, title, upload, run)


@pytest.mark.parametrize("program", ["kubelet", "containerd"])
def test_a_node_whose_program_was_killed_ends_nothing(release: Release, faye: AtWork, table: Rows, program: str) -> None:
    before = restarts(release)
    release.node.kill(program)
    since = time.monotonic()
    release.node.until(release.node.ready, "the node's readiness", 120)
    table.append((f"The node's {program} killed", "nothing", faye.all_answers_again(since)))
    assert restarts(release) == before


# -- what is missing or full -------------------------------------------------------------------------------------------


def test_who_waits_for_a_missing_image_reads_why(
    release: Release, faye: AtWork, table: Rows, chrome: BrowserContext, album: Album,
) -> None:
    page = chrome.new_page()
    sign_in(page, Album(album.folder, "unused-"), release.url, "otto", release.person("otto", "faults"))
    page.get_by_text("Gone", exact=True).click()
    page.get_by_role("button", name=re.compile("^Start")).click()
    since = time.monotonic()
    expect(page.get_by_text(NO_IMAGE).first).to_be_visible()
    table.append(("Image missing", NO_IMAGE, time.monotonic() - since))
    for step in ("Looking for a place for your server.", "A place was found."):
        expect(page.locator("body")).to_contain_text(step)
    album.take(page, "image-missing")
    release.node.until(lambda: "otto" not in release.servers(), "the end of a pod that cannot start", 60)
    page.close()


def test_a_full_home_opens_and_says_so(
    release: Release, faye: AtWork, table: Rows, chrome: BrowserContext, album: Album,
) -> None:
    small_home(release, "olga", "48Mi")
    with AtWork(release, "olga", "faults") as olga:
        assert olga.execute(FILL) == "No space left on device"
        refused = save(olga)
        assert (refused.status_code, refused.json()["message"]) == (507, FULL), refused.text[:300]
        olga.works_on()
        release.stop(olga.client, "olga")
        since = time.monotonic()
        release.start(olga.client, "olga")
        chrome.clear_cookies()
        page = chrome.new_page()
        sign_in(page, Album(album.folder, "unused-"), release.url, "olga", olga.password)
        page.goto(f"{release.url}/user/olga/lab")
        expect(page.locator(".jp-LabShell")).to_be_visible()
        album.take(page, "home-full")
        olga.loop.run(olga.kernel.__aenter__())  # a new one
        assert "fill" in olga.execute("import os; print(os.listdir())")
        assert save(olga).status_code == 507
        olga.execute("os.remove('fill')")
        assert save(olga).is_success
        table.append(("Home full", FULL, time.monotonic() - since))
    release.kubectl("delete", "pvc", "home-olga", "--wait=false")


def small_home(release: Release, name: str, size: str) -> None:
    """A claim that is there is taken as it is."""
    release.node.apply({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": f"home-{name}", "namespace": release.namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "local-limited",
                 "resources": {"requests": {"storage": size}}}})


def save(person: AtWork) -> httpx.Response:
    """As Lab saves a file."""
    return httpx.put(f"{person.server}/api/contents/notes.txt", headers=person.kernel.headers, verify=person.release.trust,
                     timeout=60, json={"type": "file", "format": "text", "content": "0123456789" * 100_000})


def test_a_full_volume_of_data_refuses_and_goes_on_when_there_is_room(
    release: Release, faye: AtWork, table: Rows, title: str,
) -> None:
    before = restarts(release)
    upload, file = announce(faye, title)
    assert send(faye, file, 0, HALF).status_code == 204
    with full(release, leaving=100):
        refused = send(faye, file, HALF), faye.api.post("/uploads", json={
            "project": "faults", "title": "Too late", "files": [{"path": "table.csv", "size": len(DATA)}]})
        assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(507, "disk_full")] * 2
        assert arrived(faye, file) == HALF
        faye.works_on()
    assert send(faye, file, HALF).status_code == 204
    with full(release, leaving=0):
        ended = end_of(faye, complete(faye, upload, file))
        assert ended["state"] == "failed" and "full" in ended["reason"], ended
        assert datasets(faye, title) == []
    since = time.monotonic()
    upload, file = announce(faye, title)
    assert send(faye, file, 0).status_code == 204
    run = complete(faye, upload, file)
    assert end_of(faye, run)["state"] == "succeeded"
    is_there_once(faye, title, upload, run)
    table.append(("Volume of the data full", refused[0].json()["detail"], faye.all_answers_again(since)))
    assert restarts(release) == before


@contextmanager
def full(release: Release, leaving: int) -> Iterator[None]:
    """But for so many MiB. From outside: pages of a volume in memory count as the memory of whoever writes them."""
    claim = release.node.get("pvc", "voxelhub-state", "--namespace", release.namespace)["spec"]
    assert claim["storageClassName"] == "local-limited"
    fill = names.VOLUMES / claim["volumeName"] / "fill"
    free = int(release.node.inside(["df", "--output=avail", "-B1", str(fill.parent)]).stdout.split()[-1])
    release.node.inside(["fallocate", "--length", str(free - leaving * 2**20), str(fill)])
    try:
        yield
    finally:
        release.node.inside(["rm", str(fill)])


def test_after_all_of_it_rows_and_files_agree_and_the_audit_log_is_whole(release: Release, faye: AtWork) -> None:
    print(release.voxelhub("voxelhub-service", "fsck"), release.voxelhub("voxelhub-service", "audit", "verify"))
