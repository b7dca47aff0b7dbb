"""Every setting of a VoxelHub installation, declared once: type, safe default, help with unit.

A setting is read from the environment as `VOXELHUB_<NAME>`. Unknown `VOXELHUB_` variables are refused, so a typing
error never passes for a default.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

GIB = 1024**3
REALM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
# On Kubernetes nothing has an address by itself: setting -> the value of the chart that it comes from.
NEEDED_ON_KUBERNETES = {
    "public_url": "publicUrl", "keycloak_public_url": "keycloak.url", "hub_internal_url": "", "service_internal_url": "",
}
# Variables that carry our prefix but are no setting: what a notebook server or a test hands to its children.
NOT_SETTINGS = {
    "VOXELHUB_API_URL", "VOXELHUB_INSTALLATION", "VOXELHUB_KILL_AT", "VOXELHUB_PROFILE", "VOXELHUB_PROJECTS",
    "VOXELHUB_PROJECTS_DIR", "VOXELHUB_SCREENSHOTS", "VOXELHUB_SHARED", "VOXELHUB_TOKEN",
}


class SettingsError(ValueError):
    """A setting is missing, unknown or unsafe; the text says what would be right."""


def setting(default: Any, help: str) -> Any:
    """A field whose help names its unit; the reference page in docs/ is generated from it."""
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Settings:
    platform: str = setting(
        "local", "Where VoxelHub runs: local, on one machine; or kubernetes, in pods, where the chart sets it.")
    state_dir: Path = setting(Path(".voxelhub"), "Folder of all state: database, projects, homes, secrets, logs.")
    database_url: str = setting(
        "", "Database: empty means SQLite in the state folder; else postgresql://user@host:port/name (15 or newer), without a "
        "password: that is read from secrets/database-password, or by libpq (PGPASSFILE, PGPASSWORD).")
    envs_dir: Path = setting(Path(".envs"), "Folder of the environments that the set-up makes; can be made again.")
    host: str = setting("127.0.0.1", "Address the proxy listens on. Other than loopback is refused without TLS.")
    port: int = setting(8000, "Port of the proxy. A browser needs this one and Keycloak's.")
    public_url: str = setting("", "Address users type, without a path; empty means http(s)://<host>:<port>.")
    listen: str = setting(
        "127.0.0.1", "Address on which hub and service API listen. Other than loopback only on Kubernetes, where network "
        "policies say who reaches them.")
    tls_cert: str = setting("", "PEM file of the certificate the proxy shows; needed with tls_key off loopback.")
    tls_key: str = setting("", "PEM file of the key of tls_cert.")
    hub_port: int = setting(8081, "Loopback port of JupyterHub.")
    proxy_api_port: int = setting(8001, "Loopback port of the proxy's own API.")
    service_port: int = setting(8002, "Loopback port of the service API.")
    keycloak_port: int = setting(8180, "Loopback port of Keycloak.")
    keycloak_public_url: str = setting(
        "", "Address of Keycloak for browsers; empty means its loopback address or, with tls_cert, "
        "https://<host of public_url>:<keycloak_public_port>.")
    keycloak_public_port: int = setting(8443, "Port on which Keycloak is served with tls_cert; unused without.")
    keycloak_management_port: int = setting(9180, "Loopback port of Keycloak's health page.")
    keycloak_realm: str = setting("voxelhub", "Realm of Keycloak that VoxelHub's people are in.")
    keycloak_internal_url: str = setting(
        "", "Address of Keycloak for hub and service; empty means its loopback address or, on Kubernetes, keycloak_public_url.")
    hub_internal_url: str = setting("", "Address of the hub for service, proxy and servers; empty means its loopback address.")
    service_internal_url: str = setting("", "Address of the service API for hub and servers; empty means its loopback address.")
    proxy_api_url: str = setting("", "Address of the proxy's own API for the hub; empty means its loopback address.")
    proxy_internal_url: str = setting("", "Address of the proxy for the culler; empty means where it listens on this machine.")
    hub_database_url: str = setting(
        "", "The hub's own database: empty means SQLite in the state folder; else postgresql://user@host:port/name, without a "
        "password: that is read from secrets/hub-database-password.")
    chart_file: str = setting("", "YAML file in which the chart tells the hub of servers, profiles, projects; Kubernetes only.")
    isolation: bool = setting(True, "Run notebook servers and tools in bubblewrap. Only for a single user may it be off.")
    auth_refresh_age: int = setting(10, "Seconds after which the hub asks Keycloak again about a user.")
    token_min_life: int = setting(30, "Seconds an access token must still live, or it is refreshed first.")
    outage_grace: int = setting(90, "Seconds that known users stay signed in while Keycloak does not answer.")
    activity_interval: int = setting(15, "Seconds between a server's activity reports; each also checks its user.")
    cull_timeout: int = setting(3600, "Seconds without activity after which a notebook server is stopped.")
    cull_warning: int = setting(300, "Seconds before culling at which JupyterLab warns.")
    cull_every: int = setting(60, "Seconds between two looks at idle servers.")
    profiles_file: str = setting("", "YAML file of server profiles; empty means the ones that ship.")
    project_quota: int = setting(100 * GIB, "Bytes a new project may hold.")
    upload_expiry: int = setting(3 * 86400, "Seconds after its last byte at which an unfinished upload is dropped.")
    upload_idle: int = setting(60, "Seconds without a byte after which an upload request is ended (it can resume).")
    trash_days: int = setting(30, "Days a deleted dataset stays in the trash.")
    archive_max_bytes: int = setting(50 * GIB, "Bytes that one unpacked archive may hold.")
    archive_max_files: int = setting(200_000, "Files that one unpacked archive may hold.")
    archive_max_ratio: int = setting(200, "Unpacked size over packed size above which an archive is refused.")
    door_workers: int = setting(2, "Processes that look at and clean the files of one import at the same time.")
    door_memory: int = setting(4 * GIB, "Bytes of memory one of these processes may use.")
    door_text: bool = setting(
        True, "Look for text in the pixels of clinical images. Off: images that may hold text are quarantined.")
    quarantine_days: int = setting(30, "Days after which a file that nobody decided about leaves the quarantine for good.")
    clamd: str = setting("", "Virus scanner: host:port or socket path of a clamd; empty means none.")
    clamd_required: bool = setting(
        True, "What the scanner did not scan (it is away, or the file is too large for it): true keeps it out, false not.")
    url_private: bool = setting(False, "Allow imports from private, link-local and loopback addresses.")
    url_per_host: int = setting(2, "Imports from a URL that load from the same host at the same time.")
    tools_dir: str = setting("", "Folder of the tools, one folder each; empty means those that ship.")
    run_slots: int = setting(8, "Tool runs that execute at the same time on this machine, where cores and memory allow it.")
    run_cpus: int = setting(0, "Cores that tool runs share; 0 means all of this machine.")
    run_memory: int = setting(0, "Bytes of memory that tool runs share; 0 means three quarters of this machine's.")
    run_share: int = setting(4, "Tool runs of one person at the same time while others wait.")
    batch_max: int = setting(1000, "Items one batch may hold.")
    tool_max_bytes: int = setting(20 * 1024**2, "Bytes the folder of a submitted tool may hold.")
    run_max_output: int = setting(20 * GIB, "Bytes a run may write before it is ended.")
    prices_file: str = setting("", "YAML file of prices and kinds of workers; empty means the one that ships, without prices.")
    budgets_file: str = setting("", "YAML file of monthly budgets of people and projects; empty means none.")
    budget_grace: int = setting(600, "Seconds that running work goes on after its budget is reached, before it is stopped.")
    cluster_max: int = setting(4, "Dask clusters that one person may have open.")
    cluster_workers: int = setting(16, "Workers that one Dask cluster may have.")
    cluster_cpus: int = setting(0, "Cores that the workers of all clusters share; 0 means twice those of this machine.")
    cluster_memory: int = setting(0, "Bytes of memory that they share; 0 means half of this machine's.")
    cluster_idle: int = setting(1800, "Seconds without work after which a Dask cluster is closed; 0 means never.")
    audit_checkpoint_records: int = setting(1000, "New records of the audit log after which it is signed as a whole again.")
    audit_checkpoint_seconds: int = setting(300, "Seconds after which it is signed again, if it has any new record.")
    audit_second: str = setting(
        "", "Second place for the audit log's checkpoints: file:<folder>, s3:<https address of bucket and prefix>, "
        "syslog:tcp://<host>:<port>, syslog:udp://<host>:<port> or syslog:<socket>; empty means none.")
    min_free: int = setting(256 * 1024**2, "Free bytes on the state folder's disk below which uploads are refused.")

    @property
    def base_url(self) -> str:
        if self.public_url:
            return self.public_url.rstrip("/")
        return f"{'https' if self.tls_cert else 'http'}://{self.host}:{self.port}"

    @property
    def on_kubernetes(self) -> bool:
        return self.platform == "kubernetes"

    @property
    def sandboxes(self) -> bool:
        """Whether the door's workers and previews run behind bubblewrap: a restricted pod may make no namespaces."""
        return self.isolation and not self.on_kubernetes

    @property
    def hub_url(self) -> str:
        return self.hub_internal_url.rstrip("/") or f"http://127.0.0.1:{self.hub_port}"

    @property
    def hub_api_url(self) -> str:
        return f"{self.hub_url}/hub/api"

    @property
    def service_url(self) -> str:
        """Address of the service API for kernels, panels' proxies and the hub, not for browsers; prefix included."""
        return f"{self.service_internal_url.rstrip('/') or f'http://127.0.0.1:{self.service_port}'}/services/voxelhub"

    @property
    def keycloak_url(self) -> str:
        """Keycloak for the hub, the service and the command line."""
        outside = self.keycloak_public_url if self.on_kubernetes else ""
        return (self.keycloak_internal_url or outside).rstrip("/") or f"http://127.0.0.1:{self.keycloak_port}"

    @property
    def realm_url(self) -> str:
        """The realm at `keycloak_url`; its tokens name `issuer` wherever they were asked for."""
        return f"{self.keycloak_url}/realms/{self.keycloak_realm}"

    @property
    def issuer(self) -> str:
        """The realm as browsers reach it, and the `iss` of its tokens."""
        address = self.keycloak_public_url.rstrip("/")
        if not address and self.tls_cert:
            address = f"https://{urlsplit(self.base_url).hostname}:{self.keycloak_public_port}"
        return f"{address or self.keycloak_url}/realms/{self.keycloak_realm}"

    @property
    def database(self) -> str:
        """SQLAlchemy's address of the database, without a password."""
        return _with_driver(self.database_url) or f"sqlite:///{self.database_file}"

    @property
    def hub_database(self) -> str:
        """SQLAlchemy's address of the hub's database, without a password."""
        return _with_driver(self.hub_database_url) or f"sqlite:///{self.state_dir / 'hub' / 'jupyterhub.sqlite'}"

    @property
    def database_file(self) -> Path:
        """Of SQLite; unused with a server."""
        return self.state_dir / "service" / "voxelhub.db"

    @property
    def projects_dir(self) -> Path:
        """Published dataset versions: projects/<project>/<dataset>/v<N>/… with v<N>.sha256 beside it."""
        return self.state_dir / "projects"

    @property
    def uploads_dir(self) -> Path:
        return self.state_dir / "service" / "uploads"

    @property
    def staging_dir(self) -> Path:
        """Same file system as projects_dir, so that publishing is a rename."""
        return self.state_dir / "service" / "staging"

    @property
    def quarantine_dir(self) -> Path:
        """quarantine/<run>/<item>: what arrived and was not released. Never mounted anywhere."""
        return self.state_dir / "service" / "quarantine"

    @property
    def derived_dir(self) -> Path:
        """Cache of previews; may be deleted at any time."""
        return self.state_dir / "service" / "derived"

    @property
    def submitted_dir(self) -> Path:
        """tools/<id>/: the folders of submitted tools, read-only."""
        return self.state_dir / "tools"

    @property
    def runs_dir(self) -> Path:
        return self.state_dir / "runs"

    @property
    def clusters_dir(self) -> Path:
        """clusters/<id>/: keys, logs and the record of one Dask cluster; 0700."""
        return self.state_dir / "clusters"

    @property
    def servers_dir(self) -> Path:
        """servers/<id>.json: what a notebook server has used, kept by its launcher until it is in the ledger."""
        return self.state_dir / "servers"

    @property
    def homes_dir(self) -> Path:
        return self.state_dir / "homes"

    @property
    def secrets_dir(self) -> Path:
        return self.state_dir / "secrets"

    @property
    def audit_dir(self) -> Path:
        """Head mirror, checkpoints, public keys, and the spool of events written while the service was down."""
        return self.state_dir / "audit"

    @property
    def logs_dir(self) -> Path:
        return self.state_dir / "logs"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; raises SettingsError with the sentence to show."""
    environ = os.environ if environ is None else environ
    known = {f"VOXELHUB_{f.name.upper()}": f for f in fields(Settings)}
    unknown = sorted(k for k in environ if k.startswith("VOXELHUB_") and k not in known and k not in NOT_SETTINGS)
    if unknown:
        linked = " Kubernetes makes such for its Services: set enableServiceLinks: false in the pod." if any(
            name.endswith("_SERVICE_HOST") for name in unknown) else ""
        raise SettingsError(f"Unknown setting {', '.join(unknown)}. `voxelhub doctor --settings` lists the known ones.{linked}")
    values = {f.name: _parse(name, environ[name], f.default) for name, f in known.items() if name in environ}
    for name in ("state_dir", "envs_dir"):
        values[name] = Path(values.get(name, getattr(Settings, name))).resolve()
    settings = Settings(**values)
    _refuse_unsafe(settings)
    return settings


def _parse(name: str, text: str, default: Any) -> Any:
    if isinstance(default, bool):
        if text.lower() in {"1", "true", "yes", "on"}:
            return True
        if text.lower() in {"0", "false", "no", "off"}:
            return False
        raise SettingsError(f"{name} is {text!r}; write true or false.")
    if isinstance(default, int):
        if not text.isdecimal():
            raise SettingsError(f"{name} is {text!r}; write a whole number.")
        return int(text)
    return Path(text) if isinstance(default, Path) else text


def _with_driver(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}+psycopg://{rest}" if scheme else ""


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_unsafe(settings: Settings) -> None:
    if not is_loopback(settings.host) and not (settings.tls_cert and settings.tls_key):
        raise SettingsError(
            f"VOXELHUB_HOST is {settings.host}, which other machines can reach, and no TLS certificate is set. "
            "Set VOXELHUB_TLS_CERT and VOXELHUB_TLS_KEY, or keep 127.0.0.1."
        )
    _refuse_address("database_url", settings.database_url)
    _refuse_address("hub_database_url", settings.hub_database_url)
    _refuse_platform(settings)
    if not REALM.fullmatch(settings.keycloak_realm):
        raise SettingsError(f"VOXELHUB_KEYCLOAK_REALM is {settings.keycloak_realm!r}, which is no name of a realm. "
                            "Use letters, digits, dash and underscore.")
    for name in ("keycloak_internal_url", "hub_internal_url", "service_internal_url", "proxy_api_url", "proxy_internal_url"):
        if (url := getattr(settings, name)) and not _is_address(url):
            raise SettingsError(f"VOXELHUB_{name.upper()} is {url!r}. Write http:// or https://, the host and its port, no more.")
    if settings.token_min_life <= settings.auth_refresh_age:
        raise SettingsError("VOXELHUB_TOKEN_MIN_LIFE must be above VOXELHUB_AUTH_REFRESH_AGE, or kernels get expired tokens.")


def _refuse_platform(settings: Settings) -> None:
    if settings.platform not in ("local", "kubernetes"):
        raise SettingsError(f"VOXELHUB_PLATFORM is {settings.platform!r}; write local or kubernetes.")
    if settings.platform == "local":
        if settings.listen != "127.0.0.1":
            raise SettingsError(
                f"VOXELHUB_LISTEN is {settings.listen}, but hub and service API are for the proxy of this machine alone. "
                "Keep 127.0.0.1; only on Kubernetes (VOXELHUB_PLATFORM=kubernetes) do network policies stand before them.")
        return
    for name, value in NEEDED_ON_KUBERNETES.items():
        if not getattr(settings, name):
            who = f"the chart takes it from its value {value}" if value else "the chart sets it by itself"
            raise SettingsError(f"VOXELHUB_{name.upper()} is empty. On Kubernetes it is needed; {who}.")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and parts.username is None \
            and not (parts.query or parts.fragment)
    except ValueError:
        return False


def _refuse_address(name: str, url: str) -> None:
    """Of a database: its password would stand in every listing of the settings."""
    if not url:
        return
    try:
        parts = urlsplit(url)
        password, database = parts.password or "password=" in parts.query, parts.path.strip("/")
    except ValueError:
        password, database = False, ""
    variable = f"VOXELHUB_{name.upper()}"
    if password:
        raise SettingsError(f"{variable} holds a password, which `doctor` and logs would show. Take it out, and write it to "
                            f"secrets/{name.removesuffix('_url').replace('_', '-')}-password in the state folder (mode 0600).")
    if not url.startswith("postgresql://") or not database:
        raise SettingsError(f"{variable} is no address of a PostgreSQL database. "
                            "Write postgresql://user@host:port/name, or leave it empty for SQLite.")
