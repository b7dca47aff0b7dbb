"""JupyterLab's way to the VoxelHub service: a thin server extension of the user zone."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "voxelhub_lab"}]


def _load_jupyter_server_extension(server: Any) -> None:
    from .app import load

    load(server)
