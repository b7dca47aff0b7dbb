"""What JupyterHub is told alike on one machine and on Kubernetes: who may do what, how people sign in, what servers are given."""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path
from typing import Any

from voxelhub_service.identity.actor import ADMINS_GROUP
from voxelhub_service.secrets import read_secret
from voxelhub_service.settings import Settings

from .audit_client import AuditClient
from .authenticator import VoxelHubAuthenticator
from .backchannel import LogoutTokens
from .claims import ALLOWED_GROUPS, home_of, projects_of
from .processes import die_with
from .realm import HUB_CLIENT
from .spend_client import SpendClient
from .standing import Standings

ROOT = Path(__file__).resolve().parents[2]
SERVICE_ACCESS = "access:services!service=voxelhub"


def audit_client(settings: Settings) -> AuditClient:
    """Closed when the hub ends."""
    token = read_secret(settings.secrets_dir, "events-token")
    audit = AuditClient(f"{settings.service_url}/api/v1/internal/audit", token, settings.audit_dir / "spool")
    atexit.register(audit.close)
    return audit


def hub(c: Any, settings: Settings) -> None:
    secret = settings.secrets_dir
    c.JupyterHub.public_url = settings.base_url
    c.JupyterHub.cookie_secret = bytes.fromhex(read_secret(secret, "hub-cookie-secret"))
    c.CryptKeeper.keys = [bytes.fromhex(read_secret(secret, "hub-crypt-key"))]
    c.ConfigurableHTTPProxy.should_start = False  # it outlives the hub
    c.ConfigurableHTTPProxy.auth_token = read_secret(secret, "proxy-token")
    c.JupyterHub.shutdown_on_logout = False
    c.JupyterHub.template_paths = [str(ROOT / "hub_config" / "templates")]
    c.JupyterHub.logo_file = str(ROOT / "hub_config" / "templates" / "logo.svg")
    c.JupyterHub.activity_resolution = 10
    c.JupyterHub.last_activity_interval = 5  # also gives a proxy that was started again its routes back
    headers = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
    if settings.base_url.startswith("https://"):  # TLS here, or at a proxy in front
        headers["Strict-Transport-Security"] = "max-age=31536000"
    # Lax, not Strict: the way back from Keycloak is a navigation from another site, and must bring the state cookie.
    c.JupyterHub.tornado_settings = {"headers": headers, "cookie_options": {"samesite": "Lax"}}


def services(c: Any, settings: Settings, proxy: str, *, cull: bool = True) -> None:
    """Who may do what at the hub's API, and no more. `proxy`: its address for the culler."""
    secret = settings.secrets_dir
    c.JupyterHub.services = [
        {"name": "voxelhub", "url": settings.service_url.removesuffix("/services/voxelhub"), "display": False,
         "oauth_no_confirm": True, "timeout": 5, "api_token": read_secret(secret, "service-hub-token")},
        # Whoever scrapes; nothing runs under this name.
        {"name": "metrics", "display": False, "api_token": read_secret(secret, "metrics-token")},
    ]
    c.JupyterHub.load_roles = [
        {"name": "user", "scopes": ["self", SERVICE_ACCESS]},
        # Not the hub's own role `admin`, which opens everyone's server and makes everyone's tokens: see people, end servers.
        {"name": "voxelhub-administrator", "groups": [ADMINS_GROUP], "scopes": [
            "admin-ui", "list:users", "read:users", "read:servers", "delete:servers", "list:groups", "read:groups", "read:hub",
            "list:services", "read:services"]},
        # auth_state holds the access token that the service hands out to the user's own kernels.
        {"name": "voxelhub-service", "services": ["voxelhub"], "scopes": [
            "read:users", "read:groups", "read:servers", "admin:auth_state",
            "delete:servers"]},  # at the end of a budget
        {"name": "voxelhub-metrics", "services": ["metrics"], "scopes": ["read:metrics"]},
    ]
    if cull:
        c.JupyterHub.services.append({
            "name": "culler", "display": False, "api_token": read_secret(secret, "culler-hub-token"),
            "command": [*die_with(os.getpid()), sys.executable, "-m", "voxelhub_hub.culling"], "environment": {
                "VOXELHUB_CULL_TIMEOUT": str(settings.cull_timeout), "VOXELHUB_CULL_EVERY": str(settings.cull_every),
                "VOXELHUB_HUB_API": f"http://127.0.0.1:{settings.hub_port}/hub/api",  # beside it, whatever others call it
                "VOXELHUB_PROXY_URL": proxy, "PATH": os.environ.get("PATH", "/usr/bin:/bin")}})
        c.JupyterHub.load_roles.append({
            "name": "voxelhub-culler", "services": ["culler"],
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers", "access:servers"]})


def authenticator(c: Any, settings: Settings, audit: AuditClient) -> None:
    outside, here = (f"{realm}/protocol/openid-connect" for realm in (settings.issuer, settings.realm_url))
    c.JupyterHub.authenticator_class = VoxelHubAuthenticator
    a = c.VoxelHubAuthenticator
    a.client_id, a.client_secret = HUB_CLIENT, read_secret(settings.secrets_dir, "oidc-client-secret")
    a.oauth_callback_url = f"{settings.base_url}/hub/oauth_callback"
    a.authorize_url, a.token_url, a.userdata_url = f"{outside}/auth", f"{here}/token", f"{here}/userinfo"
    a.logout_url_at_provider, a.after_logout_url = f"{outside}/logout", f"{settings.base_url}/hub/login"
    a.realm_url = settings.realm_url
    a.scope = ["openid", "profile", "email"]
    a.username_claim = "preferred_username"
    a.username_pattern = r"[a-z0-9][a-z0-9._@+-]{0,99}"
    a.login_service = "Keycloak"
    a.http_request_kwargs = {"connect_timeout": 3.0, "request_timeout": 10.0}
    a.manage_groups, a.enable_auth_state = True, True
    a.allowed_groups = set(ALLOWED_GROUPS)
    a.auth_refresh_age, a.auth_refresh_strict, a.refresh_pre_spawn = settings.auth_refresh_age, True, True
    a.token_min_life, a.outage_grace = settings.token_min_life, settings.outage_grace
    a.custom_403_message = "Your account may not use VoxelHub yet. Ask an administrator to add you to the group voxelhub-users."
    a.standings = Standings(
        settings.keycloak_url, settings.keycloak_realm, read_secret(settings.secrets_dir, "directory-client-secret"))
    a.logout_tokens = LogoutTokens(settings.issuer, HUB_CLIENT, f"{here}/certs")
    a.report = audit.record


def servers(s: Any, settings: Settings, audit: AuditClient) -> None:
    """`s`: the configuration of a spawner class."""
    s.slug_for, s.projects_for, s.report = home_of, projects_of, audit.record
    s.spend = SpendClient(f"{settings.service_url}/api/v1/internal/spend/server",
                          read_secret(settings.secrets_dir, "events-token"), bool(settings.budgets_file))
    s.env_keep = []
    s.default_url = "/lab"
    s.http_timeout, s.poll_interval = 60, 10
    s.server_token_scopes = ["users:activity!user", "access:servers!server", SERVICE_ACCESS]
    s.variables = {
        "VOXELHUB_API_URL": f"{settings.service_url}/api/v1",
        "VOXELHUB_CULL_TIMEOUT": str(settings.cull_timeout), "VOXELHUB_CULL_WARNING": str(settings.cull_warning),
        "JUPYTERHUB_ACTIVITY_INTERVAL": str(settings.activity_interval),
    }
