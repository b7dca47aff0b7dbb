"""JupyterHub's configuration in a pod: the chart has the last word, and what is wrong stops the hub in a sentence."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import databases
from support.installation import ROOT, until
from support.pods import HubPod, chart
from support.postgresql import PASSWORD
from traitlets.config import Config
from voxelhub_hub.chart import ChartError
from voxelhub_hub.children import node
from voxelhub_hub.configure_kubernetes import await_database, configure
from voxelhub_hub.refusal import Refusal
from voxelhub_hub.service_client import ServiceClient
from voxelhub_service.secrets import read_secret
from voxelhub_service.settings import SettingsError


def configured(pod: HubPod) -> Any:
    c = Config()
    configure(c, pod.settings)
    return c


@pytest.fixture
def pod(tmp_path: Path) -> HubPod:
    return HubPod(tmp_path)


def test_a_hub_leaves_servers_and_proxy_to_themselves(pod: HubPod) -> None:
    c = configured(pod)
    assert c.JupyterHub.cleanup_servers is False and c.ConfigurableHTTPProxy.should_start is False
    assert c.JupyterHub.hub_bind_url == f"http://0.0.0.0:{pod.hub_port}"
    assert c.JupyterHub.hub_connect_url == f"http://127.0.0.1:{pod.hub_port}"
    assert c.ConfigurableHTTPProxy.api_url == f"http://127.0.0.1:{pod.proxy_api_port}"
    assert c.JupyterHub.public_url == "https://hub.example.org"
    assert (c.JupyterHub.concurrent_spawn_limit, c.JupyterHub.active_server_limit) == (64, 0)
    services = {one["name"]: one for one in c.JupyterHub.services}
    assert services["voxelhub"]["url"] == pod.environ["VOXELHUB_SERVICE_INTERNAL_URL"]
    assert services["culler"]["environment"]["VOXELHUB_CULL_TIMEOUT"] == "1800"
    assert services["culler"]["environment"]["VOXELHUB_PROXY_URL"] == pod.environ["VOXELHUB_PROXY_INTERNAL_URL"]


def test_people_sign_in_at_the_public_keycloak_and_are_asked_about_inside(pod: HubPod) -> None:
    a = configured(pod).VoxelHubAuthenticator
    inside = pod.environ["VOXELHUB_KEYCLOAK_INTERNAL_URL"]
    assert a.authorize_url == "https://sso.example.org/realms/voxelhub/protocol/openid-connect/auth"
    assert a.token_url == f"{inside}/realms/voxelhub/protocol/openid-connect/token"
    assert a.oauth_callback_url == "https://hub.example.org/hub/oauth_callback"


def test_servers_reach_the_service_by_its_name_in_the_cluster(pod: HubPod) -> None:
    s = configured(pod).VoxelHubKubeSpawner
    assert s.variables["VOXELHUB_API_URL"] == f"{pod.environ['VOXELHUB_SERVICE_INTERNAL_URL']}/services/voxelhub/api/v1"
    assert s.chart["release"]["namespace"] == "vre" and s.poll_interval == 10
    assert s.ensure_projects.__self__ is s.charge.__self__ and isinstance(s.charge.__self__, ServiceClient)


def test_without_culling_no_culler_runs_and_no_page_warns(tmp_path: Path) -> None:
    c = configured(HubPod(tmp_path, chart(cull={"enabled": False, "timeout": 1800})))
    assert [one["name"] for one in c.JupyterHub.services] == ["voxelhub", "metrics"]
    assert "voxelhub-culler" not in [role["name"] for role in c.JupyterHub.load_roles]
    assert c.VoxelHubKubeSpawner.variables["VOXELHUB_CULL_TIMEOUT"] == "0"


def test_the_chart_has_the_last_word_and_extra_code_the_very_last(tmp_path: Path) -> None:
    """Lists of services and roles come to ours, so that a site's own does not take the service's rights away."""
    hub = {"config": {"JupyterHub": {"concurrent_spawn_limit": 3, "services": [{"name": "site", "api_token": "x" * 32}],
                                     "load_roles": [{"name": "site-role", "services": ["site"], "scopes": ["read:hub"]}]},
                      "KubeSpawner": {"extra_annotations": {"site": "yes"}}},
           "extraConfig": {"10-two": "c.JupyterHub.active_server_limit += 1", "00-one": "c.JupyterHub.active_server_limit = 7"}}
    c = configured(HubPod(tmp_path, chart(hub=hub)))
    assert c.JupyterHub.concurrent_spawn_limit == 3 and c.JupyterHub.active_server_limit == 8
    assert {one["name"] for one in c.JupyterHub.services} == {"voxelhub", "metrics", "culler", "site"}
    assert {"voxelhub-service", "site-role"} <= {role["name"] for role in c.JupyterHub.load_roles}
    assert c.KubeSpawner.extra_annotations == {"site": "yes"}


def test_the_service_alone_sees_what_a_server_mounts(pod: HubPod) -> None:
    roles = {role["name"]: role["scopes"] for role in configured(pod).JupyterHub.load_roles}
    assert {name for name, scopes in roles.items() if "admin:server_state" in scopes} == {"voxelhub-service"}


def test_with_subdomains_scripts_still_find_the_api(tmp_path: Path) -> None:
    hub = {"config": {"JupyterHub": {"subdomain_host": "https://hub.example.org"}}}
    pod = HubPod(tmp_path, chart(hub=hub))
    assert configured(pod).ConfigurableHTTPProxy.extra_routes == {
        "hub.example.org/services/voxelhub/": pod.environ["VOXELHUB_SERVICE_INTERNAL_URL"]}


@pytest.mark.parametrize(("document", "said"), [
    ("- a list", "holds no mapping"), ("a: [", "is not YAML"), ("release: {name: x}", "release"),
    (chart(hub={"config": {"jupyterHub": {}}}), r"hub\.config\.jupyterHub .* capital letter"),
    (chart(hub={"config": {"JupyterHub": []}}), None),
    (chart(hub={"config": {"JupyterHub": {"services": {"a": 1}}}}), r"hub\.config\.JupyterHub\.services .* no list"),
    (chart(hub={"config": {"JupyterHub": 7}}), r"hub\.config\.JupyterHub .* no mapping"),
    (chart(hub={"extraConfig": {"00-typo": "c.JupyterHub.port ="}}), r"hub\.extraConfig\.00-typo .* SyntaxError"),
    (chart(hub={"extraConfig": {"00-fails": "1 / 0"}}), r"hub\.extraConfig\.00-fails .* ZeroDivisionError"),
    (chart(hub={"concurrentSpawnLimit": "many"}), r"hub\.concurrentSpawnLimit .* whole number"),
    (chart(cull={"timeout": -1}), r"cull\.timeout .* whole number"),
    (chart(hub={"config": {"JupyterHub": {"subdomain_host": "https://other.example.org"}}}), "is not that of the public address"),
    (chart(projects={"lung": {"network": "open"}}), "network"),
])
def test_a_wrong_chart_is_refused_with_its_key(tmp_path: Path, document: Any, said: str | None) -> None:
    pod = HubPod(tmp_path, document)
    if said is None:
        configured(pod)
        return
    with pytest.raises(ChartError, match=said):
        configured(pod)


def test_a_missing_secret_or_address_is_named(pod: HubPod) -> None:
    (pod.secrets / "hub-crypt-key").unlink()
    with pytest.raises(SettingsError, match="missing or empty: the key hub-crypt-key of the Secret"):
        configured(pod)
    pod.environ["VOXELHUB_PROXY_API_URL"] = ""
    with pytest.raises(SettingsError, match="VOXELHUB_PROXY_API_URL is empty"):
        configured(pod)


def test_a_database_that_does_not_answer_is_named(pod: HubPod) -> None:
    pod.environ["VOXELHUB_HUB_DATABASE_URL"] = "postgresql://hub@127.0.0.1:1/hub"
    with pytest.raises(Refusal, match=r"database at 127\.0\.0\.1 does not answer .*HUB_DATABASE_URL"):
        await_database(pod.settings, patience=0)


def test_jupyterhub_ends_with_one_sentence(pod: HubPod) -> None:
    pod.write(chart(hub={"config": {"spawner": {}}}))
    said, _ = (process := pod.start()).communicate(timeout=120)
    assert process.returncode == 1
    assert "voxelhub hub: hub.config.spawner of the chart is no class of JupyterHub" in said and "Traceback" not in said


@pytest.fixture
def proxy(pod: HubPod) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(node()), str(ROOT / "node_modules/configurable-http-proxy/bin/configurable-http-proxy"), "--ip", "127.0.0.1",
               "--port", str(pod.proxy_port), "--api-ip", "127.0.0.1", "--api-port", str(pod.proxy_api_port),
               "--default-target", f"http://127.0.0.1:{pod.hub_port}"]
    environ = {"CONFIGPROXY_AUTH_TOKEN": read_secret(pod.secrets, "proxy-token"), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_jupyterhub_starts_and_serves_through_the_proxy(
        request: pytest.FixtureRequest, tmp_path: Path, pod: HubPod, proxy: subprocess.Popen[bytes], kind: str) -> None:
    """The real hub, proxy and database; the cluster is asked for nothing before somebody starts a server."""
    with ExitStack() as stack:
        if kind == "postgresql":
            cluster = request.getfixturevalue("cluster")
            pod.environ["VOXELHUB_HUB_DATABASE_URL"] = stack.enter_context(databases.over_tcp(cluster, tmp_path, "template0"))
            (pod.secrets / "hub-database-password").write_text(PASSWORD)
        serves_through_the_proxy(pod, proxy)


def serves_through_the_proxy(pod: HubPod, proxy: subprocess.Popen[bytes]) -> None:
    process = pod.start("--log-level=30")
    try:
        def answers() -> bool:
            assert process.poll() is None, process.stdout and process.stdout.read()
            try:
                return httpx.get(f"http://127.0.0.1:{pod.proxy_port}/hub/health", trust_env=False).status_code == 200
            except httpx.HTTPError:
                return False

        until(answers, 120, "the hub's health")
        token = read_secret(pod.secrets, "service-hub-token")
        hub = httpx.Client(base_url=f"http://127.0.0.1:{pod.hub_port}/hub/api", headers={"Authorization": f"token {token}"},
                           trust_env=False)
        assert hub.get("/users/nobody").status_code == 404  # the service's scope is read
        assert hub.get("/users/nobody", headers={"Authorization": "token wrong"}).status_code == 403
        proxy_token = {"Authorization": f"token {read_secret(pod.secrets, 'proxy-token')}"}

        def route() -> Any:
            routes = httpx.get(f"http://127.0.0.1:{pod.proxy_api_port}/api/routes", headers=proxy_token, trust_env=False).json()
            return routes.get("/services/voxelhub")

        assert until(route, 60, "the service's route")["target"] == pod.environ["VOXELHUB_SERVICE_INTERNAL_URL"]
        process.terminate()
        assert process.wait(30) is not None
        time.sleep(0.2)
        assert proxy.poll() is None, "the hub ended the proxy"
    finally:
        process.kill()
        process.communicate()
