"""Servers of several people at once: whom each pod reaches, what a project opens, who gets a card; and TLS at the edge."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from socket import create_connection
from typing import Any

import httpx
import pytest
from cluster import names
from cluster.space import Space, pod
from reach import from_node, from_pod, table
from release import Release
from support.installation import Browser, xsrf
from support.network_rules import End, allowed

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(1200)]
PEOPLE = {"iris": ["lung"], "hal": ["heart", "atlas", "lung"], "hedy": ["heart"], "leo": ["liver", "lung"],
          "atto": ["atlas", "heart"], "gem": ["lung"]}
SERVERS: dict[str, dict[str, str]] = {
    "iris": {"project": "lung", "profile": "gpu"}, "hal": {"project": "heart", "profile": "slice"}, "hedy": {"project": "heart"},
    "leo": {"project": "liver"}, "atto": {"project": "atlas"}}
CARD, CARDS = "nvidia.com/gpu", names.GPUS["nvidia.com/gpu"]
DASK = 9999  # stands for what a server of a project offers to the others of it
PARTS = {"api": "service", "worker": "service", **{name: name for name in ("hub", "proxy", "keycloak", "postgresql")}}
LISTEN = f"""nohup python3 -c '
import socket
with socket.create_server(("", {DASK})) as server:
    while True:
        server.accept()[0].close()
' >/dev/null 2>&1 &"""


@dataclass
class Town:
    """People who work, and pods that are not of the release: `stranger` and `admitted` beside it, `elsewhere` far from it."""

    release: Release
    sessions: dict[str, Browser]
    elsewhere: Space

    def pods(self) -> dict[str, dict[str, Any]]:
        """By the names in the table."""
        found = {each["metadata"]["name"]: each for each in self.release.pods()}
        parts = {each["metadata"].get("labels", {}).get("app.kubernetes.io/component"): each for each in found.values()}
        servers = self.release.servers()
        return ({name: parts[component] for name, component in PARTS.items()} | {name: servers[name] for name in SERVERS}
                | {name: found[name] for name in ("stranger", "admitted")} | {"elsewhere": self.elsewhere.get("pod/elsewhere")})

    def inside(self, name: str, *command: str) -> str:
        return self.release.kubectl("exec", self.release.servers()[name]["metadata"]["name"], "--", *command)


def held(release: Release) -> int:
    """Cards that servers of this release have, whoever's."""
    return sum(int(each["spec"]["containers"][0]["resources"]["limits"].get(CARD, 0)) for each in release.servers().values())


def ask(release: Release, session: Browser, name: str, **choices: str) -> httpx.Response:
    return session.post(f"{release.url}/hub/api/users/{name}/server", headers=xsrf(session), json=choices)


def serving(release: Release, sessions: dict[str, Browser], *names: str) -> None:
    """Asks the cluster first: a hub that starts many servers has better to do than to say that they are not there yet."""
    release.node.until(lambda: {name for name, pod in release.servers().items() if ready(pod)} >= set(names), "the pods", 180)
    release.node.until(lambda: all(release.answers(sessions[name], name) for name in names), "the servers' answers", 60)


def ready(server: dict[str, Any]) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in server["status"].get("conditions", []))


@pytest.fixture(scope="module")
def town(release: Release) -> Iterator[Town]:
    """Five servers; with those that an earlier test left, every card is taken."""
    sessions = {name: release.session(name, release.person(name, *projects)) for name, projects in PEOPLE.items()}
    wishes = SERVERS | ({"leo": SERVERS["leo"] | {"profile": "gpu"}} if held(release) < CARDS - 1 else {})
    here, elsewhere = Space(release.node, release.namespace), Space(release.node, f"{release.namespace}-other")
    label = {"hub.jupyter.org/network-access-singleuser": "true"}
    with ThreadPoolExecutor() as pool:
        try:
            asked = [pool.submit(ask, release, sessions[name], name, **wish) for name, wish in wishes.items()]
            release.node.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": elsewhere.name}})
            here.apply(pod("stranger", "serve", "8080"), pod("admitted", "serve", "8080", labels=label))
            elsewhere.apply(pod("elsewhere", "serve", "8080", labels=label))
            here.ready("stranger", "admitted")
            elsewhere.ready("elsewhere")
            assert {each.result().status_code for each in asked} <= {201, 202}
            serving(release, sessions, *wishes)
            yield Town(release, sessions, elsewhere)
        finally:
            list(pool.map(release.stop, sessions.values(), sessions))
            release.kubectl("delete", "pod", "stranger", "admitted", "--ignore-not-found")
            release.node.kubectl("delete", "namespace", elsewhere.name, "--ignore-not-found", "--wait=false")
            for session in sessions.values():
                session.close()


