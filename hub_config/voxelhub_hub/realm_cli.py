"""`voxelhub realm`: what a Keycloak of your own must have, as a document that Keycloak imports."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from dataclasses import replace

from voxelhub_service.secrets import read_secret
from voxelhub_service.settings import Settings, load_settings

from . import realm
from .refusal import Refusal

NOTE = """\
This document holds secrets. Keycloak's administration page imports it as a new realm (Create realm), or into a realm that you
have (Realm settings, Action, Partial import: all of its clients, roles and groups, and its one user, the account that looks
whether people are still there). People are yours: those in the group voxelhub-users may use VoxelHub, /projects/NAME makes a
member of NAME, /projects/NAME/owners an owner."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="voxelhub realm", description="Print the realm for a Keycloak of your own, as JSON.")
    parser.add_argument("--public-url", default="", metavar="URL",
                        help="address of this VoxelHub; empty means that of the settings")
    wanted = parser.parse_args(arguments)
    settings = load_settings()
    if wanted.public_url:
        settings = replace(settings, public_url=wanted.public_url)
    print(json.dumps(document(settings), indent=1))
    print(NOTE, file=sys.stderr)
    return 0


def document(settings: Settings) -> dict[str, object]:
    """The API's client has a secret that nobody uses: it is an audience. So a new one does where ours is in another pod."""
    values = {}
    for name in realm.SECRETS:
        try:
            values[name] = read_secret(settings.secrets_dir, name)
        except FileNotFoundError:
            if name != "api-client-secret":
                raise Refusal(f"The secret {name} is not in {settings.secrets_dir}. On Kubernetes, call this in the pod of "
                              "the hub; on one machine, after its first start.") from None
            values[name] = secrets.token_hex(32)
    return realm.realm(settings, values, elsewhere=True)
