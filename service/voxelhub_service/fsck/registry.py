"""Every check, in the order in which they are run and their findings repaired."""

from __future__ import annotations

from ..clusters import fsck as clusters
from ..datasets import fsck as datasets
from ..imports import fsck as imports
from ..ledger import fsck as ledger
from ..runs import fsck as runs
from ..tools import fsck as tools
from . import core
from .base import Check


def checks() -> list[Check]:
    """Runs and files first: what they mend changes what is reserved and used."""
    return [core.CHECKS[0], *runs.CHECKS, *datasets.CHECKS, *imports.CHECKS, *tools.CHECKS, *clusters.CHECKS, *ledger.CHECKS,
            *core.CHECKS[1:]]
