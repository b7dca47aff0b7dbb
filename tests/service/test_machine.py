"""What tool runs share of this machine: the settings' numbers, else the lesser of the machine and the cgroups around us."""

from __future__ import annotations

import os
from dataclasses import replace

import psutil
import pytest
from voxelhub_sandbox.cgroups import Around
from voxelhub_service.executors import machine
from voxelhub_service.settings import Settings

GIB = 1024**3
CORES = len(os.sched_getaffinity(0))


def test_the_settings_say_it():
    settings = replace(Settings(), run_cpus=6, run_memory=5 * GIB)
    assert (machine.cores(settings), machine.memory(settings)) == (6.0, 5 * GIB)


@pytest.mark.parametrize(("around", "cores", "memory"), [
    (Around(None, None), CORES, psutil.virtual_memory().total),
    (Around(4 * GIB, 0.5), 0.5, 4 * GIB),
    (Around(2**62, 999.0), CORES, psutil.virtual_memory().total),
])
def test_else_it_is_measured(monkeypatch, around, cores, memory):
    monkeypatch.setattr(machine, "limits_around", lambda: around)
    assert machine.cores(Settings()) == cores and machine.memory(Settings()) == int(0.75 * memory)
