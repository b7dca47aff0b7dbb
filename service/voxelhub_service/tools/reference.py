"""The reference of the manifest, from its schema: `python -m voxelhub_service.tools.reference docs/tool-developer.md` writes it
between the page's two marks. A test compares."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .checking import schema

BEGIN, END = "<!-- fields of the manifest: written from schema.json -->\n", "<!-- end of the fields -->\n"
BOUNDS = {"minimum": "at least {}", "maximum": "at most {}", "exclusiveMinimum": "above {}", "minLength": "not empty",
          "maxLength": "at most {} characters", "minItems": "at least {}", "maxItems": "at most {}",
          "maxProperties": "at most {}"}
NAMES = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true, false", "array": "list",
         "object": "object"}


def reference() -> str:
    rows = ["| field | what it is | value | default |", "|---|---|---|---|"]
    rows += ["| " + " | ".join(row) + " |" for row in _rows(schema(), "")]
    return "\n".join(rows) + "\n"


def written(page: str) -> str:
    """The page with today's fields between its marks."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{reference()}\n{END}{tail}"


def _rows(node: dict[str, Any], where: str) -> Iterator[tuple[str, str, str, str]]:
    required = node.get("required", [])
    for name, below in node.get("properties", {}).items():
        if name == "$schema":
            continue
        below = _resolved(below)
        path = f"{where}.{name}" if where else name
        default = "**required**" if name in required else _default(below)
        yield f"`{path}`", below.get("description", ""), _value(below), default
        yield from _inside(below, path)


def _inside(node: dict[str, Any], path: str) -> Iterator[tuple[str, str, str, str]]:
    items = _resolved(node["items"]) if isinstance(node.get("items"), dict) else {}
    if items.get("properties"):
        yield from _rows(items, f"{path}[]")
    elif node.get("properties") and node.get("type") == "object":
        yield from _rows(node, path)
    more = node.get("additionalProperties")
    if isinstance(more, dict) and _resolved(more).get("properties"):
        yield from _rows(_resolved(more), f"{path}.NAME")


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    return {**schema()["$defs"][node["$ref"].rpartition("/")[2]], **{k: v for k, v in node.items() if k != "$ref"}}


def _value(node: dict[str, Any]) -> str:
    if "const" in node:
        return f"`{json.dumps(node['const'])}`"
    if "enum" in node:
        return " ".join(f"`{one}`" for one in node["enum"])
    kind = node.get("type", "")
    words = [" or ".join(NAMES[one] for one in ([kind] if isinstance(kind, str) else kind) if one)]
    if "x-form" in node:
        words.append(node["x-form"])
    words += [text.format(node[key]) for key, text in BOUNDS.items() if key in node and "x-form" not in node]
    return "; ".join(filter(None, words)).replace("|", "\\|")


def _default(node: dict[str, Any]) -> str:
    return f"`{json.dumps(node['default'])}`" if "default" in node and node["default"] not in ("", [], {}) else ""


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(written(page.read_text("utf-8")), "utf-8")
