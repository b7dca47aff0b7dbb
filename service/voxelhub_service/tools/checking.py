"""The one check of a manifest. CLI, API and panel show its sentences: all that is wrong in one go, each with its fix."""

from __future__ import annotations

import functools
import json
import keyword
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import rfc8785
from jsonschema import Draft202012Validator

from ..datasets.vocabulary import vocabulary
from .checking_arguments import argument_findings
from .expansion import PLACEHOLDER
from .finding import Finding, dicts, did_you_mean, error, place, texts, warning
from .sentences import schema_findings

PLATFORM = ("description", "execution", "project")  # arguments that each run hands over (handover.py)
OWN_FACTS = ("flags", "labels", "modality", "shape", "sources", "spacing")  # of a file that the service finds by itself
NEAR = re.compile(r"\{ *(?:inputs?|arguments?|outputs?)[^{}]*\}")  # meant as a placeholder
PROGRAM = re.compile(r"[\w./-]+\.(?:py|R|r|sh|pl|jl|ipynb|js)")
_ORDER = {"error": 0, "warning": 1, "note": 2}


def check_manifest(raw: Any, folder: Path | None = None) -> list[Finding]:
    """Errors first. With the tool's folder, the files that the manifest names are looked for as well."""
    found = [one for wrong in _validator().iter_errors(raw) for one in schema_findings(wrong)]
    if isinstance(raw, dict):
        for check in (_storable, _names, _counts, _words, _likes, _combinations, _interface, _placeholders, _reserved, _outside,
                      _benchmark, _paths, _manners):
            found += check(raw)
        found += argument_findings(raw.get("arguments"), folder_files(folder) if folder else None)
        if folder is not None:
            found += _files(raw, folder)
    unique = {(one.level, one.where, one.sentence): one for one in found}
    return sorted(unique.values(), key=lambda one: _ORDER[one.level])


def schema() -> dict[str, Any]:
    """Version 1 of the manifest as JSON Schema 2020-12."""
    return dict(_schema())


@functools.cache
def _schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("schema.json").read_text("utf-8"))
    return found


@functools.cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(_schema())


def folder_files(folder: Path) -> list[str]:
    """Paths below a tool's folder that belong to the tool: no links, nothing hidden, nothing compiled."""
    found = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
        if not hidden and path.is_file() and not path.is_symlink():
            found.append(relative.as_posix())
    return found


