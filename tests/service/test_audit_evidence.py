"""Signing in life: checkpoints when they are due, a change of key, kills at any moment, proofs, the command line."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from support import databases
from support.audit_log import SCRIPT, append, append_unsigned, checkpoint, findings, verifier, with_history
from support.ports import free_port
from support.service import make_service, make_test_context
from voxelhub_service.audit import cli
from voxelhub_service.audit.checkpoint import Checkpoints, NotWhole, make
from voxelhub_service.audit.keys import LostKey, NoNextKey, SigningKeys, read_keys
from voxelhub_service.audit.log import AuditLog
from voxelhub_service.audit.proof import NotCovered, prove
from voxelhub_service.audit.rotate import NothingSigned, rotate, settle
from voxelhub_service.audit.tending import due, evidence, tend
from voxelhub_service.context import Context
from voxelhub_service.database import reading, writing
from voxelhub_service.models import AuditEvent

VERIFIER = verifier()


def _sizes(context: Context) -> list[int]:
    return [one.size for one, _ in Checkpoints(context.audit.folder).all()]


def _keys(context: Context) -> list[str]:
    keys, wrong = read_keys(context.audit.keys.path)
    assert wrong == []
    return [one.id for one in keys]


def _key_of_last(context: Context) -> str | None:
    with reading(context.engine) as session:
        return session.query(AuditEvent).order_by(AuditEvent.seq.desc()).first().key


@pytest.fixture
def context(tmp_path: Path) -> Context:
    made = make_test_context(tmp_path)
    append(made, 5)
    return made


def test_a_checkpoint_is_made_when_it_is_due(context):
    """At the first record, then after so many records or so many seconds, never over nothing."""
    quick = replace(context, settings=replace(context.settings, audit_checkpoint_records=3, audit_checkpoint_seconds=3600))
    assert due(quick)
    tend(quick)
    tend(quick)
    append(quick, 2)
    tend(quick)
    assert _sizes(quick) == [5]
    append(quick)
    tend(quick)
    assert _sizes(quick) == [5, 8]
    append(quick)
    patient = replace(quick, settings=replace(quick.settings, audit_checkpoint_seconds=1))
    time.sleep(1.1)
    tend(patient)
    tend(patient, now=True)
    assert _sizes(quick) == [5, 8, 9]
    assert findings(context) == []


def test_the_service_signs_at_its_end(tmp_path):
    client, context = make_service(tmp_path)
    append(context, 2)
    with client:
        append(context)
    assert _sizes(context) == [3]
    with client:
        pass
    assert _sizes(context) == [3]


def test_the_service_process_signs_and_delivers_when_it_is_ended(context, tmp_path):
    second = tmp_path / "second"
    second.mkdir()
    environ = {**os.environ, **databases.environ(context.settings), "VOXELHUB_SERVICE_PORT": str(free_port()),
               "VOXELHUB_AUDIT_SECOND": f"file:{second}"}
    process = subprocess.Popen([sys.executable, "-m", "voxelhub_service.api"], env=environ)
    try:
        deadline = time.monotonic() + 120
        while not list(second.glob("*.json")):  # the first one is due at once
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        append(context)
    finally:
        process.terminate()
        process.wait(120)
    assert _sizes(context) == [5, 6] and len(list(second.glob("*.json"))) == 2


def test_no_checkpoint_is_made_over_what_is_not_whole(context):
    checkpoint(context)
    append(context, 2)
    with context.engine.begin() as connection:
        connection.execute(text("UPDATE audit_event SET actor = 'mallory' WHERE seq = 7"))
    with pytest.raises(NotWhole, match="Record 7 was changed"):
        make(context.audit, context.engine)
    tend(context, now=True)
    assert _sizes(context) == [5]


def test_one_that_waits_for_too_long_is_told(context):
    assert not evidence(context).late
    with context.engine.begin() as connection:
        connection.execute(text("UPDATE audit_event SET at = '2026-01-01T00:00:00.000000+00:00'"))
    assert evidence(context).late


def test_records_of_before_signing_stay_valid_behind_an_explicit_boundary(tmp_path):
    context = make_test_context(tmp_path)
    append_unsigned(context, 3)
    assert findings(context) == []
    append(context)
    with reading(context.engine) as session:
        begin, first = session.query(AuditEvent).filter(AuditEvent.seq > 3).order_by(AuditEvent.seq)
        assert (begin.action, begin.detail, begin.actor) == ("audit.sign_begin", {"unsigned": 3}, "system")
        assert begin.key == first.key == _keys(context)[0]
    append_unsigned(context, 1)
    assert findings(context) == ["Record 6 is not signed, although signing had begun before it."]


def test_the_cached_tree_is_made_anew_where_it_is_wrong(tmp_path):
    context = with_history(tmp_path)
    tree = context.audit.folder / "tree" / "0"
    for content in (b"", tree.read_bytes()[:100], b"x" * len(tree.read_bytes())):
        tree.write_bytes(content)
        append(context)
        assert prove(context.audit, context.engine, 3)["record"]["seq"] == 3
        checkpoint(context)
    assert findings(context) == []


def test_a_change_of_key(context):
    first = _key_of_last(context)
    old = (context.settings.secrets_dir / "audit-signing-key").read_text()
    other = replace(context, audit=type(context.audit)(context.audit._key, context.audit.folder, context.settings.secrets_dir))
    append(other)  # another process, which knows the first key
    assert rotate(context.audit, context.engine, "command-line") == (first, _key_of_last(context))
    append(other)
    append(context)
    assert len(_keys(context)) == 2 and _key_of_last(context) == _keys(context)[1] != first
    secret = context.settings.secrets_dir / "audit-signing-key"
    assert secret.read_text() != old and secret.stat().st_mode & 0o777 == 0o600
    assert not secret.with_suffix(".next").exists() and old not in "".join(
        path.read_text() for path in context.settings.secrets_dir.iterdir() if path.is_file())
    checkpoint(context)
    for _ in range(3):
        rotate(context.audit, context.engine, "command-line")
    assert len(set(_keys(context))) == 5 and findings(context) == []


def test_there_is_no_key_to_change_before_the_first_signed_record(tmp_path):
    context = make_test_context(tmp_path)
    with pytest.raises(NothingSigned):
        rotate(context.audit, context.engine, "command-line")


@pytest.mark.parametrize("moment", ["_publish", "commit", "settle"])
def test_a_change_of_key_that_was_cut_is_completed(context, monkeypatch, moment):
    """Before the public line, before the record is committed, before the private key takes its place."""
    class Cut(Exception):
        pass

    def cut(*_: object, **__: object) -> None:
        raise Cut

    first = _keys(context)[0]
    with monkeypatch.context() as patched:
        if moment == "commit":
            patched.setattr(context.audit, "append", cut)
        else:
            calls = {"settle": 0}

            def second_call(self: SigningKeys, current: str) -> None:
                calls["settle"] += 1
                if calls["settle"] == 2:  # the first one only looks whether an earlier change is to be completed
                    raise Cut

            patched.setattr(SigningKeys, moment, second_call if moment == "settle" else cut)
        with pytest.raises(Cut):
            rotate(context.audit, context.engine, "command-line")
    append(context)
    assert findings(context) == []
    committed = _key_of_last(context) != first
    assert committed == (moment == "settle")
    settle(context.audit, context.engine)
    append(context)
    rotate(context.audit, context.engine, "command-line")
    append(context)
    checkpoint(context)
    assert len(_keys(context)) == (3 if committed else 2) and findings(context) == []


def test_without_the_key_in_force_nothing_is_written(context):
    (context.settings.secrets_dir / "audit-signing-key").write_text("ab" * 32)
    fresh = replace(context, audit=type(context.audit)(context.audit._key, context.audit.folder, context.settings.secrets_dir))
    with pytest.raises(LostKey, match="Bring secrets/audit-signing-key back from a backup"):
        append(fresh)
    assert findings(context) == []


def test_in_pods_an_administrator_puts_the_next_key_there_and_moves_it(context):
    """The secrets are mounted read-only: nothing of ours writes there."""
    folder = context.settings.secrets_dir

    def started() -> Context:
        return replace(context, audit=AuditLog(context.audit._key, context.audit.folder, folder, secrets_given=True))

    with pytest.raises(NoNextKey, match=r"Put 64 hexadecimal digits into the Secret as audit-signing-key\.next"):
        rotate(started().audit, context.engine, "command-line")
    (folder / "audit-signing-key.next").write_text("ab" * 32)
    running = started()
    append(running)
    old, new = rotate(started().audit, context.engine, "command-line")
    append(running)
    settle(started().audit, context.engine)
    assert _key_of_last(context) == new and _keys(context) == [old, new]
    with pytest.raises(NoNextKey, match=r"signs already\. Move it to audit-signing-key in the Secret"):
        rotate(started().audit, context.engine, "command-line")
    (folder / "audit-signing-key.next").rename(folder / "audit-signing-key")
    append(running)
    append(started())
    checkpoint(context)
    assert _key_of_last(context) == new and findings(context) == []


WRITER = """
import random, sys
from pathlib import Path
from support.audit_log import append
from support.service import make_test_context
from voxelhub_service.audit.checkpoint import make
from voxelhub_service.audit.rotate import rotate
context = make_test_context(Path(sys.argv[1]))
chance = random.Random(int(sys.argv[2]))
for number in range(int(sys.argv[3])):
    append(context)
    if chance.random() < 0.4:
        make(context.audit, context.engine)
    if chance.random() < 0.15:
        rotate(context.audit, context.engine, "command-line")
