"""Read by JupyterHub; everything is in voxelhub_hub.configure, and every setting in voxelhub_service.settings."""

from voxelhub_hub.configure import configure
from voxelhub_service.settings import load_settings

configure(c, load_settings())  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines c
