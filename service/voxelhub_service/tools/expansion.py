"""A command's placeholders become list elements of their own, so no value ever meets a shell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

PLACEHOLDER = re.compile(r"\{(?:(inputs|arguments)\.([a-z][a-z0-9_]*)|output)\}")


def expand(command: Sequence[str], inputs: Mapping[str, Sequence[str]], arguments: Mapping[str, Any], output: str) -> list[str]:
    done: list[str] = []
    for element in command:
        match = PLACEHOLDER.fullmatch(element)
        if match is None:
            done.append(element)
        elif match[1] is None:
            done.append(output)
        elif match[1] == "inputs":
            done += inputs.get(match[2], [])
        else:
            done += _texts(arguments.get(match[2]))
    return done


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(value)]
