"""Read by JupyterHub; everything is in voxelhub_hub.configure*, and every setting in voxelhub_service.settings."""

import sys

from voxelhub_hub.refusal import Refusal
from voxelhub_service.settings import SettingsError, load_settings

try:
    settings = load_settings()
    if settings.on_kubernetes:
        from voxelhub_hub.configure_kubernetes import configure
    else:
        from voxelhub_hub.configure import configure
    configure(c, settings)  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines c
except (Refusal, SettingsError) as error:
    print(f"voxelhub hub: {error}", file=sys.stderr)
    sys.exit(1)
