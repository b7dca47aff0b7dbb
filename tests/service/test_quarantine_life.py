"""The quarantine's bytes: placed, expired, swept, checked by fsck, and killed in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from support.held import NAME, held_files, import_run, item_row, publish_held
from support.ward import WHY, Here
from voxelhub_service.database import writing
from voxelhub_service.datasets import quarantine
from voxelhub_service.models import QuarantineItem, Run, utcnow


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def test_after_its_time_it_expires_and_the_row_stays(here: Here) -> None:
    item, releasing, fresh = here.hold(b"one", b"two", b"three")
    here.post(f"/{releasing}/release", body=WHY)
    with writing(here.context.engine) as session:
        session.execute(update(QuarantineItem).where(QuarantineItem.id != fresh).values(expires_at=utcnow()))
    assert quarantine.sweep_quarantine(here.context) == 1 and quarantine.sweep_quarantine(here.context) == 0
    assert [here.get(f"/{one}")["state"] for one in (item, releasing, fresh)] == ["expired", "releasing", "held"]
    assert {path.rpartition("/")[2].removesuffix(".json") for path in here.on_disk()} == {releasing, fresh}
    assert [one.resource for one in here.audited("quarantine.expire")] == [f"quarantine:{item}"]
    assert here.findings() == []


def test_the_sweep_takes_what_no_row_keeps_and_nothing_of_a_run_on_its_way(here: Here) -> None:
    (item,) = here.hold(b"one")
    folder = here.context.settings.quarantine_dir
    going = import_run(here.context, "demo", "bob")
    for name in (going, "f" * 32):
        (folder / name).mkdir()
        (folder / name / "file").write_bytes(b"x")
    with writing(here.context.engine) as session:
        session.execute(update(QuarantineItem).values(state="rejected"))
    quarantine.sweep_quarantine(here.context)
    assert here.on_disk() == {f"{going}/file", f"{'f' * 32}/file"}  # young: it may be being made
    quarantine.YOUNG, before = -1.0, quarantine.YOUNG
    try:
        quarantine.sweep_quarantine(here.context)
    finally:
        quarantine.YOUNG = before
    assert here.on_disk() == {f"{going}/file"} and item_row(here.context, item).state == "rejected"


def test_placing_is_done_once_and_a_run_that_came_to_nothing_leaves_nothing(here: Here) -> None:
    run = import_run(here.context, "demo", "bob")
    held_files(here.context, run, [b"first attempt"])
    quarantine.place(here.context, run)
    quarantine.place(here.context, run)
    held = held_files(here.context, run, [b"second"])  # the import began anew after a kill
    quarantine.place(here.context, run)
    assert here.on_disk() == {f"{run}/{held[0].id}", f"{run}/{held[0].id}.json"}
    held_files(here.context, run, [b"third"])
    quarantine.forget(here.context, run)
    assert here.on_disk() == set() and not quarantine.held_folder(here.context, run).exists()


def test_what_is_registered_is_not_forgotten_nor_replaced(here: Here) -> None:
    run = import_run(here.context, "demo", "bob")
    publish_held(here.context, run, held_files(here.context, run, [b"first"]))
    before = here.on_disk()
    held_files(here.context, run, [b"late"])
    quarantine.place(here.context, run)
    quarantine.forget(here.context, run)
    assert here.on_disk() == before and not quarantine.held_folder(here.context, run).exists()


def repair(here: Here, sentence: str) -> str:
    (found,) = here.findings()
    assert sentence in found.sentence and NAME not in found.sentence, found
    assert found.repair is not None
    said = found.repair()
    assert here.findings() == []
    return str(said)


def test_fsck_finds_lost_bytes(here: Here) -> None:
    (item,) = here.hold(b"one")
    os.unlink(quarantine.bytes_path(here.context, item_row(here.context, item)))
    os.unlink(quarantine.name_path(here.context, item_row(here.context, item)))
    assert "expired" in repair(here, "bytes are missing")
    assert here.get(f"/{item}")["state"] == "expired" and here.audited("quarantine.expire")[0].actor == "command-line"


def test_fsck_finds_changed_bytes_and_offers_nothing(here: Here) -> None:
    (item,) = here.hold(b"one")
    quarantine.bytes_path(here.context, item_row(here.context, item)).write_bytes(b"longer")
    (found,) = here.findings()
    assert "another size" in found.sentence and found.repair is None


@pytest.mark.parametrize("damage", ["gone", "empty", "no json"])
def test_fsck_finds_a_lost_name(here: Here, damage: str) -> None:
    (item,) = here.hold(b"one")
    path = quarantine.name_path(here.context, item_row(here.context, item))
    path.unlink() if damage == "gone" else path.write_text("{}" if damage == "empty" else "{")
    assert here.post(f"/{item}/name", status=409)["code"] == "left_quarantine"
    repair(here, "lost its own name")
    assert here.post(f"/{item}/name") == {"name": "file-000001"}


def test_fsck_finds_a_release_that_nobody_does(here: Here) -> None:
    (item,) = here.hold(b"one")
    run = here.post(f"/{item}/release", body=WHY)["release_run_id"]
    with writing(here.context.engine) as session:
        session.execute(update(Run).where(Run.id == run).values(state="failed", reason="Why not.", ended_at=utcnow()))
    assert "held" in repair(here, "no import does it")


def test_fsck_finds_strays_once_the_sweep_had_its_time(here: Here) -> None:
    (item,) = here.hold(b"one")
    (here.context.settings.quarantine_dir / ("e" * 32)).mkdir()
    repair(here, "belongs to no import")
    with writing(here.context.engine) as session:
        session.execute(update(QuarantineItem).values(state="rejected", decided_at=utcnow()))
    assert here.findings() == []
    with writing(here.context.engine) as session:
        session.execute(update(QuarantineItem).values(decided_at=utcnow() - timedelta(hours=1)))
    assert len(here.findings()) == 2 and all("rejected" in one.sentence for one in here.findings())
    for one in here.findings():
        one.repair()
    assert here.findings() == [] and here.on_disk() == set() and item_row(here.context, item).state == "rejected"


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from support.held import held_files, publish_held
from support.service import make_test_context
from support.ward import STELLA, WHY
from voxelhub_service.imports import deciding
context = make_test_context(Path({folder!r}), min_free=0)
{what}
"""


