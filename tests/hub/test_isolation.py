"""The attacker: any code in a kernel. What it may reach is its own home and its own projects, and no secret at all."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from support.installation import ENVS, Installation, browser
from support.kernel import RemoteKernel
from support.person import STARTED, NewPerson, Person, people, processes
from voxelhub_service.secrets import NAMES, read_secret


@pytest.fixture(scope="module")
def attacker(installation: Installation) -> Iterator[Person]:
    """With a server, in which each test has a kernel of its own."""
    installation.wait_all_ready()
    with people(installation) as new_person:
        person = new_person(projects=("demo",))
        person.sign_in()
        assert person.spawn({"profile": "small"}).status_code in STARTED
        yield person


@pytest.fixture
async def kernel(attacker: Person) -> AsyncIterator[RemoteKernel]:
    async with RemoteKernel(attacker.server_url, attacker.server_token()) as started:
        started.person = attacker  # type: ignore[attr-defined]
        yield started


def owner(kernel: RemoteKernel) -> Person:
    return kernel.person  # type: ignore[attr-defined, no-any-return]


async def test_nothing_of_the_trusted_zone_is_there(kernel: RemoteKernel, installation: Installation) -> None:
    settings = installation.settings
    (settings.projects_dir / "lung").mkdir(parents=True, exist_ok=True)
    (settings.projects_dir / "lung" / "secret.txt").write_text("another project")
    (settings.homes_dir / "ben").mkdir(parents=True, exist_ok=True)
    (settings.homes_dir / "ben" / "secret.txt").write_text("another home")
    forbidden = [
        settings.secrets_dir / "vault-key", settings.secrets_dir, settings.state_dir, settings.state_dir / "service",
        settings.audit_dir, settings.state_dir / "hub" / "jupyterhub.sqlite", settings.homes_dir, settings.projects_dir,
        settings.homes_dir / "ben" / "secret.txt", settings.projects_dir / "lung", Path("/projects/lung"), Path("/home/ben"),
        Path(__file__).parents[2] / "hub_config", Path(__file__).parents[2] / "service", Path(__file__).parents[2] / ".git",
        Path("/etc/shadow"), Path("/root/.ssh"),
    ]
    assert all(path.exists() for path in forbidden[:3])
    code = (f"import os; print([p for p in {[str(p) for p in forbidden]!r} if os.path.lexists(p)], "
            "sorted(os.listdir('/projects')), sorted(os.listdir('/home')))")
    outcome = await kernel.execute(code)
    name = owner(kernel).name
    homes = {name} | {path.parts[2] for path in (ENVS, Path(sys.prefix)) if path.parts[:2] == ("/", "home")}  # a clone in a home
    assert outcome.text.strip() == f"[] {sorted(['demo', f'home-{name}'])} {sorted(homes)}", outcome


async def test_projects_are_read_only_and_the_home_is_not(kernel: RemoteKernel, installation: Installation) -> None:
    outcome = await kernel.execute("open('/projects/demo/x', 'w')")
    assert "Read-only file system" in outcome.error
    assert (await kernel.execute("open('/examples/x', 'w')")).status == "error"
    await kernel.execute("import os; open(os.path.expanduser('~/note.txt'), 'w').write('mine')")
    assert (installation.settings.homes_dir / owner(kernel).name / "note.txt").read_text() == "mine"


async def test_a_published_file_appears_at_once(kernel: RemoteKernel, installation: Installation) -> None:
    version = installation.settings.projects_dir / "demo" / "appears" / "v1"
    version.mkdir(parents=True)
    (version / "a.txt").write_text("new")
    assert (await kernel.execute("print(open('/projects/demo/appears/v1/a.txt').read())")).text.strip() == "new"
    (version / "a.txt").unlink()
    version.rmdir()
    version.parent.rmdir()


async def test_no_secret_is_in_the_environment_of_any_process(kernel: RemoteKernel, installation: Installation) -> None:
    person = owner(kernel)
    seen = (await kernel.execute(
        "import glob\nfor p in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):\n"
        "    print(open(p, 'rb').read().replace(b'\\0', b'\\n').decode(errors='replace'))")).text
    assert "JUPYTERHUB_API_TOKEN" in seen
    outside = "".join(" ".join(p.cmdline()) for p in processes(installation, person.name))
    token = re.search(r"JUPYTERHUB_API_TOKEN=(\S+)", seen)
    assert token and token[1] not in outside, "the server's token stands in a command line that every user can read"
    for name in NAMES:
        assert read_secret(installation.settings.secrets_dir, name) not in seen + outside, name
    assert not re.search(r"refresh|KC_|CRYPT|CONFIGPROXY|eyJ[A-Za-z0-9_-]{20}", seen)
    allowed = {"HOME", "SHELL", "LANG", "TMPDIR", "PATH", "USER", "LOGNAME", "PWD", "OMP_NUM_THREADS", "CPU_LIMIT", "MEM_LIMIT"}
    server = (await kernel.execute("import os; print(*os.environ)")).text.split()
    prefixes = ("JUPYTER", "JPY_", "VOXELHUB_", "IPY", "MPL", "COLORTERM", "TERM", "GIT_PAGER", "PAGER", "CLICOLOR",
                "FORCE_COLOR", "PYDEVD", "LC_", "LINES", "COLUMNS")
    assert [n for n in server if n not in allowed and not n.startswith(prefixes)] == []


async def test_the_servers_token_opens_nothing_else(kernel: RemoteKernel, installation: Installation) -> None:
    code = '''
import json, os, urllib.error, urllib.request
def ask(url, token=os.environ["JUPYTERHUB_API_TOKEN"], method="GET", data=None):
    request = urllib.request.Request(url, method=method, data=data, headers={"Authorization": f"token {token}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
hub = os.environ["JUPYTERHUB_API_URL"]
me = os.environ["JUPYTERHUB_USER"]
print(json.dumps({path: ask(hub + path) for path in ["/user", "/users", "/users/ben", "/groups", "/services", "/proxy", "/info"]}
    | {"self": ask(hub + "/users/" + me), "token": ask(hub + f"/users/{me}/tokens", method="POST", data=b"{}"),
       "other": ask(hub + "/users/ben/server", method="DELETE")}))
'''
    outcome = await kernel.execute(code)
    answers = json.loads(outcome.text)
    assert answers.pop("/user")[0] == 200
    model = json.loads((await kernel.execute("print(ask(hub + '/user')[1])")).text)
    assert "auth_state" not in model and "refresh" not in json.dumps(model)
    assert sorted(model["scopes"]) == sorted(s for s in model["scopes"] if not s.startswith("admin"))
    for path, (status, text) in answers.items():
        assert status in {403, 404} or (path == "self" and "auth_state" not in text), (path, status, text)


async def test_the_proxys_api_asks_for_its_token(kernel: RemoteKernel, installation: Installation) -> None:
    """Loopback is shared: every port of ours asks for a credential."""
    settings = installation.settings
    urls = [f"http://127.0.0.1:{settings.proxy_api_port}/api/routes", f"{settings.service_url}/api/v1/projects",
            f"{settings.keycloak_url}/admin/realms/voxelhub/users", f"{settings.hub_api_url}/users"]
    outcome = await kernel.execute(
        "import urllib.request, urllib.error\nfor url in " + repr(urls) + ":\n    try:\n"
        "        print(urllib.request.urlopen(url, timeout=20).status)\n"
        "    except urllib.error.HTTPError as e:\n        print(e.code)\n"
        "    except OSError as e:\n        print(type(e).__name__)")
    assert set(outcome.text.split()) <= {"401", "403"}, outcome


async def test_trusted_packages_cannot_be_imported(kernel: RemoteKernel) -> None:
    for package in ("voxelhub_service", "voxelhub_hub", "voxelhub_spawner", "voxelhub_sandbox"):
        assert "No module named" in (await kernel.execute(f"import {package}")).error
    assert (await kernel.execute("import voxelhub; print(voxelhub.__name__)")).text.strip() == "voxelhub"


def test_a_profile_of_another_group_is_hidden_and_refused(new_person: NewPerson) -> None:
    person = new_person()
    person.sign_in()
    assert 'value="small"' in person.page("/hub/spawn").text and 'value="gpu"' not in person.page("/hub/spawn").text
    for options in ({"profile": "gpu"}, {"profile": "none-such"}):
        answer = person.spawn(options)
        assert answer.status_code == 403, answer.text
        assert "There is no server profile of that name for you" in answer.json()["message"]
    form = person.hub_api("GET", f"users/{person.name}").json()
    assert not form.get("servers")
    answer = person.spawn({"profile": "small", "cpu": 128})
    assert answer.status_code == 403 and "has no option cpu" in answer.json()["message"]


def test_scripts_get_narrow_tokens(installation: Installation, new_person: NewPerson) -> None:
    person = new_person()
    person.sign_in()
    scope = "access:services!service=voxelhub"
    made = person.hub_api("POST", f"users/{person.name}/tokens", json={"note": "script", "expires_in": 600, "scopes": [scope]})
    assert made.status_code == 201
    headers = {"Authorization": f"token {made.json()['token']}"}
    script = browser()
    assert script.get(f"{installation.url}/hub/api/users/{person.name}/tokens", headers=headers).status_code in {403, 404}
    model = script.get(f"{installation.url}/hub/api/user", headers=headers).json()
    assert scope in model["scopes"] and "access:servers" not in json.dumps(model["scopes"])
    wider = person.hub_api("POST", f"users/{person.name}/tokens", json={"scopes": ["admin:users"]})
    assert wider.status_code == 400
    script.close()


def test_the_whole_tree_is_gone_after_a_stop(installation: Installation, new_person: NewPerson) -> None:
    person = new_person()
    person.sign_in()
    person.spawn({"profile": "small"})
    person.server("POST", "api/kernels", json={"name": "imaging"})
    tree = processes(installation, person.name)
    assert len(tree) > 3
    person.stop()
    assert [p for p in tree if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
