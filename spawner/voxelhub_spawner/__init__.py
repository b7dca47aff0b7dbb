"""Notebook servers: each in a sandbox on this machine, or in a pod on Kubernetes."""

from __future__ import annotations

from typing import Any

__all__ = ["LocalIsolatedSpawner", "VoxelHubKubeSpawner"]
_PLACES = {"LocalIsolatedSpawner": "local", "VoxelHubKubeSpawner": "kube"}


def __getattr__(name: str) -> Any:
    """Imported when asked for: one machine needs no Kubernetes client."""
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