def killed_at(here: Here, folder: Path, point: str, what: str) -> None:
    """Does `what` in a process of its own that dies by SIGKILL at the checkpoint."""
    (folder / "kill").write_text(point)
    root = Path(__file__).resolve().parents[2]
    path = [str(root / "tests"), *(one for one in sys.path if one)]
    script = KILLED.format(path=path, folder=str(folder), what=what)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], env={**os.environ, "VOXELHUB_KILL_AT": str(folder / "kill")},
        capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_release_that_nobody_was_told_of_is_not_done_twice(here: Here, tmp_path: Path) -> None:
    (item,) = here.hold(b"one")
    killed_at(here, tmp_path, "release.created", f"deciding.release(context, STELLA, {item!r}, WHY['reason'])")
    begun = here.get(f"/{item}")
    assert begun["state"] == "releasing" and here.post(f"/{item}/release", body=WHY) == begun
    assert len(list(here.context.settings.uploads_dir.iterdir())) == 1 and len(here.audited("quarantine.release")) == 1
    assert here.findings() == []


def test_held_files_whose_rows_a_kill_prevented_are_registered_by_the_next(here: Here, tmp_path: Path) -> None:
    run = import_run(here.context, "demo", "bob")
    held = held_files(here.context, run, [b"one", b"two"])
    killed_at(here, tmp_path, "quarantine.placed", f"publish_held(context, {run!r}, [])")
    assert not quarantine.held_folder(here.context, run).exists() and here.get("")["total"] == 0 and here.findings() == []
    quarantine.sweep_quarantine(here.context)
    publish_held(here.context, run, held)
    assert here.get("")["total"] == 2 and len(here.on_disk()) == 4 and here.findings() == []
