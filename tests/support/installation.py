"""A complete installation as a user starts it: real Keycloak, hub, proxy, service and worker, on free ports."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urljoin

import httpx
from support.ports import free_ports
from voxelhub_hub.directory import KeycloakAdmin
from voxelhub_hub.ports import PORTS
from voxelhub_service.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
ENVS = Path(os.environ.get("VOXELHUB_ENVS_DIR", ROOT / ".envs")).resolve()
VOXELHUB = [str(ENVS / "core" / "bin" / "python"), "-m", "voxelhub_hub.cli"]
# Ages short enough for tests; what they mean is the same.
QUICK = {
    "VOXELHUB_AUTH_REFRESH_AGE": "2", "VOXELHUB_TOKEN_MIN_LIFE": "15", "VOXELHUB_ACTIVITY_INTERVAL": "3",
    "VOXELHUB_OUTAGE_GRACE": "60",
}
T = TypeVar("T")
SERVICE_SCOPE = "access:services!service=voxelhub"


def until(condition: Callable[[], T], seconds: float = 120, what: str = "the condition") -> T:
    """The first truthy value of `condition`; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.1)
    return value


class Installation:
    """`with Installation(folder) as it:` starts and ends one. `environ` adds or overrides settings (VOXELHUB_…)."""

    def __init__(self, state_dir: Path, environ: dict[str, str] | None = None, arguments: Sequence[str] = ()) -> None:
        ports = {f"VOXELHUB_{name.upper()}": str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}
        own = {**QUICK, **ports, "VOXELHUB_STATE_DIR": str(state_dir), "VOXELHUB_ENVS_DIR": str(ENVS), **(environ or {})}
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("VOXELHUB_", "JUPYTER"))}
        self.environ = {**outside, **own}
        self.settings: Settings = load_settings(own)
        self.arguments = list(arguments)
        self.credentials = state_dir.parent / f"{state_dir.name}-credentials.json"
        self.output = state_dir.parent / f"{state_dir.name}-up.log"
        self.process: subprocess.Popen[bytes] | None = None

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self, seconds: float = 420) -> Self:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*VOXELHUB, "up", "--credentials-file", str(self.credentials), *self.arguments],
                env=self.environ, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=ROOT, start_new_session=True,
            )
        try:
            until(self._announced, seconds, "the start")
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}\n{self.output.read_text()}\n{self._log_tails()}") from None
        return self

    def _announced(self) -> bool:
        assert self.process is not None and self.process.poll() is None, "`voxelhub up` ended"
        return "VoxelHub is ready" in self.output.read_text()

    def stop(self) -> int:
        """As Ctrl-C does; returns the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGINT)  # the second one kills
            return self.process.wait(20)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`voxelhub …` on this installation."""
        return subprocess.run([*VOXELHUB, *arguments], env=self.environ, cwd=ROOT, capture_output=True, text=True, check=check,
                              timeout=300)

    # -- its processes ----------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        return json.loads((self.settings.state_dir / "run" / "status.json").read_text())

    def pid(self, name: str) -> int:
        return int(until(lambda: self.status()["children"][name]["pid"], 120, f"a process {name}"))

    def kill(self, name: str) -> None:
        """SIGKILL to a child (keycloak, proxy, hub, service, worker); the supervisor starts it again."""
        os.kill(self.pid(name), signal.SIGKILL)

    def wait_ready(self, name: str, after: int = 0, seconds: float = 240) -> None:
        """Until the child serves and was started again at least `after` times."""
        def ready() -> bool:
            child = self.status()["children"][name]
            return child["state"] == "ready" and child["restarts"] >= after
        until(ready, seconds, f"{name} ready")

    def wait_all_ready(self) -> None:
        for name in self.status()["children"]:
            self.wait_ready(name)

    def restart(self, name: str) -> None:
        """Kill a child and wait until the next one serves."""
        before = self.status()["children"][name]["restarts"]
        self.kill(name)
        self.wait_ready(name, before + 1)

    def logs(self) -> dict[str, str]:
        return {path.stem: path.read_text(errors="replace") for path in sorted(self.settings.logs_dir.glob("*.log"))}

    def _log_tails(self) -> str:
        return "\n".join(f"--- {name}\n{text[-3000:]}" for name, text in self.logs().items())

    # -- addresses and people ---------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return self.settings.base_url

    @property
    def api(self) -> str:
        """The service's API through the proxy."""
        return f"{self.url}/services/voxelhub/api/v1"

    @property
    def users(self) -> dict[str, str]:
        """ada, ben and admin-grace with their passwords."""
        return json.loads(self.credentials.read_text())["users"]

    @contextmanager
    def admin(self) -> Iterator[KeycloakAdmin]:
        with KeycloakAdmin(self.settings) as admin:
            yield admin

    def new_user(self, name: str, *, projects: Sequence[str] = ("demo",), roles: Sequence[str] = ("researcher",)) -> str:
        """A person of one test's own; returns the password."""
        with self.admin() as admin:
            for project in projects:
                admin.ensure_project(project)
            groups = ["/voxelhub-users", *(f"/projects/{project}" for project in projects)]
            admin.create_user(name, first=name.title(), last="Test", email=f"{name}@voxelhub.invalid", roles=roles, groups=groups)
            return admin.reset_password(name)

    def session(self, name: str, password: str | None = None) -> Browser:
        """A browser's session: signed in to the hub through Keycloak's form."""
        client = browser()
        login(client, self.url, name, password or self.users[name])
        return client

    def hub_token(
        self, name: str, scopes: Sequence[str] = (SERVICE_SCOPE,), *, password: str | None = None, seconds: int = 3600,
    ) -> str:
        """A token as the user makes it on the hub's token page."""
        with self.session(name, password) as client:
            answer = client.post(f"{self.url}/hub/api/users/{name}/tokens", headers=xsrf(client),
                                 json={"note": "test", "expires_in": seconds, "scopes": list(scopes)})
            assert answer.status_code == 201, answer.text
            return str(answer.json()["token"])

    def client(self, name: str, scopes: Sequence[str] = (SERVICE_SCOPE,), *, password: str | None = None) -> httpx.Client:
        """A script's client of the service API, base URL set."""
        token = self.hub_token(name, scopes, password=password)
        return httpx.Client(base_url=self.api, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False)


