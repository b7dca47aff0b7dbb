"""The pages docs/settings.md and docs/api.md, made from the code that they describe; a test compares them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from types import FunctionType, ModuleType
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from voxelhub_service.api.app import ROUTERS
from voxelhub_service.api.document import openapi_of
from voxelhub_service.api.gate import PREFIX
from voxelhub_service.policy.authorize import RULES, decide
from voxelhub_service.settings import Settings

MADE = "<!-- Made by `./voxelhub doctor --{option} --markdown`; tests/hub/test_reference.py compares. Do not edit. -->"
TYPES = {bool: "true or false", int: "whole number", str: "text"}
UNITS = {"Bytes": 1024, "Free": 1024, "Seconds": 60}  # first word of a help -> how its numbers are grouped
WHO = {
    "anyone": "everyone in an allowed group", "member": "members of the project", "steward": "its stewards and owners",
    "owner": "its owners", "administrator": "administrators", "auditor": "administrators and data-protection officers",
    "developer": "people with the role tool-developer, and administrators", "reviewer": "administrators",
}


def settings_page() -> str:
    """Every setting of `Settings`: variable, type, default with its unit, help."""
    rows = [(f"`VOXELHUB_{f.name.upper()}`", TYPES.get(type(f.default), "folder"), default(f.default, f.metadata["help"]),
             f.metadata["help"]) for f in fields(Settings)]
    return "\n".join([
        MADE.format(option="settings"), "# Settings", "",
        "Environment variables of `make up` and of every `./voxelhub` command: set the same ones for both. Nothing is read from "
        "a file. An unknown `VOXELHUB_` variable stops the start, so that a typing error never passes for a default. "
        "A folder is relative to where the command is called, except that `./voxelhub` and `make up` put both folders into the "
        "clone. `./voxelhub doctor --settings` shows the values of this installation.", "",
        *table(("variable", "type", "default", "meaning"), rows), "",
    ])


def default(value: object, help: str) -> str:
    """As a person reads it: `true`, `100 GiB`, `3600 s (1 h)`, `–` for nothing."""
    unit = help.split()[0]
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, int) or unit not in UNITS:
        return f"`{value}`" if str(value) else "–"
    names = (("s", 1), ("min", 60), ("h", 3600), ("days", 86400)) if UNITS[unit] == 60 else (
        ("bytes", 1), ("KiB", 1024), ("MiB", 1024**2), ("GiB", 1024**3))
    name, size = next((name, size) for name, size in reversed(names) if size == 1 or (value >= size and value % size == 0))
    text = f"{value // size} {name}"
    return f"{value} s ({text})" if UNITS[unit] == 60 and name != "s" else text


def api_page(document: Mapping[str, Any] | None = None) -> str:
    """Every operation of the OpenAPI document, and the rules of policy."""
    document = document or api_document()
    return "\n".join([
        MADE.format(option="api"), "# The HTTP API", "",
        f"Root: `{PREFIX}`, at the proxy's address; panels reach it as `/user/<name>/voxelhub/api/v1`. "
        f"{document['info']['description']} The whole document (OpenAPI 3.1, with every field): `GET {PREFIX}/openapi.json`, "
        "which needs no token.", "",
        *table(("", "path", "does", "actions asked for"), operations(document, actions_of_routes())), "",
        "The last column is read from the code of each route: all actions that it, or what it calls, may ask for. "
        "What a stranger may not see answers 404, byte for byte as an id that was never made.", "",
        "## Who may do what", "",
        "The table `RULES` of `service/voxelhub_service/policy/authorize.py`. An action that is not in it is refused. "
        "`file.download` is refused in a clinical project, whoever asks. Administrators see the name, kind, quota and use of "
        "every project, not its data. The action is what a denial is called in the audit log.", "",
        *table(("action", "least role"), ((f"`{action}`", WHO[need]) for action, need in RULES.items())), "",
    ])


def api_document() -> dict[str, Any]:
    """The OpenAPI document of all routes; needs no installation."""
    app = FastAPI()
    for module in ROUTERS:
        app.include_router(module.router, prefix=PREFIX)
    return openapi_of(app)


def operations(document: Mapping[str, Any], actions: Mapping[tuple[str, str], list[str]]) -> Iterator[tuple[str, ...]]:
    """Method, path below the root, what each operation does (its description, else its name), and its actions."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            text = " ".join(operation.get("description", "").split()) or f"{operation['summary'].capitalize()}."
            asked = ", ".join(f"`{action}`" for action in actions[method.upper(), path]) or "–"
            yield f"`{method.upper()}`", f"`{path.removeprefix(PREFIX)}`", text, asked


def actions_of_routes() -> dict[tuple[str, str], list[str]]:
    """For each route, the actions of policy that its code names."""
    found = {}
    for route in (route for module in ROUTERS for route in module.router.routes if isinstance(route, APIRoute)):
        assert isinstance(route.endpoint, FunctionType)
        for method in route.methods or ():
            found[method, f"{PREFIX}{route.path_format}"] = sorted(actions_in(route.endpoint, set()))
    return found


def actions_in(function: FunctionType, seen: set[FunctionType]) -> set[str]:
    """Names of RULES that stand in a function, its defaults, or a function of the service that it mentions.

    What is written to the audit log is no question to policy; policy itself is not looked into.
    """
    seen.add(function)
    found = {value for value in function.__defaults__ or () if isinstance(value, str) and value in RULES}
    pending: list[ast.AST] = [ast.parse(textwrap.dedent(inspect.getsource(function)))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("audit.append"):
            continue
        if isinstance(node, ast.Constant) and node.value in RULES:
            found.add(str(node.value))
        named = _named(node, function)
        if isinstance(named, FunctionType) and named not in seen and named.__module__.startswith("voxelhub_service.") \
                and named.__module__ != decide.__module__:
            found |= actions_in(named, seen)
        pending += ast.iter_child_nodes(node)
    return found


def _named(node: ast.AST, function: FunctionType) -> object:
    """What a name, or an attribute of a module, stands for in a function's module."""
    if isinstance(node, ast.Name):
        return function.__globals__.get(node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        module = function.__globals__.get(node.value.id)
        return getattr(module, node.attr, None) if isinstance(module, ModuleType) else None
    return None


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines]


def _cell(text: str) -> str:
    """What Markdown would take for the end of the cell or for HTML stands for itself; code does that anyway."""
    text = text.replace("|", "\\|")
    return text if text.startswith("`") else text.replace("<", "\\<")

