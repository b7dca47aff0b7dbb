"""Every check, in the order in which they are run and their findings repaired."""

from __future__ import annotations

import importlib

from . import core
from .base import Check

ROOMS = ("datasets", "runs")


def checks() -> list[Check]:
    found = list(core.CHECKS)
    for room in ROOMS:
        try:
            found += importlib.import_module(f"voxelhub_service.{room}.fsck").CHECKS
        except ModuleNotFoundError as error:
            if error.name != f"voxelhub_service.{room}.fsck":
                raise
    return found
