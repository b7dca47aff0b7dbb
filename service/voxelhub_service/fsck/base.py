"""What a check of the installation is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..context import Context


@dataclass(frozen=True)
class Finding:
    """`sentence` says what is wrong, `offer` what `repair` would do about it; `repair` returns what it did."""

    sentence: str
    offer: str = ""
    repair: Callable[[], str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Check:
    """`run(context, deep)`; deep reads every byte, otherwise only what is quick."""

    name: str
    title: str
    run: Callable[[Context, bool], list[Finding]]