# cards


def test_a_project_gets_no_more_cards_than_its_limit(town: Town) -> None:
    answer = ask(town.release, town.sessions["gem"], "gem", profile="gpu", project="lung")
    assert answer.status_code == 403
    assert answer.json()["message"] == (
        "The project lung may have 1 GPU at the same time, and has 1. Stop a server that has one, or choose a profile without.")


@dataclass
class Waiting:
    form: str
    answer: Future[Any]


@pytest.fixture(scope="module")
def waiting(town: Town) -> Iterator[Waiting]:
    """gem wants a card when none is left."""
    release, session = town.release, town.sessions["gem"]
    with ThreadPoolExecutor(1) as pool:
        form = session.get(f"{release.url}/hub/spawn").text
        yield Waiting(form, pool.submit(ask, release, session, "gem", profile="gpu"))


def test_the_form_says_that_no_card_is_free_and_a_start_waits(town: Town, waiting: Waiting) -> None:
    assert held(town.release) == CARDS
    assert f"<dt>Free now</dt><dd>0 of {CARDS}</dd>" in waiting.form
    assert (f"Cannot start at once: all {CARDS} {names.GPU_PRODUCT} GPU are in use. "
            "A start waits up to 2 minutes for one to become free.") in waiting.form
    found = town.release.node.until(lambda: town.release.servers().get("gem"), "the pod that waits")
    assert found["status"]["phase"] == "Pending" and "nodeName" not in found["spec"]


def test_each_card_and_each_slice_is_one_persons(town: Town) -> None:
    given: dict[str, list[str]] = {}
    for name, each in town.release.servers().items():
        for resource in each["spec"]["containers"][0]["resources"]["limits"]:
            if resource.startswith("nvidia.com/") and each["status"]["phase"] == "Running":
                given.setdefault(resource, []).append(town.inside(name, "printenv", "NVIDIA_VISIBLE_DEVICES").strip())
    assert sorted(given.pop(CARD)) == ["GPU-none-0", "GPU-none-1"]
    assert {resource: len(each) for resource, each in given.items()} == {"nvidia.com/mig-1g.5gb": 1}
    assert "void" in town.inside("hedy", "printenv", "NVIDIA_VISIBLE_DEVICES")


# connections


def targets(town: Town) -> dict[str, tuple[End, str]]:
    """Name in the table -> what the policies see there, and where it is tried. The last two lead to others of the list."""
    ends, node, edge = ends_of(town), names.NODE_IP, town.release.port
    found = {f"{name}:{port}": (ends[name], f"{ends[name].address}:{port}") for name, ports in {
        "hub": [8081], "proxy": [8001, 8443], "api": [8002], "keycloak": [8080, 8443, 9000], "postgresql": [5432],
        **{name: [8888] for name in SERVERS}, "stranger": [8080], "elsewhere": [8080],
    }.items() for port in ports}
    (dns,) = town.release.node.get("pods", "--namespace", "kube-system", "--selector", "k8s-app=kube-dns")["items"]
    there = End("dns", dns["metadata"]["labels"], "kube-system", dns["status"]["podIP"])
    outside = {"kubernetes:443": names.API_SERVICE_IP, "kubernetes:6443": node, "kubelet:10250": node,
               "metadata:80": names.METADATA_IP, "internet:443": names.INTERNET_IP, "private:443": "192.168.7.7"}
    return (found | {f"hal:{DASK}": (ends["hal"], f"{ends['hal'].address}:{DASK}"), "dns:53": (there, f"{there.address}:53")}
            | {name: (End(name, address=address), f"{address}:{name.split(':')[1]}") for name, address in outside.items()}
            | {"node:proxy": (ends["proxy"], f"{node}:{edge}"), "node:keycloak": (ends["keycloak"], f"{node}:{edge + 1}")})


