"""`voxelhub deid IN OUT`: clean a file or a folder on the command line, without any service."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import warnings
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TextIO

from .cleaning import clean
from .outcome import Held, Outcome, Released
from .profile import PROFILES, Profile, load
from .pseudonyms import Key

if TYPE_CHECKING:
    from .pixels import TextFinder

_HELP = """Removes what identifies a person from DICOM, NIfTI, slides, pictures, tables and sequences.
Source of the rules: DICOM PS3.15, Annex E.

OUT is a folder; files get neutral names in it, and nothing there is overwritten. What cannot be made safe
by rule is held: it is listed with its reason and not written. The same key gives the same pseudonyms and
date shifts: keep it as secret as the data, and apart from what you give away."""
_CODES = "exit code: 0 all released, 1 refused or wrong input, 3 some files were held (the others were released)"


def main(arguments: list[str]) -> int:
    """0 all released, 1 could not begin, 3 some were held."""
    wanted = _parser().parse_args(arguments)
    try:
        profile = load(_text_of(wanted.profile))
        files = _files(wanted.source)
        if not wanted.what_if and wanted.source.is_dir() and wanted.out.resolve().is_relative_to(wanted.source.resolve()):
            raise ValueError("OUT lies inside IN. Choose a folder beside it.")
        key = _key(wanted.key, wanted.what_if)
    except (ValueError, OSError) as error:
        print(f"voxelhub deid: {error}", file=sys.stderr)
        return 1
    warnings.simplefilter("ignore")  # pydicom's tell values of the file
    with ExitStack() as stack:
        finder = None if wanted.no_text_search else _finder(wanted.environments, stack)
        report = stack.enter_context(wanted.report.open("x")) if wanted.report else None
        held = _all(files, wanted.out, key, profile, finder, report, wanted.what_if)
    return 3 if held else 0


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="voxelhub deid", description=_HELP, epilog=_CODES, formatter_class=formatter)
    parser.add_argument("source", metavar="IN", type=Path, help="a file, or a folder with everything below it")
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder to write to; made if it is missing")
    parser.add_argument(
        "--profile", default="research", help=f"{', '.join(PROFILES)}, or a JSON file of options (default: research)"
    )
    parser.add_argument("--key", type=Path, help="file of 64 hex digits, made if missing (default: a key for this run only)")
    parser.add_argument("--what-if", action="store_true", help="say what would be done; write nothing but the report")
    parser.add_argument(
        "--report", type=Path, metavar="FILE.jsonl", help="a JSON line per file: actions, codes, counts; no values"
    )
    parser.add_argument("--no-text-search", action="store_true", help="do not read pixels; what may show text is held")
    parser.add_argument(
        "--environments",
        type=Path,
        default=Path(os.environ.get("VOXELHUB_ENVS_DIR", ".envs")),
        help="where the environment `ocr` is set up (default: .envs)",
    )
    return parser


def _text_of(profile: str) -> str:
    if profile in PROFILES or not Path(profile).is_file():
        return profile
    return Path(profile).read_text(encoding="utf-8")


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise ValueError("IN does not exist. Name a file or a folder.")
    files = sorted(path for path in source.rglob("*") if path.is_file() and not path.is_symlink())
    if not files:
        raise ValueError("IN holds no files.")
    return files


def _key(path: Path | None, what_if: bool) -> Key:
    """The key in a file; made there with mode 0600 if missing. Without a file: one for this run, which nobody keeps."""
    if path is None or (what_if and not path.exists()):
        if not what_if:
            _say("No --key: a key was made for this run and is thrown away. Later runs will not link to this one.")
        return Key(secrets.token_bytes(32))
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        _say(f"A new key was written to {path}. Who has it can link pseudonyms to patients: keep it secret.")
    try:
        return Key(bytes.fromhex(path.read_text(encoding="ascii").strip()))
    except ValueError:
        raise ValueError(f"{path} is no key. A key is 64 hex digits; name a missing file to have one made.") from None


def _finder(environments: Path, stack: ExitStack) -> TextFinder | None:
    if not (environments / "ocr" / "bin" / "python").exists():
        _say("Text in pixels is not searched: the environment `ocr` is not set up here. What may show text is held.")
        return None
    from .ocr import OcrProcess

    return stack.enter_context(OcrProcess(environments))


def _all(
    files: list[Path], out: Path, key: Key, profile: Profile, finder: TextFinder | None, report: TextIO | None, what_if: bool
) -> list[tuple[Path, Held]]:
    held: list[tuple[Path, Held]] = []
    actions: Counter[str] = Counter()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory())) if what_if else out
        folder.mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(files, 1):
            outcome = _one(path, folder, key, profile, finder, keep=not what_if)
            if isinstance(outcome, Held):
                held.append((path, outcome))
            else:
                actions.update(outcome.report.actions)
            if report is not None:
                report.write(json.dumps(_line(number, outcome)) + "\n")
            if sys.stderr.isatty() and (number % 20 == 0 or number == len(files)):
                print(f"\r{number} of {len(files)} files", end="\n" if number == len(files) else "", file=sys.stderr, flush=True)
    _tell(len(files), held, actions, what_if)
    return held


def _one(path: Path, folder: Path, key: Key, profile: Profile, finder: TextFinder | None, *, keep: bool) -> Outcome:
    """Clean into a .part beside the others; only a finished file gets its name."""
    part = folder / f".{secrets.token_hex(8)}.part"
    try:
        outcome = clean(path, path.name, part, key=key, profile=profile, finder=finder)
        if not isinstance(outcome, Released) or not keep:
            return outcome
        target = folder / outcome.path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(part, target)  # unlike a rename, never overwrites
        except FileExistsError:
            fix = "Choose an empty OUT, or leave the file out if it is a copy."
            return Held("exists", "OUT has this object already; nothing was overwritten.", outcome.report.what, fix=fix)
        return outcome
    finally:
        part.unlink(missing_ok=True)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _line(number: int, outcome: Outcome) -> dict[str, object]:
    if isinstance(outcome, Released):
        return {"file": number, "path": outcome.path, **outcome.report.to_json()}
    findings = [{"code": each.code, "where": each.where, "count": each.count} for each in outcome.findings]
    return {"file": number, "held": outcome.code, "what": outcome.what, "releasable": outcome.releasable, "findings": findings}


def _tell(total: int, held: list[tuple[Path, Held]], actions: Counter[str], what_if: bool) -> None:
    done = "would be released" if what_if else "released"
    print(f"{total - len(held)} of {total} files {done}, {len(held)} held.")
    by_code: Counter[str] = Counter()
    for action, count in actions.items():
        by_code[action.rpartition(" ")[2]] += count
    words = {"D": "replaced", "Z": "emptied", "X": "removed", "C": "cleaned", "U": "UIDs replaced", "K": "kept by an option"}
    if by_code:
        print("Attributes: " + ", ".join(f"{by_code[code]} {word}" for code, word in words.items() if by_code[code]) + ".")
    for path, each in held:
        print(f"held {path}: {each.code}. {each.reason} {each.fix}".rstrip())
