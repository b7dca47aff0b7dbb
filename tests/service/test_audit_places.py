"""The second place of the checkpoints: a folder, a real S3 server, a real syslog. Nothing is lost, nothing goes unseen."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.audit_log import append, checkpoint, findings, with_history
from support.ports import free_port
from support.rsyslog import rsyslog
from support.rsyslog import unavailable as no_rsyslog
from support.s3proxy import S3Server, s3_server
from support.s3proxy import unavailable as no_s3
from support.service import make_test_context
from voxelhub_hub.doctor import look_at_evidence
from voxelhub_service.audit import cli
from voxelhub_service.audit.delivery import compare, deliver, delivered
from voxelhub_service.audit.keys import read_keys
from voxelhub_service.audit.outside import compare_with
from voxelhub_service.audit.places import make_place, name_of
from voxelhub_service.audit.s3 import Bucket, signed_headers
from voxelhub_service.audit.tending import evidence, tend
from voxelhub_service.context import Context
from voxelhub_service.settings import Settings, SettingsError

SIZES = [3, 5, 12, 14, 22]


def _compared(context: Context) -> list[str]:
    return list(compare(context.settings, read_keys(context.audit.keys.path)[0]))


def _placed(folder: Path, place: str) -> Context:
    context = with_history(folder)
    return replace(context, settings=replace(context.settings, audit_second=place))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "second"
    made.mkdir()
    return made


def test_a_folder_gets_every_checkpoint_as_it_is(tmp_path, folder):
    context = _placed(tmp_path, f"file:{folder}")
    assert deliver(context.settings).size == 22
    lines = (context.audit.folder / "checkpoints.jsonl").read_bytes().splitlines(keepends=True)
    assert [(folder / name_of(size)).read_bytes() for size in SIZES] == lines
    assert (_compared(context), len(list(folder.iterdir()))) == ([], 5)
    append(context)
    checkpoint(context)
    assert deliver(context.settings).size == 23 and _compared(context) == []


def test_what_cannot_be_delivered_waits_and_is_told_and_comes_later(tmp_path, folder, monkeypatch, capsys):
    missing = tmp_path / "not-mounted"
    context = _placed(tmp_path, f"file:{missing}")
    state = deliver(context.settings)
    assert (state.size, state.problem) == (0, "The folder cannot be written: No such file or directory.")
    assert not missing.exists(), "what is not mounted is not made"
    assert evidence(context).undelivered == 22
    told = [finding.text for finding in look_at_evidence(context.settings) if finding.verdict == "wrong"]
    assert len(told) == 1 and "has only 0 records. The folder cannot be written" in told[0]
    monkeypatch.setenv("VOXELHUB_STATE_DIR", str(context.settings.state_dir))
    monkeypatch.setenv("VOXELHUB_AUDIT_SECOND", context.settings.audit_second)
    assert cli.main(["verify"]) == 1
    assert "The second place cannot be compared: The folder cannot be read" in capsys.readouterr().out
    missing.mkdir()
    tend(context)
    assert (delivered(context.settings).problem, _compared(context)) == ("", [])
    assert [finding.verdict for finding in look_at_evidence(context.settings)] == ["ok", "ok"]
    assert cli.main(["verify"]) == 0
    assert "The second place has it up to record 22." in capsys.readouterr().out


def test_a_kill_between_two_deliveries_delivers_nothing_twice_and_all_once(tmp_path, folder):
    context = _placed(tmp_path, f"file:{folder}")
    deliver(context.settings)
    (context.audit.folder / "second.json").unlink()  # as a kill before it was written leaves it
    (folder / f".{name_of(22)}.77").write_bytes(b"half")
    assert deliver(context.settings).problem == "" and _compared(context) == []


def test_a_new_place_gets_all_from_the_beginning(tmp_path, folder):
    context = _placed(tmp_path, f"file:{folder}")
    deliver(context.settings)
    other = tmp_path / "third"
    other.mkdir()
    moved = replace(context, settings=replace(context.settings, audit_second=f"file:{other}"))
    assert evidence(moved).undelivered == 22
    deliver(moved.settings)
    assert sorted(path.name for path in other.iterdir()) == [name_of(size) for size in SIZES]


@pytest.mark.parametrize(("change", "sentence"), [
    (lambda path: path.write_bytes(path.read_bytes().replace(b'"size":12', b'"size":13')), "holds another checkpoint over 12"),
    (lambda path: path.write_bytes(path.read_bytes()[:-1]), "holds another checkpoint over 12"),
    (lambda path: path.unlink(), "was brought to the second place and is not there any more"),
    (lambda path: path.with_name(name_of(99)).write_bytes(b"{}"), "which is no checkpoint"),
])
def test_a_second_place_that_somebody_changed_is_found(tmp_path, folder, change, sentence):
    context = _placed(tmp_path, f"file:{folder}")
    deliver(context.settings)
    change(folder / name_of(12))
    assert len(_compared(context)) == 1 and sentence in _compared(context)[0]


def test_a_log_that_was_set_back_as_a_whole_is_found_by_the_second_place(tmp_path, folder):
    """Database, head, checkpoints and secrets of an older moment: by themselves they are whole."""
    import shutil

    context = _placed(tmp_path, f"file:{folder}")
    deliver(context.settings)
    state = context.settings.state_dir
    context.engine.dispose()
    shutil.copytree(state, tmp_path / "older")
    append(context, 4)
    checkpoint(context)
    deliver(context.settings)
    context.engine.dispose()
    shutil.rmtree(state)
    shutil.copytree(tmp_path / "older", state)
    assert findings(context) == []
    assert ["is not here: the log was set back" in finding for finding in _compared(context)] == [True]
    append(context, 4)
    checkpoint(context)
    assert "another checkpoint named" in deliver(context.settings).problem, "what is there is never overwritten"
    assert "holds another checkpoint over 26 records" in _compared(context)[0]


@pytest.mark.parametrize("place", ["file:", "file:relative", "s3:", "s3:bucket", "s3:https://host", "s3:https://host:x/bucket",
                                   "syslog:host", "syslog:tcp://host", "syslog:http://host:1", "ftp://host", "elsewhere"])
def test_what_can_be_no_place_is_refused_with_examples(tmp_path, place):
    settings = replace(Settings(), state_dir=tmp_path, audit_second=place)
    with pytest.raises(SettingsError, match="write for example"):
        make_place(settings)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    if reason := no_s3():
        pytest.skip(reason)
    with s3_server(tmp_path_factory.mktemp("s3")) as started:
        yield started


def _credentials(context: Context, server: S3Server) -> None:
    path = context.settings.secrets_dir / "audit-s3"
    path.write_text(f"{server.access}\n{server.secret}\n")
    path.chmod(0o600)


def test_a_bucket_gets_every_checkpoint_as_it_is(tmp_path, s3):
    context = _placed(tmp_path, f"s3:{s3.url}/evidence/one place/ü?region=eu-central-1")
    assert "must hold two lines" in deliver(context.settings).problem
    _credentials(context, s3)
    assert deliver(context.settings)[2:4] == (22, "")
    lines = (context.audit.folder / "checkpoints.jsonl").read_bytes().splitlines(keepends=True)
    kept = s3.folder / "evidence" / "one place" / "ü"
    assert [(kept / name_of(size)).read_bytes() for size in SIZES] == lines
    assert _compared(context) == []
    changed = kept / name_of(5)
    changed.write_bytes(lines[1].replace(b'"size":5', b'"size":6'))
    assert ["holds another checkpoint over 5 records" in finding for finding in _compared(context)] == [True]
    bucket = Bucket.of(context.settings.audit_second[3:], context.settings.secrets_dir)
    assert bucket.create(name_of(12), b"other") is False, "nothing is overwritten"
    assert bucket.get(name_of(12)) == lines[2]
    assert bucket.get("no-such") is None


def test_more_objects_than_one_page(tmp_path, s3, monkeypatch):
    monkeypatch.setattr("voxelhub_service.audit.s3.PAGE", 4)
    context = make_test_context(tmp_path)
    _credentials(context, s3)
    bucket = Bucket.of(f"{s3.url}/evidence/many", context.settings.secrets_dir)
    names = [name_of(number) for number in range(11)]
    assert [bucket.create(name, b"x") for name in names] == [True] * 11
    assert list(bucket.names()) == names
    assert list(Bucket.of(f"{s3.url}/evidence/none", context.settings.secrets_dir).names()) == []


def test_a_wrong_secret_a_missing_bucket_and_a_dead_server_are_told(tmp_path, s3):
    context = _placed(tmp_path, f"s3:{s3.url}/evidence")
    (context.settings.secrets_dir / "audit-s3").write_text(f"{s3.access}\nwrong\n")
    assert re.match(r"The S3 service refuses: 403 \w+\.", deliver(context.settings).problem)
    _credentials(context, s3)
    for place, sentence in ((f"s3:{s3.url}/no-such-bucket", "404 NoSuchBucket"),
                            (f"s3:http://127.0.0.1:{free_port()}/evidence", "does not answer: ConnectError")):
        assert sentence in deliver(replace(context.settings, audit_second=place)).problem


def test_the_signature_is_that_of_the_published_example():
    """Amazon's own: "GET Object" of "Signature Calculations for the Authorization Header", with the keys that it publishes."""
    headers = signed_headers(
        "GET", "examplebucket.s3.amazonaws.com", "/test.txt", "", {"Range": "bytes=0-9"}, b"", "us-east-1",
        "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", datetime(2013, 5, 24, tzinfo=UTC))
    assert headers["authorization"].endswith("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")


