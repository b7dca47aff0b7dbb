"""What a tool says of its files is read as an enemy's: facts of its own files, or a sentence; never a path, never a crash."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voxelhub_service.tools.handover import MAX_FACTS, MAX_OUT_METADATA, ContradictionError, read_out_metadata

FOUND = {"a.csv": ("table", "table", "csv"), "d/b.csv": ("table", "table", "csv")}
INPUTS = ["1" * 32, "2" * 32]


def read(folder, content, raw=False):
    (folder / ".voxelhub").mkdir(exist_ok=True)
    (folder / ".voxelhub/out_metadata.json").write_bytes(content if raw else json.dumps(content).encode())
    return read_out_metadata(folder, "/outputs", FOUND, INPUTS)


def one(**changes):
    words = {"name": "table", "file_path": "/outputs/a.csv", "data_type": "table", "file_type": "csv"}
    return {"output_files": [words | changes]}


def test_facts_of_a_file(tmp_path):
    assert read_out_metadata(tmp_path, "/outputs", FOUND, INPUTS) == {}
    said = read(tmp_path, one(meta_data={"rows": 3, "kind": "mean", "sure": True, "mean": 0.5}, sources=INPUTS[:1]))["a.csv"]
    assert said.meta == {"rows": 3, "kind": "mean", "sure": True, "mean": 0.5} and said.sources == INPUTS[:1]
    assert read(tmp_path, {"output_files": [{"file_path": "d/b.csv"}]})["d/b.csv"].meta == {}


@pytest.mark.parametrize(("content", "part"), [
    ([], "no list output_files"), ({}, "no list output_files"), ({"output_files": {}}, "no list output_files"),
    ({"output_files": [3]}, "without a file_path"), ({"output_files": [{"file_path": 3}]}, "without a file_path"),
    (one(file_path="/etc/passwd"), "none of its outputs"), (one(file_path="/outputs/../a.csv"), "none of its outputs"),
    (one(file_path="/outputs/c.csv"), "none of its outputs"), (one(file_path="x\0.csv"), "none of its outputs"),
    (one(data_type="document"), "contradicts its manifest: the data_type"), (one(file_type="json"), "the file_type"),
    (one(name="other"), "the name"), (one(sources="x"), "none of the inputs"), (one(sources=["3" * 32]), "none of the inputs"),
    (one(sources=[[]]), "none of the inputs"), (one(meta_data=[1]), "facts"),
    (one(meta_data={f"a{i}": 1 for i in range(MAX_FACTS + 1)}), "more than"), (one(meta_data={"a b": 1}), "no name"),
    (one(meta_data={"": 1}), "no name"), (one(meta_data={"a" * 41: 1}), "no name"),
    (one(meta_data={"flags": ["cleaned"]}), "finds by itself"), (one(meta_data={"shape": 1}), "finds by itself"),
    (one(meta_data={"a": "x" * 201}), "more than 200 characters"), (one(meta_data={"a": "x\ny"}), "cannot be shown"),
    (one(meta_data={"a": {"b": 1}}), "something else"), (one(meta_data={"a": None}), "something else"),
    (one(meta_data={"a": 10**30}), "something else"), (one(meta_data={"a": float("inf")}), "something else"),
    ({"output_files": one()["output_files"] * 2}, "describes a file twice"),
])
def test_what_is_refused(tmp_path, content, part):
    with pytest.raises(ContradictionError, match="its developer must change that"):
        read(tmp_path, content)
    with pytest.raises(ContradictionError) as caught:
        read(tmp_path, content)
    assert part in str(caught.value) and "passwd" not in str(caught.value)


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b"[" * 200000, b'{"output_files": [' + b"1," * 10])
def test_no_json(tmp_path, raw):
    with pytest.raises(ContradictionError, match="no JSON text"):
        read(tmp_path, raw, raw=True)


def test_a_large_file_is_not_read(tmp_path):
    with pytest.raises(ContradictionError, match="larger than 4 MiB"):
        read(tmp_path, b" " * (MAX_OUT_METADATA + 1), raw=True)


def test_links_pipes_and_folders_are_not_opened(tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(one()))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/out_metadata.json").write_text(json.dumps(one()))
    for make in (lambda at: at.symlink_to(secret), lambda at: os.mkfifo(at), lambda at: at.mkdir()):
        folder = tmp_path / f"outputs-{len(list(tmp_path.iterdir()))}"
        (folder / ".voxelhub").mkdir(parents=True)
        make(folder / ".voxelhub/out_metadata.json")
        with pytest.raises(ContradictionError, match="no plain file"):
            read_out_metadata(folder, "/outputs", FOUND, INPUTS)
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / ".voxelhub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ContradictionError, match="behind a link"):
        read_out_metadata(folder, "/outputs", FOUND, INPUTS)


words = st.sampled_from(["a.csv", *INPUTS, "table"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | words
names = st.sampled_from(["name", "file_path", "data_type", "file_type", "sources", "meta_data", "output_files", "x"])
anything = st.recursive(scalars, lambda one: st.lists(one, max_size=4) | st.dictionaries(names, one, max_size=6), max_leaves=20)


@settings(max_examples=400, deadline=None)
@given(anything | st.lists(st.dictionaries(names, anything, max_size=6), max_size=3).map(lambda some: {"output_files": some}))
def test_whatever_it_holds_it_is_facts_or_a_sentence(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp() / "said"
    folder.mkdir(exist_ok=True)
    try:
        said = read(folder, content)
    except ContradictionError:
        return
    assert set(said) <= set(FOUND)
    for facts in said.values():
        assert set(facts.sources) <= set(INPUTS) and all(isinstance(v, str | int | float | bool) for v in facts.meta.values())
        json.dumps(facts.meta, allow_nan=False)
