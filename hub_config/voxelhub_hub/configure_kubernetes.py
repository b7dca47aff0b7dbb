"""JupyterHub's configuration in a pod, as a function of our settings and of what the chart says.

The proxy, the service and the servers of users are pods of their own: a hub that ends, or is another one after an upgrade,
leaves them running and finds them again in its database.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from voxelhub_service.secrets import HUB_DATABASE_PASSWORD, OF_HUB, database_password, require_secrets
from voxelhub_service.settings import Settings, SettingsError
from voxelhub_spawner import VoxelHubKubeSpawner
from voxelhub_spawner.kube_chart import ChartError as SpawnerChartError
from voxelhub_spawner.kube_chart import read_chart

from . import chart
from . import configure_shared as shared
from .audit_client import AuditClient
from .refusal import Refusal
from .service_client import ServiceClient

PATIENCE, PAUSE = 120.0, 2.0  # seconds for a database that is only starting
NEEDED = ("proxy_api_url", "proxy_internal_url")


def configure(c: Any, settings: Settings) -> None:
    """Fill JupyterHub's configuration object; raises Refusal or SettingsError with the sentence to show."""
    for name in NEEDED:
        if not getattr(settings, name):
            raise SettingsError(f"VOXELHUB_{name.upper()} is empty. On Kubernetes the hub needs it; the chart sets it by itself.")
    require_secrets(settings, (*OF_HUB, HUB_DATABASE_PASSWORD) if settings.hub_database_url else OF_HUB)
    document = chart.read(settings)
    try:
        read_chart(document)
    except SpawnerChartError as error:
        raise chart.ChartError(str(error)) from None
    settings = with_culling(settings, document)
    database(c, settings)
    audit = shared.audit_client(settings)
    hub(c, settings, document)
    shared.services(c, settings, settings.proxy_internal_url.rstrip("/"), cull=settings.cull_timeout > 0)
    let_service_see_mounts(c)
    shared.authenticator(c, settings, audit)
    spawner(c, settings, audit, document)
    chart.pass_through(c, document)
    subdomains(c, settings)


def with_culling(settings: Settings, document: Mapping[str, Any]) -> Settings:
    """`cull` of the chart; a timeout of 0 means never, also to the page that warns."""
    timeout = chart.number(document, "cull", "timeout", settings.cull_timeout)
    enabled = chart.part(document, "cull").get("enabled", True)
    return replace(settings, cull_timeout=timeout if enabled else 0,
                   cull_every=chart.number(document, "cull", "every", settings.cull_every) or 60)


def database(c: Any, settings: Settings) -> None:
    """Waited for, so that a hub that starts beside its database does not end. Its tables follow the version of JupyterHub."""
    (settings.state_dir / "hub").mkdir(parents=True, exist_ok=True, mode=0o700)
    c.JupyterHub.db_url = settings.hub_database
    c.JupyterHub.upgrade_db = True
    if not settings.hub_database_url:
        return
    if password := database_password(settings.secrets_dir, HUB_DATABASE_PASSWORD):
        os.environ["PGPASSWORD"] = password  # for libpq: the address is logged; servers and culler do not get it
    await_database(settings)


def await_database(settings: Settings, patience: float = PATIENCE) -> None:
    engine, deadline = create_engine(settings.hub_database), time.monotonic() + patience
    try:
        while True:
            try:
                engine.connect().close()
                return
            except OperationalError as error:
                if time.monotonic() + PAUSE > deadline:
                    said = (str(error.orig).strip().splitlines() or ["no reason given"])[0]
                    raise Refusal(f"The hub's database at {engine.url.host} does not answer ({said}). Start it, or correct "
                                  "VOXELHUB_HUB_DATABASE_URL or the secret hub-database-password.") from None
            time.sleep(PAUSE)
    finally:
        engine.dispose()


def hub(c: Any, settings: Settings, document: Mapping[str, Any]) -> None:
    shared.hub(c, settings)
    c.JupyterHub.bind_url = "http://0.0.0.0:8000/"  # the proxy's, which has its own pod: TLS and address are its Service's
    c.JupyterHub.hub_bind_url = f"http://{settings.listen}:{settings.hub_port}"
    c.JupyterHub.hub_connect_url = settings.hub_url
    c.ConfigurableHTTPProxy.api_url = settings.proxy_api_url.rstrip("/")
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.concurrent_spawn_limit = chart.number(document, "hub", "concurrentSpawnLimit", 64)
    c.JupyterHub.active_server_limit = chart.number(document, "hub", "activeServerLimit", 0)


def let_service_see_mounts(c: Any) -> None:
    """The token of a server that may talk outward reaches what it mounts, no more (identity/hub.py): that is in its state."""
    (role,) = (role for role in c.JupyterHub.load_roles if role["name"] == "voxelhub-service")
    role["scopes"] = [*role["scopes"], "admin:server_state"]


def spawner(c: Any, settings: Settings, audit: AuditClient, document: Mapping[str, Any]) -> None:
    c.JupyterHub.spawner_class = VoxelHubKubeSpawner
    s = c.VoxelHubKubeSpawner
    shared.servers(s, settings, audit)
    s.chart = dict(document)
    service = ServiceClient.of(settings)
    s.ensure_projects, s.charge = service.ensure_projects, service.charge


def subdomains(c: Any, settings: Settings) -> None:
    """Each user's pages on a host of their own; the API stays at the public address, where scripts look for it."""
    wanted = str(c.JupyterHub.get("subdomain_host", "") or "")
    if not wanted:
        return
    public = urlsplit(settings.base_url)
    if urlsplit(wanted if "//" in wanted else f"https://{wanted}").netloc != public.netloc:
        raise chart.ChartError(f"The host for subdomains, {wanted}, is not that of the public address {settings.base_url}. "
                               "Users' pages are on <user>.<host of the public address>.")
    routes = dict(c.ConfigurableHTTPProxy.get("extra_routes", {}))
    routes[f"{public.hostname}/services/voxelhub/"] = settings.service_url.removesuffix("/services/voxelhub")
    c.ConfigurableHTTPProxy.extra_routes = routes
