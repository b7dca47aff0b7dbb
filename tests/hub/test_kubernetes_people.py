"""The realm and its people from the pod of the hub: the bundled Keycloak is prepared, and one's own is told what it must have."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from support.installation import Installation
from support.live import serving
from support.pods import HubPod
from voxelhub_hub import cli, realm_setup
from voxelhub_hub.directory import KeycloakAdmin
from voxelhub_hub.realm_setup import await_keycloak
from voxelhub_hub.refusal import Refusal
from voxelhub_service.settings import load_settings

REALM = "cluster"


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubPod:
    made = HubPod(tmp_path)
    made.environ["VOXELHUB_KEYCLOAK_REALM"] = REALM
    _use(monkeypatch, made)
    return made


def _use(monkeypatch: pytest.MonkeyPatch, pod: HubPod, **changes: str) -> None:
    pod.environ |= changes
    for name, value in pod.environ.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("inside", ["", "https://keycloak.login.svc:8443"])
def test_the_realm_for_a_keycloak_of_ones_own(
        pod: HubPod, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], inside: str) -> None:
    """With the hub's secrets, so that what is imported works at once; notes do not stand in the document.

    Wherever it is, it does not know the names of this release's namespace.
    """
    _use(monkeypatch, pod, VOXELHUB_KEYCLOAK_INTERNAL_URL=inside)
    assert cli.main(["realm"]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    clients = {client["clientId"]: client for client in document["clients"]}
    hub = clients["voxelhub-hub"]
    assert document["realm"] == REALM and "Partial import" in said.err
    assert hub["secret"] == (pod.secrets / "oidc-client-secret").read_text()
    assert hub["redirectUris"] == ["https://hub.example.org/hub/oauth_callback"]
    assert hub["attributes"]["backchannel.logout.url"] == "https://hub.example.org/hub/backchannel-logout"
    assert len(clients["voxelhub-api"]["secret"]) == 64
    assert cli.main(["realm", "--public-url", "https://new.example.org"]) == 0
    assert "https://new.example.org/hub/oauth_callback" in capsys.readouterr().out


def test_a_secret_that_is_elsewhere_is_named(pod: HubPod, capsys: pytest.CaptureFixture[str]) -> None:
    (pod.secrets / "oidc-client-secret").unlink()
    assert cli.main(["realm"]) == 1
    assert "oidc-client-secret is not in" in capsys.readouterr().err


def test_with_ones_own_keycloak_people_are_made_there(
        pod: HubPod, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["user", "list"], ["project", "add", "heart"]):
        assert cli.main(command) == 1
        said = capsys.readouterr()
        assert "your own Keycloak (https://sso.example.org/realms/cluster)" in said.err and "Traceback" not in said.err
        assert said.out == ""


def test_a_realm_is_not_made_without_its_secrets(pod: HubPod, capsys: pytest.CaptureFixture[str]) -> None:
    assert realm_setup.main() == 1
    assert "the key keycloak-admin-password of the Secret" in capsys.readouterr().err


def test_a_keycloak_that_stays_away_is_named(pod: HubPod) -> None:
    with pytest.raises(Refusal, match=r"did not answer within 0 s\. Look at its pod's log"):
        await_keycloak(pod.settings, patience=0)


def test_in_a_cluster_the_bundled_keycloak_gets_realm_and_people(
        installation: Installation, pod: HubPod, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A realm of its own in the installation's Keycloak, as a pod's commands make it; made twice it keeps its people."""
    for name in ("keycloak-admin-password", "api-client-secret"):
        (pod.secrets / name).write_text((installation.settings.secrets_dir / name).read_text())
    told: list[dict[str, object]] = []

    async def audit(request: Request) -> Response:
        told.append({**await request.json(), "by": request.headers["authorization"]})
        return Response(status_code=204)

    with serving(Starlette(routes=[Route("/services/voxelhub/api/v1/internal/audit", audit, methods=["POST"])])) as port:
        _use(monkeypatch, pod, VOXELHUB_KEYCLOAK_INTERNAL_URL=installation.settings.keycloak_url,
             VOXELHUB_SERVICE_INTERNAL_URL=f"http://127.0.0.1:{port}")
        assert realm_setup.main() == 0
        assert cli.main(["user", "add", "mia", "--role", "researcher"]) == 0
        assert "https://hub.example.org" in capsys.readouterr().out
        assert realm_setup.main() == 0
        assert cli.main(["user", "reset", "mia"]) == 0
        assert cli.main(["project", "add", "heart"]) == 0
        assert "made, clinical, when its first member signs in" in capsys.readouterr().out
        assert cli.main(["user", "join", "mia", "heart", "--owner"]) == 0
    with KeycloakAdmin(load_settings(pod.environ)) as admin:
        assert admin.groups_of("mia") == ["/projects/heart", "/projects/heart/owners", "/voxelhub-users"]
        client = admin._realm("GET", "/clients", params={"clientId": "voxelhub-hub"}).json()[0]
        assert urlsplit(client["attributes"]["backchannel.logout.url"]).netloc == f"127.0.0.1:{pod.hub_port}"
        admin._call("DELETE", f"/admin/realms/{REALM}")
    assert [one["action"] for one in told] == ["user.add", "user.reset_password", "user.join"]
    assert {one["by"] for one in told} == {f"Bearer {(pod.secrets / 'events-token').read_text()}"}
    assert list((pod.settings.audit_dir / "spool").glob("*.jsonl")) == []


def test_a_realm_that_is_there_takes_the_document_in(
        installation: Installation, pod: HubPod, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By Keycloak's partial import, as its administration page does it. The account may then look at people."""
    (pod.secrets / "keycloak-admin-password").write_text(
        (installation.settings.secrets_dir / "keycloak-admin-password").read_text())
    _use(monkeypatch, pod, VOXELHUB_KEYCLOAK_INTERNAL_URL=installation.settings.keycloak_url)
    assert cli.main(["realm"]) == 0
    printed = json.loads(capsys.readouterr().out)
    with KeycloakAdmin(load_settings(pod.environ)) as admin:
        admin._call("POST", "/admin/realms", json={"realm": REALM, "enabled": True})
        try:
            admin._realm("POST", "/partialImport", json={**printed, "ifResourceExists": "FAIL"})
            admin.ensure_project("heart")
            (account,) = admin._realm("GET", "/users", params={"username": "service-account-voxelhub-directory"}).json()
            roles = admin._realm("GET", f"/users/{account['id']}/role-mappings").json()["clientMappings"]["realm-management"]
            assert [role["name"] for role in roles["mappings"]] == ["view-users"]
        finally:
            admin._call("DELETE", f"/admin/realms/{REALM}")
