"""Five kinds of tools through the real worker, sandbox and publisher: what goes in, what comes out, how each fails and ends."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from sqlalchemy import select
from support.kinds import KINDS, write_kind
from support.place import CSV, Place
from support.service import ALICE
from support.world import ROOT, until
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.database import reading, writing
from voxelhub_service.models import Entry, Run
from voxelhub_service.runs.store import create_tool_run
from voxelhub_service.tools.manifest import check_folder

pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not all((ROOT / ".envs" / one).exists() for one in ("tool-base", "tool-notebook")),
                       reason="the environments tool-base and tool-notebook are not installed"),
]
needs_r = pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed (tests/support/system_packages.sh)")
EACH = [pytest.param(kind, marks=needs_r if kind == "r" else ()) for kind in KINDS]
DEAF = [one for one in EACH if one.values[0] != "unaltered"]


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    place.stop()


def submit(place, tool, **arguments):
    with writing(place.context.engine) as session:
        return create_tool_run(place.context, session, ALICE, tool=tool, version=None, project="demo",
                               inputs={"tables": [place.entries["table.csv"]]}, arguments=arguments, output_title=None,
                               request_id=None).id


def run(place, kind, arguments=None, **changes):
    folder = write_kind(tools_of(place), kind, **changes)
    findings, manifest = check_folder(folder)
    assert manifest is not None, findings
    place.start()
    return place.end(submit(place, folder.name, **(arguments or {})))


def tools_of(place):
    return Path(place.context.settings.tools_dir)


def entries_of(place, run: Run):
    with reading(place.context.engine) as session:
        return {one.name: one for one in session.scalars(select(Entry).where(Entry.version_id == run.output_version_id))}


@pytest.mark.parametrize("kind", EACH)
def test_a_kind_runs(place, kind):
    ended = run(place, kind)
    assert (ended.state, ended.reason) == ("succeeded", ""), log_of(place, ended)
    folder = place.folder(ended.id)
    name = "1-table.csv" if kind == "unaltered" else "counts.csv"
    expected = CSV.decode() if kind == "unaltered" else "name,lines\ntable.csv,1\n"
    assert (folder / "outputs" / name).read_text().replace("\r", "") == expected
    entry = entries_of(place, ended)[name]
    assert (entry.data_type, entry.file_format, entry.meta["unit"]) == ("table", "csv", "lines")
    assert entry.meta["sources"] == [place.entries["table.csv"]]
    told = json.loads((folder / "outputs/.voxelhub/out_metadata.json").read_text())["output_files"]
    (one,) = [one for one in told if one["name"] == "counts"]
    assert one["file_path"] == f"/outputs/{name}" and len(one["sha256"]) == 64 and one["sources"] == [place.entries["table.csv"]]
    assert "ended with code 0" in (folder / "outputs/.voxelhub/log.txt").read_text()
    assert place.findings() == []


def test_what_a_run_is_handed_has_the_shapes_of_openvre(place):
    ended = run(place, "python")
    handed = place.folder(ended.id) / "handed"
    config, metadata = (json.loads((handed / name).read_text()) for name in ("config.json", "in_metadata.json"))
    id_ = place.entries["table.csv"]
    assert config["input_files"] == [{"name": "tables", "value": id_, "required": True, "allow_multiple": True}]
    assert {one["name"]: one["value"] for one in config["arguments"]} == {
        "execution": "/outputs", "project": "demo", "description": "Count: table.csv", "word": "b", "deaf": False}
    assert config["output_files"][0]["file"]["file_path"] == "/outputs/counts.csv"
    assert [(one["_id"], one["file_path"], one["file_type"], one["data_type"]) for one in metadata] == [
        (id_, "/inputs/tables/1-table.csv", "csv", "table")]


def test_a_function_describes_its_files_and_speaks(place):
    ended = run(place, "python")
    assert entries_of(place, ended)["counts.csv"].meta["rows"] == 1
    assert log_of(place, ended) == "counted\n"
    assert "counted" in (place.folder(ended.id) / "outputs/.voxelhub/log.txt").read_text()


def test_an_executed_notebook_is_a_result(place):
    ended = run(place, "notebook", {"word": "zzz"})
    assert (place.folder(ended.id) / "outputs/counts.csv").read_text() == "name,lines\ntable.csv,0\n"
    executed = json.loads((place.folder(ended.id) / "outputs/count.ipynb").read_text())
    injected = [one for one in executed["cells"] if "injected-parameters" in one["metadata"].get("tags", [])]
    assert executed["cells"].index(injected[0]) == 2 and "word = 'zzz'" in "".join(injected[0]["source"])
    assert all(one["execution_count"] for one in executed["cells"] if one["cell_type"] == "code")
    assert entries_of(place, ended)["count.ipynb"].data_type == "document" and "counted" in log_of(place, ended)


@pytest.mark.parametrize("kind", DEAF)
def test_a_kind_fails_with_its_sentence(place, kind):
    ended = run(place, kind, {"deaf": True})
    cell = "Cell 3 of the notebook failed (AssertionError)"
    expected = cell if kind == "notebook" else "This tool is deaf. Choose another one."
    assert ended.state == "failed" and ended.reason.startswith(expected) and ended.exit_code == 1
    assert ended.output_version_id is None
    if kind == "notebook":
        assert "This tool is deaf" in log_of(place, ended) and (place.folder(ended.id) / "outputs/count.ipynb").exists()


def log_of(place, run):
    return (place.folder(run.id) / "log.txt").read_text()


PATIENT = '''
import signal, sys, time, pathlib
output = pathlib.Path(sys.argv[1])
def on_term(*_):
    print("x" * 200000)
    (output / "counts.csv").write_text("name,lines\\n")
    sys.exit(int(sys.argv[2]))
signal.signal(signal.SIGTERM, on_term)
print("ready", flush=True)
time.sleep(60)
'''


@pytest.mark.parametrize(("rule", "code", "state", "part"), [
    ("finish", 0, "succeeded", ""), ("finish", 3, "failed", "did not finish when it was asked to"),
    ("fail", 0, "failed", "ran longer than its limit of 2 s"),
])
def test_what_happens_at_the_time_limit_is_the_tools_word(place, rule, code, state, part):
    seconds = 2 if rule == "fail" else 8  # until then a busy machine has started Python, which can be asked
    folder = write_kind(tools_of(place), "shell", command=["python", "patient.py", "{output}", str(code)],
                        termination={"grace": 8, "on_time_limit": rule},
                        resources={"cpu": 1, "memory": 1 << 28, "time": seconds,
                                   "output": {"base": 1 << 20, "per_input_byte": 1}})
    (folder / "patient.py").write_text(PATIENT)
    place.start()
    ended = place.end(submit(place, "count-shell"))
    assert ended.state == state and part in ended.reason, ended.reason
    assert ("the time limit is reached" in log_of(place, ended)) == (rule == "finish")


def test_a_notebook_is_cancelled_with_its_kernel(place):
    folder = write_kind(tools_of(place), "notebook")
    text = (folder / "count.ipynb").read_text().replace("assert not deaf", "import time; time.sleep(300); assert not deaf")
    (folder / "count.ipynb").write_text(text)
    place.start()
    run_id = submit(place, "count-notebook")
    until(lambda: place.state(run_id) == "running")
    time.sleep(3)
    place.cancel(run_id)
    ended = place.end(run_id)
    assert (ended.state, ended.reason) == ("cancelled", "Cancelled while it was running.")
    assert not any(f"count-notebook/{run_id}" in line for line in os.popen("ps -eo args"))


def test_steps_before_the_start_run_in_order_and_one_that_fails_fails_the_run(place):
    steps = [["sh", "-c", f'echo {word} >> "$1/trace.txt"', "sh", "{output}"] for word in ("first", "second")]
    ended = run(place, "shell", hooks={"pre_start": steps})
    assert ended.state == "succeeded", ended.reason
    assert (place.folder(ended.id) / "outputs/trace.txt").read_text() == "first\nsecond\n"
    folder = tools_of(place) / "count-shell"
    raw = json.loads((folder / "tool.json").read_text())
    (folder / "tool.json").write_text(json.dumps({**raw, "hooks": {"pre_start": [["sh", "-c", "exit 7"], *steps]}}))
    ended = place.end(submit(place, "count-shell"))
    assert ended.state == "failed" and ended.exit_code == 7 and "Step 1 before the start" in log_of(place, ended)
    assert not (place.folder(ended.id) / "outputs/trace.txt").exists()


@pytest.mark.parametrize(("program", "part"), [
    ('echo "{" > "$1/.voxelhub/out_metadata.json"', "no JSON text"),
    ('echo \'{"output_files": [{"file_path": "/etc/passwd"}]}\' > "$1/.voxelhub/out_metadata.json"', "none of the outputs"),
    ('mv "$1/.voxelhub" "$1/x"; ln -s /etc "$1/.voxelhub"', ""),
])
def test_a_program_that_forges_what_is_said_of_its_files(place, program, part):
    """The adapter writes last; where it cannot, or reads nonsense, the run fails and nothing is published."""
    ended = run(place, "shell", command=["sh", "-c", f'echo a > "$1/counts.csv"; {program}', "sh", "{output}"])
    assert ended.state == "failed" and part in ended.reason and ended.output_version_id is None, ended.reason


def test_a_module_of_the_tool_hides_none_of_the_adapters(place):
    folder = write_kind(tools_of(place), "shell")
    for name in ("json.py", "argparse.py", "subprocess.py", "voxelhub_tool.py"):
        (folder / name).write_text("raise SystemExit(9)")
    place.start()
    assert place.end(submit(place, "count-shell")).state == "succeeded"
