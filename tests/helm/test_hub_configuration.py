"""JupyterHub's configuration made from the pod of the chart: its variables, its secrets, its chart.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.helm import LEAST, environ, of_kind, pods, render
from traitlets.config import Config
from voxelhub_hub import configure_kubernetes
from voxelhub_service.settings import load_settings


def configured(values: dict[str, Any], folder: Path) -> Config:
    """As in the pod, with the state folder and /etc/voxelhub elsewhere."""
    manifests = render(values)
    pod = pods(manifests)["hub"]
    (folder / "secrets").mkdir()
    for volume in pod["spec"]["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            for item in source.get("secret", {}).get("items", []):
                (folder / "secrets" / item["path"]).write_text("ab" * 32)
    (folder / "chart.yaml").write_text(of_kind(manifests, "ConfigMap")["hub"]["data"]["chart.yaml"])
    variables = {k: v for k, v in environ(pod["spec"]["containers"][0]).items() if k.startswith("VOXELHUB_")}
    settings = load_settings({**variables, "VOXELHUB_STATE_DIR": str(folder), "VOXELHUB_CHART_FILE": str(folder / "chart.yaml")})
    config = Config()
    configure_kubernetes.configure(config, settings)
    return config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configured({**LEAST, "hub": {
        "config": {"JupyterHub": {"concurrent_spawn_limit": 7}}, "activeServerLimit": 9,
        "extraConfig": {"10-second": "c.JupyterHub.admin_access = not c.JupyterHub.admin_access",
                        "00-first": "c.JupyterHub.admin_access = True"},
        "subdomainHost": "vre.example.org"}}, tmp_path)


def test_the_hub_is_where_the_chart_puts_it(config: Config) -> None:
    assert config.JupyterHub.hub_bind_url == "http://0.0.0.0:8081"
    assert config.JupyterHub.hub_connect_url == "http://hub:8081"
    assert config.ConfigurableHTTPProxy.api_url == "http://proxy-api:8001"
    assert config.ConfigurableHTTPProxy.should_start is False
    assert config.JupyterHub.cleanup_servers is False, "a hub that ends leaves users' servers running"
    services = {service["name"]: service for service in config.JupyterHub.services}
    assert services["voxelhub"]["url"] == "http://voxelhub-service:8002"
    assert services["culler"]["environment"]["VOXELHUB_PROXY_URL"] == "http://proxy-http:8000"


def test_values_of_an_administrator_have_the_last_word_in_their_order(config: Config) -> None:
    assert config.JupyterHub.concurrent_spawn_limit == 7
    assert config.JupyterHub.active_server_limit == 9
    assert config.JupyterHub.admin_access is False
    assert config.JupyterHub.subdomain_host == "https://vre.example.org"


def test_people_sign_in_at_the_keycloak_of_the_values(config: Config) -> None:
    realm = "https://login.example.org/realms/voxelhub/protocol/openid-connect"
    found = config.VoxelHubAuthenticator
    assert (found.authorize_url, found.token_url) == (f"{realm}/auth", f"{realm}/token")
    assert found.oauth_callback_url == "https://vre.example.org/hub/oauth_callback"


def test_a_culler_that_is_off_is_not_there(tmp_path: Path) -> None:
    config = configured({**LEAST, "cull": {"enabled": False}}, tmp_path)
    assert "culler" not in {service["name"] for service in config.JupyterHub.services}
