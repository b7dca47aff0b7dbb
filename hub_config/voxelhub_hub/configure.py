"""JupyterHub's configuration on one machine, as a function of our settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
from voxelhub_sandbox.profiles import Limits, load_profiles
from voxelhub_service.secrets import ensure_secrets
from voxelhub_service.settings import Settings, is_loopback
from voxelhub_spawner.gpus import GpuPool, detect_gpus
from voxelhub_spawner.local import LocalIsolatedSpawner

from . import configure_shared as shared
from .audit_client import AuditClient


def configure(c: Any, settings: Settings) -> None:
    """Fill JupyterHub's configuration object; makes missing secrets and folders."""
    ensure_secrets(settings.secrets_dir)
    hub_dir = settings.state_dir / "hub"
    hub_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    audit = shared.audit_client(settings)
    hub(c, settings)
    shared.services(c, settings, proxy_url(settings))
    shared.authenticator(c, settings, audit)
    spawner(c, settings, audit)


def hub(c: Any, settings: Settings) -> None:
    shared.hub(c, settings)
    scheme = "https" if settings.tls_cert else "http"
    c.JupyterHub.bind_url = f"{scheme}://{settings.host}:{settings.port}/"
    if settings.tls_cert:
        c.JupyterHub.ssl_cert, c.JupyterHub.ssl_key = settings.tls_cert, settings.tls_key
    c.JupyterHub.hub_bind_url = f"http://{settings.listen}:{settings.hub_port}"
    c.JupyterHub.db_url = settings.hub_database
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{settings.proxy_api_port}"  # started by children.py
    c.JupyterHub.cleanup_servers = True  # an ordinary end ends the servers; a killed hub finds them again


def proxy_url(settings: Settings) -> str:
    """The proxy as seen from this machine, whatever users type."""
    host = settings.host if is_loopback(settings.host) else "127.0.0.1" if settings.host == "0.0.0.0" else settings.host  # noqa: S104
    return f"{'https' if settings.tls_cert else 'http'}://{host}:{settings.port}"


def spawner(c: Any, settings: Settings, audit: AuditClient) -> None:
    c.JupyterHub.spawner_class = LocalIsolatedSpawner
    pool = GpuPool(detect_gpus())
    s = c.LocalIsolatedSpawner
    shared.servers(s, settings, audit)
    s.isolation = settings.isolation
    s.envs_dir, s.homes_dir, s.projects_dir = str(settings.envs_dir), str(settings.homes_dir), str(settings.projects_dir)
    s.logs_dir, s.records_dir = str(settings.logs_dir / "servers"), str(settings.servers_dir)
    s.profiles = load_profiles(Path(settings.profiles_file) if settings.profiles_file else None)
    s.limits = Limits(os.cpu_count() or 1, psutil.virtual_memory().total, pool.kinds())
    s.gpus = pool
    s.start_timeout = 60