def _storable(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """What a schema lets through and canonical JSON, a database or a command line does not."""
    for path, value in _leaves(raw, ()):
        where = place(path)
        if isinstance(value, str) and ("\0" in value or any("\ud800" <= c <= "\udfff" for c in value)):
            yield error(where, f"`{where}` holds a character that cannot be kept.", "Take out NUL and half characters.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            try:
                rfc8785.dumps(value)
            except rfc8785.CanonicalizationError:
                yield error(where, f"`{where}` is a number that JSON cannot carry.", "Write a finite one, below 2^53.")


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves(key, path)
            yield from _leaves(one, (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _leaves(one, (*path, index))
    else:
        yield path, value


def _declared(raw: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for _, one in dicts(raw.get(kind)) if isinstance(one.get("name"), str)}


def _least(one: Mapping[str, Any]) -> int:
    value = one.get("minimum", 1)
    return value if isinstance(value, int) else 1


def _names(raw: Mapping[str, Any]) -> Iterator[Finding]:
    for kind in ("inputs", "outputs"):
        seen: set[str] = set()
        for index, one in dicts(raw.get(kind)):
            name = one.get("name")
            if isinstance(name, str) and name in seen:
                yield error(f"{kind}[{index}].name", f"`{kind}[{index}].name`: two {kind} have the same name {name}.",
                            "Give one another name.")
            seen.add(str(name))


def _counts(raw: Mapping[str, Any]) -> Iterator[Finding]:
    for index, one in dicts(raw.get("inputs")):
        most = one.get("maximum")
        if isinstance(most, int) and _least(one) > most:
            where = f"inputs[{index}].minimum"
            yield error(where, f"`{where}` is {_least(one)}: the minimum is above its maximum {most}.",
                        "Raise the maximum or lower this.")


def _words(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Data types and file formats are words of the vocabulary."""
    known = {"data_type": list(vocabulary().data_types), "file_format": list(vocabulary().file_formats)}
    uses = [(f"inputs[{i}].accepts[{j}].{kind}", kind, pair.get(kind), True)
            for i, one in dicts(raw.get("inputs")) for j, pair in dicts(one.get("accepts")) for kind in known]
    uses += [(f"outputs[{i}].{kind}", kind, one.get(kind), False) for i, one in dicts(raw.get("outputs")) for kind in known]
    for where, kind, word, star in uses:
        if isinstance(word, str) and word not in known[kind] and not (star and word == "*"):
            title = kind.replace("_", " ")
            yield error(where, f"`{where}`: `{word}` is no {title} of the vocabulary.",
                        did_you_mean(word, known[kind], f"Choose a {title} that `voxelhub tool words` lists."))


def _likes(raw: Mapping[str, Any]) -> Iterator[Finding]:
    inputs, some = _declared(raw, "inputs"), raw.get("combinations")
    combinations = [one for one in some if isinstance(one, list)] if isinstance(some, list) else []
    for index, one in dicts(raw.get("outputs")):
        kind = one.get("data_type")
        like = kind.get("like") if isinstance(kind, dict) else None
        if not isinstance(like, str):
            continue
        where = f"outputs[{index}].data_type.like"
        if like not in inputs:
            yield error(where, f"`{where}`: {like} is no required input, it is none at all.",
                        did_you_mean(like, inputs, "Name an input, or write a data type."))
        elif not (all(like in one for one in combinations) if combinations else _least(inputs[like]) > 0):
            yield error(where, f"`{where}`: {like} is no required input, so the output may have no type.",
                        "Name an input that is always given, or write a data type.")


def _combinations(raw: Mapping[str, Any]) -> Iterator[Finding]:
    if not isinstance(raw.get("combinations"), list):
        return
    inputs = _declared(raw, "inputs")
    used: set[str] = set()
    for i, some in enumerate(raw["combinations"]):
        for j, name in texts(some):
            used.add(name)
            if name not in inputs:
                yield error(f"combinations[{i}][{j}]", f"`combinations[{i}][{j}]`: there is no input {name}.",
                            did_you_mean(name, inputs, "Name inputs that `inputs` declares."))
    for name in inputs:
        if name not in used:
            yield error("combinations", f"`combinations`: the input {name} is in none of them, so nobody can give it.",
                        "Add it to a combination, or take the input out.")


def _interface(raw: Mapping[str, Any]) -> Iterator[Finding]:
    interface = raw.get("interface", "arguments")
    wanted, other = ("notebook", "command") if interface == "notebook" else ("command", "notebook")
    if wanted not in raw:
        meaning = "the program and its arguments, an element each" if wanted == "command" else "the notebook's file name"
        yield error(wanted, f"`{wanted}` is missing; a tool with the interface {interface} needs it.",
                    f'Add "{wanted}": {meaning}.')
    if other in raw:
        change = 'write "interface": "notebook"' if other == "notebook" else "change the interface"
        yield error(other, f"`{other}` has no meaning with the interface {interface}.", f"Take it out, or {change}.")


def _placeholders(raw: Mapping[str, Any]) -> Iterator[Finding]:
    hooks = raw.get("hooks") if isinstance(raw.get("hooks"), dict) else {}
    before = hooks.get("pre_start") if isinstance(hooks, dict) else []
    commands = [("command", raw.get("command"))]
    commands += [(f"hooks.pre_start[{i}]", one) for i, one in enumerate(before if isinstance(before, list) else [])]
    arguments = raw.get("arguments") if isinstance(raw.get("arguments"), dict) else {}
    properties = arguments.get("properties") if isinstance(arguments, dict) else {}
    known = {"inputs": list(_declared(raw, "inputs")), "arguments": list(properties) if isinstance(properties, dict) else []}
    for where, command in commands:
        for index, element in texts(command):
            files = where == "command" and raw.get("interface") == "files"
            yield from _placeholder(f"{where}[{index}]", element, known, files=files)
    if isinstance(raw.get("command"), list) and raw.get("interface", "arguments") == "arguments":
        elements = [one for _, one in texts(raw["command"])]
        if "{output}" not in elements:
            yield warning("command", "`command` does not name {output}, so the program is not told where to write.",
                          "Add the element \"{output}\", unless the program knows /outputs.")
        for kind, names in known.items():
            for name in names:
                if f"{{{kind}.{name}}}" not in elements:
                    yield warning("command", f"`command` does not name {{{kind}.{name}}}, so the program never sees it.",
                                  f"Add the element, or take {name} out of `{kind}`.")


def _placeholder(where: str, element: str, known: Mapping[str, list[str]], *, files: bool) -> Iterator[Finding]:
    match = PLACEHOLDER.fullmatch(element)
    if match is None:
        if inside := PLACEHOLDER.search(element):
            yield error(where, f"`{where}`: {element!r} mixes a placeholder with text.",
                        f"Give {inside[0]} an element of its own.")
        elif meant := NEAR.search(element):
            yield error(where, f"`{where}`: {meant[0]} is no placeholder.",
                        "Write {inputs.NAME}, {arguments.NAME} or {output}.")
    elif files:
        yield error(where, f"`{where}`: {element} has no meaning with the interface files.",
                    "Take it out: the program reads --config and --in_metadata.")
    elif match[1] and match[2] not in known[match[1]]:
        yield error(where, f"`{where}`: {element} is something that the manifest does not declare.",
                    did_you_mean(match[2], known[match[1]], f"Declare it in `{match[1]}`."))


def _reserved(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Names that mean something already where they would arrive."""
    arguments = raw.get("arguments")
    properties = arguments.get("properties") if isinstance(arguments, dict) else None
    notebook = raw.get("interface") == "notebook"
    for name in properties if isinstance(properties, dict) else ():
        where = f"arguments.properties.{name}"
        if name in PLATFORM:
            yield error(where, f"`{where}`: VoxelHub itself hands an argument {name} to every tool.", "Give it another name.")
        elif notebook and (keyword.iskeyword(name) or name in ("inputs", "output")):
            yield error(where, f"`{where}`: {name} is a word of Python, or the inputs or the output of a notebook.",
                        "Give it another name.")
    for index, one in dicts(raw.get("outputs")):
        for name in one["meta"] if isinstance(one.get("meta"), dict) else ():
            if name in OWN_FACTS:
                where = f"outputs[{index}].meta.{name}"
                yield error(where, f"`{where}`: VoxelHub finds by itself what {name} is.", "Give the fact another name.")
    file = raw.get("notebook")
    patterns = [one["path"] for _, one in dicts(raw.get("outputs")) if isinstance(one.get("path"), str)]
    if notebook and isinstance(file, str) and not any(fnmatchcase(PurePosixPath(file).name, one) for one in patterns):
        yield error("outputs", f"`outputs`: the executed notebook {PurePosixPath(file).name} belongs to no output.",
                    'Add an output with the path "*.ipynb", the data type document and the file format json.')


def _outside(raw: Mapping[str, Any]) -> Iterator[Finding]:
    needs = {"security": "what it reaches and what it sends", "account": "who answers and pays for it"}
    for name, meaning in needs.items():
        if raw.get("network") is True and name not in raw:
            yield error(name, f"`{name}` is missing; a tool with network needs it.", f'Add "{name}": {meaning}.')
        if raw.get("network", False) is False and name in raw:
            yield warning(name, f"`{name}` has no effect: the tool has no network.", 'Take it out, or write "network": true.')


def _benchmark(raw: Mapping[str, Any]) -> Iterator[Finding]:
    block = raw.get("benchmark")
    name = block.get("output") if isinstance(block, dict) else None
    outputs = _declared(raw, "outputs")
    if isinstance(name, str) and name not in outputs:
        yield error("benchmark.output", f"`benchmark.output`: there is no output {name}.",
                    did_you_mean(name, outputs, "Name an output that `outputs` declares."))


def _paths(raw: Mapping[str, Any]) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, one in dicts(raw.get("outputs")):
        path = one.get("path")
        if isinstance(path, str) and path in seen:
            where = f"outputs[{index}].path"
            yield error(where, f"`{where}` is that of outputs[{seen[path]}], which takes every file.",
                        "Give each output files of its own.")
        elif isinstance(path, str):
            seen[path] = index


def _manners(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """What a tool can run without, and people miss."""
    if "licence" not in raw:
        yield warning("licence", "`licence` is missing: nobody knows what they may do with the tool.",
                      'Add "licence": "Apache-2.0", or yours.')
    for name, meaning in (("citation", "what a publication cites"), ("authors", "who made it")):
        if name not in raw:
            yield Finding("note", name, f"`{name}` is missing.", f'Add "{name}": {meaning}.')


def _files(raw: Mapping[str, Any], folder: Path) -> Iterator[Finding]:
    present = folder_files(folder)
    for name in ("lock", "notebook"):
        path = raw.get(name)
        if isinstance(path, str) and path not in present:
            yield error(name, f"`{name}`: there is no file {path} in the tool's folder.",
                        did_you_mean(path, present, "Add it; links and hidden files do not count."))
        elif name == "notebook" and isinstance(path, str):
            yield from _notebook(folder / path)
    for index, element in texts(raw.get("command")):
        if PROGRAM.fullmatch(element) and not element.startswith("/") and element not in present:
            yield warning(f"command[{index}]", f"`command[{index}]`: there is no file {element} in the tool's folder.",
                          did_you_mean(element, present, "Add it, unless it is part of the environment."))
    specs = (raw.get("arguments") or {}).get("properties") if isinstance(raw.get("arguments"), dict) else None
    for name, spec in (specs.items() if isinstance(specs, dict) else ()):
        glob = spec.get("x-file") if isinstance(spec, dict) else None
        where = f"arguments.properties.{name}.x-file"
        if isinstance(glob, str) and not any(fnmatchcase(path, glob) for path in present):
            yield error(where, f"`{where}`: no file of the tool's folder fits {glob}.", "Add such a file, or correct the glob.")


def _notebook(path: Path) -> Iterator[Finding]:
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        tagged = [one for one in cells if "parameters" in (one.get("metadata") or {}).get("tags", [])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        yield error("notebook", f"`notebook`: {path.name} is no notebook.", "Save it from JupyterLab again.")
        return
    if not tagged:
        yield warning("notebook", f"`notebook`: {path.name} has no cell with the tag parameters, so a run's values come first.",
                      "Tag the cell of the defaults.")