def ends_of(town: Town) -> dict[str, End]:
    return {name: End(name, each["metadata"].get("labels", {}) or {"not": "labelled"}, each["metadata"]["namespace"],
                      each["status"]["podIP"]) for name, each in town.pods().items()}


OPEN = """
    hub -> proxy:8001 proxy:8443 api:8002 keycloak:8080 postgresql:5432 servers:8888 dns:53 node:proxy
    hub -> kubernetes:443 kubernetes:6443
    proxy -> hub:8081 api:8002 servers:8888 dns:53
    api worker -> hub:8081 keycloak:8080 postgresql:5432 dns:53
    keycloak -> hub:8081 dns:53
    servers -> hub:8081 api:8002 dns:53
    hedy -> hal:8888 hal:9999
    hal -> hedy:8888
    atto -> internet:443
    stranger admitted elsewhere -> proxy:8443 keycloak:8443 node:proxy node:keycloak others
    admitted -> servers:8888
"""
OTHERS = ("stranger:8080 elsewhere:8080 dns:53 kubernetes:443 kubernetes:6443 kubelet:10250 metadata:80 internet:443 "
          "private:443")  # not of the release, nor is who reaches them


def expected() -> set[tuple[str, str]]:
    people = list(SERVERS)
    names_of = {"servers": people, "servers:8888": [f"{name}:8888" for name in people], "others": OTHERS.split()}
    found = set()
    for line in filter(None, map(str.strip, OPEN.splitlines())):
        sources, reached = ([name for word in side.split() for name in names_of.get(word, [word])] for side in line.split(" -> "))
        found |= {(source, target) for source in sources for target in reached if source != target.split(":")[0]}
    return found


@pytest.fixture(scope="module")
def tried(town: Town) -> dict[str, dict[str, bool | None]]:
    """Source -> target -> whether it is open; None for a pod's own ports."""
    pods, there = town.pods(), targets(town)
    at = {name: address for name, (_, address) in there.items()}
    addresses = list(at.values())
    town.inside("hal", "sh", "-c", LISTEN)
    town.release.node.until(lambda: all(from_node(town.release, addresses).values()), "an answer at each address, to the node")

    def answers(name: str) -> dict[str, bool | None]:
        container = "notebook" if name in SERVERS else name if name in PARTS else "probe"
        said = from_pod(town.release, pods[name], container, addresses)
        own = pods[name]["status"]["podIP"]
        return {target: None if there[target][0].address == own else said[address] for target, address in at.items()}

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(pods, pool.map(answers, pods), strict=True))


def test_these_connections_are_open_and_no_others(town: Town, tried: dict[str, dict[str, bool | None]]) -> None:
    print(f"\n{table(tried)}")
    found = {(source, target) for source, answers in tried.items() for target, answer in answers.items() if answer}
    assert found == expected()


def test_they_are_those_that_the_policies_in_the_cluster_explain(town: Town, tried: dict[str, dict[str, bool | None]]) -> None:
    """Each by the rules of networking.k8s.io/v1, and each policy says in a sentence why it is there."""
    policies = town.release.node.get("networkpolicies", "--namespace", town.release.namespace)["items"]
    assert all(each["metadata"]["annotations"]["voxelhub/why"] for each in policies)
    sources, there = ends_of(town), targets(town)
    differ = []
    for source, answers in tried.items():
        for target, answer in answers.items():
            end, address = there[target]
            at = {"node:proxy": 8443, "node:keycloak": 8443}.get(target) or int(address.split(":")[1])
            if answer is not None and answer != allowed(policies, sources[source], end, at, namespace=town.release.namespace):
                differ.append((source, target, answer))
    assert differ == []


