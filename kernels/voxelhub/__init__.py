"""What a notebook imports: find data, load it as arrays with their place in space, look at it, save results, run tools.

    import voxelhub

    voxelhub.datasets()                              # what my projects hold
    study = voxelhub.dataset("Phantom chest CT")
    volume = study.load()                            # .array, .affine (mm, RAS+), .meta
    voxelhub.view(volume)                            # three planes, offline
    voxelhub.save(volume, "Smoothed CT", project="demo")
    voxelhub.fetch("https://…/study.zip", "Far study", project="demo")

Everything here may do exactly what its user may do; the service decides.
"""

from __future__ import annotations

from .catalogue import Dataset, Entry, dataset, datasets, entry, projects
from .dicom import read_dicom
from .errors import VoxelHubError
from .fetching import fetch
from .nifti import read_nifti, write_nifti
from .running import Run, Tool, run, runs, tools
from .saving import save
from .tables import Table
from .tokens import AccessToken, access_token
from .viewing import view
from .volume import Volume

__version__ = "0.1.0"
__all__ = [
    "AccessToken",
    "Dataset",
    "Entry",
    "Run",
    "Table",
    "Tool",
    "Volume",
    "VoxelHubError",
    "access_token",
    "dataset",
    "datasets",
    "entry",
    "fetch",
    "projects",
    "read_dicom",
    "read_nifti",
    "run",
    "runs",
    "save",
    "tools",
    "view",
    "write_nifti",
]
