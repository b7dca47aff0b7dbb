"""voxelhub.view in a real JupyterLab: it draws both layers, and asks nothing of any other machine."""

from __future__ import annotations

import io
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from support.chromium import FLAGS
from support.lab_server import lab_server
from support.specs import ENVS, install

CELL = """
import numpy as np, voxelhub
array = np.random.default_rng(0).normal(0, 30, (48, 48, 40)).astype(np.int16)
centre = np.array([24, 24, 20])[:, None, None, None]
ball = ((np.indices(array.shape) - centre) ** 2).sum(0) < 10**2
array[((np.indices(array.shape) - centre) ** 2).sum(0) < 18**2] += 300
volume = voxelhub.Volume(array, np.diag([2.0, 2.0, 2.5, 1.0]), {"modality": "CT"})
voxelhub.view(volume, overlay=volume.like(ball))
"""
CHROMIUM = "/usr/bin/chromium"


def test_view_draws_both_layers_offline(tmp_path):
    for needed in (ENVS / "lab", ENVS / "imaging", Path(CHROMIUM)):
        if not needed.exists():
            pytest.skip(f"{needed.name} is not installed")
    install("imaging", tmp_path / "jupyter")
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    notebook.metadata["kernelspec"] = {"name": "imaging", "display_name": "Imaging (Python)", "language": "python"}
    nbformat.write(notebook, home / "work/view.ipynb")
    environ = {"JUPYTER_PATH": str(tmp_path / "jupyter")}
    with (
        lab_server(home, "http://127.0.0.1:9/services/voxelhub/api/v1", "t", program="jupyter-lab", environ=environ) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        outside: list[str] = []
        page.on("request", lambda request: outside.append(request.url) if not _here(request.url) else None)
        page.goto(f"{server.url}/lab/tree/view.ipynb?token={server.token}")
        picture = drawn(page, tmp_path / "view.png")
        browser.close()
    assert outside == []
    red = (picture[..., 0] > 1.4 * picture[..., 1]) & (picture[..., 0] > 80)
    grey = (picture.std(axis=-1) < 8) & (picture.mean(axis=-1) > 40)
    assert red.mean() > 0.01, "the overlay is not drawn"
    assert grey.mean() > 0.05, "the volume is not drawn"


def drawn(page: Page, path: Path) -> np.ndarray:
    """The viewer's pixels, once they hold still."""
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
    page.get_by_text("Imaging (Python) | Idle").wait_for(timeout=60_000)  # before, a run is refused in silence
    page.locator(".jp-Notebook .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    canvas = page.locator(".jp-OutputArea-output canvas").first
    canvas.wait_for(timeout=60_000)
    last = b""
    for _ in range(30):
        page.wait_for_timeout(1000)
        now = canvas.screenshot()
        picture = np.asarray(Image.open(io.BytesIO(now)).convert("RGB"), dtype=np.float32)
        if now == last and picture.mean() > 5:
            path.write_bytes(now)
            return picture
        last = now
    raise AssertionError(f"the viewer draws nothing (mean {picture.mean():.1f})")


def _here(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))
