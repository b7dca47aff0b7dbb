"""From the last landed chart to this one, back, to changed keys, uninstalled and installed again: nobody loses anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cluster import names
from cluster.space import Space, pod
from landed import landed_chart
from life import Life, destroy, secret_of
from page import blocks, run, section
from release import Release
from support.installation import Browser

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(3600)]
PARTS = ("hub", "service", "proxy")


def again(word: str) -> dict[str, Any]:
    """Values with which every part starts anew, as with the images of another version."""
    return {part: {"annotations": {"example.org/version": word}} for part in PARTS}


@pytest.fixture(scope="module")
def others(release: Release) -> set[str]:
    """What is in the namespace without a release: of every namespace, the certificate that was given, other tests' own."""
    destroy(release)
    release.node.until(lambda: not release.pods(), "an empty namespace", 60)
    return {name.split("/")[1] for name in objects(release)}


@pytest.fixture(scope="module")
def una(release: Release, others: set[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """At work on a release of the landed chart."""
    folder = tmp_path_factory.mktemp("landed")
    release.helm("install", chart=landed_chart(folder), values=again("landed"))
    life = Life(release, "una", "harbour", folder)
    yield life
    with release.session("una", life.password) as client:
        release.stop(client, "una")


def started(release: Release) -> set[str]:
    parts = [one["metadata"] for one in release.pods() if one["metadata"]["labels"].get("app.kubernetes.io/component") in PARTS]
    return {one["uid"] for one in parts if "deletionTimestamp" not in one}


def test_an_upgrade_from_the_landed_chart_loses_nothing(release: Release, una: Life) -> None:
    before = started(release)
    release.helm("upgrade", values=again("new"))
    assert not before & started(release)
    una.goes_on(release)


def test_a_rollback_loses_nothing(release: Release, una: Life) -> None:
    before = started(release)
    release.node.helm("rollback", "voxelhub", "--namespace", release.namespace, "--wait", "--timeout", "15m", timeout=1000)
    assert not before & started(release)
    una.goes_on(release)


def test_changed_keys_sign_out_and_sign_on(release: Release, una: Life, tmp_path: Path) -> None:
    """The lines of the page, with one restart for both: that of an upgrade."""
    with release.session("una", una.password) as client:
        assert signed_in(release, client)
        cookies = '{"stringData":{"hub-cookie-secret":"' + "5a" * 32 + '"}}'
        release.kubectl("patch", "secret", "voxelhub-secrets", "--patch", cookies)
        lines = blocks("Secrets", "sh")[0].splitlines(keepends=True)
        run(release, lines[0], tmp_path)
        release.helm("upgrade", values=again("keys"))
        assert not signed_in(release, client)
    said = run(release, "".join(lines[-2:]), tmp_path)
    assert "signs from now on" in said
    assert set(secret_of(release)) == set(una.secret)
    changed = {name for name, value in secret_of(release).items() if una.secret[name] != value}
    assert changed == {"hub-cookie-secret", "audit-signing-key"}
    una.secret = secret_of(release)
    una.goes_on(release)
    assert "The audit log is whole" in release.voxelhub("voxelhub-service", "audit", "verify")


def signed_in(release: Release, client: Browser) -> bool:
    def answer() -> int:
        try:
            return client.get(f"{release.url}/hub/api/user").status_code
        except httpx.TransportError:
            return 0

    said = release.node.until(lambda: code if (code := answer()) in {200, 401, 403} else 0, "an answer of the hub", 120)
    return said == 200


def test_an_uninstall_leaves_what_the_page_says_and_an_install_takes_it_up(
    release: Release, others: set[str], una: Life,
) -> None:
    release.node.helm("uninstall", "voxelhub", "--namespace", release.namespace, "--wait")
    left = {*others}
    for line in section("Upgrade, rollback, uninstall").splitlines():
        if line.startswith("| `"):
            left |= {name.replace("<user>", "una") for name in re.findall(r"`\S+/(\S+)`", line.split("|")[1])}
    release.node.until(lambda: {name.split("/")[1] for name in objects(release)} == left, f"only {left} in the namespace", 120)
    print("\n".join(objects(release)))
    is_closed(release, una)

    release.helm("install", values=again("installed"))
    una.goes_on(release)
    assert "The audit log is whole" in release.voxelhub("voxelhub-service", "audit", "verify")


def objects(release: Release) -> list[str]:
    """Everything in the namespace but what Kubernetes tells about it."""
    kinds = release.node.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
    asked = ",".join(kind for kind in kinds if kind.split(".")[0] not in {"events", "leases"})
    return sorted(release.kubectl("get", asked, "--output=name").split())


def is_closed(release: Release, una: Life) -> None:
    """The server of una reaches nothing, and nothing reaches it; a pod beside it, of no release, shows that there are ways."""
    space = Space(release.node, release.namespace)
    space.apply(pod("beside", "serve", "8080"))
    space.ready("beside")
    server, api = una.pod["metadata"]["name"], f"{names.API_SERVICE_IP}:443"
    address = release.servers()["una"]["status"]["podIP"]
    assert space.reaches("beside", api, f"{address}:8888") == {api: "open", f"{address}:8888": "refused"}
    beside = space.get("pod", "beside")["status"]["podIP"]
    tries = "; ".join(f"timeout 5 bash -c 'exec 3<>/dev/tcp/{host}/{port}' 2>/dev/null && echo open" for host, port in (
        (names.API_SERVICE_IP, 443), (names.DNS_IP, 53), (beside, 8080)))
    assert release.kubectl("exec", server, "--", "sh", "-c", f"{tries}; echo tried").split() == ["tried"]
    space.delete("pod", "beside")
