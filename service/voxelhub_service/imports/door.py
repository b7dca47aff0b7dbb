"""The program inside the sandbox: `python -m voxelhub_service.imports.door`. Parses what nobody vouched for, file by file.

Lines of JSON: a request on standard input, its answer on standard output. The first line is the hello: `{"key": <hex> | null,
"profile": …, "text": <folder of environments> | null}`; the key is there only for a clinical import. It knows no database, no
settings and no network.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..datasets import archives, series, sniff, storage
from ..datasets.names import printable
from ..deid.outcome import Held, Outcome
from ..errors import Problem

Answer = dict[str, Any]
Cleaner = Callable[[Path, str, Path, bool], Outcome]


def held(problem: Problem, code: str, what: str, path: str) -> Answer:
    """A file that is not whole; its name stays out of the sentence."""
    sentence = problem.detail.replace(f"“{printable(path)}”", f"This {what.lower()}")
    return {"held": asdict(Held(code, sentence, what, fix=problem.fix))}


def look(file: Path, path: str) -> Answer:
    """What it is, as the catalogue will call it."""
    try:
        seen = sniff.sniff(file, path)
    except Problem as problem:
        return held(problem, "not_whole", "File", path)
    except (OSError, MemoryError):
        raise
    except Exception:  # a reader's own fault; its text may hold content
        return {"held": asdict(UNREADABLE)}
    return {"instance" if isinstance(seen, series.Instance) else "seen": asdict(seen)}


def unpack(file: Path, path: str, into: Path, budget: archives.Budget) -> Answer:
    try:
        members = archives.unpack(file, path, into, budget, lambda _: None)
    except Problem as problem:
        storage.remove_tree(into)
        return held(problem, "unreadable" if problem.code == "archive_broken" else "archive_refused", "Archive", path)
    return {"members": [asdict(member) for member in members], "budget": asdict(budget)}


def clean(cleaner: Cleaner, file: Path, name: str, target: Path, waived: bool) -> Answer:
    outcome = cleaner(file, name, target, waived)
    if isinstance(outcome, Held):
        return {"held": asdict(outcome)}
    answer = look(target, outcome.path)
    if "held" in answer:  # a steward let it in as it is
        answer = {"seen": asdict(sniff.FILE)}
    return answer | {"path": outcome.path, "report": outcome.report.to_json()}


@contextlib.contextmanager
def cleaner_of(hello: Answer) -> Iterator[Cleaner | None]:
    if not hello.get("key"):
        yield None
        return
    from ..deid import cleaning, profile, pseudonyms

    key, chosen = pseudonyms.Key(bytes.fromhex(hello["key"])), profile.load(hello["profile"])
    with contextlib.ExitStack() as stack:
        finder = None
        if hello.get("text"):
            from ..deid.ocr import OcrProcess

            finder = stack.enter_context(OcrProcess(Path(hello["text"])))
        yield lambda file, name, target, waived: cleaning.clean(
            file, name, target, key=key, profile=chosen, waived=waived, finder=finder)


def answer_to(request: Answer, cleaner: Cleaner | None) -> Answer:
    file, path = Path(request["file"]), request["path"]
    match request["op"]:
        case "look":
            return look(file, path)
        case "unpack":
            return unpack(file, path, Path(request["into"]), archives.Budget(**request["budget"]))
        case "clean" if cleaner is not None:
            return clean(cleaner, file, path, Path(request["into"]), request["waived"])
    raise ValueError(request["op"])


UNREADABLE = Held("unreadable", "This file could not be read; it seems to be damaged.", fix="Export it again, or leave it out.")
TOO_LARGE = Held(
    "too_large", "This file needs more memory to be looked at than one file may have.", releasable=False,
    fix="Split it, or ask an administrator to raise VOXELHUB_DOOR_MEMORY.",
)


def main() -> int:
    answers = sys.stdout
    sys.stdout = sys.stderr  # what a reader prints is no answer
    hello = json.loads(sys.stdin.readline())
    with cleaner_of(hello) as cleaner:
        answers.write('{"ready": true}\n')
        answers.flush()
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = answer_to(request, cleaner)
            except MemoryError:
                answer = {"held": asdict(TOO_LARGE)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
