"""`helm install`, and then what people do: sign in, a server with a GPU, data in, looked at; and what others may not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from release import GPU, Release
from support.chromium import Album, chromium
from support.installation import SERVICE_SCOPE, xsrf
from support.pod_security import breaches
from support.steps import bring_in, choose_a_profile, log_out, look_at, sign_in, workspace
from support.study import make_study

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def ada(release: Release) -> str:
    return release.person("ada", "lung")


def test_from_sign_in_to_a_picture(release: Release, ada: str, tmp_path: Path) -> None:
    study = make_study(tmp_path / "study")
    with chromium(node=release.node.node_ip) as (context, outside):
        page, album = context.new_page(), Album(tmp_path / "screenshots", "kubernetes-")
        sign_in(page, album, release.url, "ada", ada)
        expect(page.get_by_text("2 of 2")).to_be_visible()  # of the node's cards
        choose_a_profile(page, album, "One GPU")
        (pod,) = release.servers().values()
        assert pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
        assert pod["spec"]["nodeSelector"]["nvidia.com/gpu.product"] == GPU
        bring_in(page, album, [*study.series], "Chest CT", "lung")
        look_at(page, album, "Chest CT")
        tools_are_refused(page, album)
        log_out(page, album)
        assert outside == []


def tools_are_refused(page: Page, album: Album) -> None:
    workspace(page)  # where the row is still chosen
    page.get_by_test_id("action-tools").click()
    expect(page.get_by_text(re.compile("Kubernetes")).first).to_be_visible()
    album.take(page, "tools")


def test_another_group_has_neither_the_profile_nor_the_data(release: Release, ada: str) -> None:
    with release.session("ben", release.person("ben", "brain")) as client:
        form = client.get(f"{release.url}/hub/spawn").text
        assert "Small" in form and "One GPU" not in form
        answer = client.post(f"{release.url}/hub/api/users/ben/server", headers=xsrf(client), json={"profile": "gpu"})
        assert answer.status_code >= 400 and "no server profile of that name for you" in answer.text
        assert set(release.servers()) == {"ada"}
        made = client.post(f"{release.url}/hub/api/users/ben/tokens", headers=xsrf(client),
                           json={"note": "test", "expires_in": 600, "scopes": [SERVICE_SCOPE]})
        headers = {"Authorization": f"Bearer {made.json()['token']}"}
        api = f"{release.url}/services/voxelhub/api/v1"
        assert client.get(f"{api}/me", headers=headers).json()["name"] == "ben"
        assert client.get(f"{api}/entries", params={"project": "lung"}, headers=headers).status_code == 404
        assert client.get(f"{release.url}/user/ada/lab").status_code in {403, 404}


def test_every_pod_is_restricted_as_the_api_server_has_it(release: Release, ada: str) -> None:
    pods = release.pods()
    assert len(pods) == 6  # hub, proxy, service, database, Keycloak, and a person's
    assert {pod["metadata"]["name"]: found for pod in pods if (found := breaches(pod))} == {}


def test_an_upgrade_and_a_killed_hub_end_no_server(release: Release, ada: str) -> None:
    before = release.servers()["ada"]
    release.helm("upgrade", values={"cull": {"timeout": 900}})
    release.kubectl("delete", "pod", "--selector", "app.kubernetes.io/component=hub", "--grace-period=0", "--force")
    release.kubectl("rollout", "status", "deployment/hub", "--timeout=280s")
    with release.session("ada", ada) as client:
        release.node.until(lambda: release.answers(client, "ada"), "the answer of her server", 120)
    after = release.servers()["ada"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0
