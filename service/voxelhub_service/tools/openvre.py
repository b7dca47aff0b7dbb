"""A tool of openVRE as a manifest of ours: its tool JSON is read generously, and what could not be carried over is said.

Its schema is of JSON Schema draft 04 and has quirks of its own: `"default": "false"` as text, the values of an enum and
their titles in two arrays side by side, combinations as lists or as objects, a type that is an object. openvre_export.py
goes the other way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ..datasets.vocabulary import vocabulary
from .checking import PLATFORM, check_manifest
from .finding import Finding, dicts, error, warning

GIB = 1024**3
MANY = 100  # entries of an input that takes several
FORMATS = {"dcm": "dicom", "nii": "nifti", "tab": "tsv", "txt": "text", "jpg": "jpeg", "tif": "tiff", "fa": "fasta",
           "fq": "fastq", "mha": "metaimage", "mhd": "metaimage", "md": "markdown"}
TYPES = {"image-mask": "segmentation-mask", "mask": "segmentation-mask", "text": "document", "report": "document"}
YES, NO = ("true", "yes", "1"), ("false", "no", "0", "")
DEFAULTS = {"environment": "tool-base", "version": "1.0.0", "cpus": 1, "memory": 4, "time": 24 * 3600}
OUTPUT = {"base": GIB, "per_input_byte": 10}  # openVRE knows no limit of its own
KINDS_OF_INPUT = ("input_files", "input_files_info", "input_files_public_dir")
MOST_OPTIONAL = 5  # inputs whose combinations are written out
LEFT_OUT = ("status", "external", "has_custom_viewer", "sites", "input_files_combinations_internal", "_schema")


@dataclass
class Imported:
    """`manifest` is ours, as JSON. Findings: an error must be put right before it is a tool, a warning is worth a look."""

    manifest: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def warn(self, where: str, sentence: str, fix: str) -> None:
        self.findings.append(warning(where, sentence, fix))

    def note(self, where: str, sentence: str, fix: str) -> None:
        self.findings.append(Finding("note", where, sentence, fix))


def from_openvre(raw: Any) -> Imported:
    """Never raises; for what is no tool JSON there is one error."""
    done = Imported()
    if not isinstance(raw, dict) or not isinstance(raw.get("input_files"), list) or not isinstance(raw.get("output_files"), list):
        done.findings.append(error("", "This is no tool JSON of openVRE: it has no lists input_files and output_files.",
                                   "Give the tool's JSON file as it was registered there."))
        return done
    done.manifest = {"manifest": 1, **_description(raw, done)}
    done.manifest |= _inputs(raw, done)
    done.manifest["arguments"] = _arguments(raw, done)
    done.manifest["outputs"] = [_output(f"output_files[{i}]", one, done) for i, one in dicts(raw.get("output_files"))]
    done.manifest |= _infrastructure(raw, done)
    for name in sorted(set(raw) & set(LEFT_OUT)):
        done.note(name, f"`{name}` has no meaning here and was left out.", "Nothing is to be done.")
    done.findings += check_manifest(done.manifest)
    return done


def _description(raw: Mapping[str, Any], done: Imported) -> dict[str, Any]:
    owner = raw.get("owner") if isinstance(raw.get("owner"), dict) else {}
    assert isinstance(owner, dict)
    given = _text(raw.get("_id")) or _text(raw.get("name")) or "tool"
    name = re.sub(r"[^a-z0-9]+", "-", given.lower()).strip("-")[:63] or "tool"
    if name != given:
        done.note("_id", f"`_id`: {given[:60]} is called {name} here.", "Name the tool's folder so.")
    found: dict[str, Any] = {
        "name": name, "version": _text(raw.get("version")) or DEFAULTS["version"],
        "title": (_text(raw.get("title")) or _text(raw.get("name")) or given)[:100],
        "description": "\n".join(dict.fromkeys(filter(None, (
            _text(raw.get("short_description")), _text(raw.get("long_description")))))) or "-",
        "keywords": list(dict.fromkeys(one[:50] for kind in ("keywords", "keywords_tool") for one in _texts(raw.get(kind)))),
    }
    author = {"name": _text(owner.get("author"))[:100], "affiliation": _text(owner.get("institution"))[:200]}
    if author["name"]:
        found["authors"] = [{key: value for key, value in author.items() if value}]
    homepage = _text(raw.get("url")) or _text(owner.get("url"))
    for ours, theirs in (("homepage", homepage), ("citation", _text(raw.get("publication")))):
        if theirs:
            found[ours] = theirs
    if not found.get("homepage", "http://x").startswith(("http://", "https://")):
        del found["homepage"]
    if "version" not in raw:
        done.warn("version", "`version` is unknown to openVRE; the tool begins with 1.0.0.", "Write the version that it has.")
    if "contact" in owner:
        done.note("owner.contact", "`owner.contact` was left out: a manifest holds no address of a person.", "Name a homepage.")
    return found


def _inputs(raw: Mapping[str, Any], done: Imported) -> dict[str, Any]:
    inputs: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for kind in KINDS_OF_INPUT:
        for i, one in dicts(raw.get(kind)):
            where = f"{kind}[{i}]"
            name = _name(one.get("name"), f"input{len(inputs) + 1}", where, done)
            names[_text(one.get("name"))] = name
            inputs.append({
                "name": name, "title": (_text(one.get("description")) or name)[:100],
                "description": _text(one.get("help"))[:1000],
                "accepts": _accepts(where, one, done), "minimum": int(_yes(one.get("required"), True)),
                "maximum": MANY if _yes(one.get("allow_multiple"), False) else 1})
            if kind == "input_files_public_dir":
                done.warn(where, f"`{where}`: the reference data {name} lay in a folder of that platform; here it is an input.",
                          "Bring the reference data in as a dataset, or put it into the tool's folder.")
    found: dict[str, Any] = {"inputs": inputs}
    if combinations := _combinations(raw, names, done):
        found["combinations"] = combinations
    return found


def _accepts(where: str, one: Mapping[str, Any], done: Imported) -> list[dict[str, str]]:
    types = [_data_type(word, "*", f"{where}.data_type", done) for word in _texts(one.get("data_type"))] or ["*"]
    words = _texts(one.get("file_type", one.get("format")))
    formats = [_format(word, "*", f"{where}.file_type", done) for word in words] or ["*"]
    pairs = [{"data_type": t, "file_format": f} for t in types for f in formats]
    return [one for i, one in enumerate(pairs) if one not in pairs[:i]]


def _combinations(raw: Mapping[str, Any], names: Mapping[str, str], done: Imported) -> list[list[str]]:
    given = raw.get("input_files_combinations")
    found: list[list[str]] = []
    for i, one in enumerate(given if isinstance(given, list) else []):
        where = f"input_files_combinations[{i}]"
        words = one if isinstance(one, list) else [
            *_texts(one.get("input_files")), *_texts(one.get("input_files_public_dir"))] if isinstance(one, dict) else []
        unknown = [word for word in _texts(words) if word not in names]
        some = list(dict.fromkeys(names[word] for word in _texts(words) if word in names))
        if unknown:
            done.warn(where, f"`{where}` names the input {unknown[0][:60]}, which there is not.", "It was left out.")
        if not some:
            done.warn(where, f"`{where}` needs no input; a tool here has at least one.", "It was left out.")
        elif some not in found:
            found.append(some)
    inputs = [one for kind in KINDS_OF_INPUT for _, one in dicts(raw.get(kind))]
    required = {names[_text(one.get("name"))] for one in inputs if _yes(one.get("required"), True)}
    return [] if {frozenset(one) for one in found} == ordinary(required, set(names.values()) - required) else found


def ordinary(required: set[str], optional: set[str]) -> set[frozenset[str]]:
    """The combinations that need not be written down: all that is required, with any of the rest."""
    some = [frozenset(required)]
    for name in sorted(optional)[:MOST_OPTIONAL]:
        some += [one | {name} for one in some]
    return {one for one in some if one}


def _arguments(raw: Mapping[str, Any], done: Imported) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for i, one in dicts(raw.get("arguments")):
        where = f"arguments[{i}]"
        given = _text(one.get("name"))
        if given in PLATFORM:
            done.note(where, f"`{where}`: VoxelHub itself hands {given} to every tool.", "Nothing is to be done.")
            continue
        name = _name(given, f"argument{i + 1}", where, done)
        spec = _argument(where, one, name, done)
        properties[name] = spec
        if _yes(one.get("required"), False) and "default" not in spec:
            required.append(name)
    found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": required} if required else {})


def _argument(where: str, one: Mapping[str, Any], name: str, done: Imported) -> dict[str, Any]:
    spec: dict[str, Any] = {"title": (_text(one.get("description")) or name)[:100]}
    if help := _text(one.get("help")):
        spec["description"] = help[:1000]
    theirs = one.get("type")
    inner = theirs if isinstance(theirs, dict) else {}
    kind = _text(inner.get("type") if inner else theirs).lower()
    values, titles = _choices(where, one, inner, done)
    hidden = kind == "hidden"
    several = _yes(one.get("allow_multiple"), False) or kind in ("enum_multiple", "enum_mult", "array")
    scalar = kind if kind in ("integer", "number", "boolean") else "string"
    if values:
        choice: dict[str, Any] = {"type": scalar, "enum": [_value(one, scalar) for one in values]}
    else:
        choice = {"type": scalar, **_limits(one if not inner else {**inner, **one}, scalar)}
    if kind not in ("integer", "number", "boolean", "string", "enum", "enum_multiple", "enum_mult", "array", "hidden"):
        done.warn(f"{where}.type", f"`{where}.type`: {kind[:40] or 'nothing'} is no type known here; it became a text.",
                  "Correct it.")
    spec |= {"type": "array", "items": choice} if several and not hidden else choice
    if titles:
        spec["x-titles"] = titles
    if hidden:
        spec["x-hidden"] = True
    default = one.get("default", one.get("value") if hidden else None)
    if isinstance(default, dict):
        done.warn(f"{where}.default", f"`{where}.default` is an object, which no argument here can be.",
                  "Put it into the program.")
        default = "" if hidden else None
    if several and not hidden and default is not None:
        several_of = default if isinstance(default, list) else [default]
        spec["default"] = [_value(one, scalar) for one in several_of if one not in ("", None)]
    elif default is not None and not (default == "" and (values or scalar != "string")):
        spec["default"] = _value(default, scalar)
    elif hidden:
        spec["default"] = ""
        done.warn(f"{where}.value", f"`{where}.value` is missing; the hidden argument {name} is empty.", "Write its default.")
    return spec


def _choices(where: str, one: Mapping[str, Any], inner: Mapping[str, Any], done: Imported) -> tuple[list[Any], list[str]]:
    items = one.get("enum_items")
    if isinstance(items, dict):
        values, titles = items.get("name"), items.get("description")
    else:
        values, titles = inner.get("enum", one.get("enum", items)), None
    values = [one for one in values if isinstance(one, str | int | float)] if isinstance(values, list) else []
    titles = [_text(one)[:100] for one in titles] if isinstance(titles, list) else []
    if titles and len(titles) != len(values):
        done.warn(f"{where}.enum_items", f"`{where}.enum_items` has {len(titles)} descriptions for {len(values)} names.",
                  "The names are shown instead.")
        titles = []
    return values, titles if all(titles) and titles != [str(one) for one in values] else []


def _limits(one: Mapping[str, Any], scalar: str) -> dict[str, Any]:
    """Draft 04 says of a bound that it is exclusive."""
    found: dict[str, Any] = {}
    if scalar in ("integer", "number"):
        for name in ("minimum", "maximum"):
            bound = _number(one.get(name))
            if bound is not None:
                exclusive = f"exclusive{name.title()}"
                found[exclusive if one.get(exclusive) is True else name] = bound
        step = _number(one.get("multipleOf"))
        if step:
            found["multipleOf"] = step
    elif scalar == "string":
        found |= {name: one[name] for name in ("minLength", "maxLength", "pattern") if isinstance(one.get(name), int | str)}
    return found


def _output(where: str, one: Mapping[str, Any], done: Imported) -> dict[str, Any]:
    file = one["file"] if isinstance(one.get("file"), dict) else {}
    words = file["meta_data"] if isinstance(file.get("meta_data"), dict) else {}
    name = _name(one.get("name"), "output", where, done)
    path = _text(file.get("file_path") or file.get("path"))
    inside = PurePosixPath(path).name if path.startswith("/") else path.lstrip("./")
    if not inside:
        inside = f"{name}*"
        done.warn(f"{where}.file.file_path", f"`{where}.file.file_path` is missing; files that begin with {name} are taken.",
                  "Write a glob that only this output's files fit.")
    facts = {key: value for key, value in words.items() if key not in ("description", "tool", "visible", "taxon_id", "assembly")
             and isinstance(value, str | int | float) and re.fullmatch(r"[a-z][a-z0-9_]{0,39}", key)}
    text = _text(words.get("description"))
    found: dict[str, Any] = {
        "name": name, "title": (text or name)[:100], "description": text[:1000],
        "data_type": _data_type(_text(file.get("data_type")), "file", f"{where}.file.data_type", done),
        "file_format": _format(_text(file.get("file_type", file.get("format"))), "binary", f"{where}.file.file_type", done),
        "path": inside, "required": _yes(one.get("required"), True), "multiple": _yes(one.get("allow_multiple"), False)}
    if facts:
        found["meta"] = facts
    if not _yes(words.get("visible"), True):
        done.warn(f"{where}.file.meta_data.visible", f"`{where}`: the output {name} was hidden there; here results are shown.",
                  "Leave it out of the outputs, and it stays in the run's folder.")
    return found


def _infrastructure(raw: Mapping[str, Any], done: Imported) -> dict[str, Any]:
    given = raw["infrastructure"] if isinstance(raw.get("infrastructure"), dict) else {}
    where = "infrastructure"
    executable = _text(given.get("executable"))
    program = PurePosixPath(executable).name
    if not program:
        done.findings.append(error(f"{where}.executable", f"`{where}.executable` is missing.",
                                   "Write the program into `command`."))
        program = "run.sh"
    elif executable != program:
        done.warn(f"{where}.executable", f"`{where}.executable` is a path of that machine; {program} of the tool's folder runs.",
                  f"Copy {program} and what it needs into the tool's folder.")
    seconds = _seconds(given.get("wallTime"))
    for name, found in (("cpus", _number(given.get("cpus"))), ("memory", _number(given.get("memory"))), ("wallTime", seconds)):
        if not found:
            done.warn(f"{where}.{name}", f"`{where}.{name}` is missing; a value was assumed.", "Write what the tool needs.")
    done.warn("environment", "`environment` is unknown to openVRE; tool-base is taken, with Python and the system's programs.",
              "Name an installed environment, or add a lock file.")
    done.note("resources.output", "`resources.output` is unknown to openVRE; 1 GiB and ten times the inputs are allowed.",
              "Write what the tool needs.")
    if _yes(given.get("interactive"), False):
        done.findings.append(error(
            f"{where}.interactive", "`infrastructure.interactive`: a tool here talks to nobody while it runs.",
            "Interactive work is a notebook's."))
    if "container_image" in given:
        done.warn(f"{where}.container_image", "`infrastructure.container_image` was left out: tools here run in an environment.",
                  "Add a lock file of what the image holds.")
    interpreter = {".py": ["python"], ".sh": ["sh"], ".r": ["Rscript"]}.get(PurePosixPath(program).suffix.lower(), [])
    start = [*interpreter, program] if interpreter else [f"./{program}"]
    return {
        "resources": {"cpu": _number(given.get("cpus")) or DEFAULTS["cpus"],
                      "memory": round((_number(given.get("memory")) or 4) * GIB), "time": seconds or DEFAULTS["time"],
                      "output": dict(OUTPUT)},
        "environment": DEFAULTS["environment"], "interface": "files", "command": start}


def _seconds(value: Any) -> int:
    """wallTime: minutes, or HH:MM[:SS]."""
    parts = _text(value).split(":")
    if len(parts) > 1 and all(part.isdecimal() for part in parts):
        hours, minutes, seconds = (*map(int, parts), 0)[:3]
        return hours * 3600 + minutes * 60 + seconds
    minutes_given = _number(value)
    return round(minutes_given * 60) if minutes_given else 0


def _name(given: Any, otherwise: str, where: str, done: Imported) -> str:
    text = _text(given)
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40]
    name = name if name[:1].isalpha() else f"x_{name}"[:40] if name else otherwise
    if name != text:
        done.warn(f"{where}.name", f"`{where}.name`: {text[:60] or 'nothing'} is called {name} here.",
                  "The program must read it under this name.")
    return name


def _data_type(word: str, otherwise: str, where: str, done: Imported) -> str:
    return _term(word, vocabulary().data_types, TYPES, otherwise, where, done)


def _format(word: str, otherwise: str, where: str, done: Imported) -> str:
    return _term(word, vocabulary().file_formats, FORMATS, otherwise, where, done)


def _term(word: str, known: Iterable[str], others: Mapping[str, str], otherwise: str, where: str, done: Imported) -> str:
    term = re.sub(r"[\s_]+", "-", word.strip().lower())
    term = others.get(term, term)
    if term in known or term == "*":
        return term
    done.warn(where, f"`{where}`: {word[:60] or 'nothing'} is no word of the vocabulary; {otherwise} is taken.",
              "Choose the word that is meant.")
    return otherwise


def _value(value: Any, scalar: str) -> Any:
    """`"false"`, `"3"` and the like as what the type says; what cannot be stays, and the check names it."""
    text = _text(value).lower() if isinstance(value, str | bool) else ""
    if scalar == "boolean" and not isinstance(value, bool):
        return True if text in YES else False if text in NO else value
    if scalar in ("integer", "number"):
        number = _number(value)
        return value if number is None else int(number) if number == int(number) and scalar == "integer" else number
    return str(value) if scalar == "string" and isinstance(value, int | float | str) else value


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return value if value == value and abs(value) < 2**53 else None
    try:
        number = float(str(value))
    except ValueError:
        return None
    return None if number != number or abs(number) >= 2**53 else int(number) if number == int(number) else number


def _yes(value: Any, otherwise: bool) -> bool:
    if isinstance(value, str):
        return value.lower() in YES if value else otherwise
    return bool(value) if isinstance(value, bool | int) else otherwise


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [_text(one) for one in value if _text(one)] if isinstance(value, list) else []
