"""From the files of a version to its entries: series, volumes, images, tables, texts and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from .vocabulary import vocabulary

if TYPE_CHECKING:
    from .series import Instance
    from .sniff import Seen

Pair = tuple[str | None, str | None]
Choice = Pair | Mapping[str, Pair] | None


@dataclass(frozen=True)
class Description:
    """One entry to be. `path` is the file, or the folder of a series ("" for the version's own); meta holds no identifier."""

    name: str
    path: str
    kind: str
    data_type: str
    file_format: str
    files: list[str]
    meta: dict[str, Any] = field(default_factory=dict)


def describe(root: Path, paths: Sequence[str]) -> list[Description]:
    """Looks into each file; raises Problem for one that is not whole. Only for bytes that the caller trusts: it parses here."""
    from . import sniff

    return arrange({path: sniff.sniff(root / path, path) for path in paths})


def arrange(seen: Mapping[str, Seen | Instance]) -> list[Description]:
    """From what each file is to the entries; each path belongs to exactly one."""
    from . import series

    found: list[Description] = []
    instances: list[Instance] = []
    twice = _ambiguous(list(seen))
    for path in sorted(seen):
        one = seen[path]
        if isinstance(one, series.Instance):
            instances.append(one)
            continue
        name = path if PurePosixPath(path).name in twice else PurePosixPath(path).name
        found.append(Description(name[-200:], path, one.kind, one.data_type, one.file_format, [path], one.meta))
    return series.group(instances, list(seen)) + found


def applied(entries: Sequence[Description], choice: Choice) -> list[Description]:
    """The user's or the tool's words in place of the proposed ones. For a mixture of files, a chosen data type goes to those
    entries whose format it comes in, or to all when it comes in none of them."""
    if choice is None:
        return list(entries)
    if isinstance(choice, Mapping):
        return [_with(one, choice.get(one.files[0])) for one in entries]
    data_type, file_format = choice
    known = vocabulary()
    known.check(data_type, file_format)
    fitting = [one for one in entries if data_type is None or one.file_format in known.data_types[data_type].formats]
    if data_type is None or not fitting:
        fitting = list(entries)
    chosen = {one.files[0] for one in fitting}
    return [_with(one, choice) if one.files[0] in chosen else one for one in entries]


def told(entries: Sequence[Description], facts: Mapping[str, Mapping[str, Any]]) -> list[Description]:
    """With what a tool says of its files, by path; what was found in a file itself comes before it."""
    return [replace(one, meta={**facts.get(one.files[0], {}), **one.meta}) for one in entries]


def _with(one: Description, pair: Pair | None) -> Description:
    data_type, file_format = pair or (None, None)
    return replace(one, data_type=data_type or one.data_type, file_format=file_format or one.file_format)


def _ambiguous(paths: Sequence[str]) -> set[str]:
    seen: set[str] = set()
    twice: set[str] = set()
    for path in paths:
        name = PurePosixPath(path).name
        (twice if name in seen else seen).add(name)
    return twice
