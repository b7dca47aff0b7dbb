"""Every check, in the order in which they are run and their findings repaired."""

from __future__ import annotations

from ..datasets import fsck as datasets
from ..imports import fsck as imports
from ..runs import fsck as runs
from . import core
from .base import Check


def checks() -> list[Check]:
    """Runs and files first: what they mend changes what is reserved and used."""
    return [core.CHECKS[0], *runs.CHECKS, *datasets.CHECKS, *imports.CHECKS, *core.CHECKS[1:]]
