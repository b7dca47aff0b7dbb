"""Secrets of one installation: one file each, read at use and never logged.

On one machine they are made once, with mode 0600. On Kubernetes they are a Secret of which each pod sees what it needs, and
nothing here makes one: a process that lacks one does not start.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from .settings import Settings, SettingsError

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
DATABASE_PASSWORD, HUB_DATABASE_PASSWORD = "database-password", "hub-database-password"  # names; an administrator writes these
KEYS = {"audit-key", "audit-signing-key", "deid-key", "provenance-key", "vault-key", "hub-crypt-key", "hub-cookie-secret"}
# What each pod of Kubernetes is given.
OF_SERVICE = ("audit-key", "audit-signing-key", "deid-key", "provenance-key", "vault-key", "service-hub-token", "events-token",
              "metrics-token", "api-client-secret")
OF_HUB = ("hub-cookie-secret", "hub-crypt-key", "proxy-token", "service-hub-token", "culler-hub-token", "events-token",
          "metrics-token", "oidc-client-secret", "directory-client-secret")
OF_REALM = ("keycloak-admin-password", "oidc-client-secret", "api-client-secret", "directory-client-secret")


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


def require_secrets(settings: Settings, names: Iterable[str]) -> None:
    """On Kubernetes, before a process does anything: a sentence for the first that is missing, empty, or no key."""
    for name in names if settings.on_kubernetes else ():
        try:
            text = (settings.secrets_dir / name).read_text().strip()
        except OSError:
            text = ""
        where = f"the key {name} of the Secret voxelhub-secrets, or of the one that you named, mounted at {settings.secrets_dir}"
        if not text:
            raise SettingsError(f"A secret is missing or empty: {where}. Nothing is made here in its place; put it there.")
        if name in KEYS and not _is_key(text):
            raise SettingsError(f"A secret is no key: {where}. Write 64 hexadecimal digits (`openssl rand -hex 32`).")


def _is_key(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == 32
    except ValueError:
        return False


def database_password(folder: Path, name: str = DATABASE_PASSWORD) -> str | None:
    """Of the PostgreSQL server, where an administrator has written it there; None leaves it to libpq, as PGPASSWORD does."""
    if "PGPASSWORD" in os.environ:
        return None
    try:
        return (folder / name).read_text().strip()
    except FileNotFoundError:
        return None


def read_secret(folder: Path, name: str) -> str:
    """The secret as 64 hexadecimal digits; KeyError for a name that does not exist."""
    if name not in NAMES:
        raise KeyError(name)
    return (folder / name).read_text().strip()
