"""CSV without pandas."""

from __future__ import annotations

import numpy as np
import pytest
from voxelhub import VoxelHubError
from voxelhub.tables import read_table


def table(tmp_path, text: str | bytes, name: str = "t.csv"):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(tmp_path / name)


@pytest.mark.parametrize(("text", "name"), [
    ("name,n,ml\na,1,0.5\nb,2,\n", "t.csv"), ("name;n;ml\na;1;0.5\nb;2;\n", "t.csv"),
    ("name\tn\tml\na\t1\t0.5\nb\t2\t\n", "t.tsv"),
    ("\ufeffname,n,ml\r\na,1,0.5\r\nb,2,\r\n", "t.csv"),
])
def test_columns_get_the_type_of_their_cells(tmp_path, text, name):
    found = table(tmp_path, text, name)
    assert list(found.columns) == ["name", "n", "ml"]
    assert found["n"].dtype == np.int64
    assert found["ml"][0] == 0.5
    assert np.isnan(found["ml"][1])
    assert [row["name"] for row in found] == ["a", "b"]
    assert len(found) == 2


def test_codes_with_leading_zeros_stay_text(tmp_path):
    assert table(tmp_path, "code\n007\n012\n")["code"].tolist() == ["007", "012"]


def test_quotes_line_breaks_and_other_encodings(tmp_path):
    assert table(tmp_path, 'a,b\n"x, y","two\nlines"\n')["b"][0] == "two\nlines"
    assert table(tmp_path, "name\nJürgen\n".encode("latin-1"))["name"][0] == "Jürgen"


def test_headers_are_made_distinct(tmp_path):
    assert list(table(tmp_path, "a,a,\n1,2,3\n").columns) == ["a", "a_2", "column_3"]


def test_empty_and_header_only(tmp_path):
    assert len(table(tmp_path, "")) == 0
    assert len(table(tmp_path, "a,b\n")) == 0


def test_refusals_say_where(tmp_path):
    with pytest.raises(VoxelHubError, match=r"Row 3 of t\.csv has 1 cells, the header 2"):
        table(tmp_path, "a,b\n1,2\n3\n")
    with pytest.raises(VoxelHubError, match="The columns are: a, b"):
        table(tmp_path, "a,b\n1,2\n")["c"]


def test_html_escapes_and_limits(tmp_path):
    found = table(tmp_path, "name\n" + "<script>\n" * 30)
    assert "<script>" not in found._repr_html_()
    assert "20 of 30 rows" in found._repr_html_()
