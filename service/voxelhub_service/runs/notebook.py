"""A finished run as a notebook that does it again: it reads the inputs, runs the same tool, and compares the bytes."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from pprint import pformat
from typing import Any

from sqlalchemy.orm import Session

from ..context import Context
from ..errors import forbidden, invalid
from ..identity.actor import Actor
from ..models import Run
from ..tools.expansion import expand
from .facts import Facts, Source, facts_of, readable_projects

KERNEL = {"display_name": "Imaging (Python)", "language": "python", "name": "imaging"}


def notebook_of(context: Context, session: Session, actor: Actor, run: Run) -> dict[str, Any]:
    """nbformat 4.5, without outputs; raises Problem for what is no run of a tool."""
    if run.kind != "tool":
        raise invalid("not_a_tool_run", "Only runs of tools become notebooks.", "Look at its history instead.")
    facts = facts_of(context, session, run)
    if not {one.project for one in facts.sources} <= readable_projects(session, actor, facts):
        raise forbidden("An input of this run lies in a project that you are not in, so you cannot run it again.")
    cells = [
        _text(_head(facts)),
        _text("## What went in\n\nThe same entries, and a check that their versions still hold the same bytes."),
        _code(_inputs(facts)),
        _code(_look(facts)),
        _text("## Once more\n\nThe same tool in the same version, with the same inputs and arguments. VoxelHub runs it, not this "
              "kernel; the call waits for its end."),
        _code(_again(facts)),
        *_compared(facts),
        _text(_without(facts)),
    ]
    for number, cell in enumerate(cells, 1):
        cell["id"] = hashlib.sha256(f"{run.id} {number}".encode()).hexdigest()[:12]
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def file_name(run: Run, label: str) -> str:
    return f"{label}-{run.tool}.ipynb"


def _head(facts: Facts) -> str:
    run, environment = facts.run, facts.environment
    ended = f"{run.ended_at:%Y-%m-%d %H:%M} UTC" if run.ended_at else "not yet"
    rows = [
        ("Run", f"{facts.label} in the project {facts.project.name}"), ("Tool", f"{run.tool} {run.tool_version}"),
        ("Digest of the tool", f"`{run.tool_digest}`"),
        ("Environment", f"{environment.get('name', 'unknown')}, Python {environment.get('python') or 'unknown'}"),
        ("Digest of its lock file", f"`{environment.get('digest') or 'unknown'}`"),
        ("Ended", f"{ended}, {run.state}{f': {run.reason}' if run.reason else ''}"),
    ]
    about = str(facts.manifest.get("description", ""))
    cite = facts.manifest.get("citation")
    table = "\n".join(f"| {name} | {_cell(value)} |" for name, value in rows)
    lines = [f"# {facts.tool_title}, {facts.label}", about, f"| | |\n|---|---|\n{table}", f"Please cite: {cite}" if cite else ""]
    return "\n\n".join(line for line in lines if line)


def _inputs(facts: Facts) -> str:
    ids: dict[str, list[str]] = {}
    for one in facts.sources:
        ids.setdefault(one.role, []).append(one.entry)
    digests = {one.entry: one.digest for one in facts.sources}
    return "\n".join([
        "import voxelhub", "",
        f"ids = {_literal(ids)}",
        "inputs = {name: [voxelhub.entry(id) for id in many] for name, many in ids.items()}", "",
        f"recorded = {_literal(digests)}  # entry -> digest of its dataset's version",
        "for entry in (entry for many in inputs.values() for entry in many):",
        "    now = voxelhub.dataset(entry.dataset_id, version=entry.version).digest",
        "    assert now == recorded[entry.id], f\"{entry.name} is not what it was\"",
        "inputs",
    ])


def _look(facts: Facts) -> str:
    role = facts.sources[0].role if facts.sources else ""
    return f"voxelhub.show(inputs[{role!r}][0])" if role else "# It had no input."


def _again(facts: Facts) -> str:
    run = facts.run
    return "\n".join([
        f"arguments = {_literal(run.arguments)}",
        f"again = voxelhub.run({run.tool!r}, version={run.tool_version!r}, inputs=inputs, arguments=arguments, "
        f"project={facts.project.name!r})",
        "result = again.wait()",
        "result",
    ])


def _compared(facts: Facts) -> list[dict[str, Any]]:
    if facts.result is None:
        return [_text("## Nothing to compare\n\nThe run made nothing, so there is nothing to compare with.")]
    return [
        _text("## The same bytes?\n\nThe digest of a version is that of the list of its files with their SHA-256: it is the same "
              "exactly when every file is. Where it is not, the service says what differs."),
        _code("\n".join([
            f"recorded_result = {facts.result.digest!r}",
            f"comparison = again.compare({facts.run.id!r})",
            "for difference in comparison.differences:",
            "    print(difference)",
            "assert result.digest == recorded_result, \"The outputs are not the same bytes; what differs is above.\"",
            "print(f\"The same bytes, {result.n_files} file(s): {result.digest}\")",
        ])),
        _text("## The result"),
        _code("voxelhub.show(result.entries()[0])"),
    ]


def _without(facts: Facts) -> str:
    """For whoever has the tool's folder and the inputs, and no VoxelHub."""
    interface, command = facts.manifest.get("interface", "arguments"), facts.manifest.get("command") or []
    paths: dict[str, list[str]] = {}
    for one in facts.sources:
        paths.setdefault(one.role, []).append(f"inputs/{one.role}/{one.inside or one.title}")
    name, digest, python = (facts.environment.get(key) or "unknown" for key in ("name", "digest", "python"))
    lines = [
        "## Without VoxelHub", "",
        f"In the tool's folder, with Python {python}, the packages of `locks/{name}.lock` (SHA-256 `{digest}`) and inputs as",
        "", *(_laid(one) for one in facts.sources), "",
    ]
    if interface == "arguments" and command:
        line = shlex.join(expand(command, paths, facts.run.arguments, "outputs"))
        lines += ["the command is", "", "```bash", "mkdir -p outputs", line, "```"]
    elif interface == "notebook":
        values = [f"{name} = {value!r}" for name, value in {**paths, **facts.run.arguments}.items()]
        lines += [f"the tool is the notebook `{facts.manifest.get('notebook')}`, after its cell tagged `parameters` with", "",
                  "```python", *values, "```"]
    else:
        given = "--config config.json --in_metadata in_metadata.json --out_metadata out_metadata.json --log_file log.txt"
        lines += ["the command is", "", "```bash", f"{shlex.join(command)} {given}", "```", "",
                  "where `config.json` holds the arguments", "", "```json", json.dumps(facts.run.arguments, indent=1), "```"]
    return "\n".join(lines)


def _laid(source: Source) -> str:
    what = f"{len(source.files)} files" if len(source.files) != 1 else f"SHA-256 `{source.files[0].sha256}`"
    return f"* `inputs/{source.role}/{source.inside or source.title}`: {source.place}, {what}"


def _literal(value: Mapping[str, Any]) -> str:
    return pformat(dict(value), width=110, sort_dicts=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
