"""The page docs/toolbox.md: the tools that ship, from their manifests; a test compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from voxelhub_service.datasets.vocabulary import vocabulary
from voxelhub_service.tools.manifest import Manifest, OutputSpec
from voxelhub_service.tools.registry import registry

from .reference import MADE, table

SIZES = ((1024**3, "GiB"), (1024**2, "MiB"))


def toolbox_page() -> str:
    """Every tool below tools/: what it takes, its arguments with units and defaults, what it writes, what it may use."""
    tools = [manifest for manifest in registry().all() if manifest.folder.parent == registry().folder]
    lines = [MADE.format(option="toolbox"), "# The tools that ship", "",
             "What their manifests say; the forms in VoxelHub are made from the same. How to run one: "
             "[user.md](user.md#run-a-tool). How to write one: [tool-developer.md](tool-developer.md).", ""]
    for one in tools:
        lines += _tool(one)
    return "\n".join(lines)


def _tool(one: Manifest) -> Iterator[str]:
    yield from (f"## {one.title}", "", f"`{one.name}` {one.version}. {one.description}", "")
    yield from table(("takes", "entries", "of these kinds", "which are"), (
        (f"**{given.title}** `{given.name}`", _count(given.minimum, given.maximum), _kinds(given.accepts), given.description)
        for given in one.inputs))
    if one.arguments["properties"]:
        yield ""
        yield from table(("argument", "default", "unit", "meaning"), (
            (f"**{spec['title']}** `{name}`", _default(spec), spec.get("x-unit", ""), _meaning(spec))
            for name, spec in one.arguments["properties"].items()))
    yield ""
    yield from table(("writes", "kind", "files", "which are"), (
        (f"**{made.title}**", _made(made), f"`{made.path}`", made.description) for made in one.outputs))
    limits = one.resources
    cores = f"{limits.cpu:g} {'core' if limits.cpu == 1 else 'cores'}"
    said = [f"A run may take {cores}, {_size(limits.memory)} of memory and {limits.time / 3600:g} h.",
            f"Environment: `{one.environment}`.", f"Licence of the program: {one.licence}." if one.licence else ""]
    yield from ("", " ".join(said).rstrip(), "")
    if one.citation:
        yield from (f"Cite: {one.citation}", "")


def _made(one: OutputSpec) -> str:
    return f"{_type(one.data_type) if one.data_type else f'as `{one.like}`'}, {_format(one.file_format)}"


def _count(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"


def _kinds(accepts: tuple[tuple[str, str], ...]) -> str:
    """DICOM: CT image, MR image; NIfTI: …"""
    by_format: dict[str, list[str]] = {}
    for data_type, file_format in accepts:
        by_format.setdefault(file_format, []).append(data_type)
    return "; ".join(f"{_format(file_format)}: {', '.join(map(_type, types))}" for file_format, types in by_format.items())


def _type(word: str) -> str:
    return vocabulary().data_types[word].title if word != "*" else "anything"


def _format(word: str) -> str:
    return vocabulary().file_formats[word].title if word != "*" else "any format"


def _default(spec: Mapping[str, Any]) -> str:
    if "default" not in spec:
        return "–"
    value = spec["default"]
    if "enum" in spec and "x-titles" in spec:
        return str(spec["x-titles"][spec["enum"].index(value)])
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value}"


def _meaning(spec: Mapping[str, Any]) -> str:
    """The help, then what it can be."""
    said = str(spec.get("description", ""))
    if "enum" in spec:
        titles = spec.get("x-titles", spec["enum"])
        choices = ", ".join(f"{title} (`{value}`)" for title, value in zip(titles, spec["enum"], strict=True))
        return f"{said} One of: {choices}."
    least, most = spec.get("minimum", spec.get("exclusiveMinimum")), spec.get("maximum", spec.get("exclusiveMaximum"))
    if least is not None and most is not None:
        return f"{said} From {least} to {most}."
    return said


def _size(count: int) -> str:
    size, name = next(((size, name) for size, name in SIZES if count % size == 0), (1, "bytes"))
    return f"{count // size} {name}"
