"""Notebooks are documentation that runs."""

from __future__ import annotations

import time
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from support.specs import ENVS, install

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
    # Half a minute on two idle cores; the limit leaves room for a busy CI machine.
    run_here("train-small-segmentation", "imaging-torch", tmp_path, limit_s=180)


def run_here(name: str, kernel: str, folder: Path, limit_s: float):
    """Execute a notebook with a kernel of this machine; a cell that raises fails the test."""
    if not (ENVS / kernel).exists():
        pytest.skip(f"the environment {kernel} is not installed (python3 hub_config/bootstrap.py {kernel})")
    install(kernel, folder)
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    specs = KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    manager = AsyncKernelManager(kernel_name=kernel, kernel_spec_manager=specs)
    started = time.monotonic()
    NotebookClient(notebook, km=manager, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    assert time.monotonic() - started < limit_s
    return notebook
