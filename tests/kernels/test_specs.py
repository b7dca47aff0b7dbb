"""The kernels that ship: each starts from its specification and computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from support.specs import ENVS, SPECS, install

NAMES = {"imaging": "Imaging (Python)", "imaging-torch": "Imaging + PyTorch"}
IMAGING = "numpy scipy pydicom nibabel SimpleITK dask.array distributed ipywidgets ipyniivue matplotlib httpx voxelhub"


def run_in_kernel(name: str, code: str, folder: Path, timeout: float = 60) -> str:
    """What `code` prints in a fresh kernel `name`; fails with the kernel's traceback."""
    reply, printed = execute(name, code, folder, timeout)
    assert reply["status"] == "ok", "\n".join(reply.get("traceback", []))
    return printed


def execute(name: str, code: str, folder: Path, timeout: float = 60) -> tuple[dict[str, Any], str]:
    """Reply and printed text of one cell in a fresh kernel."""
    python = ENVS / name / "bin/python"
    if not python.exists():
        pytest.skip(f"the environment {name} is not installed (python3 hub_config/bootstrap.py {name})")
    install(name, folder)
    manager = KernelManager(kernel_name=name, kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder / "kernels")]))
    manager.start_kernel(cwd=str(folder))
    client = manager.client()
    client.start_channels()
    printed: list[str] = []

    def hook(message):
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    try:
        client.wait_for_ready(timeout=timeout)
        reply = client.execute_interactive(code, output_hook=hook, timeout=timeout)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return reply["content"], "".join(printed)


@pytest.mark.parametrize("name", NAMES)
def test_template_is_complete(name):
    spec = json.loads((SPECS / name / "kernel.json").read_text())
    assert spec["argv"] == ["{python}", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    assert spec["display_name"] == NAMES[name]
    assert spec["language"] == "python"
    for logo in ("logo-32x32.png", "logo-64x64.png", "logo-svg.svg"):
        assert (SPECS / name / logo).stat().st_size > 200


def test_imaging_holds_what_it_promises(tmp_path):
    code = f"import importlib\nfor name in {IMAGING.split()!r}: importlib.import_module(name)\nprint('whole')"
    assert run_in_kernel("imaging", code, tmp_path) == "whole\n"


DASK = """
import dask.array as da
from distributed import Client
with Client(processes=False, dashboard_address=None) as client:
    print(int(da.ones((100, 100), chunks=50).sum().compute()))
"""
TORCH = """
import torch, voxelhub
from torch import nn
torch.manual_seed(0)
x = torch.randn(64, 1, 8, 8, 8)
y = (x.mean((1, 2, 3, 4)) > 0).float()
net = nn.Sequential(nn.Conv3d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(864, 1))
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
losses = []
for _ in range(20):
    loss = nn.functional.binary_cross_entropy_with_logits(net(x)[:, 0], y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print("learns" if losses[-1] < losses[0] / 2 else losses)
"""


def test_imaging_computes_on_a_dask_cluster_of_its_own(tmp_path):
    assert run_in_kernel("imaging", DASK, tmp_path) == "10000\n"


def test_an_error_is_shown_as_a_sentence_not_a_page_of_traceback(tmp_path):
    reply, _ = execute("imaging", "import os, voxelhub\nos.environ.pop('VOXELHUB_API_URL', 0)\nvoxelhub.datasets()", tmp_path)
    assert reply["ename"] == "VoxelHubError"
    assert reply["traceback"] == [
        "VoxelHubError [not_connected]: This kernel does not know where VoxelHub's service is.",
        "→ Run it in a server started from VoxelHub, or set VOXELHUB_API_URL and JUPYTERHUB_API_TOKEN.",
    ]


def test_torch_learns_in_its_own_environment(tmp_path):
    assert run_in_kernel("imaging-torch", TORCH, tmp_path, timeout=240) == "learns\n"


@pytest.mark.parametrize("env", ["core", "lab", "imaging", "test"])
def test_no_other_environment_holds_torch(env):
    if not (ENVS / env).exists():
        pytest.skip(f"the environment {env} is not installed")
    assert not list((ENVS / env / "lib").glob("python3*/site-packages/torch"))
