"""What an import begins with: the files of its upload, fetched and verified, and archives unpacked into their members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..context import Context
from ..datasets import archives, names, storage, tus
from ..deid.outcome import Held
from ..errors import conflict, invalid
from . import fetch
from .job import Bar, Job, Progress
from .workshop import Workshop


@dataclass(frozen=True)
class Arrival:
    """One file. `name` is its own, with folders; `sha256` is known of what was verified, not of what a worker unpacked."""

    number: int  # in this import, from 1
    source: Path
    name: str
    size: int
    sha256: str | None


@dataclass(frozen=True)
class Stopped:
    """A file that stays out, and why."""

    arrival: Arrival
    held: Held


def fetch_all(context: Context, job: Job, progress: Progress) -> list[Arrival]:
    found = []
    for number, file in enumerate(job.files, 1):
        source, name, size, sha256 = tus.part_path(context, file), job.name_of(file), file.size, file.sha256
        if job.upload.source == "url":
            got = fetch.fetch(context, job.upload, file, source, progress)
            name, size, sha256 = got.name, got.size, got.sha256
        found.append(Arrival(number, source, name, size, sha256))
    return found


def verify(arrived: Sequence[Arrival], bar: Bar) -> None:
    """Every byte that was announced is there and is what was sent, or nothing is imported."""
    for one in arrived:
        shown = f"File {one.number} of {len(arrived)}"
        if not one.source.exists() and one.size == 0:
            one.source.touch()
        try:
            size = one.source.stat().st_size
        except FileNotFoundError:
            raise conflict("bytes_missing", f"{shown}: its bytes are gone.", "Upload the files again.") from None
        if size != one.size:
            raise conflict("bytes_missing", f"{shown} did not arrive whole.", "Upload the files again.")
        if storage.sha256_of(one.source) != one.sha256:
            raise invalid(
                "digest_differs", f"{shown} arrived changed: its SHA-256 is not the one that was sent.", "Upload it again.")
        bar.add(one.size, "Checking the files")


def unpack(
    context: Context, job: Job, shop: Workshop, arrived: Sequence[Arrival], bar: Bar
) -> tuple[list[Arrival], list[Stopped]]:
    """Archives give way to their members, in a folder of the archive's name; one that is refused is held as a whole."""
    settings = context.settings
    budget = archives.Budget(min(settings.archive_max_bytes, job.room), settings.archive_max_files, settings.archive_max_ratio)
    taken = {one.name for one in arrived}
    found: list[Arrival] = []
    stopped: list[Stopped] = []
    for one in arrived:
        if not (job.upload.unpack and archives.is_archive(one.source, one.name)):
            found.append(one)
            continue
        bar.add(0, "Unpacking")
        into = job.work / "unpacked" / str(one.number)
        into.parent.mkdir(exist_ok=True)
        answer = shop.one({"op": "unpack", "file": str(one.source), "path": one.name, "size": one.size * 20,
                           "into": str(into), "budget": asdict(budget)})
        if "held" in answer:
            storage.remove_tree(into)
            stopped.append(Stopped(one, held_of(answer)))
            continue
        budget = archives.Budget(**answer["budget"])
        folder = _folder(one.name, taken)
        if any(names.refusal(f"{folder}/{member['path']}") for member in answer["members"]):
            storage.remove_tree(into)
            stopped.append(Stopped(one, NAMES_TOO_LONG))
            continue
        found += [Arrival(one.number, into / member["path"], f"{folder}/{member['path']}", member["size"], None)
                  for member in answer["members"]]
        taken |= {arrival.name for arrival in found[-len(answer["members"]):]}
    return [replace(one, number=number) for number, one in enumerate(found, 1)], stopped


def _folder(name: str, taken: set[str]) -> str:
    """The archive's name without its ending, where that is free."""
    folder = name[: len(name) - len(archives.ending_of(name))]
    return name if any(one == folder or one.startswith(f"{folder}/") for one in taken) else folder


def held_of(answer: dict[str, object]) -> Held:
    from ..deid.outcome import Finding

    raw = dict(answer["held"])  # type: ignore[call-overload]
    return Held(**{**raw, "findings": tuple(Finding(**one) for one in raw.get("findings", ()))})


NAMES_TOO_LONG = Held("archive_refused", "The names in this archive are too long with the archive's own.", "Archive",
                      fix="Unpack it yourself and shorten the names.")
