"""What a check says about a tool: where, what is wrong, and what would make it right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["error", "warning", "note"]
SHOWN = 8  # names in a list


@dataclass(frozen=True)
class Finding:
    level: Level
    where: str  # field of the manifest as inputs[0].accepts, or a file of the folder; "" is the manifest itself
    sentence: str  # names the field too
    fix: str = ""

    def text(self) -> str:
        return f"{self.sentence} {self.fix}".strip()


def error(where: str, sentence: str, fix: str) -> Finding:
    return Finding("error", where, sentence, fix)


def warning(where: str, sentence: str, fix: str) -> Finding:
    return Finding("warning", where, sentence, fix)


def did_you_mean(word: object, known: Iterable[str], otherwise: str) -> str:
    """The nearest known word as a question, or what to do where none is near."""
    near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f"Did you mean `{near[0]}`?" if near else otherwise


def listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(f"`{one}`" for one in names[:SHOWN]) + more


def place(path: Iterable[str | int]) -> str:
    """`inputs[0].accepts` of ("inputs", 0, "accepts")."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def dicts(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """The objects in what should be a list of objects, with their places."""
    return [(i, one) for i, one in enumerate(value) if isinstance(one, dict)] if isinstance(value, list) else []


def texts(value: Any) -> list[tuple[int, str]]:
    """The texts in what should be a list of texts, with their places."""
    return [(i, one) for i, one in enumerate(value) if isinstance(one, str)] if isinstance(value, list) else []