class Browser(httpx.Client):
    """A client that may be entered after it was used."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def browser(verify: ssl.SSLContext | bool = True) -> Browser:
    """An httpx client that returns cookies as a browser does on 127.0.0.1, where Chromium also sends `Secure` ones."""
    client = Browser(follow_redirects=True, timeout=60, trust_env=False, verify=verify)

    def accept(_: httpx.Response) -> None:
        for cookie in client.cookies.jar:
            cookie.secure = False

    client.event_hooks["response"] = [accept]
    return client


def login(client: httpx.Client, url: str, name: str, password: str) -> httpx.Response:
    """Through Keycloak's form. Returns the hub's page, or Keycloak's form again where the password was wrong."""
    page = client.get(f"{url}/hub/oauth_login")
    return submit_login(client, page, name, password)


def submit_login(client: httpx.Client, page: httpx.Response, name: str, password: str) -> httpx.Response:
    match = re.search(r'<form[^>]*id="kc-form-login"[^>]*action="([^"]+)"', page.text)
    assert match, f"no login form at {page.url}: {page.status_code} {page.text[:500]}"
    return client.post(urljoin(str(page.url), unescape(match[1])), data={"username": name, "password": password})


def xsrf(client: httpx.Client) -> dict[str, str]:
    """The header that the hub wants from a cookie request. The client must have seen a page of the hub."""
    tokens = [cookie.value for cookie in client.cookies.jar if cookie.name == "_xsrf" and cookie.path == "/hub/"]
    return {"X-XSRFToken": tokens[-1] or ""} if tokens else {}
