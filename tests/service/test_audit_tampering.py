"""Whatever is flipped, dropped, added, reordered or truncated in the log, its checkpoints or its keys is found: by `verify`, and
in an export by docs/verify_audit.py, which has nothing of ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from support.audit_log import SCRIPT, append, checkpoint, exported, findings, verifier, with_history
from support.service import make_test_context
from voxelhub_service.audit.log import AuditLog
from voxelhub_service.audit.record import SIGNED, fields_of, leaf_of, stored
from voxelhub_service.audit.rotate import rotate
from voxelhub_service.context import Context
from voxelhub_service.database import reading, writing
from voxelhub_service.models import AuditEvent
from voxelhub_service.secrets import ensure_secrets

VERIFIER = verifier()
COLUMNS = ("seq", "at", "actor", "action", "resource", "outcome", "detail", "event_id", "previous", "mac", "key", "signature")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Shared by all: whoever changes it sets it back."""
    return with_history(tmp_path_factory.mktemp("whole"))


def _sentence(folder: Path) -> str:
    """What the independent verifier finds in an export; empty where nothing."""
    try:
        VERIFIER.check_export(folder)
    except VERIFIER.Wrong as error:
        return str(error)
    except (KeyError, OSError, TypeError, ValueError) as error:
        return f"not in the form: {error}"
    return ""


def test_an_untouched_log_is_whole_for_both(whole, tmp_path):
    assert findings(whole) == []
    folder = exported(whole, tmp_path / "export")
    done = subprocess.run([sys.executable, "-I", str(SCRIPT), str(folder)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "22 records, 5 checkpoints, 2 keys: nothing was changed" in done.stdout
    assert _sentence(folder) == ""


def test_the_verifier_has_nothing_of_ours():
    assert "voxelhub_" not in SCRIPT.read_text()


def _sql(context: Context, *statements: str, **values: object) -> None:
    with context.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement), values)


@contextmanager
def _rows_set_back(context: Context) -> Iterator[None]:
    columns = ", ".join(COLUMNS)
    with context.engine.connect() as connection:
        rows = [row._asdict() for row in connection.execute(text(f"SELECT {columns} FROM audit_event"))]
    try:
        yield
    finally:
        with context.engine.begin() as connection:
            connection.execute(text("DELETE FROM audit_event"))
            connection.execute(text(f"INSERT INTO audit_event VALUES ({', '.join(f':{name}' for name in COLUMNS)})"), rows)
        assert findings(context) == []


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 22), st.sampled_from(COLUMNS), st.integers(0, 10_000), st.integers(1, 255))
def test_one_flipped_byte_of_any_column_of_any_record(whole, seq, column, position, flip):
    with _rows_set_back(whole):
        with reading(whole.engine) as session:
            before = next(stored(session, seq - 1, seq))
            value = session.execute(text(f"SELECT CAST({column} AS TEXT) FROM audit_event WHERE seq = {seq}")).scalar()
        assume(value is not None)
        raw = bytearray(str(value).encode())
        raw[position % len(raw)] ^= flip
        new = int(raw) if column == "seq" and raw.isdigit() else raw.decode(errors="replace")
        assume(new not in (value, before.seq) and not (column == "seq" and isinstance(new, int) and new == seq))
        try:
            _sql(whole, f"UPDATE audit_event SET {column} = :new WHERE seq = {seq}", new=new)
        except IntegrityError:
            assume(False)  # the database does not take it: two records of one number
        with reading(whole.engine) as session:
            after = [row for row in stored(session) if row.seq == new or row.seq == seq]
        assume(after != [before])  # a space more in the JSON of a detail says the same
        assert findings(whole) != []


@pytest.mark.parametrize("seq", [1, 4, 6, 7, 13, 14, 22])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_emptied_or_taken_from_another_record(whole, seq, column):
    other = 8 if seq != 8 else 9
    for new in ("NULL", f"(SELECT {column} FROM audit_event WHERE seq = {other})", "''"):
        with _rows_set_back(whole):
            with reading(whole.engine) as session:
                before = next(stored(session, seq - 1, seq))
            try:
                _sql(whole, f"UPDATE audit_event SET {column} = {new} WHERE seq = {seq}")
            except IntegrityError:
                continue  # the schema refuses it
            with reading(whole.engine) as session:
                if next(stored(session, seq - 1, seq), None) == before:
                    continue
            assert findings(whole) != [], new


