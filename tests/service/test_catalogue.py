"""The workspace table against a plain list, and who may see which row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from support.service import bearer, make_service
from support.uploads import bring_in, open_project
from voxelhub_service.database import writing
from voxelhub_service.datasets import catalogue
from voxelhub_service.datasets.names import fold
from voxelhub_service.models import Dataset, DatasetVersion, Entry, Run, new_id, utcnow

SORTS = [sign + name for name in ("name", "data_type", "file_format", "execution", "size", "created_at") for sign in ("", "-")]
ROWS = 240


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Rows with many ties in three projects, one of which alice is not in."""
    client, context = make_service(tmp_path_factory.mktemp("catalogue"), min_free=0)
    rows: list[dict[str, Any]] = []
    for project in ("demo", "alpha", "secret"):
        project_id = open_project(context, project)
        with writing(context.engine) as session:
            run = Run(number=1, project_id=project_id, owner="alice", kind="import", title="x", state="succeeded")
            dataset = Dataset(project_id=project_id, name="d", title="D", created_by="alice")
            session.add_all([run, dataset])
            session.flush()
            version = DatasetVersion(
                dataset_id=dataset.id, number=1, digest="0" * 64, size=1, n_files=1, created_by="a", run_id=run.id
            )
            session.add(version)
            session.flush()
            for i in range(ROWS // 3):
                name = f"{['Scan', 'scan', 'ÄRZTE', 'ärzte'][i % 4]} {i % 7}"
                rows.append(
                    {
                        "id": new_id(),
                        "version_id": version.id,
                        "dataset_id": dataset.id,
                        "project_id": project_id,
                        "visible": i % 11 != 0,
                        "name": name,
                        "folded": fold(name),
                        "path": str(i),
                        "kind": "file",
                        "data_type": ["ct-image", "table"][i % 2],
                        "file_format": ["nifti", "csv", "dicom"][i % 3],
                        "n_files": 1,
                        "size": i % 5,
                        "execution": ["", "run001"][i % 2],
                        "created_at": utcnow(),
                        "meta": {},
                        "project": project,
                    }
                )
            session.execute(
                insert(Entry), [{k: v for k, v in row.items() if k != "project"} for row in rows if row["project"] == project]
            )
    return client, rows


@pytest.mark.parametrize("few", [0, 10**6], ids=["by the order's index", "by sorting"])
@settings(max_examples=60, deadline=None)
@given(
    sort=st.sampled_from(SORTS),
    offset=st.integers(0, ROWS),
    limit=st.integers(1, 60),
    project=st.sampled_from([None, "demo"]),
    q=st.sampled_from(["", "scan", "Ä", "3", "zzz", "%", "'"]),
    data_type=st.sampled_from([None, "table"]),
    file_format=st.sampled_from([None, "csv"]),
    execution=st.sampled_from([None, "run001"]),
)
def test_pages_are_slices_of_the_sorted_list(
    table: Any, few: int, sort: str, offset: int, limit: int, q: str, **equal: Any
) -> None:
    client, rows = table
    column = catalogue.COLUMNS[sort.removeprefix("-")]
    wanted = [row for row in rows if row["visible"] and row["project"] != "secret" and fold(q) in row["folded"]
              and all(value is None or row[name] == value for name, value in equal.items())]
    wanted.sort(key=lambda row: (row[column], row["id"]), reverse=sort.startswith("-"))
    parameters = {"sort": sort, "offset": offset, "limit": limit, "q": q, **{k: v for k, v in equal.items() if v is not None}}
    catalogue.FEW = few
    page = client.get("/entries", params=parameters, headers=bearer("alice")).json()
    assert page["total"] == len(wanted)
    assert [item["id"] for item in page["items"]] == [row["id"] for row in wanted[offset : offset + limit]]


def test_every_page_is_read_from_covering_indexes(table: Any) -> None:
    client, _ = table
    engine = client.app.state.context.engine
    where = "project_id IN ('a', 'b') AND visible = 1 AND data_type = 'x' AND file_format = 'y' AND execution = '' " \
            "AND dataset_id = 'd' AND instr(folded, 'q') > 0"
    with engine.connect() as connection:
        for column in catalogue.COLUMNS.values():
            plan = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN SELECT id FROM entry INDEXED BY entry_by_{column} "
                    f"WHERE {where} ORDER BY {column} DESC, id DESC LIMIT 9 OFFSET 9"
            ).all()
            text = " ".join(str(row[3]) for row in plan)
            assert "COVERING INDEX" in text and "TEMP B-TREE" not in text, text


@pytest.mark.parametrize(("parameters", "status"), [
    ({"limit": 501}, 422), ({"limit": 0}, 422), ({"offset": -1}, 422), ({"sort": "owner"}, 422), ({"project": "secret"}, 404),
    ({"project": "nosuch"}, 404), ({"dataset": "x"}, 422), ({"offset": 10**6}, 200),
])
def test_what_the_table_refuses(table: Any, parameters: dict[str, Any], status: int) -> None:
    client, _ = table
    assert client.get("/entries", params=parameters, headers=bearer("alice")).status_code == status


def test_a_stranger_learns_nothing(table: Any) -> None:
    client, rows = table
    entry = next(row["id"] for row in rows if row["project"] == "secret")
    for path in ("", "/files", "/view", "/content"):
        known, unknown = (client.get(f"/entries/{one}{path}", headers=bearer("alice")) for one in (entry, "0" * 32))
        assert known.status_code == unknown.status_code == 404
        assert known.content == unknown.content
    assert client.patch(f"/entries/{entry}", json={"name": "x"}, headers=bearer("alice")).status_code == 404
    assert client.get("/entries", headers=bearer("mallory")).json() == {"total": 0, "items": []}


def test_rename_and_retype(tmp_path: Path) -> None:
    client, context = make_service(tmp_path, min_free=0)
    open_project(context)
    version = bring_in(client, context, {"a.csv": b"x,y\n1,2\n3,4\n"})
    entry = client.get("/entries", headers=bearer("bob")).json()["items"][0]
    assert (entry["kind"], entry["data_type"], entry["file_format"]) == ("table", "table", "csv")
    assert entry["path"] == "/projects/demo/data/v1/a.csv"
    address = f"/entries/{entry['id']}"
    assert client.patch(address, json={"data_type": "horoscope"}, headers=bearer("bob")).json()["code"] == "unknown_data_type"
    changed = client.patch(address, json={"name": "Ergebnis", "data_type": "document"}, headers=bearer("bob")).json()
    assert (changed["name"], changed["data_type"]) == ("Ergebnis", "document")
    assert client.get("/entries", params={"q": "ERGEB"}, headers=bearer("bob")).json()["total"] == 1
    assert (context.settings.projects_dir / "demo/data/v1/a.csv").is_file()
    files = client.get(f"{address}/files", headers=bearer("bob")).json()
    assert (files["total"], files["items"][0]["path"]) == (1, "a.csv")
    old = client.get("/entries", params={"dataset": version.dataset_id, "version": 1}, headers=bearer("bob")).json()
    bring_in(client, context, {"b.csv": b"x,y\n1,2\n3,4\n"})
    assert client.get("/entries", params={"dataset": version.dataset_id, "version": 1}, headers=bearer("bob")).json() == old
    assert [e["name"] for e in client.get("/entries", headers=bearer("bob")).json()["items"]] == ["b.csv"]
