"""`voxelhub deid`: what it writes, says and returns."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from voxelhub_hub import cli as dispatcher
from voxelhub_service.deid.cli import main

PLAIN = '{"name": "header", "base": "research", "clean_pixel_data": false}'


@pytest.fixture
def given(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "Roe Jane").mkdir(parents=True)
    shutil.copy(get_testdata_file("CT_small.dcm"), folder / "Roe Jane" / "Roe^Jane 1.dcm")
    shutil.copy(get_testdata_file("rtplan.dcm"), folder / "plan.dcm")
    (folder / "notes.txt").write_text("Jane Roe, MRN 4711")
    return folder


def run(given: Path, *more: str) -> int:
    return main(
        [
            str(given),
            str(given.parent / "out"),
            "--profile",
            PLAIN,
            "--no-text-search",
            "--key",
            str(given.parent / "key"),
            *more,
        ]
    )


def test_files_are_released_or_held_with_their_reason(given: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = given.parent / "report.jsonl"
    assert run(given, "--report", str(report)) == 3
    written = [path for path in (given.parent / "out").rglob("*") if path.is_file()]
    assert len(written) == 2 and all(
        path.suffix == ".dcm" and "Roe" not in str(path.relative_to(given.parent)) for path in written
    )
    said = capsys.readouterr()
    assert "2 of 3 files released, 1 held." in said.out and "free_text" in said.out and "new key" in said.err
    assert (given.parent / "key").stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert [("held" in line, "path" in line) for line in lines] == [(False, True), (True, False), (False, True)]
    assert "Roe" not in report.read_text() and "4711" not in report.read_text()


def test_the_same_key_links_and_nothing_is_overwritten(given: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (given / "notes.txt").unlink()
    assert run(given) == 0
    before = {path: path.read_bytes() for path in (given.parent / "out").rglob("*.dcm")}
    capsys.readouterr()
    assert run(given) == 3
    said = capsys.readouterr()
    assert said.out.count("exists.") == 2 and "new key" not in said.err
    assert {path: path.read_bytes() for path in (given.parent / "out").rglob("*.dcm")} == before


def test_what_if_writes_nothing(given: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(given, "--what-if") == 3
    assert not (given.parent / "out").exists() and not (given.parent / "key").exists()
    assert "2 of 3 files would be released" in capsys.readouterr().out


def test_a_kill_leaves_no_half_file_under_a_name(given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.link", killed)
    with pytest.raises(KeyboardInterrupt):
        run(given)
    assert [path for path in (given.parent / "out").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--profile", "nobody"], "There is no profile"),
        (["--key", "KEY"], "64 hex digits"),
    ],
)
def test_wrong_input_is_refused_with_a_sentence(
    given: Path, more: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (given.parent / "KEY").write_text("no key")
    more = [str(given.parent / each) if each == "KEY" else each for each in more]
    assert run(given, *more) == 1
    assert sentence in capsys.readouterr().err
    assert main([str(given / "missing"), str(given.parent / "out")]) == 1
    assert main([str(given), str(given / "inside"), "--key", str(given.parent / "k2")]) == 1


def test_the_dispatcher_knows_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert "deid" in dispatcher.usage()
    with pytest.raises(SystemExit) as left:
        dispatcher.main(["deid", "--help"])
    assert left.value.code == 0 and "exit code" in capsys.readouterr().out