SHAPES = {
    "first dropped": ["DELETE FROM audit_event WHERE seq = 1"],
    "middle dropped": ["DELETE FROM audit_event WHERE seq = 9"],
    "last dropped": ["DELETE FROM audit_event WHERE seq = 22"],
    "half dropped": ["DELETE FROM audit_event WHERE seq > 11"],
    "all dropped": ["DELETE FROM audit_event"],
    "unsigned ones dropped": ["DELETE FROM audit_event WHERE seq < 6"],
    "boundary dropped": ["DELETE FROM audit_event WHERE seq = 6"],
    "change of key dropped": ["DELETE FROM audit_event WHERE seq = 14"],
    "two swapped": ["UPDATE audit_event SET seq = 99 WHERE seq = 9", "UPDATE audit_event SET seq = 9 WHERE seq = 10",
                    "UPDATE audit_event SET seq = 10 WHERE seq = 99"],
    "one added at the end": ["INSERT INTO audit_event SELECT 23, at, actor, action, resource, outcome, detail, NULL, previous, "
                             "mac, key, signature FROM audit_event WHERE seq = 22"],
    "signatures taken away": ["UPDATE audit_event SET signature = NULL, key = NULL"],
    "detail that is no JSON": ["UPDATE audit_event SET detail = '{\"n\": ' WHERE seq = 9"],
    "detail of huge numbers": ["UPDATE audit_event SET detail = '{\"n\": 1e400}' WHERE seq = 9"],
    "text that is no UTF-8": ["UPDATE audit_event SET actor = CAST(x'ff' AS TEXT) WHERE seq = 9"],
}


@pytest.mark.parametrize("name", SHAPES)
def test_records_of_another_shape_are_found_by_both(whole, tmp_path, name):
    with _rows_set_back(whole):
        _sql(whole, *SHAPES[name])
        assert findings(whole) != []
        assert _sentence(exported(whole, tmp_path / "export")) != ""


def _lines_of(name: str, change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / name
        path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))

    return apply


def _swap(lines: list[bytes]) -> list[bytes]:
    return [lines[1], lines[0], *lines[2:]]


FILES = {
    f"{name}: {what}": _lines_of(name, change)
    for name in ("checkpoints.jsonl", "keys.jsonl")
    for what, change in {
        "first dropped": lambda lines: lines[1:], "last dropped": lambda lines: lines[:-1], "all dropped": lambda lines: [],
        "swapped": _swap, "last twice": lambda lines: [*lines, lines[-1]],
        "cut short": lambda lines: [*lines[:-1], lines[-1][:-1]], "half a line more": lambda lines: [*lines, lines[0][:40]],
        "an empty line": lambda lines: [*lines, b"\n"],
        "blank inside": lambda lines: [lines[0].replace(b":", b": ", 1), *lines[1:]],
    }.items()
}
FILES["keys.jsonl: gone"] = lambda folder: (folder / "keys.jsonl").unlink()
FILES["checkpoints.jsonl: gone"] = lambda folder: (folder / "checkpoints.jsonl").unlink()
FILES["checkpoints.jsonl: middle dropped"] = _lines_of("checkpoints.jsonl", lambda lines: lines[:2] + lines[3:])


@contextmanager
def _files_set_back(folder: Path) -> Iterator[None]:
    kept = {path: path.read_bytes() for path in folder.glob("*.json*")}
    try:
        yield
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
def test_checkpoints_and_keys_of_another_shape_are_found_by_both(whole, tmp_path, name):
    with _files_set_back(whole.audit.folder):
        FILES[name](whole.audit.folder)
        assert findings(whole) != []
    folder = exported(whole, tmp_path / "export")
    FILES[name](folder)
    assert _sentence(folder) != ""


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["checkpoints.jsonl", "keys.jsonl", "head.json"]), st.integers(0, 10_000), st.integers(1, 255))
def test_one_flipped_byte_of_checkpoints_keys_or_head(whole, name, position, flip):
    folder = whole.audit.folder
    with _files_set_back(folder):
        raw = bytearray((folder / name).read_bytes())
        raw[position % len(raw)] ^= flip
        if name == "head.json":  # not canonical: a blank may become another
            assume(raw[position % len(raw)] not in b" \t\r\n")
        (folder / name).write_bytes(raw)
        assert findings(whole) != []


@pytest.fixture(scope="module")
def an_export(whole, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(whole, tmp_path_factory.mktemp("export") / "export")


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(["README.md", "checkpoints.jsonl", "export.json", "keys.jsonl", "records.jsonl"]), st.data())
def test_one_flipped_dropped_or_added_byte_of_an_export(an_export, name, data):
    path = an_export / name
    kept = path.read_bytes()
    position = data.draw(st.integers(0, len(kept) - 1))
    byte = bytes([data.draw(st.integers(0, 255))])
    changed = data.draw(st.sampled_from(
        [kept[:position] + byte + kept[position + 1:], kept[:position] + kept[position + 1:], kept[:position],
         kept[:position] + byte + kept[position:]]))
    assume(changed != kept)
    path.write_bytes(changed)
    try:
        assert _sentence(an_export) != ""
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize("change", [lambda lines: lines[:-1], lambda lines: lines[1:], _swap, lambda lines: [*lines, lines[-1]],
                                    lambda lines: [*lines[:9], *lines[10:]]])
