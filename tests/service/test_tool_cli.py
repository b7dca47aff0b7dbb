"""`voxelhub tool`: the real command, from an empty folder to a run of somebody else through the real worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from support.bad_manifests import CASES, FILES, FOLDER_CASES
from support.brought import tool_files
from support.live import live_service
from support.service import bearer, make_service
from support.world import ROOT, add_project, add_version, run_row, until
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.database import reading
from voxelhub_service.fsck.registry import checks
from voxelhub_service.models import TERMINAL_STATES, AuditEvent, Dataset, DatasetVersion
from voxelhub_service.runs.worker import Worker
from voxelhub_service.tools import cli, package
from voxelhub_service.tools.checking import check_manifest

needs_sandbox = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
needs_base = pytest.mark.skipif(not (ROOT / ".envs/tool-base").exists(), reason="the environment tool-base is not installed")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Settings and a working folder of its own."""
    for name in [name for name in os.environ if name.startswith(("VOXELHUB_", "JUPYTERHUB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VOXELHUB_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("VOXELHUB_ENVS_DIR", str(ROOT / ".envs"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    Path("table.csv").write_text("name,age,weight\na,30,1.5\nb,41,2.5\n")


@needs_sandbox
@needs_base
def test_new_test_check_run_submit_approve_and_run_by_somebody_else(tmp_path):
    """E-112, E-116: everything a developer types, in processes of its own; then the service with its worker."""

    def voxelhub(*arguments: str, **environ: str) -> str:
        done = subprocess.run([sys.executable, "-m", "voxelhub_hub.cli", "tool", *arguments], capture_output=True, text=True,
                              env={**os.environ, **environ}, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "a tool that works" in voxelhub("new", "row-means")
    assert "passed test_*.py" in voxelhub("test", "row-means")
    assert voxelhub("check", "row-means") == "It can be submitted.\n"
    said = voxelhub("run", "row-means", "--input", "table=table.csv", "--set", "digits=1", "--output", "out")
    assert "It keeps what it promises: row-means 0.1.0." in said and "output        Summary: summary.csv" in said
    assert Path("out/summary.csv").read_text().split() == ["column,count,mean", "age,2,35.5", "weight,2,2.0"]
    with live_service(tmp_path / "service", envs_dir=ROOT / ".envs") as service:
        address = service.url.removesuffix("/services/voxelhub/api/v1")
        said = voxelhub("submit", "row-means", "--url", address, "--note", "Please.", VOXELHUB_TOKEN="token-of-alice")
        assert "row-means 0.1.0 was submitted, attempt 1" in said
        again = subprocess.run([sys.executable, "-m", "voxelhub_hub.cli", "tool", "submit", "row-means", "--url", address],
                               capture_output=True, text=True, env={**os.environ, "VOXELHUB_TOKEN": "token-of-alice"})
        assert again.returncode == 1 and "is there already, and a version never changes" in again.stdout
        project = add_project(service.context, "demo")
        entries = add_version(service.context, project, "data", {
            "table.csv": ("table", "table", "csv", {"table.csv": Path("table.csv").read_bytes()})})
        with httpx.Client(base_url=service.url, timeout=30) as client:
            _approve_and_run(service.context, client, entries["table.csv"])


def _approve_and_run(context, client: httpx.Client, entry: str) -> None:
    (row,) = client.get("/tools/submissions", headers=bearer("admin")).json()["items"]
    said = {"decision": "approve", "reason": "Read it and ran it."}
    assert client.post(f"/tools/submissions/{row['id']}/decision", json=said, headers=bearer("admin")).status_code == 200
    body = {"tool": "row-means", "project": "demo", "inputs": {"table": [entry]}, "arguments": {"digits": 0}}
    run = client.post("/runs", json=body, headers=bearer("bob")).json()
    worker = Worker(context)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        until(lambda: run_row(context, run["id"]).state in TERMINAL_STATES)
        until(lambda: not (context.settings.runs_dir / run["id"] / "open").exists())
    finally:
        worker.stop()
        thread.join(120)
        worker.executor.shutdown()
    ended = run_row(context, run["id"])
    assert (ended.state, ended.reason, ended.tool_digest) == ("succeeded", "", row["digest"])
    with reading(context.engine) as session:
        version = session.get_one(DatasetVersion, ended.output_version_id)
        dataset = session.get_one(Dataset, version.dataset_id)
        actions = list(session.scalars(select(AuditEvent.action).where(AuditEvent.resource == f"tool:{row['id']}")))
    made = context.settings.projects_dir / "demo" / dataset.name / "v1" / "summary.csv"
    assert made.read_text().split() == ["column,count,mean", "age,2,36.0", "weight,2,2.0"]
    assert actions == ["tool.submit", "tool.approve"]
    assert [finding.sentence for check in checks() for finding in check.run(context, True)] == []


def test_check_and_api_say_the_same_word_for_word(tmp_path, capsys):
    """E-108: every wrong field of a manifest, and files that a scan looks at."""
    client, _ = make_service(tmp_path / "service", envs_dir=ROOT / ".envs")
    headers = bearer("alice") | {"Content-Type": "application/zip"}
    files = {path: text.encode() for path, text in FILES.items()}
    folders = [{**files, "tool.json": json.dumps(case.raw).encode()} for case in [*CASES, *FOLDER_CASES]]
    strange = {"a.py": "import requests\nos.system('x')\n", "b.so": b"\x7fELF\0", "c.pem": "-----BEGIN PRIVATE KEY"}
    folders += [tool_files("blur", add=strange),
                tool_files("blur", environment="tool-nowhere"), tool_files("blur", command=["python", "gone.py"])]
    assert len(folders) > 100
    for number, one in enumerate(folders):
        package.write(one, Path(f"{number}"))
        code = cli.main(["check", "--json", f"{number}"])
        here = json.loads(capsys.readouterr().out)
        there = client.post("/tools/check", content=package.zipped(one), headers=headers).json()
        assert here["findings"] == there["findings"], number
        assert (code == 0) == here["ok"] == there["ok"], number
        assert (here["digest"] == there["digest"]) and (there["digest"] != "") == here["ok"]
        said = {(f["where"], f["sentence"], f["fix"]) for f in here["findings"]}
        if number < len(CASES):
            wrong = [f for f in check_manifest(CASES[number].raw) if f.level == "error"]
            assert {(f.where, f.sentence, f.fix) for f in wrong} <= said, number


def test_check_in_words(capsys):
    package.write(tool_files(title=None, network=True), Path("bad"))
    assert cli.main(["check", "bad"]) == 1
    said = capsys.readouterr().out
    assert "wrong  `title` is missing.\n       Add \"title\": what people read first." in said
    assert said.rstrip().endswith("It cannot be submitted: 3 things are wrong.")


@needs_sandbox
@needs_base
@pytest.mark.parametrize(("changes", "part"), [
    ({"add": {"main.py": "import sys\nprint('half', flush=True)\nsys.exit(3)\n"}}, "ended with code 3"),
    ({"add": {"main.py": "print('::error It is too dark.', flush=True)\nraise SystemExit(1)\n"}}, "FAILED: It is too dark."),
    ({"add": {"main.py": "from voxelhub_tool import tool\ntool(lambda i, a, o: None)()\n"}}, "without writing “Summary”"),
    ({"add": {"main.py": "import socket\nsocket.create_connection(('127.0.0.1', 1), 2)\n"}}, "ended with code 1"),
    ({"add": {"main.py": "open('/tool/x', 'w')\n"}}, "ended with code 1"),
    ({"add": {"main.py": """
from voxelhub_tool import tool
@tool
def f(inputs, arguments, output):
    (output / "summary.csv").write_text("x")
    output.describe("summary.csv", shape="big")
f()
"""}}, "says shape, which VoxelHub finds by itself"),
])
def test_run_says_what_is_wrong(changes, part, capfd):
    package.write(tool_files(**changes), Path("rows"))
    assert cli.main(["run", "rows", "--input", "table=table.csv"]) == 1
    said = capfd.readouterr().out
    assert part in said and "FAILED: " in said


@pytest.mark.parametrize(("arguments", "part"), [
    (["--input", "table=gone.csv"], "no file gone.csv"),
    (["--input", "tabel=table.csv"], "no input “tabel”"),
    (["--input", "table=rows/README.md"], "takes Table as CSV"),
    (["--input", "table"], "is no NAME=VALUE"),
    ([], "needs 1 entry; 0 are given"),
    (["--input", "table=table.csv", "--set", "digits=99"], "Digits must be at most 12."),
    (["--input", "table=table.csv", "--set", "digits=many"], "Digits must be a whole number."),
    (["--input", "table=table.csv", "--set", "colour=red"], "no argument colour"),
    (["--input", "table=table.csv", "--output", "rows"], "There is a rows already"),
])
@needs_sandbox
@needs_base
def test_run_refuses_what_does_not_fit(arguments, part, capsys):
    package.write(tool_files(), Path("rows"))
    assert cli.main(["run", "rows", *arguments]) == 1
    assert part in capsys.readouterr().err and not list(Path().glob("rows-run*"))


@needs_sandbox
@pytest.mark.parametrize("kind", ["python", "shell", "notebook"])
def test_each_template_passes_its_tests_and_runs(kind, capfd):
    if not (ROOT / ".envs" / ("tool-notebook" if kind == "notebook" else "tool-base")).exists():
        pytest.skip("its environment is not installed")
    assert cli.main(["new", "--kind", kind, "some-tool"]) == 0
    assert cli.main(["test", "some-tool"]) == 0 and cli.main(["check", "some-tool"]) == 0
    assert cli.main(["run", "some-tool", "--input", "table=table.csv"]) == 0
    assert "It keeps what it promises" in capfd.readouterr().out and Path("some-tool-run001/summary.csv").exists()
    program = {"python": "main.py", "shell": "main.sh"}.get(kind)
    assert program is None or len(Path("some-tool", program).read_text().splitlines()) <= 30


@needs_sandbox
@needs_base
def test_a_test_that_fails_is_a_failure(capfd):
    test = "import unittest\nclass T(unittest.TestCase):\n    def test_x(self):\n        self.fail()\n"
    package.write(tool_files(add={"test_main.py": test}), Path("rows"))
    assert cli.main(["test", "rows"]) == 1
    assert "FAILED test_*.py" in capfd.readouterr().out


def test_new_writes_over_nothing(capsys):
    Path("mine").mkdir()
    assert cli.main(["new", "mine"]) == 1 and "There is a mine already" in capsys.readouterr().err
    assert cli.main(["new", "Mine!"]) == 1 and "cannot be a tool's name" in capsys.readouterr().err


def test_submit_without_a_token_or_a_service(capsys, monkeypatch):
    package.write(tool_files(), Path("rows"))
    assert cli.main(["submit", "rows"]) == 1 and "VOXELHUB_TOKEN" in capsys.readouterr().err
    monkeypatch.setenv("VOXELHUB_TOKEN", "x")
    monkeypatch.setattr("voxelhub_service.tools.cli_send.PATIENCE", 0.0)
    assert cli.main(["submit", "rows", "--url", "http://127.0.0.1:1"]) == 1
    assert "does not answer" in capsys.readouterr().err


def test_submit_in_a_notebook_server_uses_its_token(tmp_path, capsys, monkeypatch):
    package.write(tool_files(), Path("rows"))
    with live_service(tmp_path / "service", envs_dir=ROOT / ".envs") as service:
        monkeypatch.setenv("VOXELHUB_API_URL", service.url)
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-of-bob")
        assert cli.main(["submit", "rows"]) == 1 and "Only tool developers" in capsys.readouterr().err
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-of-alice")
        assert cli.main(["submit", "rows"]) == 0 and "rows 1.0.0 was submitted" in capsys.readouterr().out


def test_list_and_words(tmp_path, capsys, monkeypatch):
    client, _ = make_service(tmp_path, envs_dir=ROOT / ".envs")
    headers = bearer("alice") | {"Content-Type": "application/zip"}
    client.post("/tools/submissions", content=package.zipped(tool_files()), headers=headers)
    assert cli.main(["list"]) == 0
    said = capsys.readouterr().out
    assert "dicom-to-nifti" in said and "rows                         1.0.0      submitted  tool-base, by alice" in said
    assert cli.main(["words"]) == 0 and "ct-image" in capsys.readouterr().out


@pytest.mark.parametrize("command", [[], *([name] for name in (
    "new", "check", "run", "test", "submit", "list", "words", "install", "import-openvre"))])
def test_help_helps(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--help"])
    assert ended.value.code == 0 and len(capsys.readouterr().out) > 100


def test_an_openvre_tool_becomes_a_folder(capsys):
    """What becomes of each field has its own tests; here it is the command."""
    tool = {"_id": "My_Tool", "name": "My tool", "infrastructure": {"executable": "/vm/run.py", "memory": 2, "cpus": 1},
            "input_files": [{"name": "scan", "description": "Scan", "file_type": ["NIFTI"], "data_type": ["bioimage"],
                             "required": True, "allow_multiple": False}], "arguments": [],
            "output_files": [{"name": "mask", "required": True, "allow_multiple": False, "file": {
                "file_type": "NIFTI", "data_type": "image_mask", "file_path": "mask.nii.gz",
                "meta_data": {"description": "Mask", "visible": True}}}]}
    Path("theirs.json").write_text(json.dumps(tool))
    assert cli.main(["import-openvre", "theirs.json"]) == 0
    assert "my-tool/tool.json is there" in capsys.readouterr().out
    assert json.loads(Path("my-tool/tool.json").read_text())["inputs"][0]["name"] == "scan"
    assert cli.main(["import-openvre", "theirs.json"]) == 1 and "nothing was written" in capsys.readouterr().err
    Path("bad.json").write_text("{")
    assert cli.main(["import-openvre", "bad.json"]) == 1 and "is no JSON text" in capsys.readouterr().err
    assert cli.main(["import-openvre", "gone.json"]) == 1 and "no file gone.json" in capsys.readouterr().err
    Path("other.json").write_text("[]")
    assert cli.main(["import-openvre", "other.json"]) == 1 and "no tool JSON of openVRE" in capsys.readouterr().out
