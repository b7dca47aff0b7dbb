"""Makes what follows from helm/voxelhub/values.schema.yaml: the chart's JSON schema, its values.yaml, docs/helm-values.md.

    .envs/core/bin/python helm/reference.py            write the three
    .envs/core/bin/python helm/reference.py --check    say which is not what the source says, and end with 1
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from voxelhub_service.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "helm" / "voxelhub"
SOURCE = CHART / "values.schema.yaml"
MADE = "Made by helm/reference.py from helm/voxelhub/values.schema.yaml; tests/helm/test_reference.py compares. Do not edit."
# Settings that the chart sets from values of its own, or that mean nothing in a pod.
OWNED = {
    "budgets_file", "chart_file", "cluster_cpus", "cluster_idle", "cluster_max", "cluster_memory", "cluster_workers", "cull_every",
    "cull_timeout", "database_url", "envs_dir", "host", "hub_database_url", "hub_internal_url", "hub_port", "isolation",
    "keycloak_internal_url", "keycloak_management_port", "keycloak_port", "keycloak_public_port", "keycloak_public_url",
    "keycloak_realm", "listen", "platform", "port", "prices_file", "profiles_file", "proxy_api_port", "proxy_api_url",
    "proxy_internal_url", "public_url", "service_internal_url", "service_port", "state_dir", "tls_cert", "tls_key",
}
# Value of zero-to-jupyterhub -> what it is here. Those of the same name are not listed.
UPSTREAM = (
    ("`hub.config.KubeSpawner`, `singleuser.profileList`", "`profiles` and `hub.config.VoxelHubKubeSpawner`; a profile has its price, "
     "GPUs, groups and image. `kubespawner_override` and `profile_options` do not exist."),
    ("`singleuser.{cpu,memory}.{guarantee,limit}`, `singleuser.extraResource`", "`cpu`, `memory` and `gpu` of a profile"),
    ("`singleuser.storage.type`, `.static`, `.extraVolumes`", "homes are claims of their own; projects come read-only by themselves"),
    ("`singleuser.networkPolicy.egressAllowRules`", "`projects.<name>.network`: the preset of a project; `singleuser.networkPolicy.egress`"),
    ("`singleuser.cloudMetadata`", "closed by NetworkPolicy, always"),
    ("`singleuser.{cmd,uid,fsGid,lifecycleHooks,initContainers,extraContainers}`", "fixed: a server is of one shape, and *restricted*"),
    ("`hub.existingSecret`, `proxy.secretToken`, `hub.cookieSecret`", "`existingSecret`: one Secret for everything"),
    ("`hub.services`, `hub.loadRoles`", "`hub.extraConfig`"),
    ("`hub.db.{type,upgrade,password}`", "`hub.db.url` and `hub.db.existingSecret`; the database is upgraded at the start"),
    ("`hub.baseUrl`", "does not exist: VoxelHub has a host of its own"),
    ("`hub.{allowNamedServers,namedServerLimitPerUser}`", "`limits.serversPerUser`"),
    ("`hub.authenticatePrometheus`", "the hub asks for a token: `metrics-token` of the Secret"),
    ("`proxy.chp.*`, `proxy.traefik.*`", "`proxy.*`; there is no second proxy"),
    ("`proxy.https.{letsencrypt,manual}`", "`proxy.https.type: secret` with a Secret of cert-manager or your own"),
    ("`cull.{users,maxAge,adminUsers,removeNamedServers,concurrency}`", "do not exist: a server says itself when it is idle"),
    ("`prePuller`, `scheduling.{userScheduler,userPlaceholder}`", "do not exist: put images on the nodes by what your cluster has for it"),
    ("`scheduling.podPriority`", "`singleuser.podPriorityClassName`, `scheduling.corePods.priorityClassName`: classes that you made"),
    ("`custom`, `extraFiles`", "do not exist"),
    ("`<component>.networkPolicy.enabled`", "always on"),
    ("`<component>.pdb`", "always there, with `maxUnavailable: 1`"),
)
SECRETS = (
    ("`hub-cookie-secret`, `hub-crypt-key`", "hub", "sessions; tokens in its database. 64 hexadecimal digits each"),
    ("`proxy-token`", "hub, proxy", "the proxy's API"),
    ("`service-hub-token`", "hub, service", "the hub's API, for the service"),
    ("`culler-hub-token`", "hub", "the hub's API, for the culler"),
    ("`events-token`", "hub, service", "the service's API, for the hub"),
    ("`metrics-token`", "hub, service", "whoever scrapes figures"),
    ("`oidc-client-secret`", "hub", "Keycloak's client `voxelhub-hub`"),
    ("`directory-client-secret`", "hub", "Keycloak's client `voxelhub-directory`"),
    ("`api-client-secret`", "service", "Keycloak's client `voxelhub-api`"),
    ("`audit-key`, `audit-signing-key`, `deid-key`, `provenance-key`, `vault-key`", "service",
     "64 hexadecimal digits each. **Keep a copy**: without them the audit log cannot be checked, and pseudonyms and credentials are lost"),
    ("`database-password`, `hub-database-password`", "service; hub", "only with a PostgreSQL"),
    ("`postgres-password`", "postgresql", "only with the bundled one"),
    ("`keycloak-admin-password`, `keycloak-db-password`", "keycloak; hub", "only with the bundled one"),
)


def source() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(SOURCE.read_text())
    known = sorted({f.name for f in fields(Settings)} - OWNED)
    document["properties"]["settings"]["propertyNames"]["enum"] = known
    return document


def default_of(node: Mapping[str, Any]) -> Any:
    """A value's own default, or the mapping of its parts'."""
    return node["default"] if "default" in node else {key: default_of(part) for key, part in node["properties"].items()}


def schema_json() -> str:
    """Without what only people read: Helm's messages come from the rest."""
    document = {key: value for key, value in source().items() if key != "x-parts"}
    return json.dumps({"$comment": MADE, **_stripped(document)}, indent=1, ensure_ascii=False) + "\n"


