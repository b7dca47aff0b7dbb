"""Regular expressions that a tool's developer wrote, matched without trusting them: `(a+)+$` can take for ever.

Python's matcher cannot be interrupted in a thread. What is surely quick is matched here; anything else in a process of its
own that may use one second of CPU.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

SHORT = 2000  # characters of a text up to which two repetitions are quick
SECONDS = 1  # of CPU; and at most ten times as long by the clock
REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
PROGRAM = """
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (%d, %d))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
pattern, text = json.load(sys.stdin)
print("yes" if re.search(pattern, text) else "no")
"""


@functools.lru_cache(maxsize=1000)
def fits(pattern: str, text: str) -> bool:
    """As `re.search`; False where the pattern takes too long, or is none."""
    try:
        if len(text) <= SHORT and _is_quick(pattern):
            return re.search(pattern, text) is not None
    except (re.error, RecursionError, OverflowError):
        return False
    try:
        done = subprocess.run([sys.executable, "-I", "-S", "-c", PROGRAM % (SECONDS, SECONDS)], input=json.dumps([pattern, text]),
                              capture_output=True, text=True, timeout=10 * SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and done.stdout.strip() == "yes"


def _is_quick(pattern: str) -> bool:
    """At most quadratic in the text's length: no repetition in another, and two of them, one where it may begin anywhere."""
    parsed: Any = re._parser.parse(pattern)  # type: ignore[attr-defined]
    anchored = bool(len(parsed)) and str(parsed[0][0]) == "AT" and str(parsed[0][1]) in ("AT_BEGINNING", "AT_BEGINNING_STRING")
    depths = list(_repetitions(parsed, 0))
    return max(depths, default=0) <= 1 and len(depths) + (not anchored) <= 2


def _repetitions(parsed: Iterable[Any], depth: int) -> Iterator[int]:
    """The depth of everything of variable length, 1 for what lies in no repetition. A choice in one, and what looks back,
    count as deep ones."""
    for op, argument in parsed:
        name = str(op)
        if name in REPEATS:
            least, most, below = argument
            if least != most:
                yield depth + 1
            yield from _repetitions(below, depth + 1)
        elif name == "SUBPATTERN":
            yield from _repetitions(argument[-1], depth)
        elif name == "BRANCH":
            if depth:
                yield 2
            for one in argument[1]:
                yield from _repetitions(one, depth)
        elif name in ("GROUPREF", "GROUPREF_EXISTS", "ASSERT", "ASSERT_NOT", "ATOMIC_GROUP"):
            yield 2


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not fits(pattern, instance):
        yield ValidationError("the text does not fit the pattern")


# JSON Schema 2020-12 for schemas that somebody else wrote.
UntrustedValidator: Any = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
