"""`voxelhub up` as it runs: what listens, what is written where, what happens when a part dies, and the command line."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest
from support.installation import VOXELHUB, Installation, browser, login, until, xsrf
from voxelhub_hub import processes
from voxelhub_service.secrets import NAMES, read_secret

CHILDREN = ["keycloak", "proxy", "hub", "service", "worker"]


def everything_of(installation: Installation) -> list[psutil.Process]:
    pids = processes.carrying(processes.installation_id(installation.settings.state_dir))
    assert len(pids) >= len(CHILDREN)
    found = [psutil.Process(installation.process.pid)] if installation.process else []
    return found + [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]


def test_status_says_what_runs_and_where(installation: Installation) -> None:
    state = json.loads(installation.command("status", "--json").stdout)
    assert state["running"] and state["address"] == installation.url
    assert list(state["children"]) == CHILDREN
    assert {child["state"] for child in state["children"].values()} == {"ready"}
    assert "service   ready" in installation.command("status").stdout


def test_nothing_listens_beyond_this_machine(installation: Installation) -> None:
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in everything_of(installation) for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening and listening <= {"127.0.0.1", "::1"}


def test_secrets_are_in_no_log_no_status_and_no_command_line(installation: Installation) -> None:
    secrets = [read_secret(installation.settings.secrets_dir, name) for name in NAMES] + list(installation.users.values())
    places = {**installation.logs(), "up": installation.output.read_text(), "status": json.dumps(installation.status())}
    for process in everything_of(installation):
        places[f"command of {process.pid}"] = " ".join(process.cmdline())
    assert [name for name, text in places.items() for secret in secrets if secret in text] == []


def test_only_the_owner_reads_the_state(installation: Installation) -> None:
    settings = installation.settings
    assert stat.S_IMODE(settings.state_dir.stat().st_mode) == 0o700
    private = [settings.secrets_dir / name for name in NAMES] + [installation.credentials, *settings.logs_dir.glob("*.log")]
    assert [path.name for path in private if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_a_second_start_is_refused_with_a_sentence(installation: Installation) -> None:
    done = installation.command("up", check=False)
    assert done.returncode == 1 and "This state folder is in use by process" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", CHILDREN)
def test_a_killed_part_serves_again(installation: Installation, name: str) -> None:
    installation.restart(name)
    with installation.session("ben") as client:
        assert client.get(f"{installation.url}/hub/home").status_code == 200


def test_a_session_and_the_routes_outlive_hub_and_proxy(installation: Installation) -> None:
    with installation.session("ben") as client:
        installation.restart("hub")
        assert client.get(f"{installation.url}/hub/api/user", headers=xsrf(client)).json()["name"] == "ben"
        installation.restart("proxy")
        until(lambda: client.get(f"{installation.url}/services/voxelhub/api/v1/me").status_code == 401, what="the route")
        assert client.get(f"{installation.url}/hub/api/user", headers=xsrf(client)).json()["name"] == "ben"


def test_a_person_is_added_disabled_let_in_and_reset(installation: Installation) -> None:
    def enters(password: str) -> bool:
        with browser() as client:
            return "/hub/" in str(login(client, installation.url, "cora", password).url)

    added = installation.command("user", "add", "cora", "--first", "Cora", "--project", "demo").stdout
    password = added.splitlines()[1].split()[1]
    assert enters(password)
    installation.command("user", "disable", "cora")
    assert not enters(password)
    installation.command("user", "enable", "cora")
    assert enters(password)
    fresh = installation.command("user", "reset", "cora").stdout.splitlines()[1].split()[1]
    assert fresh != password and enters(fresh) and not enters(password)
    installation.command("user", "join", "cora", "brain", "--owner")
    assert "/projects/brain/owners" in installation.command("user", "list").stdout
    installation.command("user", "leave", "cora", "brain")
    with installation.admin() as admin:
        assert admin.groups_of("cora") == ["/projects/demo", "/voxelhub-users"]
    installation.command("user", "delete", "cora")
    assert not enters(fresh)


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["user", "add", "ada"], "There is a user ada already."),
    (["user", "add", "Not A Name"], "cannot be a user name"),
    (["user", "add", "dora", "--project", "nowhere"], "There is no group /projects/nowhere."),
    (["user", "reset", "nobody"], "There is no user nobody."),
    (["project", "add", "home-ada"], "cannot be a project's name"),
    (["project", "set", "nowhere", "--open"], "There is no project nowhere."),
    (["project", "set", "demo"], "Say what to change"),
    (["frobnicate"], "there is no command 'frobnicate'"),
])
def test_what_cannot_be_done_is_refused_with_a_sentence(installation: Installation, arguments: list[str], sentence: str) -> None:
    done = installation.command(*arguments, check=False)
    assert done.returncode in (1, 2) and sentence in done.stderr and "Traceback" not in done.stderr


def test_a_new_project_is_clinical_until_it_is_called_open(installation: Installation) -> None:
    assert "clinical" in installation.command("project", "add", "heart", "--title", "Heart", "--quota", "5G").stdout
    assert "heart is open, quota 5.0 GiB" in installation.command("project", "set", "heart", "--open").stdout
    assert "heart is clinical" in installation.command("project", "set", "heart", "--clinical").stdout


def test_what_the_command_line_does_is_in_the_audit_chain(installation: Installation) -> None:
    installation.command("user", "reset", "ben")
    assert installation.command("audit", "verify", check=False).returncode == 0


def test_without_keycloak_the_command_line_says_so(tmp_path: Path) -> None:
    idle = Installation(tmp_path / "idle")
    (tmp_path / "idle" / "secrets").mkdir(parents=True)
    (tmp_path / "idle" / "secrets" / "keycloak-admin-password").write_text("x")
    done = idle.command("user", "list", check=False)
    assert done.returncode == 1 and "Keycloak does not answer" in done.stderr


def test_doctor_finds_nothing_wrong_here(installation: Installation) -> None:
    done = installation.command("doctor", check=False)
    assert done.returncode == 0, done.stdout


def test_a_misspelt_setting_is_refused(installation: Installation) -> None:
    environ = {**installation.environ, "VOXELHUB_PROT": "8000"}
    done = subprocess.run([*VOXELHUB, "status"], env=environ, capture_output=True, text=True)
    assert done.returncode == 1 and "Unknown setting VOXELHUB_PROT" in done.stderr


def test_keycloak_knows_the_realm_and_its_admin_console_needs_a_password(installation: Installation) -> None:
    answer = httpx.get(f"{installation.settings.keycloak_url}/admin/realms/voxelhub/users", trust_env=False)
    assert answer.status_code == 401