def _stripped(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: ({name: _stripped(part) for name, part in value.items()} if key == "properties" else _stripped(value))
                for key, value in node.items() if key not in {"description", "examples", "default", "x-upstream"}}
    return [_stripped(part) for part in node] if isinstance(node, list) else node


def values_yaml() -> str:
    lines = [f"# {MADE}", "# Each value with its meaning also in docs/helm-values.md.", ""]
    for key, node in source()["properties"].items():
        lines += [*_commented(key, node, ""), ""]
    return "\n".join(lines)


def _commented(key: str, node: Mapping[str, Any], indent: str) -> Iterator[str]:
    yield from (f"{indent}# {line}" for line in _wrapped(node["description"], 116 - len(indent)))
    if "properties" in node and "default" not in node:
        yield f"{indent}{key}:"
        for name, part in node["properties"].items():
            yield from _commented(name, part, indent + "  ")
        return
    if not isinstance(node["default"], (dict, list)):
        yield f"{indent}{key}: {json.dumps(node['default'])}"
        return
    text = yaml.safe_dump({key: node["default"]}, sort_keys=False, allow_unicode=True, width=200, default_flow_style=None)
    yield from (indent + line for line in text.rstrip("\n").splitlines())


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def page() -> str:
    document = source()
    return "\n".join([
        f"<!-- {MADE} -->", "# Values of the Helm chart", "",
        "What to do with them: [kubernetes.md](kubernetes.md). A value that is not here stops the install, and so does one of the wrong kind.", "",
        *_table(("value", "type", "default", "meaning"), _rows(document["properties"], "")), "",
        "## Settings", "", "`settings` takes these; what they mean is in [settings.md](settings.md): "
        + ", ".join(f"`{name}`" for name in document["properties"]["settings"]["propertyNames"]["enum"]) + ".", "",
        "## A profile", "",
        *_table(("key", "type", "meaning"), ((f"`{name}`", _type(part), _meaning(part)) for name, part in _profile(document))), "",
        "## Secrets", "", "Keys of the Secret `voxelhub-secrets`, which the first install fills, or of your `existingSecret`. A pod gets "
        "only its own. Each is read when a pod starts: after a change, restart the pod.", "",
        *_table(("key", "read by", "for"), SECRETS), "",
        "## Coming from zero-to-jupyterhub", "",
        "Names and meanings are the same where a value is in both. These differ:", "",
        *_table(("in zero-to-jupyterhub", "here"), UPSTREAM), "",
    ])


def _profile(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, part in document["properties"]["profiles"]["properties"]["profiles"]["items"]["properties"].items():
        yield name, part
        yield from ((f"{name}.{key}", inner) for key, inner in part.get("properties", {}).items())


def _rows(properties: Mapping[str, Any], above: str) -> Iterator[tuple[str, ...]]:
    for key, node in properties.items():
        name = f"{above}{key}"
        if "properties" in node and "default" not in node:
            yield f"**`{name}`**", "", "", _meaning(node)
            yield from _rows(node["properties"], f"{name}.")
        else:
            value = node["default"]
            shown = "" if value in ("", {}, []) else "small, standard, large" if key == "profiles" else _code(value)
            yield f"`{name}`", _type(node), shown, _meaning(node)


def _meaning(node: Mapping[str, Any]) -> str:
    text = " ".join(node["description"].split())
    return text + (f" Example: {_code(node['examples'][0])}" if "examples" in node else "")


def _code(value: object) -> str:
    if isinstance(value, str):
        return f"`{value}`"
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True)
    return f"`{text.removesuffix(chr(10) + '...' + chr(10)).strip()}`"


def _type(node: Mapping[str, Any]) -> str:
    if "enum" in node:
        return ", ".join(f"`{choice}`" for choice in node["enum"])
    if node.get("pattern", "").endswith("[MGTP])?$"):
        return "quantity"
    names = {"string": "text", "boolean": "true or false", "integer": "whole number", "number": "number", "object": "map", "array": "list"}
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return " or ".join(names[kind] for kind in kinds)


def _table(head: tuple[str, ...], rows: Any) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def made() -> dict[Path, str]:
    return {CHART / "values.schema.json": schema_json(), CHART / "values.yaml": values_yaml(), ROOT / "docs/helm-values.md": page()}


def main(arguments: list[str]) -> int:
    stale = [path for path, text in made().items() if not path.exists() or path.read_text() != text]
    if arguments == ["--check"]:
        print("\n".join(f"{path.relative_to(ROOT)} is not what values.schema.yaml says" for path in stale) or "all as made")
        return 1 if stale else 0
    for path in stale:
        path.write_text(made()[path])
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
