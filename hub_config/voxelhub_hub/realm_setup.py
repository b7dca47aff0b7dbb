"""`python -m voxelhub_hub.realm_setup`: makes the realm in the bundled Keycloak of a cluster, before the hub starts.

Idempotent: an existing realm gets the settings, roles, groups and clients of this version, and keeps its people.
"""

from __future__ import annotations

import sys
import time

from voxelhub_service.secrets import OF_REALM, require_secrets
from voxelhub_service.settings import Settings, SettingsError, load_settings

from .directory import KeycloakAdmin
from .keycloak import answers
from .refusal import Refusal

PATIENCE, PAUSE = 300.0, 2.0  # seconds; a first start builds its tables


def main() -> int:
    try:
        settings = load_settings()
        require_secrets(settings, OF_REALM)
        await_keycloak(settings)
        with KeycloakAdmin(settings) as admin:
            admin.ensure_realm()
    except (Refusal, SettingsError) as error:
        print(f"voxelhub realm: {error}", file=sys.stderr)
        return 1
    print(f"voxelhub realm: {settings.keycloak_realm} at {settings.issuer} is as this version wants it.", flush=True)
    return 0


def await_keycloak(settings: Settings, patience: float = PATIENCE) -> None:
    deadline, told = time.monotonic() + patience, False
    while not answers(settings, "master"):
        if time.monotonic() > deadline:
            raise Refusal(f"Keycloak at {settings.keycloak_url} did not answer within {patience:.0f} s. Look at its pod's log.")
        if not told:
            print(f"voxelhub realm: waits up to {patience:.0f} s for Keycloak at {settings.keycloak_url}.", flush=True)
        told = True
        time.sleep(PAUSE)


if __name__ == "__main__":
    sys.exit(main())
