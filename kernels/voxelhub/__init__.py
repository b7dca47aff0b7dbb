"""What a notebook imports: find data, load it as arrays with their place in space, look at it, save results, run tools.

    import voxelhub

    voxelhub.datasets()                              # what my projects hold
    study = voxelhub.dataset("Phantom chest CT")
    volume = study.load()                            # .array, .affine (mm, RAS+), .meta
    voxelhub.view(volume)                            # three planes, offline
    voxelhub.save(volume, "Smoothed CT", project="demo")
    voxelhub.fetch("https://…/study.zip", "Far study", project="demo")
    cluster = voxelhub.Cluster(adapt=(1, 4))         # Dask, with its price said first

Everything here may do exactly what its user may do; the service decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .catalogue import Dataset, Entry, dataset, datasets, entry, projects
from .developing import ToolCheck, check_tool, new_tool, submit_tool
from .dicom import read_dicom
from .errors import VoxelHubError
from .fetching import fetch
from .nifti import read_nifti, write_nifti
from .running import Comparison, Run, Tool, run, runs, tools
from .saving import save
from .tables import Table
from .tokens import AccessToken, access_token
from .viewing import show, view
from .volume import Volume

if TYPE_CHECKING:
    from .cluster import Cluster

__version__ = "0.1.0"
__all__ = [
    "AccessToken",
    "Cluster",
    "Comparison",
    "Dataset",
    "Entry",
    "Run",
    "Table",
    "Tool",
    "ToolCheck",
    "Volume",
    "VoxelHubError",
    "access_token",
    "check_tool",
    "dataset",
    "datasets",
    "entry",
    "fetch",
    "new_tool",
    "projects",
    "read_dicom",
    "read_nifti",
    "run",
    "runs",
    "save",
    "show",
    "submit_tool",
    "tools",
    "view",
    "write_nifti",
]


def __getattr__(name: str) -> Any:
    """Dask takes a second to import: only whoever asks for a cluster waits for it."""
    if name != "Cluster":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .cluster import Cluster

    return Cluster
