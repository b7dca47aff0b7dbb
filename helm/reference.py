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
AFTER = ROOT / "helm" / "after-the-values.md"  # written by hand: secrets, and what zero-to-jupyterhub calls otherwise
PAGE = ROOT / "docs" / "helm-values.md"
MADE = "Made by helm/reference.py from helm/voxelhub/values.schema.yaml; tests/helm/test_reference.py compares. Do not edit."
JSON = {bool: "boolean", int: "integer", str: "string", type(Path()): "string"}
NAMED = ("properties", "patternProperties")
# Settings that the chart sets from values of its own, or that mean nothing in a pod.
OWNED = {
    "budgets_file", "chart_file", "cluster_cpus", "cluster_idle", "cluster_max", "cluster_memory", "cluster_workers",
    "cull_every", "cull_timeout", "database_url", "envs_dir", "host", "hub_database_url", "hub_internal_url", "hub_port",
    "isolation",
    "keycloak_internal_url", "keycloak_management_port", "keycloak_port", "keycloak_public_port", "keycloak_public_url",
    "keycloak_realm", "listen", "platform", "port", "prices_file", "profiles_file", "proxy_api_port", "proxy_api_url",
    "proxy_internal_url", "public_url", "service_internal_url", "service_port", "state_dir", "tls_cert", "tls_key",
}


def source() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(SOURCE.read_text())
    document["properties"]["settings"]["properties"] = {
        f.name: {"type": JSON[type(f.default)]} for f in sorted(fields(Settings), key=lambda f: f.name) if f.name not in OWNED}
    return document


def schema_json() -> str:
    """Without what only people read: Helm's messages come from the rest."""
    document = {key: value for key, value in source().items() if key != "x-parts"}
    return json.dumps({"$comment": MADE, **_stripped(document)}, indent=1, ensure_ascii=False) + "\n"


def _stripped(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: ({name: _stripped(part) for name, part in value.items()} if key in NAMED else _stripped(value))
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
        "What to do with them: [kubernetes.md](kubernetes.md). A value that is not here stops the install, "
        "and so does one of the wrong kind.", "",
        *_table(("value", "type", "default", "meaning"), _rows(document["properties"], "")), "",
        "## Settings", "", "`settings` takes these; what they mean is in [settings.md](settings.md): "
        + ", ".join(f"`{name}`" for name in document["properties"]["settings"]["properties"]) + ".", "",
        "## A profile", "",
        *_table(("key", "type", "meaning"), _profile(document)), "",
        AFTER.read_text(),
    ])


def _profile(document: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, part in document["properties"]["profiles"]["properties"]["profiles"]["items"]["properties"].items():
        inner = ((f"{name}.{key}", inner) for key, inner in part.get("properties", {}).items())
        yield from ((f"`{key}`", _type(node), _meaning(node)) for key, node in [(name, part), *inner])


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
    text += f" In zero-to-jupyterhub: `{node['x-upstream']}`." if "x-upstream" in node else ""
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
    names = {"string": "text", "boolean": "true or false", "integer": "whole number", "number": "number", "object": "map",
             "array": "list"}
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return " or ".join(names[kind] for kind in kinds)


def _table(head: tuple[str, ...], rows: Any) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def made() -> dict[Path, str]:
    return {CHART / "values.schema.json": schema_json(), CHART / "values.yaml": values_yaml(), PAGE: page()}


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
