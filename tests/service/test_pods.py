"""The service's processes as pods start them: secrets that nobody makes, a database that is still starting, every address."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support import databases
from support.installation import free_ports
from support.postgresql import PASSWORD, Cluster
from voxelhub_service import migrations
from voxelhub_service.database_place import about
from voxelhub_service.migrations.__main__ import bring
from voxelhub_service.secrets import KEYS, OF_SERVICE
from voxelhub_service.settings import Settings, SettingsError, load_settings

PROCESSES = {"api": "voxelhub_service.api", "worker": "voxelhub_service.runs.worker",
             "migrate": "voxelhub_service.migrations"}


class Pod:
    """A state folder with the secrets that the chart would mount, and the environment that it would set."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.secrets = folder / "state" / "secrets"
        self.secrets.mkdir(parents=True)
        for name in OF_SERVICE:
            (self.secrets / name).write_text(secrets.token_hex(32))
        (self.secrets / "database-password").write_text(PASSWORD)
        self.port, hub, keycloak = free_ports(3)
        self.environ = {
            "VOXELHUB_PLATFORM": "kubernetes", "VOXELHUB_LISTEN": "0.0.0.0", "VOXELHUB_STATE_DIR": str(folder / "state"),
            "VOXELHUB_PUBLIC_URL": "https://hub.example.org", "VOXELHUB_KEYCLOAK_PUBLIC_URL": f"http://127.0.0.1:{keycloak}",
            "VOXELHUB_HUB_INTERNAL_URL": f"http://127.0.0.1:{hub}", "VOXELHUB_SERVICE_PORT": str(self.port),
            "VOXELHUB_SERVICE_INTERNAL_URL": f"http://127.0.0.1:{self.port}", "VOXELHUB_DATABASE_URL": database_url,
        }

    @property
    def settings(self) -> Settings:
        return load_settings(self.environ)

    def start(self, name: str) -> subprocess.Popen[str]:
        outside = {key: value for key, value in os.environ.items() if not key.startswith("VOXELHUB_")}
        environ = {**outside, **self.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        return subprocess.Popen([sys.executable, "-m", PROCESSES[name]], env=environ, stderr=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)

    def refusal(self, name: str) -> str:
        """What a process that does not start says; it ends with code 1 and no traceback."""
        process = self.start(name)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1 and "Traceback" not in said, said
        return said


@pytest.fixture
def pod(tmp_path: Path, cluster: Cluster) -> Iterator[Pod]:
    with databases.over_tcp(cluster, tmp_path, "template0") as url:
        yield Pod(tmp_path, url)


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize(("secret", "text"), [("database-password", None), ("database-password", "\n")])
def test_a_missing_or_empty_secret_stops_each_process(pod: Pod, name: str, secret: str, text: str | None) -> None:
    (pod.secrets / secret).unlink() if text is None else (pod.secrets / secret).write_text(text)
    said = pod.refusal(name)
    assert f"missing or empty: the key {secret} of the Secret" in said and str(pod.secrets) in said


@pytest.mark.parametrize("name", ["api", "worker"])
def test_a_key_that_is_none_is_named_and_not_shown(pod: Pod, name: str) -> None:
    (pod.secrets / "deid-key").write_text("correct horse battery staple")
    said = pod.refusal(name)
    assert "the key deid-key" in said and "64 hexadecimal digits" in said and "horse" not in said
    assert sorted(path.name for path in pod.secrets.iterdir()) == sorted((*OF_SERVICE, "database-password"))


def test_every_key_that_is_read_as_one_is_looked_at() -> None:
    assert {name for name in OF_SERVICE if name.endswith("-key")} <= KEYS


def test_sqlite_is_refused(pod: Pod) -> None:
    pod.environ["VOXELHUB_DATABASE_URL"] = ""
    assert "VOXELHUB_DATABASE_URL is empty" in pod.refusal("api")


def test_it_migrates_then_serves_on_every_address_and_knows_who_asks(pod: Pod) -> None:
    migrate = pod.start("migrate")
    _, said = migrate.communicate(timeout=120)
    assert migrate.returncode == 0 and f"brought from nothing to {migrations.head()}" in said
    again = pod.start("migrate")
    assert "are those of this version" in again.communicate(timeout=60)[1] and again.returncode == 0
    api = pod.start("api")
    try:
        root = f"http://{_own_address()}:{pod.port}/services/voxelhub/api/v1"
        until = time.monotonic() + 60
        while True:
            try:
                assert httpx.get(f"{root}/health", trust_env=False).status_code == 200
                break
            except httpx.HTTPError:
                assert api.poll() is None and time.monotonic() < until
                time.sleep(0.1)
        for path in ("/internal/audit", "/internal/spend/server", "/internal/projects"):
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-Forwarded-For": "127.0.0.1"}):
                answer = httpx.post(f"{root}{path}", json={}, headers=headers, trust_env=False)
                assert answer.status_code == 401, path
        assert httpx.get(f"{root}/metrics", trust_env=False).status_code == 401
        token = (pod.secrets / "metrics-token").read_text()
        answer = httpx.get(f"{root}/metrics", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
        assert answer.status_code == 200 and "voxelhub" in answer.text
    finally:
        api.kill()
        api.communicate()


def _own_address() -> str:
    """Of this machine, other than loopback; loopback where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def test_a_migration_waits_for_a_database_that_is_starting(tmp_path: Path) -> None:
    from support.postgresql import unavailable

    if reason := unavailable():
        pytest.skip(reason)
    with Cluster() as own:
        pod = Pod(tmp_path, own.loopback_url("late"))
        own.create("late", "TEMPLATE template0")
        own.stop()
        told: list[str] = []
        failed: list[BaseException] = []

        def migrate() -> None:
            try:
                bring(pod.settings, told.append, patience=60)
            except BaseException as error:
                failed.append(error)

        waiting = threading.Thread(target=migrate)
        waiting.start()
        while not told and waiting.is_alive():
            time.sleep(0.05)
        own.start()
        waiting.join(60)
        assert not failed and told[0].startswith("waits up to 60 s. The PostgreSQL database late at 127.0.0.1")
        assert about(pod.settings).revision == migrations.head()


def test_a_database_that_stays_away_is_named_when_the_patience_is_over(pod: Pod) -> None:
    pod.environ["VOXELHUB_DATABASE_URL"] = f"postgresql://voxelhub@127.0.0.1:{free_ports(1)[0]}/voxelhub"
    started = time.monotonic()
    with pytest.raises(SettingsError, match=r"does not answer .*refused.* Start it, or correct VOXELHUB_DATABASE_URL"):
        bring(pod.settings, lambda _: None, patience=3)
    assert time.monotonic() - started < 20


def test_tables_of_a_newer_version_are_left_alone(pod: Pod, cluster: Cluster) -> None:
    bring(pod.settings, lambda _: None)
    name = pod.environ["VOXELHUB_DATABASE_URL"].rpartition("/")[2]
    with cluster.connect(name) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SettingsError, match="tables 9999 of a newer version"):
        bring(pod.settings, lambda _: None)
