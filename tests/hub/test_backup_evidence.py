"""A backup holds all that the audit log's evidence is made of, of one moment; a start without the signing key is refused."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from support.audit_log import append, checkpoint, findings, with_history
from support.service import make_test_context
from voxelhub_hub import backup, restore, up
from voxelhub_service.audit.checkpoint import Checkpoints, make
from voxelhub_service.audit.delivery import compare, deliver
from voxelhub_service.audit.keys import read_keys
from voxelhub_service.audit.rotate import rotate
from voxelhub_service.context import Context, make_context
from voxelhub_service.settings import SettingsError


def _restored(context: Context, archive: Path, folder: Path) -> Context:
    settings = replace(context.settings, state_dir=folder)
    restore.read(settings, archive)
    return make_context(settings)


def test_the_log_comes_back_whole_and_goes_on(tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    context = with_history(tmp_path)
    context = replace(context, settings=replace(context.settings, audit_second=f"file:{second}"))
    deliver(context.settings)
    backup.write(context.settings, tmp_path / "backup.tar")
    again = _restored(context, tmp_path / "backup.tar", tmp_path / "again")
    keys = read_keys(again.audit.keys.path)[0]
    assert len(keys) == 2 and findings(again) == []
    assert list(compare(again.settings, keys)) == []
    append(again)
    checkpoint(again)
    rotate(again.audit, again.engine, "command-line")
    assert findings(again) == [] and deliver(again.settings).problem == ""  # type: ignore[union-attr]


def test_backups_while_the_log_grows_is_signed_and_changes_its_key(tmp_path: Path) -> None:
    context = make_test_context(tmp_path)
    append(context)
    stop = threading.Event()
    failed: list[BaseException] = []

    def live() -> None:
        try:
            while not stop.is_set():
                append(context)
                make(context.audit, context.engine)
                rotate(context.audit, context.engine, "command-line")
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        for number in range(4):
            archive = tmp_path / f"{number}.tar"
            backup.write(context.settings, archive)
            again = _restored(context, archive, tmp_path / f"again-{number}")
            assert findings(again) == []
            append(again)
            make(again.audit, again.engine)
            assert findings(again) == [] and Checkpoints(again.audit.folder).newest() is not None
            again.engine.dispose()
    finally:
        stop.set()
        thread.join()
    assert failed == [] and findings(context) == []


def test_a_start_without_the_signing_key_is_refused(tmp_path: Path) -> None:
    context = make_test_context(tmp_path)
    append(context)
    up.refuse_lost_key(context.settings)
    (context.settings.secrets_dir / "audit-signing-key").unlink()
    with pytest.raises(up.CannotStart, match="The key that signs the audit log is missing"):
        up.refuse_lost_key(context.settings)


def test_a_second_place_that_can_be_none_stops_the_start(tmp_path: Path) -> None:
    settings = replace(make_test_context(tmp_path).settings, audit_second="somewhere", isolation=False)
    with pytest.raises(SettingsError, match="VOXELHUB_AUDIT_SECOND is 'somewhere'"):
        up.start(settings)