print("done", flush=True)
"""


def _writer(folder: Path, seed: int, count: int) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(seed), str(count)], stdout=subprocess.PIPE,
                            env={**os.environ, "PYTHONPATH": path})


def test_kills_at_random_moments_leave_a_log_that_verifies_and_goes_on(tmp_path):
    """Between commit and checkpoint, inside a change of key, while a line is written: six seeded kills, and more of them where
    chance has not yet struck between a record and its checkpoint."""
    chance = random.Random(5)
    context = make_test_context(tmp_path)
    append(context)
    moments = set()
    for seed in range(60):
        writer = _writer(tmp_path, seed, 100_000)
        start = evidence(context).records
        while evidence(context).records < start + 2:  # it has begun
            assert writer.poll() is None
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 0.15))
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        assert findings(context) == [], seed
        newest = Checkpoints(context.audit.folder).newest()
        moments.add((newest is not None and newest.size == evidence(context).records,
                     (context.settings.secrets_dir / "audit-signing-key.next").exists()))
        with writing(context.engine) as session:
            context.audit.refresh_head(session)
        settle(context.audit, context.engine)
        append(context)
        make(context.audit, context.engine)
        assert findings(context) == [], seed
        if seed >= 5 and len(_keys(context)) > 1 and (False, False) in moments:
            break
    assert len(_keys(context)) > 1 and (False, False) in moments, "some kills fell between a record and its checkpoint"


def test_three_processes_write_sign_and_change_the_key_while_it_is_verified(tmp_path):
    context = make_test_context(tmp_path)
    append(context)
    writers = [_writer(tmp_path, seed, 8) for seed in (1, 2, 3)]
    while any(writer.poll() is None for writer in writers):
        assert findings(context) == []
        time.sleep(0.3)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert findings(context) == [] and len(_keys(context)) > 1


def _proved(document: object, folder: Path) -> str:
    """What the independent verifier says to a proof; empty where it holds."""
    path = folder / "proof.json"
    path.write_text(json.dumps(document))
    try:
        VERIFIER.check_proof(path)
    except VERIFIER.Wrong as error:
        return str(error)
    return ""


def test_every_record_has_a_proof_that_an_independent_verifier_follows(tmp_path):
    context = with_history(tmp_path)
    for seq in range(1, 23):
        for earlier in (None, 3, 22):
            proof = prove(context.audit, context.engine, seq, earlier)
            assert _proved(proof, tmp_path) == ""
            assert proof["earlier"]["size"] == earlier or (earlier is None and proof["earlier"]["size"] >= seq)
    for seq in (0, -1, 23):
        with pytest.raises(NotCovered):
            prove(context.audit, context.engine, seq)
    with pytest.raises(NotCovered, match="no checkpoint over 4 records"):
        prove(context.audit, context.engine, 1, 4)


def test_a_proof_that_was_changed_is_found(tmp_path):
    context = with_history(tmp_path)
    proof = prove(context.audit, context.engine, 13, 5)
    changes = [
        lambda one: one["record"].update(actor="mallory"),
        lambda one: one.update(leaf=one["leaf"].replace("alice", "mally"),
                               record=json.loads(one["leaf"].replace("alice", "mally"))),
        lambda one: one["inclusion"].pop(), lambda one: one["inclusion"].reverse(),
        lambda one: one["inclusion"].append("00" * 32),
        lambda one: one["consistency"].pop(), lambda one: one["consistency"].reverse(),
        lambda one: one["checkpoint"].update(size=21), lambda one: one["checkpoint"].update(root="00" * 32),
        lambda one: one.update(checkpoint=one["earlier"]), lambda one: one.update(signature="00" * 64),
        lambda one: one["keys"].pop(0), lambda one: one["keys"].reverse(), lambda one: one["keys"][1].update(time="now"),
    ]
    for change in changes:
        changed = json.loads(json.dumps(proof))
        change(changed)
        assert changed != proof and _proved(changed, tmp_path) != ""


def test_no_proof_is_made_of_a_record_that_was_changed(tmp_path):
    context = with_history(tmp_path)
    with context.engine.begin() as connection:
        connection.execute(text("UPDATE audit_event SET actor = 'mallory' WHERE seq = 9"))
        connection.execute(text("DELETE FROM audit_event WHERE seq = 11"))
    for seq in (9, 11):
        with pytest.raises(NotWhole):
            prove(context.audit, context.engine, seq)


def test_the_command_line(tmp_path, monkeypatch, capsys):
    context = make_test_context(tmp_path)
    append(context, 4)
    databases.use(monkeypatch, context)
    assert cli.main(["verify"]) == 0
    assert "There is no checkpoint yet." in capsys.readouterr().out
    assert cli.main(["prove", "2"]) == 0
    assert _proved(json.loads(capsys.readouterr().out), tmp_path) == ""
    assert cli.main(["prove", "9"]) == 1
    assert "No checkpoint covers record 9 yet." in capsys.readouterr().err
    assert cli.main(["rotate-key"]) == 0
    assert "signs from now on" in capsys.readouterr().out
    assert cli.main(["checkpoint"]) == 0
    assert "over 5 records" in capsys.readouterr().out
    target = tmp_path / "log.zip"
    assert cli.main(["export", str(target)]) == 0
    assert "6 records, 3 checkpoints" in capsys.readouterr().out
    assert target.stat().st_mode & 0o777 == 0o600
    assert cli.main(["export", str(target)]) == 1
    done = subprocess.run([sys.executable, "-I", str(SCRIPT), str(target)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and "6 records, 3 checkpoints, 2 keys: nothing was changed." in done.stdout
    kept = tmp_path / "kept.jsonl"
    kept.write_bytes((context.audit.folder / "checkpoints.jsonl").read_bytes())
    assert cli.main(["verify", "--against", str(kept)]) == 0
    kept.write_text("nothing\n")
    assert cli.main(["verify", "--against", str(kept)]) == 1
    assert "There is no checkpoint in kept.jsonl." in capsys.readouterr().out
    for command in ([], ["verify"], ["prove"], ["export"], ["rotate-key"], ["checkpoint"], ["show"]):
        with pytest.raises(SystemExit, match="0"):
            cli.main([*command, "--help"])
    with context.engine.begin() as connection:
        connection.execute(text("UPDATE audit_event SET actor = 'mallory' WHERE seq = 2"))
    assert cli.main(["verify"]) == 1
    assert cli.main(["export", str(tmp_path / "broken.zip")]) == 0, "what was signed before is exported; the verifier finds it"
    done = subprocess.run([sys.executable, "-I", str(SCRIPT), str(tmp_path / "broken.zip")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "") and "Record 2 was changed" in done.stdout
