"""Runs a notebook of notebooks/ with a kernel of this machine."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from support.specs import ENVS, ROOT, install


def run_notebook(name: str, kernel: str, folder: Path) -> nbformat.NotebookNode:
    """The executed notebook; a cell that raises fails the test. Skips where the kernel's environment is missing."""
    if not (ENVS / kernel).exists():
        pytest.skip(f"the environment {kernel} is not installed (python3 hub_config/bootstrap.py {kernel})")
    install(kernel, folder)
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    specs = KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    manager = AsyncKernelManager(kernel_name=kernel, kernel_spec_manager=specs)
    NotebookClient(notebook, km=manager, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook
