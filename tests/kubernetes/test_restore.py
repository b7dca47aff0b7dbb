"""A backup and its restore in another namespace, by the lines of docs/kubernetes.md, after everything was destroyed."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from life import NOTE, Life, destroy, secret_of
from page import blocks, run
from release import Release

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(3600)]
TITLE = "Backup and restore"
RESTORED = "restored"


@pytest.fixture
def restored(release: Release) -> Iterator[Release]:
    """The same release in a namespace that is not there yet: the same people, values and ports."""
    other = copy.copy(release)
    other.namespace = f"{release.namespace}-{RESTORED}"
    yield other
    destroy(other)
    other.node.kubectl("delete", "namespace", other.namespace, "--ignore-not-found", "--wait=false")


def test_all_that_people_have_is_there_after_a_restore_elsewhere(release: Release, restored: Release, tmp_path: Path) -> None:
    life = Life(release, "rita", "attic", tmp_path)
    (tmp_path / "volume.yaml").write_text(blocks(TITLE, "yaml")[0])
    for name in ("cert", "key"):
        shutil.copy(release.folder / f"{name}.pem", tmp_path / {"cert": "tls.crt", "key": "tls.key"}[name])
    backup, restore = blocks(TITLE, "sh")

    run(release, backup, tmp_path)
    release.kubectl("rollout", "status", "deployment/hub", "deployment/keycloak", "deployment/voxelhub-service")
    life.goes_on(release)
    destroy(release)

    said = run(restored, restore, tmp_path)
    print("\n".join(said.splitlines()[-6:]))
    assert "The audit log is whole" in said
    assert secret_of(restored) == life.secret
    with restored.session(life.name, life.password) as client:
        mine = f"{restored.url}/hub/api/users/{life.name}"
        restored.node.until(lambda: client.get(mine).json()["servers"] == {}, "the hub's farewell to the server of before")
        restored.start(client, life.name, project="attic")
        assert life.kept(restored) == {"dataset": life.sha256, "home": NOTE}
        restored.stop(client, life.name)
