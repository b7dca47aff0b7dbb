"""The program that joins tables: a row for each item in order, the union of columns, and what hostile tables cost."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest
from voxelhub_service.runs import join_program
from voxelhub_service.runs.join_staging import PROGRAM


@pytest.fixture
def join(tmp_path):
    def run(*items, code=0, **files):
        """`items`: (state, tables…); files by the table's name. The rows of the result as dicts, and its header."""
        listing = []
        for number, (state, *tables) in enumerate(items, 1):
            reason = "" if state == "succeeded" else "It broke."
            named = [{"file": f"00001-{name}", "format": name.rpartition(".")[2]} for name in tables]
            listing.append({"item": number, "label": f"case {number}", "run": f"run{number:03d}", "state": state,
                            "reason": reason, "tables": named})
        folder = tmp_path / "in"
        folder.mkdir(exist_ok=True)
        (folder / "items.json").write_text(json.dumps({"items": listing}))
        for name, content in files.items():
            path = folder / f"00001-{name.replace('_', '.')}"
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        done = subprocess.run([sys.executable, "-I", PROGRAM, folder, tmp_path / "out.csv"], capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        run.said = done.stdout
        if code:
            return [], []
        with (tmp_path / "out.csv").open(newline="") as file:
            reader = csv.DictReader(file)
            return list(reader), list(reader.fieldnames)
    return run


def test_a_row_for_each_item_in_their_order(join):
    rows, header = join(("succeeded", "a.csv"), ("failed",), ("succeeded", "b.csv"),
                        a_csv="volume,mean\n1.50,2\n", b_csv="mean,sd\n3,-0.1\n")
    assert header == ["item", "label", "run", "state", "reason", "volume", "mean", "sd"]
    assert [list(row.values()) for row in rows] == [
        ["1", "case 1", "run001", "succeeded", "", "1.50", "2", ""],
        ["2", "case 2", "run002", "failed", "It broke.", "", "", ""],
        ["3", "case 3", "run003", "succeeded", "", "", "3", "-0.1"]]


def test_several_tables_of_an_item_stand_side_by_side_and_long_ones_have_their_rows(join):
    rows, header = join(("succeeded", "a.csv", "b.tsv"), a_csv="case,volume\nx,5\n", b_tsv="slice\tvolume\n1\t2\n2\t3\n")
    assert header[5:] == ["case", "volume", "slice", "volume (2)"]
    assert [[row[name] for name in header[5:]] for row in rows] == [["x", "5", "1", "2"], ["x", "5", "2", "3"]]


def test_names_that_are_taken_empty_or_double(join):
    rows, header = join(("succeeded", "a.csv"), a_csv="item,,x,x\n9,8,7,6,5\n")
    assert header[5:] == ["item (2)", "column 2", "x", "x (2)", "column 5"]
    assert rows[0]["item"] == "1" and rows[0]["item (2)"] == "9"


def test_values_stay_as_they_are(join):
    rows, _ = join(("succeeded", "a.csv"), a_csv='a,b,c,d\n"=1+1",-1.50,"two\nlines","Grüße, ""x"""\n')
    assert [rows[0][name] for name in "abcd"] == ["=1+1", "-1.50", "two\nlines", 'Grüße, "x"']


@pytest.mark.parametrize("content", ["\ufeffa;b\r\n1;2\r\n", "a;b\r1;2\r", "a;b\n\n1;2\n\n"])
def test_what_spreadsheets_write(join, content):
    rows, header = join(("succeeded", "a.csv"), a_csv=content)
    assert header[5:] == ["a", "b"] and (rows[0]["a"], rows[0]["b"]) == ("1", "2")


@pytest.mark.parametrize(("content", "part"), [
    (b"", "It is empty."),
    (b"a\n" + b"x" * 20_000, "cannot be read as a table"),
    (b"a\n" + b"1\n" * 10_001, "more than 10,000 rows"),
    (b"a," * 2_500 + b"a\n1\n", "more than 2,000 columns"),
    (b"a\n" + b"1" * (17 * 1024**2), "larger than 16 MiB"),
])
def test_a_table_beyond_the_limits_costs_only_its_item(join, content, part):
    rows, header = join(("succeeded", "a.csv"), ("succeeded", "b.csv"), a_csv=content, b_csv="v\n1\n")
    assert len(rows) == 2 and part in rows[0]["reason"] and rows[0]["reason"].startswith("a.csv: ")
    assert header[5:] == ["v"] and rows[1]["v"] == "1" and rows[1]["reason"] == ""


@pytest.mark.parametrize("content", [
    bytes(range(256)) * 40, b"\xff\xfe\x00\x00" * 999, b'"' * 5001, b"\x00" * 100, b"a\x00b,c\n1,2\n"])
def test_bytes_that_are_no_text_break_nothing(join, content):
    rows, _ = join(("succeeded", "a.csv"), ("failed",), a_csv=content)
    assert rows[-1]["state"] == "failed" and rows[0]["state"] == "succeeded"


def test_too_many_different_columns_are_said(join):
    tables = {f"t{n}_csv": ",".join(f"c{n}x{m}" for m in range(1900)) + "\n" for n in range(3)}
    join(*(("succeeded", f"t{n}.csv") for n in range(3)), code=2, **tables)
    assert "::error The tables have 5,700 different columns" in join.said


def test_nothing_but_pythons_own_library_is_imported():
    lines = [line.split()[1] for line in PROGRAM.read_text().splitlines() if line.startswith(("import ", "from "))]
    assert set(lines) <= {"__future__", *sys.stdlib_module_names} and join_program.FIXED[0] == "item"
