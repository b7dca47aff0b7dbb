"""A command's placeholders become list elements of their own, so no value ever meets a shell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACEHOLDER = re.compile(r"\{(?:(inputs|arguments)\.([a-z][a-z0-9_]*)|output)\}")


def expand(command: Sequence[str], inputs: dict[str, list[str]], arguments: dict[str, Any], output: str) -> list[str]:
    """`inputs` are paths by input name. What has no value leaves no element behind."""
    done: list[str] = []
    for element in command:
        match = PLACEHOLDER.fullmatch(element)
        if match is None:
            done.append(element)
        elif match.group(1) is None:
            done.append(output)
        elif match.group(1) == "inputs":
            done += inputs.get(match.group(2), [])
        else:
            done += texts(arguments.get(match.group(2)))
    return done


def texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(value)]
