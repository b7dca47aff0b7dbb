"""What NetworkPolicies say about one connection: a pure function over manifests, with the rules of networking.k8s.io/v1."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Policy = Mapping[str, Any]


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod with labels in a namespace, or an address outside when it has no labels."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = "vre"
    address: str = "10.244.0.9"

    @property
    def is_pod(self) -> bool:
        return bool(self.labels)


def allowed(
    policies: Sequence[Policy], source: End, target: End, port: int, protocol: str = "TCP", namespace: str = "vre",
) -> bool:
    """Whether `source` may open a connection to `target`: let out at one end and let in at the other."""
    return (_lets(policies, "Egress", source, target, port, protocol, namespace)
            and _lets(policies, "Ingress", target, source, port, protocol, namespace))


def _lets(policies: Sequence[Policy], way: str, here: End, there: End, port: int, protocol: str, namespace: str) -> bool:
    """A pod that no policy selects for this way is open; else one of the rules must fit."""
    mine = [p["spec"] for p in policies if here.is_pod and here.namespace == namespace and way in _types(p["spec"])
            and _selects(p["spec"]["podSelector"], here.labels)]
    rules = [rule for spec in mine for rule in spec.get(way.lower()) or []]
    return not mine or any(_fits(rule, "to" if way == "Egress" else "from", there, port, protocol, namespace) for rule in rules)


def _types(spec: Policy) -> Iterable[str]:
    return spec.get("policyTypes") or (["Ingress", "Egress"] if "egress" in spec else ["Ingress"])


def _fits(rule: Policy, side: str, there: End, port: int, protocol: str, namespace: str) -> bool:
    peers, ports = rule.get(side), rule.get("ports")
    return (not peers or any(_is(peer, there, namespace) for peer in peers)) and (
        not ports or any(p.get("protocol", "TCP") == protocol and p.get("port", port) == port for p in ports))


def _is(peer: Policy, there: End, namespace: str) -> bool:
    if "ipBlock" in peer:
        address, block = ipaddress.ip_address(there.address), peer["ipBlock"]
        return address in ipaddress.ip_network(block["cidr"]) and not any(
            address in ipaddress.ip_network(cut) for cut in block.get("except", []))
    if not there.is_pod:
        return False
    names = {"kubernetes.io/metadata.name": there.namespace}
    inside = _selects(peer["namespaceSelector"], names) if "namespaceSelector" in peer else there.namespace == namespace
    return inside and _selects(peer.get("podSelector", {}), there.labels)


def _selects(selector: Policy, labels: Mapping[str, str]) -> bool:
    wanted, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    return all(labels.get(k) == v for k, v in wanted.items()) and all(_expression(e, labels) for e in expressions)


def _expression(expression: Policy, labels: Mapping[str, str]) -> bool:
    value, operator = labels.get(expression["key"]), expression["operator"]
    if operator in ("In", "NotIn"):
        return (value in expression["values"]) == (operator == "In")
    assert operator in ("Exists", "DoesNotExist"), operator
    return (value is not None) == (operator == "Exists")
