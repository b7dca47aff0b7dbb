"""Who reaches whom: every pod, every address, every port that anything listens on; what the table does not name is closed."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from support.helm import EVALUATION, LEAST, Manifest, of_kind, pods, render
from support.network_rules import End, allowed
from voxelhub_sandbox.profiles import ServerSpec
from voxelhub_spawner.kube_chart import Chart
from voxelhub_spawner.kube_plan import Names, our_labels

HERE = Path(__file__).parent
PROJECTS: dict[str, Any] = {"projects": {
    "lung": {"network": "project"}, "2024": {"network": "project"}, "atlas": {"network": "internet"},
    "brain": {"network": "isolated"}}}
PORTS = [53, 80, 443, 5432, 6443, 8000, 8001, 8002, 8080, 8081, 8443, 8787, 8888, 9000]
CHART = Chart("voxelhub", "vre", "image:1", (), networks={name: value["network"] for name, value in PROJECTS["projects"].items()})


def server(name: str, project: str = "") -> End:
    """A user's pod with the labels that the spawner gives it."""
    spec = ServerSpec("standard", "Standard", 2, 6, "", 0, 0, "EUR", (), project=project)
    return End(name, our_labels(CHART, spec, Names(f"jupyter-{name}", f"home-{name}", name, "", name)))


SERVERS = [server("ada"), server("ben"), server("lung-1", "lung"), server("lung-2", "lung"), server("2024-1", "2024"),
           server("atlas-1", "atlas"), server("atlas-2", "atlas"), server("brain-1", "brain"), server("brain-2", "brain"),
           server("unnamed-1", "unnamed"), server("unnamed-2", "unnamed")]
OUTSIDE = [End("browser", address="203.0.113.9"), End("metadata", address="169.254.169.254"),
           End("private", address="192.168.7.7"), End("api-server", address="10.96.0.1"),
           End("v6", address="2001:db8:1::1"), End("v6-local", address="fd00::1"),
           End("dns", {"k8s-app": "kube-dns"}, "kube-system"), End("stranger", {"app": "other"}),
           End("elsewhere", {"app": "x"}, "other"),
           End("admitted", {"hub.jupyter.org/network-access-hub": "true"}),
           End("elsewhere-admitted", {"hub.jupyter.org/network-access-hub": "true"}, "other")]


def parts(manifests: list[Manifest]) -> list[End]:
    names = {"voxelhub-service": "service"}
    return [End(names.get(name, name), pod["metadata"]["labels"]) for name, pod in pods(manifests).items()]


def reached(manifests: list[Manifest]) -> set[tuple[str, str, int]]:
    """Every connection with one of ours at an end that the policies allow. 53 stands for UDP as well, checked alike."""
    policies, ours = list(of_kind(manifests, "NetworkPolicy").values()), [*parts(manifests), *SERVERS]
    found = set()
    for source, target, port in itertools.product([*ours, *OUTSIDE], [*ours, *OUTSIDE], PORTS):
        if (source in ours or target in ours) and source != target:
            answer = allowed(policies, source, target, port)
            assert port != 53 or allowed(policies, source, target, port, "UDP") is answer
            if answer:
                found.add((source.name, target.name, port))
    return found


def flows(text: str) -> set[tuple[str, str, int]]:
    """Lines `sources -> targets : ports`, every combination of them; `all` is every port."""
    groups = {"servers": [s.name for s in SERVERS], "anyone": [e.name for e in OUTSIDE]}
    found = set()
    for line in filter(None, map(str.strip, text.splitlines())):
        ends, ports = line.split(" : ")
        sources, targets = ([name for word in side.split() for name in groups.get(word, [word])] for side in ends.split(" -> "))
        found |= set(itertools.product(sources, targets, PORTS if ports == "all" else map(int, ports.split())))
    return found


