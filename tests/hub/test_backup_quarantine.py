"""A backup holds what waits in quarantine, and the key of the pseudonyms; what left the quarantine is in none."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from sqlalchemy import update
from support.held import hold
from support.service import make_test_context
from support.uploads import open_project
from voxelhub_hub import backup, restore, up
from voxelhub_hub.refusal import Refusal
from voxelhub_service.database import writing
from voxelhub_service.fsck.registry import checks
from voxelhub_service.models import QuarantineItem
from voxelhub_service.secrets import ensure_secrets, read_secret


def test_what_waits_in_quarantine_comes_back_whole(tmp_path: Path) -> None:
    context = make_test_context(tmp_path)
    open_project(context, open=False)
    kept, rejected = hold(context, "demo", "alice", [b"kept", b"rejected"])
    with writing(context.engine) as session:  # its bytes are there until the sweep
        session.execute(update(QuarantineItem).where(QuarantineItem.id == rejected).values(state="rejected"))
    backup.write(context.settings, tmp_path / "backup.tar")
    with tarfile.open(tmp_path / "backup.tar") as tar:
        names = [name for name in tar.getnames() if name.startswith("service/quarantine/")]
    assert len(names) == 2 and all(kept in name for name in names)

    again = make_test_context(tmp_path / "other")
    secret = read_secret(context.settings.secrets_dir, "deid-key")
    assert read_secret(again.settings.secrets_dir, "deid-key") != secret
    again.engine.dispose()
    (tmp_path / "other" / "state").rename(tmp_path / "aside")
    restore.read(again.settings, tmp_path / "backup.tar")
    assert read_secret(again.settings.secrets_dir, "deid-key") == secret
    assert again.settings.quarantine_dir.stat().st_mode & 0o077 == 0
    assert [path.read_bytes() for path in again.settings.quarantine_dir.glob(f"*/{kept}")] == [b"kept"]
    for folder in ("staging_dir", "derived_dir", "projects_dir", "runs_dir", "uploads_dir"):
        getattr(again.settings, folder).mkdir(parents=True, exist_ok=True)
    (found,) = [check for check in checks() if check.name == "quarantine"]
    assert found.run(again, True) == []


def test_a_file_that_leaves_meanwhile_is_told(tmp_path: Path) -> None:
    context = make_test_context(tmp_path)
    open_project(context, open=False)
    (item,) = hold(context, "demo", "alice", [b"kept"])
    next(path for path in context.settings.quarantine_dir.glob(f"*/{item}")).unlink()
    with pytest.raises(Refusal, match="left the quarantine"):
        backup.write(context.settings, tmp_path / "backup.tar")
    assert not (tmp_path / "backup.tar").exists()


def test_a_lost_key_of_pseudonyms_stops_the_start_once_it_was_used(tmp_path: Path) -> None:
    context = make_test_context(tmp_path)
    open_project(context, open=False)
    key = context.settings.secrets_dir / "deid-key"
    key.unlink()
    up.refuse_lost_key(context.settings)
    hold(context, "demo", "alice", [b"kept"])
    with pytest.raises(Refusal, match="key of the pseudonyms is missing"):
        up.refuse_lost_key(context.settings)
    ensure_secrets(context.settings.secrets_dir)
    up.refuse_lost_key(context.settings)
