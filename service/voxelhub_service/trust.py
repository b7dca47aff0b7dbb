"""Whose certificates are believed: the system's, or those that SSL_CERT_FILE names.

A Keycloak of a site may have a certificate of the site's own authority. httpx alone would look at a list that it brings.
"""

from __future__ import annotations

import ssl
from functools import cache


@cache
def trusted() -> ssl.SSLContext:
    """One for the process: to read the list takes long."""
    return ssl.create_default_context()