INSIDE = """
    proxy -> hub : 8081
    proxy -> servers : 8888
    proxy -> service : 8002
    hub -> proxy : 8001
    hub -> servers : 8888
    hub -> service : 8002
    hub -> api-server : 443 6443
    service -> hub : 8081
    servers -> hub : 8081
    servers -> service : 8002
    hub proxy service servers -> dns : 53
    lung-1 -> lung-2 : all
    lung-2 -> lung-1 : all
    atlas-1 atlas-2 -> browser v6 : all
    admitted -> hub : 8081
"""
API_SERVER = {"networkPolicy": {"apiServer": {"cidrs": ["10.96.0.1/32"]}}}


def test_with_everything_bundled_these_connections_are_open_and_no_others() -> None:
    manifests = render({"publicUrl": "https://vre.example.org", **PROJECTS, **API_SERVER}, files=[EVALUATION])
    assert reached(manifests) == flows(INSIDE + """
        anyone -> proxy keycloak : 8443
        hub -> proxy : 8443
        hub service -> keycloak : 8080
        keycloak -> hub : 8081
        service hub -> postgresql : 5432
        keycloak -> dns : 53
    """)


def test_with_your_own_keycloak_and_database_and_the_proxy_behind_an_ingress() -> None:
    """Nobody knows where they are before you say so: their ports are open to every address but the link-local ones."""
    away = "browser private api-server v6 v6-local dns stranger elsewhere admitted elsewhere-admitted"
    assert reached(render({**LEAST, **PROJECTS, **API_SERVER})) == flows(INSIDE + f"""
        anyone -> proxy : 8000
        hub -> proxy : 8000
        hub service -> {away} : 443
        service -> {away} : 5432
    """)


def test_where_all_is_named_only_that_is_open() -> None:
    """tests/helm/everything.yaml names ingress, API server and Keycloak, opens the internet to imports, and adds rules."""
    manifests = render(None, files=[HERE / "everything.yaml"])
    policies = list(of_kind(manifests, "NetworkPolicy").values())
    at = {end.name: end for end in [*parts(manifests), *SERVERS, *OUTSIDE]}
    at |= {"controller": End("controller", {"app": "i"}, "ingress"), "prometheus": End("prometheus", {"app": "p"}, "monitoring"),
           "clamd": End("clamd", {"app": "clamd"}), **{a: End(a, address=a) for a in (
               "203.0.113.5", "198.51.100.1", "192.0.2.1", "192.0.2.7", "192.0.2.8")}}
    expected = {
        ("controller", "proxy", 8000): True, ("browser", "proxy", 8000): False, ("elsewhere", "proxy", 8000): False,
        ("hub", "203.0.113.5", 6443): True, ("hub", "203.0.113.5", 443): False, ("hub", "api-server", 6443): False,
        ("service", "203.0.113.5", 6443): True,  # service.egress: an address of the internet
        ("hub", "198.51.100.1", 443): True, ("hub", "198.51.100.1", 80): False, ("hub", "browser", 443): False,
        ("hub", "browser", 5433): True, ("hub", "metadata", 5433): False, ("proxy", "browser", 5433): False,
        ("service", "browser", 443): True, ("service", "metadata", 80): False, ("service", "private", 443): False,
        ("prometheus", "service", 8002): True, ("prometheus", "service", 22): False, ("prometheus", "hub", 8081): True,
        ("service", "clamd", 3310): True, ("hub", "clamd", 3310): False, ("proxy", "192.0.2.1", 80): True,
        ("ada", "192.0.2.7", 104): True, ("ada", "192.0.2.7", 80): False, ("ada", "192.0.2.8", 104): False,
        ("ada", "browser", 443): False, ("atlas-1", "browser", 443): True, ("atlas-1", "private", 443): False,
        ("lung-1", "lung-2", 8787): True, ("2024-1", "lung-2", 8787): False,
    }
    assert {flow: allowed(policies, at[flow[0]], at[flow[1]], flow[2]) for flow in expected} == expected


