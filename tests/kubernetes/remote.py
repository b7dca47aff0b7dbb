"""A kernel of a person's server on the cluster, asked from outside the cluster as a browser asks it."""

from __future__ import annotations

import asyncio

from release import Release
from support.installation import SERVICE_SCOPE, Browser, xsrf
from support.kernel import RemoteKernel


def token_of(release: Release, client: Browser, name: str) -> str:
    """As a person makes it on the hub's page: for the own server and the service."""
    made = client.post(f"{release.url}/hub/api/users/{name}/tokens", headers=xsrf(client),
                       json={"note": "test", "expires_in": 3600, "scopes": [f"access:servers!user={name}", SERVICE_SCOPE]})
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


class Kernel:
    """`kernel = Kernel(release, token, "ada")` for the server of ada, which runs; it stays when connections break."""

    def __init__(self, release: Release, token: str, name: str, kernel: str = "imaging") -> None:
        self.server, self.token, self.trust = f"{release.url}/user/{name}", token, release.trust
        self.id = asyncio.run(RemoteKernel(self.server, self.token, kernel, trust=self.trust).begin())

    def _remote(self) -> RemoteKernel:
        return RemoteKernel(self.server, self.token, kernel_id=self.id, trust=self.trust)

    def run(self, code: str) -> str:
        """What a cell prints, over a connection of its own."""
        return asyncio.run(self._run(code))

    async def _run(self, code: str) -> str:
        async with self._remote() as kernel:
            outcome = await kernel.execute(code)
        assert outcome.status == "ok", outcome
        return outcome.text.strip()
