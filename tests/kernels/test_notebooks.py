"""Notebooks are documentation that runs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from support.notebooks import run_notebook

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_is_clean_and_valid(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    for cell in notebook.cells:
        assert "outputs" not in cell or (not cell.outputs and cell.execution_count is None), cell.id


def test_the_training_notebook_learns(tmp_path):
    """It asserts by itself that the network beats a threshold. Half a minute on two idle cores."""
    run_notebook("train-small-segmentation", "imaging-torch", tmp_path)


def test_the_planning_notebook_tells_its_story(tmp_path):
    """It asserts by itself that what comes back is what the unsplit slides give, and that the impossible is proven."""
    notebook = run_notebook("plan-a-slide", "imaging", tmp_path)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output.get("text", "") for output in outputs)
    assert "all as without splitting" in printed and "is impossible" in printed
    assert any("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in outputs)