@pytest.mark.parametrize(("label", "part", "port"), [
    ("hub.jupyter.org/network-access-hub", "hub", 8081), ("hub.jupyter.org/network-access-proxy-http", "proxy", 8000),
    ("hub.jupyter.org/network-access-proxy-api", "proxy", 8001), ("hub.jupyter.org/network-access-singleuser", "ada", 8888),
    ("voxelhub/network-access-service", "service", 8002),
])
def test_a_label_of_zero_to_jupyterhub_admits_a_pod_to_one_port(label: str, part: str, port: int) -> None:
    ingress = {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]}
    manifests = render({**LEAST, "networkPolicy": {"ingress": ingress}})
    policies, pod = list(of_kind(manifests, "NetworkPolicy").values()), End("mine", {label: "true"})
    ends = [*parts(manifests), SERVERS[0]]
    assert {(end.name, at) for end in ends for at in PORTS if allowed(policies, pod, end, at)} == {(part, port)}
    assert not any(allowed(policies, End("theirs", {label: "true"}, "other"), end, at) for end in ends for at in PORTS)


def test_where_helm_cannot_ask_for_the_api_server_the_hub_reaches_private_addresses_alone() -> None:
    policies = list(of_kind(render(LEAST), "NetworkPolicy").values())
    (hub,) = [end for end in parts(render(LEAST)) if end.name == "hub"]
    reaches = {end.name: allowed(policies, hub, end, 6443) for end in OUTSIDE}
    assert reaches["api-server"] and reaches["private"] and reaches["v6-local"]
    assert not (reaches["browser"] or reaches["metadata"] or reaches["v6"])


def test_every_policy_says_why_it_is_there() -> None:
    for values, files in ((LEAST, []), (None, [HERE / "everything.yaml"])):
        for name, policy in of_kind(render(values, files=files), "NetworkPolicy").items():
            assert policy["metadata"]["annotations"]["voxelhub/why"].endswith((".", ").")), name


def test_no_policy_selects_a_pod_that_is_not_of_this_release() -> None:
    for name, policy in of_kind(render(None, files=[HERE / "everything.yaml"]), "NetworkPolicy").items():
        labels = policy["spec"]["podSelector"]["matchLabels"]
        assert labels["app.kubernetes.io/name"] == labels["app.kubernetes.io/instance"] == "voxelhub", name


# The evaluator itself: one policy, one question, one answer. Rules of networking.k8s.io/v1.


def policy(selector: dict[str, Any], **spec: Any) -> Manifest:
    return {"spec": {"podSelector": selector, **spec}}


A, B = End("a", {"app": "a"}), End("b", {"app": "b"})
FROM_A = {"from": [{"podSelector": {"matchLabels": {"app": "a"}}}]}


@pytest.mark.parametrize(("policies", "answer"), [
    ([], True),
    ([policy({}, policyTypes=["Ingress"])], False),
    ([policy({"matchLabels": {"app": "c"}}, policyTypes=["Ingress"])], True),
    ([policy({}, policyTypes=["Egress"])], False),
    ([policy({"matchLabels": {"app": "b"}}, ingress=[{}])], True),
    ([policy({"matchLabels": {"app": "b"}}, ingress=[FROM_A])], True),
    ([policy({"matchLabels": {"app": "b"}}, ingress=[{**FROM_A, "ports": [{"port": 81}]}])], False),
    ([policy({"matchLabels": {"app": "b"}}, ingress=[{**FROM_A, "ports": [{"port": 80, "protocol": "UDP"}]}])], False),
    ([policy({}, policyTypes=["Ingress"]), policy({"matchLabels": {"app": "b"}}, ingress=[FROM_A])], True),
    ([policy({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, ingress=[])], False),
    ([policy({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, policyTypes=["Ingress"])], True),
    ([policy({}, ingress=[{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "a"}}}]}])], True),
    ([policy({}, ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}]}])], False),
    ([policy({}, ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])], True),
    ([policy({}, ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.244.0.0/16"]}}]}])], False),
    ([policy({"matchLabels": {"app": "a"}}, policyTypes=["Egress"], egress=[{"to": [{"podSelector": {}}]}])], True),
    ([policy({"matchLabels": {"app": "a"}}, policyTypes=["Egress"], egress=[{"to": [{"ipBlock": {"cidr": "::/0"}}]}])], False),
])
def test_the_evaluator_answers_as_kubernetes_does(policies: list[Manifest], answer: bool) -> None:
    assert allowed(policies, A, B, 80) is answer
