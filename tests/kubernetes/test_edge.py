"""The way of a real installation: TLS ends before the release, a host for every user, Keycloak and database of the site's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cluster.space import Space, pod
from hospital import ZONE, Hospital
from playwright.sync_api import BrowserContext, Page, expect
from release import Release
from support.chromium import Album, chromium
from support.pod_security import breaches
from support.steps import bring_in, choose_a_profile, log_out, sign_in

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(1800)]
KERNEL = """async () => {
    const base = location.pathname.split('/lab')[0];
    const headers = {'X-XSRFToken': document.cookie.match(/_xsrf=([^;]+)/)[1]};
    const made = await (await fetch(base + '/api/kernels', {method: 'POST', headers, body: '{}'})).json();
    const socket = new WebSocket(`wss://${location.host}${base}/api/kernels/${made.id}/channels`);
    const opened = await new Promise((said) => { socket.onopen = () => said(true); socket.onerror = () => said(false); });
    return opened && made.id;
}"""
# What a script of another user's page tries with the cookies of whoever looks at it.
THEFT = """async ({hers, hub, kernel}) => {
    const read = async (url) => {
        try { return 'read ' + (await fetch(url, {credentials: 'include'})).status; } catch { return 'refused'; }
    };
    const write = async (url) => {
        await fetch(url, {method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}'}).catch(() => null);
    };
    const socket = new WebSocket(`${hers.replace('https', 'wss')}/api/kernels/${kernel}/channels`);
    const opened = new Promise((said) => { socket.onopen = () => said('open'); socket.onerror = () => said('refused'); });
    await write(hers + '/api/kernels');
    await write(hub + '/hub/api/users/ada/tokens');
    for (const name of ['jupyterhub-hub-login', '__Host-jupyterhub-hub-login', 'jupyterhub-user-ada'])
        for (const path of ['/', '/hub/', '/user/ada/'])
            document.cookie = `${name}=ben; domain=ZONE; path=${path}; secure`;
    return {
        files: await read(hers + '/api/contents'), page: await read(hers + '/lab'), hub: await read(hub + '/hub/api/user'),
        data: await read(hers + '/voxelhub/api/entries?project=lung'), tokens: await read(hub + '/hub/token'),
        service: await read(hub + '/services/voxelhub/api/v1/me'), kernel: await opened,
    };
}""".replace("ZONE", ZONE)
KERNELS = """async () => {
    const headers = {'X-XSRFToken': document.cookie.match(/_xsrf=([^;]+)/)[1]};
    return (await (await fetch(location.pathname.split('/lab')[0] + '/api/kernels', {headers})).json()).length;
}"""
TOKENS = """async () => {
    const answer = await fetch('/hub/api/users/ada/tokens', {headers: {'X-XSRFToken': window.jhdata.xsrf_token}});
    return [window.jhdata.user, (await answer.json()).api_tokens.map((token) => token.id)];
}"""
FILES = """async () => {
    const headers = {'X-XSRFToken': document.cookie.match(/_xsrf=([^;]+)/)[1]};
    return (await fetch('/user/ada/api/contents', {headers})).status;
}"""
METRICS = """
const [address, token] = process.argv.slice(1);
fetch(address, { headers: { authorization: `Bearer ${token}` } }).then(async (a) => console.log(a.status, await a.text()));
"""


@pytest.fixture(scope="module")
def hospital(release: Release) -> Iterator[Hospital]:
    with Hospital(release) as made:
        yield made


@pytest.fixture(scope="module")
def window(hospital: Hospital) -> Iterator[BrowserContext]:
    with chromium(node=hospital.node.node_ip, zone=ZONE) as (context, outside):
        yield context
        assert outside == []


@pytest.fixture(scope="module")
def lab(hospital: Hospital, window: BrowserContext, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Ada's, on a slice of a GPU."""
    page, album = window.new_page(), Album(tmp_path_factory.mktemp("screenshots"), "kubernetes-subdomain-")
    sign_in(page, album, hospital.url, "ada", hospital.secret("ada"))
    expect(page.get_by_text("of 2")).to_be_visible()  # slices of the node
    choose_a_profile(page, album, "A slice of a GPU")
    return page


def test_each_user_works_at_a_host_of_their_own(hospital: Hospital, lab: Page, tmp_path: Path) -> None:
    assert lab.url.startswith(f"https://ada.{ZONE}:{hospital.port}/user/ada/lab")
    table = tmp_path / "ages.csv"
    table.write_text("age\n41\n")
    bring_in(lab, None, [table], "Ages", "lung")
    assert lab.evaluate(KERNEL)


def test_a_slice_of_a_gpu_is_a_servers_own(hospital: Hospital, lab: Page) -> None:
    (server,) = hospital.servers().values()
    assert server["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/mig-1g.5gb"] == "1"


def test_on_shared_storage_servers_run_anywhere(hospital: Hospital, lab: Page) -> None:
    claim = hospital.node.get("pvc/voxelhub-state", "--namespace", hospital.namespace)
    assert claim["status"]["accessModes"] == ["ReadWriteMany"]
    (server,) = hospital.servers().values()
    assert "podAffinity" not in server["spec"]["affinity"]
    assert "'claimName': 'voxelhub-state'" in str(server["spec"]["volumes"])
    assert {each["metadata"]["name"]: found for each in hospital.pods() if (found := breaches(each))} == {}


def test_another_users_page_reads_and_does_nothing_as_her(hospital: Hospital, window: BrowserContext, lab: Page) -> None:
    """Whatever ben serves at his host, it has this origin, and in her browser what her cookies reach from it."""
    hers, kernel, page = f"https://ada.{ZONE}:{hospital.port}/user/ada", lab.evaluate(KERNEL), window.new_page()
    page.goto(f"{hospital.url}/hub/token")
    before = lab.evaluate(KERNELS), page.evaluate(TOKENS)
    assert before[0] >= 1 and before[1][0] == "ada"
    page.goto(f"https://ben.{ZONE}:{hospital.port}/hub/health")
    found = page.evaluate(THEFT, {"hers": hers, "hub": hospital.url, "kernel": kernel})
    assert found == dict.fromkeys(found, "refused") and len(found) == 7
    page.goto(f"{hospital.url}/hub/token")  # as herself: no cookie from there made her another one, or signed her out
    assert (lab.evaluate(KERNELS), page.evaluate(TOKENS)) == before


def test_the_culler_finds_servers_by_their_hosts(hospital: Hospital, lab: Page) -> None:
    """Her server asks the hub who looks at it: so the culler came through the proxy, by her host."""
    def log() -> str:
        return hospital.kubectl("logs", "deployment/hub")
    hospital.node.until(lambda: "GET /hub/api/user (culler@" in log(), "the culler's look", 60)
    assert "does not say whether it is idle" not in log()


def test_nothing_goes_around_what_ends_tls(hospital: Hospital, lab: Page, space: Space) -> None:
    (server,) = hospital.servers().values()
    here = hospital.namespace
    others = [f"hub.{here}:8081", f"voxelhub-service.{here}:8002", f"proxy-api.{here}:8001", f"{server['status']['podIP']}:8888"]
    space.apply(pod("stranger", "pause"))
    space.ready("stranger")
    public = f"proxy-public.{here}:80"
    assert set(space.reaches("stranger", public, *others).values()) == {"refused"}
    assert hospital.edge.reaches("beside", public, *others[2:]) == {public: "open", **dict.fromkeys(others[2:], "refused")}


@pytest.mark.parametrize("where", [
    "http://hub.{}:8081/hub/metrics", "http://voxelhub-service.{}:8002/services/voxelhub/api/v1/metrics"])
def test_figures_are_for_who_has_the_token(hospital: Hospital, where: str) -> None:
    def scraped(token: str) -> str:
        return hospital.node.kubectl("exec", "edge", "--namespace", hospital.edge.name, "--", "node", "-e", METRICS,
                                     where.format(hospital.namespace), token)
    token = hospital.kubectl("get", "secret", "voxelhub-secrets", "--output",
                             'go-template={{index .data "metrics-token" | base64decode}}')
    assert scraped(token).startswith("200 # HELP")
    assert scraped("wrong")[:3] in {"401", "403"}


def test_signing_out_ends_it_at_every_host(hospital: Hospital, window: BrowserContext, lab: Page) -> None:
    other, hers = window.new_page(), f"https://ada.{ZONE}:{hospital.port}/user/ada"
    other.goto(f"{hers}/nothing-is-here")  # a page of hers that does nothing by itself
    assert other.evaluate(FILES) == 200
    log_out(lab, Album(Path(str(hospital.folder)), "signed-out-"))
    assert urlsplit(lab.url).hostname == ZONE
    hospital.node.until(lambda: other.evaluate(FILES) == 403, "the end of it at her host", 20)  # a server asks every 5 s
    other.goto(f"{hers}/lab")
    expect(other.get_by_text("Sign in").first).to_be_visible()


def test_without_hosts_of_their_own_the_notes_say_what_that_means(release: Release, hospital: Hospital) -> None:
    def notes(of: Release) -> str:
        return " ".join(of.node.helm("get", "notes", "voxelhub", "--namespace", of.namespace).split())
    assert "can act as that person at the hub. Set hub.subdomainHost where users do not trust each other." in notes(release)
    assert "hub.subdomainHost" not in notes(hospital) and f"Address: {hospital.url}" in notes(hospital)
    assert "three clients" in notes(hospital) and "Secret vre-keycloak" in notes(hospital)
