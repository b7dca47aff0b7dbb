"""The ports of an installation, looked at before anything starts."""

from __future__ import annotations

import socket

from voxelhub_service.settings import Settings

from .refusal import Refusal

PORTS = {
    "port": "the proxy", "hub_port": "the hub", "proxy_api_port": "the proxy's API", "service_port": "the service",
    "keycloak_port": "Keycloak", "keycloak_public_port": "Keycloak with TLS",
    "keycloak_management_port": "Keycloak's health page",
}
OUTWARD = {"port", "keycloak_public_port"}


class PortTaken(Refusal):
    """A port that we need belongs to another program."""


def check_ports(settings: Settings) -> None:
    """Raises PortTaken naming the first port that is taken and the setting to change."""
    for name, owner in PORTS.items():
        if name == "keycloak_public_port" and not settings.tls_cert:
            continue
        port, host = getattr(settings, name), settings.host if name in OUTWARD else "127.0.0.1"
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise PortTaken(
                    f"Port {port}, which {owner} needs, cannot be used ({error.strerror}). "
                    f"Set VOXELHUB_{name.upper()} to a free port, or end the program that holds it."
                ) from None
