"""One person's browser at an installation: the hub's API with the cookie, spawning, and the own server with its cookie."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import httpx
import psutil

from .installation import Installation, browser, submit_login, until, xsrf

NewPerson = Callable[..., "Person"]
STARTED = {201, 202}  # ready at once, or after a while
CALLS = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}


class Person:
    """Use as a context manager: leaving stops the server and closes the browser."""

    def __init__(self, installation: Installation, name: str, password: str | None = None) -> None:
        self.installation, self.name = installation, name
        self.password = password or installation.users.get(name, "")
        self.url, self.server_url = installation.url, f"{installation.url}/user/{name}"
        self.http = browser()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.http.close()

    def sign_in(self) -> httpx.Response:
        """Through Keycloak's form, which it shows only where no session of its own is left."""
        page = self.http.get(f"{self.url}/hub/oauth_login")
        return submit_login(self.http, page, self.name, self.password) if "kc-form-login" in page.text else page

    def page(self, path: str) -> httpx.Response:
        """A page of the hub, redirects not followed."""
        return self.http.get(f"{self.url}{path}", follow_redirects=False)

    def hub_api(self, method: str, path: str, **options: Any) -> httpx.Response:
        """As the hub's own pages call it."""
        return self.http.request(method, f"{self.url}/hub/api/{path}", headers={**CALLS, **xsrf(self.http)}, **options)

    def spawn(self, options: dict[str, Any] | None = None, seconds: float = 240) -> httpx.Response:
        """The hub's answer to the start; when it began, the server is ready on return."""
        answer = self.hub_api("POST", f"users/{self.name}/server", json=options or {})
        if answer.status_code in STARTED:
            until(self.ready, seconds, f"{self.name}'s server")
        return answer

    def ready(self) -> bool:
        servers = self.hub_api("GET", f"users/{self.name}").json().get("servers") or {}
        return bool(servers.get("", {}).get("ready"))

    def stop(self, seconds: float = 120) -> None:
        self.hub_api("DELETE", f"users/{self.name}/server")
        until(lambda: not processes(self.installation, self.name), seconds, f"the end of {self.name}'s server")

    def server(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The API of the own server, as JupyterLab calls it. The first call signs in there."""
        prefix = f"/user/{self.name}/"
        tokens = [c.value for c in self.http.cookies.jar if c.name == "_xsrf" and c.path == prefix]
        if not tokens:
            self.http.get(f"{self.server_url}/lab")
            tokens = [c.value for c in self.http.cookies.jar if c.name == "_xsrf" and c.path == prefix]
        headers = {**CALLS, "X-XSRFToken": tokens[-1] if tokens else ""}
        return self.http.request(method, f"{self.server_url}/{path}", headers=headers, follow_redirects=False, **options)

    def server_token(self) -> str:
        """A token that opens the own server, as RemoteKernel wants it."""
        scope = f"access:servers!user={self.name}"
        answer = self.hub_api("POST", f"users/{self.name}/tokens", json={"note": "kernel", "expires_in": 3600, "scopes": [scope]})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])


@contextlib.contextmanager
def people(installation: Installation) -> Iterator[NewPerson]:
    """`new_person(projects=("demo",))` makes a user with a fresh name and gives their browser, not yet signed in.

    All of them are gone at the end, with their servers.
    """
    made: list[Person] = []

    def make(projects: tuple[str, ...] = ("demo",), roles: tuple[str, ...] = ("researcher",)) -> Person:
        name = f"t{uuid.uuid4().hex[:8]}"
        person = Person(installation, name, installation.new_user(name, projects=projects, roles=roles))
        made.append(person)
        return person

    yield make
    for person in made:
        person.http.close()
        with installation.admin() as admin:
            if admin.find(person.name):
                admin.delete_user(person.name)  # which also ends the server, when one is left
        for process in processes(installation, person.name):
            process.terminate()


def processes(installation: Installation, name: str) -> list[psutil.Process]:
    """What lives of a user's server: all that writes to its log, and their children; empty when nothing is left."""
    log = str(installation.settings.logs_dir / "servers" / f"{name}.log")
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if os.readlink(f"/proc/{process.pid}/fd/2") == log:
                found |= {p.pid: p for p in (process, *process.children(recursive=True))}
    return list(found.values())
