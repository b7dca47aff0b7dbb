"""A person of whose work nothing may be lost: a server with a kernel that holds something, a file at home, a dataset."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx
from release import Release
from remote import Kernel, token_of
from support.sending import upload

NOTE = "Held since before."
WRITE = f"""
from pathlib import Path
held = {NOTE!r}
Path.home().joinpath("note.txt").write_text(held)
"""


class Life:
    """`life = Life(release, "una", "harbour", folder)`; her server runs on."""

    def __init__(self, release: Release, name: str, project: str, folder: Path) -> None:
        self.name, self.password = name, release.person(name, project)
        with release.session(name, self.password) as client:
            self.pod = release.start(client, name, project=project)
            self.token = token_of(release, client, name)
        self.kernel = Kernel(release, self.token, name)
        self.kernel.run(WRITE)
        file = folder / "table.csv"
        file.write_text("patient,volume\n" + "".join(f"{number},{number * 7}\n" for number in range(1000)))
        self.sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        with self.service(release) as service:
            self.dataset = upload(service, project, f"Table of {name}", [file])["id"]
        self.secret = secret_of(release)

    def service(self, release: Release) -> httpx.Client:
        return httpx.Client(base_url=f"{release.url}/services/voxelhub/api/v1", verify=release.trust, trust_env=False,
                            headers={"Authorization": f"Bearer {self.token}"}, timeout=60)

    def kept(self, release: Release) -> dict[str, str]:
        """What outlives servers, by what it is."""
        release.session(self.name, self.password).close()
        with self.service(release) as service:
            found = service.get(f"/datasets/{self.dataset}/versions/1/files").raise_for_status().json()
            (file,) = found["items"] if isinstance(found, dict) else found
            content = service.get(f"/files/{file['id']}/content").raise_for_status().content
        note = release.kubectl("exec", release.servers()[self.name]["metadata"]["name"], "--", "sh", "-c", "cat ~/note.txt")
        return {"dataset": hashlib.sha256(content).hexdigest(), "home": note}

    def goes_on(self, release: Release) -> None:
        """Her server is the one it was, its kernel too, and so is the rest."""
        release.node.until(lambda: self._answers(release), f"the answer of {self.name}'s server", 180)
        pod = release.servers()[self.name]
        assert pod["metadata"]["uid"] == self.pod["metadata"]["uid"]
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
        assert self.kernel.run("print(held)") == NOTE
        assert self.kept(release) == {"dataset": self.sha256, "home": NOTE}
        assert secret_of(release) == self.secret

    def _answers(self, release: Release) -> bool:
        headers = {"Authorization": f"token {self.token}"}
        with httpx.Client(verify=release.trust, trust_env=False, headers=headers, timeout=30) as client:
            return client.get(f"{release.url}/user/{self.name}/api/status").status_code == 200


def secret_of(release: Release) -> dict[str, Any]:
    return dict(release.node.get("secret", "voxelhub-secrets", "--namespace", release.namespace)["data"])


def destroy(release: Release) -> None:
    """All that it has and would leave, so that the namespace is as before the first install."""
    release.node.helm("uninstall", "voxelhub", "--namespace", release.namespace, "--ignore-not-found")
    release.kubectl("delete", "pods", "--all", "--grace-period=1")
    release.kubectl("delete", "persistentvolumeclaims", "--all")
    release.kubectl("delete", "secret/voxelhub-secrets", "networkpolicy/default-deny", "--ignore-not-found")
    (release.folder / "made.json").unlink(missing_ok=True)  # the people are gone with Keycloak