def test_records_of_an_export_dropped_added_or_moved(an_export, tmp_path, change):
    folder = Path(shutil.copytree(an_export, tmp_path / "export"))
    _lines_of("records.jsonl", change)(folder)
    assert _sentence(folder) != ""


def test_the_script_says_it_and_ends_with_1(an_export, tmp_path):
    folder = Path(shutil.copytree(an_export, tmp_path / "export"))
    path = folder / "records.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"alice"', b'"mally"', 1))
    done = subprocess.run([sys.executable, "-I", str(SCRIPT), str(folder)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    assert "Record 7 was changed" in done.stdout
    other = subprocess.run([sys.executable, "-I", str(SCRIPT), str(an_export), "--origin", "voxelhub/0000000000000000"],
                           capture_output=True, text=True)
    assert (other.returncode, other.stderr) == (1, "")


def _rewrite(log: AuditLog, context: Context, seq: int, sign: bool) -> None:
    """What somebody with the audit key does: change a record and make chain and head fit again."""
    with writing(context.engine) as session:
        previous = session.get(AuditEvent, seq - 1).mac
        for record in session.query(AuditEvent).filter(AuditEvent.seq >= seq).order_by(AuditEvent.seq):
            record.actor = "mallory" if record.seq == seq else record.actor
            record.previous = previous
            fields = fields_of(record)
            record.mac = previous = log.mac_of(fields)
            if sign:
                record.signature = log.keys.sign(record.key, SIGNED, leaf_of(fields, record.mac))
        log.head.reset(log.head.read()._replace(mac=previous))


def test_a_forger_with_the_audit_key_alone_is_found(whole, tmp_path):
    with _rows_set_back(whole), _files_set_back(whole.audit.folder):
        _rewrite(whole.audit, whole, 18, sign=False)
        assert "The signature of record 18 is not one of the keys of this log." in findings(whole)
        assert "Record 18 was changed" in _sentence(exported(whole, tmp_path / "export"))


def test_a_forger_with_both_keys_is_found_by_the_checkpoints(whole, tmp_path):
    with _rows_set_back(whole), _files_set_back(whole.audit.folder):
        _rewrite(whole.audit, whole, 18, sign=True)
        assert findings(whole) == ["The first 22 records are not those over which their checkpoint was signed."]
        assert "The first 22 records" in _sentence(exported(whole, tmp_path / "export"))


def test_a_key_that_was_replaced_signs_nothing_any_more(whole, tmp_path):
    """The first private key, had it been kept, is of no use behind the change."""
    context = make_test_context(tmp_path)
    append(context, 2)
    old = (context.settings.secrets_dir / "audit-signing-key").read_text()
    first, _ = rotate(context.audit, context.engine, "command-line")
    (context.settings.secrets_dir / "audit-signing-key").write_text(old)
    with writing(context.engine) as session:
        context.audit.append(session, "mallory", "test.done", "thing:1", key=first)
    assert any("no record says that the key changes here" in finding for finding in findings(context))


def test_a_forger_with_everything_is_found_by_what_was_kept_elsewhere_alone(tmp_path):
    """Root rewrites the log from the beginning with keys of their own. It fits itself, but no checkpoint kept elsewhere."""
    honest = with_history(tmp_path / "honest")
    kept = tmp_path / "kept.jsonl"
    shutil.copy(honest.audit.folder / "checkpoints.jsonl", kept)
    origin = f"voxelhub/{kept.read_text().partition('voxelhub/')[2][:16]}"
    state = honest.settings.state_dir
    shutil.rmtree(state / "audit")
    (honest.settings.secrets_dir / "audit-signing-key").unlink()
    ensure_secrets(honest.settings.secrets_dir)
    _sql(honest, "DELETE FROM audit_event")
    forged = replace(honest, audit=AuditLog(b"k" * 32, state / "audit", honest.settings.secrets_dir))
    append(forged, 22)
    checkpoint(forged)
    assert findings(forged) == []
    folder = exported(forged, tmp_path / "export")
    assert _sentence(folder) == "", "by itself it proves nothing against that"
    for more in (["--origin", origin], ["--against", str(kept)]):
        done = subprocess.run([sys.executable, "-I", str(SCRIPT), str(folder), *more], capture_output=True, text=True)
        assert done.returncode == 1, done.stdout
