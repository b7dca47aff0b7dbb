"""Arrows point down: no feature of the service imports its HTTP layer, and no trusted package the user zone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICE = ROOT / "service" / "voxelhub_service"
UPWARD = {
    "service/voxelhub_service": r"^\s*(from|import) (voxelhub_hub|voxelhub_spawner|voxelhub_lab|voxelhub)\b",
    "spawner": r"^\s*(from|import) (voxelhub_hub|voxelhub_service\.api|voxelhub_lab|voxelhub)\b",
    "extensions/lab/voxelhub_lab": r"^\s*(from|import) voxelhub_(hub|spawner|sandbox|service)\b",
    "extensions/planner/voxelhub_planner":
        r"^\s*(from|import) (voxelhub_(hub|spawner|sandbox|service|lab)|voxelhub|jupyter\w*|ipywidgets|fastapi)\b",
    "service/voxelhub_service/deid": r"^\s*(from|import) (\.\.\.?\w|voxelhub_)",
    "kernels/voxelhub": r"^\s*(from|import) voxelhub_(hub|spawner|sandbox|service|lab)\b",
}


def test_no_feature_imports_the_http_layer() -> None:
    features = [path for path in SERVICE.rglob("*.py") if path.parent.name != "api"]
    assert [str(path) for path in features if re.search(r"from \.+api\b", path.read_text())] == []


def test_what_imports_stand_on_does_not_import_them() -> None:
    """But for the worker, which puts everything together."""
    rooms = ("datasets", "runs", "projects")
    below = [path for room in rooms for path in (SERVICE / room).glob("*.py") if path.name != "worker.py"]
    assert [str(path) for path in below if re.search(r"from \.\.imports\b", path.read_text())] == []


def test_the_ledger_knows_none_of_what_costs() -> None:
    """What ends runs and clusters for a budget's sake stands above them all, in keeping/."""
    upward = re.compile(r"from \.\.(runs|clusters|keeping|batches|imports)\b")
    assert [str(path) for path in (SERVICE / "ledger").glob("*.py") if upward.search(path.read_text())] == []
    rooms = ("ledger", "clusters", "batches", "projects", "datasets")
    below = [path for room in rooms for path in (SERVICE / room).glob("*.py")]
    assert [str(path) for path in below if re.search(r"from \.\.keeping\b", path.read_text())] == []


@pytest.mark.parametrize("folder", UPWARD)
def test_no_zone_imports_upward(folder: str) -> None:
    found = [str(path) for path in (ROOT / folder).rglob("*.py") if re.search(UPWARD[folder], path.read_text(), re.MULTILINE)]
    assert found == []
