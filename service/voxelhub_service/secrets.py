"""Secrets of one installation: made once, one file each with mode 0600, read at use and never logged."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

NAMES = (
    "audit-key",                # keyed hash of the audit chain; only the service reads it
    "audit-signing-key",        # signs the audit log's records and checkpoints; `voxelhub audit rotate-key` changes it
    "deid-key",                 # every project's pseudonyms derive from it; only an import reads it
    "provenance-key",           # people in exported provenance are named by a keyed hash
    "vault-key",                # wraps users' credentials of linked accounts
    "hub-crypt-key",            # encrypts auth_state in the hub's database
    "hub-cookie-secret",
    "proxy-token",              # hub -> configurable-http-proxy
    "service-hub-token",        # service -> hub API
    "culler-hub-token",         # culler and eviction -> hub API
    "events-token",             # hub -> service: audit events
    "metrics-token",            # whoever scrapes the service's figures
    "oidc-client-secret",       # hub's client at Keycloak
    "directory-client-secret",  # reads whether a user still exists
    "api-client-secret",        # audience `voxelhub-api`
    "keycloak-admin-password",
    "keycloak-db-password",
)
DATABASE_PASSWORD = "database-password"  # noqa: S105 - a name; the one file here that we do not make


def ensure_secrets(folder: Path) -> None:
    """Make the missing ones; never overwrite. Survives a kill: a file appears complete or not at all."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    for name in NAMES:
        ensure_secret(folder, name)


def ensure_secret(folder: Path, name: str) -> None:
    """One of them, into a folder that exists."""
    path = folder / name
    if path.exists():
        return
    part = folder / f".{name}.{os.getpid()}"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(part, path)
    part.unlink()


def database_password(folder: Path) -> str | None:
    """Of the PostgreSQL server, where an administrator has written it there; None leaves it to libpq, as PGPASSWORD does."""
    if "PGPASSWORD" in os.environ:
        return None
    try:
        return (folder / DATABASE_PASSWORD).read_text().strip()
    except FileNotFoundError:
        return None


def read_secret(folder: Path, name: str) -> str:
    """The secret as 64 hexadecimal digits; KeyError for a name that does not exist."""
    if name not in NAMES:
        raise KeyError(name)
    return (folder / name).read_text().strip()
