"""A run beside the one that it repeats: what differs between the two, and whether their outputs are the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from sqlalchemy.orm import Session

from ..context import Context
from ..errors import invalid
from ..identity.actor import Actor
from ..models import Run
from ..projects.quota import human
from ..wire_evidence import ComparisonOut, Difference
from . import crate
from .facts import Facts, Piece, Source, facts_of, readable_projects, veiled

What = Literal["tool", "environment", "input", "argument", "output", "exit"]
MOST = 200  # differences that are told


def compare(context: Context, session: Session, actor: Actor, run: Run, original: Run) -> ComparisonOut:
    if run.kind != "tool" or original.kind != "tool":
        raise invalid("not_a_tool_run", "Only runs of tools can be compared.")
    after, before = (_seen(session, actor, facts_of(context, session, one)) for one in (run, original))
    made, first = _outputs(context, after), _outputs(context, before)
    same = made == first if made and first else None
    found = [*_tools(before, after), *_environments(before, after), *_inputs(before, after), *_arguments(before, after),
             *_ends(before, after)]
    if same is False:
        found += _bytes(before, first, made)
    return ComparisonOut(run_id=run.id, original_id=original.id, identical=same, compared=len(first) if made and first else 0,
                         differences=found[:MOST])


def _seen(session: Session, actor: Actor, facts: Facts) -> Facts:
    return veiled(facts, readable_projects(session, actor, facts))


def _outputs(context: Context, facts: Facts) -> dict[str, Piece]:
    """By path. Of data that was deleted for good, as the crate named it."""
    files = facts.result.files if facts.result else ()
    return {one.path: replace(one, role="") for one in files} or crate.outputs(crate.stored(context, facts.run.id))


def _tools(before: Facts, after: Facts) -> Iterator[Difference]:
    first, then = before.run, after.run
    if (first.tool, first.tool_version) != (then.tool, then.tool_version):
        was, is_ = f"{first.tool} {first.tool_version}", f"{then.tool} {then.tool_version}"
        yield _difference("tool", "version", was, is_, f"The tool is {is_}; it was {was}.")
    elif first.tool_digest != then.tool_digest:
        yield _difference("tool", "digest", first.tool_digest, then.tool_digest,
                          f"The files of {then.tool} {then.tool_version} are others than they were, under the same version.")


def _environments(before: Facts, after: Facts) -> Iterator[Difference]:
    first, then = before.environment, after.environment
    if first.get("digest") and then.get("digest") and first["digest"] != then["digest"]:
        yield _difference("environment", "packages", first["digest"], then["digest"],
                          "The tool's environment was made from another lock file: its packages may have other versions.")
    if first.get("python") and then.get("python") and first["python"] != then["python"]:
        yield _difference("environment", "python", first["python"], then["python"],
                          f"The environment has Python {then['python']}; it had {first['python']}.")


def _inputs(before: Facts, after: Facts) -> Iterator[Difference]:
    for role in dict.fromkeys(one.role for one in (*before.sources, *after.sources)):
        first, then = ([one for one in facts.sources if one.role == role] for facts in (before, after))
        for number in range(max(len(first), len(then))):
            was = first[number] if number < len(first) else None
            is_ = then[number] if number < len(then) else None
            yield from _input(role if max(len(first), len(then)) == 1 else f"{role} {number + 1}", was, is_)


def _input(name: str, was: Source | None, is_: Source | None) -> Iterator[Difference]:
    if was is None or is_ is None:
        there, word = (was, "had") if was else (is_, "has")
        assert there is not None
        which = "original" if was else "repetition"
        yield _difference("input", name, _place(was), _place(is_), f"Input {name}: only the {which} {word} {_place(there)}.")
    elif was.entry != is_.entry and _content(was) != _content(is_):
        if was.project and (was.project, was.dataset) == (is_.project, is_.dataset) and was.version != is_.version:
            text = f"Input {name}: version {is_.version} of {is_.project}/{is_.dataset}; it was version {was.version}."
        else:
            text = f"Input {name}: {_place(is_)} instead of {_place(was)}."
        yield _difference("input", name, _place(was), _place(is_), text)


def _place(source: Source | None) -> str:
    return f"“{source.title}” of {source.place}" if source else ""


def _content(source: Source) -> list[tuple[str, str]]:
    """Names and digests of the files: equal ones are the same input, wherever they lie."""
    return sorted((one.path.rpartition("/")[2], one.sha256) for one in source.files)


def _arguments(before: Facts, after: Facts) -> Iterator[Difference]:
    first, then = before.run.arguments, after.run.arguments
    titles = {**_titles(before), **_titles(after)}
    for name in dict.fromkeys([*first, *then]):
        if first.get(name) != then.get(name) or (name in first) != (name in then):
            was, is_ = _shown(first, name), _shown(then, name)
            yield _difference("argument", name, was, is_, f"Argument {titles.get(name, name)}: {is_} instead of {was}.")


def _titles(facts: Facts) -> dict[str, str]:
    properties = facts.manifest.get("arguments", {}).get("properties", {})
    return {name: f"“{spec['title']}”" for name, spec in properties.items() if spec.get("title")}


def _shown(arguments: dict[str, Any], name: str) -> str:
    return json.dumps(arguments[name], ensure_ascii=False) if name in arguments else "nothing"


def _ends(before: Facts, after: Facts) -> Iterator[Difference]:
    first, then = before.run, after.run
    if first.ended_at is None or then.ended_at is None or (first.state, first.exit_code) == (then.state, then.exit_code):
        return
    was, is_ = _end(first), _end(then)
    yield _difference("exit", "end", was, is_, f"It {is_}; the original {was}.")


def _end(run: Run) -> str:
    word = "was cancelled" if run.state == "cancelled" else run.state
    return f"{word} with exit code {run.exit_code}" if run.exit_code else word


def _bytes(before: Facts, first: dict[str, Piece], then: dict[str, Piece]) -> Sequence[Difference]:
    found = []
    for path in sorted({*first, *then}):
        was, is_ = first.get(path), then.get(path)
        if was == is_:
            continue
        if was is None or is_ is None:
            text = f"{path}: {'only the original' if was else 'the original did not'} {'wrote' if was else 'write'} it."
        else:
            text = f"{path}: other bytes ({human(is_.size)}; it was {human(was.size)})."
        found.append(_difference("output", path, was.sha256 if was else "", is_.sha256 if is_ else "", text))
    return found


def _difference(what: What, name: str, before: str | None, after: str | None, sentence: str) -> Difference:
    return Difference(what=what, name=name, before=before or "", after=after or "", sentence=sentence)
