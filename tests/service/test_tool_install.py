"""The environment of a tool's own lock: only what the lock names, byte for byte, whole or not at all. Real uv, real wheels."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import select
from support.brought import tool_files
from support.service import bearer, make_service
from support.world import ROOT
from voxelhub_service.database import reading
from voxelhub_service.models import AuditEvent
from voxelhub_service.tools import cli, package

DEVELOPER = {**bearer("alice"), "Content-Type": "application/zip"}
UV = ROOT / ".envs" / "boot" / "bin" / "uv"
pytestmark = pytest.mark.skipif(not UV.exists(), reason="the set-up's uv is not installed")


def wheel(name: str) -> bytes:
    """A package of one module."""
    buffer, info = io.BytesIO(), f"{name}-1.0.dist-info"
    members = {f"{name}.py": "ANSWER = 42\n", f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
               f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in members.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*members, f"{info}/RECORD"]))
    return buffer.getvalue()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An installation, a folder of wheels in place of a registry, and environments of its own."""
    for name in [name for name in os.environ if name.startswith("VOXELHUB_")]:
        monkeypatch.delenv(name)
    envs, wheels = tmp_path / "envs", tmp_path / "wheels"
    (envs / "boot" / "bin").mkdir(parents=True)
    (envs / "boot" / "bin" / "uv").symlink_to(UV)
    wheels.mkdir()
    (wheels / "tiny_answer-1.0-py3-none-any.whl").write_bytes(wheel("tiny_answer"))
    client, context = make_service(tmp_path, envs_dir=envs)
    for name, value in {"VOXELHUB_STATE_DIR": context.settings.state_dir, "VOXELHUB_ENVS_DIR": envs, "UV_NO_INDEX": "1",
                        "UV_FIND_LINKS": wheels, "UV_OFFLINE": "1", "UV_CACHE_DIR": tmp_path / "cache"}.items():
        monkeypatch.setenv(name, str(value))

    def submit(lock: str, approve: bool = True):
        data = package.zipped(tool_files(lock="lock.txt", add={"lock.txt": lock}))
        row = client.post("/tools/submissions", content=data, headers=DEVELOPER).json()
        if approve:
            answer = client.post(f"/tools/submissions/{row['id']}/decision", json={"decision": "approve", "reason": "Fine."},
                                 headers=bearer("admin"))
            assert answer.status_code == 200, answer.text
        return row

    return client, context, submit


def lock_of(digest: str) -> str:
    return f"tiny-answer==1.0 \\\n    --hash=sha256:{digest}\n"


def test_the_lock_becomes_an_environment(server, capfd):
    client, context, submit = server
    lock = lock_of(hashlib.sha256(wheel("tiny_answer")).hexdigest())
    row = submit(lock)
    shown = client.get("/tools/rows", headers=bearer("bob")).json()
    assert not shown["eligible"] and "voxelhub tool install rows 1.0.0" in shown["reason"]
    assert cli.main(["install", "rows", "1.0.0"]) == 1 and "Nothing was installed" in capfd.readouterr().err
    done = cli.main(["install", "rows", "1.0.0", "--yes"])
    said, error = capfd.readouterr()
    assert done == 0, error
    name = f"tool-rows-{hashlib.sha256(lock.encode()).hexdigest()[:12]}"
    assert "tiny-answer 1.0" in said and f"{name} is installed" in said
    environment = context.settings.envs_dir / name
    done = subprocess.run([environment / "bin" / "python", "-c", "import tiny_answer; print(tiny_answer.ANSWER)"],
                          capture_output=True, text=True)
    assert done.stdout == "42\n" and (environment / "voxelhub.lock").read_text() == lock
    assert client.get(f"/tools/submissions/{row['id']}", headers=bearer("alice")).json()["ready"]
    assert "not installed" not in client.get("/tools/rows", headers=bearer("bob")).json()["reason"]
    with reading(context.engine) as session:
        record = session.scalars(select(AuditEvent).where(AuditEvent.action == "tool.install")).one()
    assert (record.detail["environment"], record.detail["digest"]) == (name, row["digest"])
    assert cli.main(["install", "rows", "1.0.0", "--yes"]) == 0 and "installed already" in capfd.readouterr().out


def test_other_bytes_than_the_lock_says_are_not_installed(server, capfd):
    _, context, submit = server
    submit(lock_of("a" * 64))
    left = context.settings.envs_dir / f".tool-rows-{hashlib.sha256(lock_of('a' * 64).encode()).hexdigest()[:12]}.part"
    left.mkdir()  # as a kill leaves it
    assert cli.main(["install", "rows", "1.0.0", "--yes"]) == 1
    assert "other bytes than the lock says" in capfd.readouterr().err
    assert sorted(path.name for path in context.settings.envs_dir.iterdir()) == ["boot"]


def test_what_cannot_be_installed(server, capsys):
    client, context, submit = server
    assert cli.main(["install", "rows", "1.0.0"]) == 1 and "no submitted tool rows 1.0.0" in capsys.readouterr().err
    row = submit(lock_of("a" * 64), approve=False)
    changed = context.settings.submitted_dir / row["id"] / "lock.txt"
    changed.chmod(0o644)
    Path(changed).write_text("evil==1.0 --hash=sha256:" + "b" * 64)
    assert cli.main(["install", "rows", "1.0.0", "--yes"]) == 1 and "no submitted tool" in capsys.readouterr().err
    data = package.zipped(tool_files("plain"))
    client.post("/tools/submissions", content=data, headers=DEVELOPER)
    assert cli.main(["install", "plain", "1.0.0"]) == 1 and "has no lock: it runs in tool-base" in capsys.readouterr().err