def test_only_the_hub_has_an_account_at_the_kubernetes_api(town: Town) -> None:
    having = {name for name, each in town.pods().items() for container in each["spec"]["containers"]
              for mount in container.get("volumeMounts", []) if mount["mountPath"].startswith("/var/run/secrets/kubernetes.io")}
    assert having == {"hub"}


def test_a_name_outside_is_found_and_reached_by_a_server_of_the_internet_alone(town: Town) -> None:
    fetch = f"import urllib.request; urllib.request.urlopen('http://{names.INTERNET_NAME}/', timeout=5)"
    assert town.inside("atto", "python3", "-c", fetch) == ""
    with pytest.raises(AssertionError, match="URLError"):
        town.inside("iris", "python3", "-c", fetch)


# data


ASKED = """
import json, os, urllib.error, urllib.request
def status(project):
    request = urllib.request.Request(f"{os.environ['VOXELHUB_API_URL']}/entries?project={project}",
                                     headers={"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}"})
    try:
        return urllib.request.urlopen(request, timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code
print(json.dumps({"folders": sorted(os.listdir("/projects")), "entries": {p: status(p) for p in %r}}))
"""


@pytest.mark.parametrize(("name", "folders", "entries"), [
    ("iris", ["home-iris", "lung"], {"lung": 200, "heart": 404}),
    ("hal", ["atlas", "heart"], {"heart": 200, "atlas": 200, "lung": 404}),
    ("atto", ["atlas"], {"atlas": 200, "heart": 404}),
])
def test_a_server_that_can_talk_outward_has_no_data_of_a_project_that_may_not(
    town: Town, name: str, folders: list[str], entries: dict[str, int],
) -> None:
    """Neither mounted, nor from the service by its token. hal is of lung too, atto of heart."""
    assert json.loads(town.inside(name, "python3", "-c", ASKED % list(entries))) == {"folders": folders, "entries": entries}


# the edge


@pytest.mark.parametrize("which", ["VoxelHub", "Keycloak"])
def test_the_edge_speaks_tls_1_3_and_nothing_older(release: Release, which: str) -> None:
    port = release.port + (which == "Keycloak")
    assert spoken(release, port, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        spoken(release, port, ssl.TLSVersion.TLSv1_2)


def spoken(release: Release, port: int, version: ssl.TLSVersion) -> str | None:
    context = ssl.create_default_context(cafile=str(release.folder / "cert.pem"))
    context.minimum_version = context.maximum_version = version
    with create_connection((release.node.node_ip, port), 20) as raw, \
            context.wrap_socket(raw, server_hostname=release.node.node_ip) as spoken:
        return spoken.version()


# at last


def test_who_waits_in_vain_is_refused_in_a_sentence_and_gets_a_card_that_becomes_free(town: Town, waiting: Waiting) -> None:
    release, session = town.release, town.sessions["gem"]
    assert waiting.answer.result().status_code == 202
    sentence = "No GPU of this kind is free. Try again later, or choose another profile."
    told = []
    with session.stream("GET", f"{release.url}/hub/api/users/gem/server/progress", timeout=180) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                told.append(json.loads(line.removeprefix("data: ")))
    print("\n".join(str(each) for each in told))
    assert f"Still waiting: {sentence}" in [each["message"] for each in told]
    assert told[-1]["failed"] is True and sentence in told[-1]["message"]
    page = session.get(f"{release.url}/hub/spawn-pending/gem").text
    assert sentence in page and "<summary>What the cluster said</summary>" in page
    assert "Insufficient nvidia.com/gpu" in page.split("<details")[1], "the event, behind the fold"
    release.stop(town.sessions["iris"], "iris")
    release.start(session, "gem", profile="gpu")
    assert town.inside("gem", "printenv", "NVIDIA_VISIBLE_DEVICES").startswith("GPU-none-")