def _received(path: Path, number: int) -> list[str]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= number:
            return lines
        time.sleep(0.1)
    raise AssertionError(f"{len(lines)} of {number} messages came")


@pytest.mark.skipif(bool(no_rsyslog()), reason=no_rsyslog())
@pytest.mark.parametrize("way", ["tcp", "udp", "socket"])
def test_a_syslog_gets_every_checkpoint_and_can_be_compared_later(tmp_path, way):
    with rsyslog(tmp_path) as (port, received):
        place = f"syslog:{tmp_path}/socket" if way == "socket" else f"syslog:{way}://127.0.0.1:{port}"
        context = _placed(tmp_path, place)
        assert deliver(context.settings)[2:4] == (22, "")
        lines = _received(received, 5)
    if way != "socket":  # the local socket's parser keeps to the older form
        assert {line.split(" ")[:3][0] for line in lines} == {"109"}, "facility log audit, severity notice"
        assert all(line.startswith("109 voxelhub audit-checkpoint ") for line in lines)
    keys = read_keys(context.audit.keys.path)[0]
    assert list(compare_with(context.audit.folder, received, keys)) == []
    changed = tmp_path / "changed.log"
    changed.write_text(received.read_text().replace('"size":12', '"size":11'))
    found = list(compare_with(context.audit.folder, changed, keys))
    assert len(found) == 1 and "is not signed with a key of this log" in found[0]


@pytest.mark.skipif(bool(no_rsyslog()), reason=no_rsyslog())
def test_a_syslog_that_is_away_gets_it_when_it_is_back(tmp_path):
    port = free_port()
    context = _placed(tmp_path, f"syslog:tcp://127.0.0.1:{port}")
    assert deliver(context.settings).problem == "The log receiver does not take it: Connection refused."
    with rsyslog(tmp_path, port) as (_, received):
        assert deliver(context.settings)[2:4] == (22, "")
        assert len(_received(received, 5)) == 5
