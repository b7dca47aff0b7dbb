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
