"""A person at work on the cluster: signed in, a server, a kernel that holds something, and one socket open to it all the time."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from cluster.client import Failed
from release import Release
from support.installation import SERVICE_SCOPE, Browser, xsrf
from support.kernel import RemoteKernel

T = TypeVar("T")
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
RUNNING = "Your server is running"  # on the hub's page, of whoever is signed in
SQL = 'PGPASSWORD=$(cat /srv/voxelhub/secrets/postgres-password) exec psql -h 127.0.0.1 -U postgres -d voxelhub -tAc "$0"'


class Loop:
    """An event loop of its own thread, so that a socket answers pings while a test waits for something else."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 120) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


class AtWork:
    """`with AtWork(release, "faye", "faults") as faye:`"""

    def __init__(self, release: Release, name: str, *projects: str) -> None:
        self.release, self.name, self.url = release, name, release.url
        self.password = release.person(name, *projects)
        self.loop = Loop()

    def __enter__(self) -> Self:
        self.client: Browser = self.release.session(self.name, self.password)
        before = self.recorded()
        self.pod = self.release.start(self.client, self.name)
        self.server = f"{self.url}/user/{self.name}"
        token = self._token(f"access:servers!user={self.name}", SERVICE_SCOPE)
        self.api = httpx.Client(base_url=f"{self.url}/services/voxelhub/api/v1", verify=self.release.trust, trust_env=False,
                                headers={"Authorization": f"Bearer {token}"}, timeout=120,
                                limits=httpx.Limits(keepalive_expiry=2))  # the proxy ends a silent connection after five
        self.kernel = RemoteKernel(self.server, token, trust=self.release.trust)
        self.loop.run(self.kernel.__aenter__())
        self.held = uuid.uuid4().hex
        self.number = self.execute(f"import os; held = {self.held!r}; print(os.getpid())")
        self.once = [count + 1 for count in before]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.loop.run(self.kernel.__aexit__())
            self.release.stop(self.client, self.name)
        finally:
            self.client.close()
            self.api.close()
            self.loop.close()

    def _token(self, *scopes: str) -> str:
        made = self.client.post(f"{self.url}/hub/api/users/{self.name}/tokens", headers=xsrf(self.client),
                                json={"note": "test", "expires_in": 3600, "scopes": list(scopes)})
        assert made.status_code == 201, made.text
        return str(made.json()["token"])

    def page(self, path: str) -> httpx.Response:
        """As a browser asks."""
        return self.client.get(f"{self.url}{path}", headers=BROWSER)

    def execute(self, code: str) -> str:
        """What it prints, in the kernel, over the socket that has been open since the beginning."""
        outcome = self.loop.run(self.kernel.execute(code))
        assert outcome.status == "ok", outcome.error
        return outcome.text.strip()

    def works_on(self) -> None:
        """In the midst of a fault: the socket and what the kernel holds are as they were."""
        assert self.execute("print(held, os.getpid())") == f"{self.held} {self.number}"

    def answers(self) -> bool:
        """All that a person uses, without signing in again."""
        try:
            return (RUNNING in self.page("/hub/home").text and self.client.get(f"{self.server}/api/status").status_code == 200
                    and self.api.get("/me").status_code == 200)
        except httpx.TransportError:
            return False

    def all_answers_again(self, since: float) -> float:
        """Waits for it, and looks whether anything was lost or is there twice. The seconds that it took."""
        self.release.node.until(self.answers, "the answer of everything", 300)
        seconds = time.monotonic() - since
        self.works_on()
        (pod,) = [pod for pod in self.release.pods() if pod["metadata"]["name"].startswith(f"jupyter-{self.name}")]
        assert pod["metadata"]["uid"] == self.pod["metadata"]["uid"]
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
        self.release.node.until(self._recorded_once, "one record of the server's start, and one only,", 60)
        return seconds

    def _recorded_once(self) -> bool:
        try:
            return self.recorded() == self.once
        except Failed:  # a kubelet that has just started knows no pod yet
            return False

    def recorded(self) -> list[int]:
        """How often the audit log and the ledger hold the start of this server."""
        return [self.count("audit_event", f"action = 'server.start' and outcome = 'success' and actor = '{self.name}'"),
                self.count("ledger_entry", f"owner = '{self.name}' and kind = 'server'", "distinct subject")]

    def count(self, table: str, where: str, what: str = "*") -> int:
        return int(self.release.kubectl("exec", "postgresql-0", "--", "sh", "-c", SQL,
                                        f"select count({what}) from {table} where {where}"))
