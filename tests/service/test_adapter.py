"""The adapter between platform and program, alone: its command line, its files, its signals, its Python of 2019."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from voxelhub_service.runs import results
from voxelhub_service.tools import expansion, handover

ADAPTER = handover.adapter_folder()
sys.path.insert(0, str(ADAPTER))
import voxelhub_tool.expansion  # noqa: E402
import voxelhub_tool.results  # noqa: E402
from voxelhub_tool import Given, Output, tool  # noqa: E402
from voxelhub_tool.handover import PLATFORM  # noqa: E402

OUTPUTS = [{"name": "table", "title": "T", "data_type": "table", "file_format": "csv", "path": "**/*.csv", "meta": {"kind": "a"}}]


class Run:
    """A tool's folder and the files of one run, as `voxelhub tool run` lays them out."""

    def __init__(self, folder: Path, **manifest: object) -> None:
        self.tool, self.output, self.handed = folder / "tool", folder / "outputs", folder / "run"
        for one in (self.tool, self.output, self.handed):
            one.mkdir()
        (folder / "in.csv").write_text("a,b\n1,2\n")
        self.manifest = {"interface": "arguments", "outputs": OUTPUTS, **manifest}
        (self.tool / "tool.json").write_text(json.dumps(self.manifest))
        self.config = {"input_files": [{"name": "table", "value": "id1"}],
                       "arguments": [{"name": "execution", "value": str(self.output)}, {"name": "sigma", "value": 1.5}]}
        self.metadata = [{"_id": "id1", "file_path": str(folder / "in.csv"), "file_type": "csv", "data_type": "table",
                          "meta_data": {"name": "my table"}}]

    def command(self) -> list[str]:
        (self.handed / "config.json").write_text(json.dumps(self.config))
        (self.handed / "in_metadata.json").write_text(json.dumps(self.metadata))
        where = handover.Places(str(ADAPTER), str(self.tool), str(self.handed), str(self.output))
        return [sys.executable, *where.command()[1:]]

    def start(self, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command(), cwd=ADAPTER, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                env={**os.environ, "PYTHONPATH": str(ADAPTER), "PYTHONDONTWRITEBYTECODE": "1", **environ})

    def end(self) -> tuple[int, str]:
        process = self.start()
        said, _ = process.communicate(timeout=60)
        return process.returncode, said

    def said_of_files(self) -> list[dict]:
        return json.loads((self.output / ".voxelhub/out_metadata.json").read_text())["output_files"]


def test_it_runs_on_python_3_8_and_needs_nothing():
    allowed = {*sys.stdlib_module_names, "nbclient", "nbformat", "jupyter_client"}  # the last three in notebook.py alone
    for path in (ADAPTER / "voxelhub_tool").glob("*.py"):
        tree = ast.parse(path.read_text(), feature_version=(3, 8))
        for node in ast.walk(tree):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else (
                [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else [])
            assert {name.partition(".")[0] for name in names} <= allowed, path
            if isinstance(node, ast.Assign | ast.ClassDef) and node in tree.body:  # evaluated: dict[str, int] is of 3.9
                bases = node.bases if isinstance(node, ast.ClassDef) else [node.value]
                assert not any(isinstance(one, ast.Subscript) for one in bases), (path, node.lineno)
    assert "nbformat" not in "".join(
        p.read_text() for p in (ADAPTER / "voxelhub_tool").glob("*.py") if p.name != "notebook.py").replace("nbclient", "")


def test_its_words_are_those_of_the_service():
    from voxelhub_service.tools import checking

    assert set(PLATFORM) == set(checking.PLATFORM)
    assert handover.OURS == results.OURS == voxelhub_tool.results.OURS
    assert voxelhub_tool.expansion.PLACEHOLDER.pattern == expansion.PLACEHOLDER.pattern


elements = st.sampled_from(["{output}", "{inputs.a}", "{inputs.b}", "{arguments.x}", "{arguments.y}", "--x", "{", "$(rm)"])
scalars = st.none() | st.booleans() | st.integers() | st.text()
values = st.recursive(scalars, lambda one: st.lists(one, max_size=3), max_leaves=5)


@given(st.lists(elements), st.lists(st.text(), max_size=3), values)
def test_a_command_is_expanded_as_the_service_shows_it(command, paths, value):
    args = (command, {"a": paths}, {"x": value}, "/o")
    assert voxelhub_tool.expansion.expand(*args) == expansion.expand(*args)


parts = st.lists(st.sampled_from(["a", "b.csv", "c.nii.gz", "*", "**", "*.csv", "?", "a*"]), min_size=1, max_size=5).map("/".join)


@given(parts, parts)
def test_a_file_belongs_to_the_output_that_the_service_finds(path, pattern):
    assert voxelhub_tool.results.matches(path, pattern) == results.matches(path, pattern)


def test_an_unaltered_program_is_run_and_its_files_are_described(tmp_path):
    run = Run(tmp_path, command=["sh", "-c", 'mkdir "$3/d"; cp "$1" "$3/d/out.csv"; cp "$1" "$3/no.txt"; echo "$2"; pwd', "sh",
                                 "{inputs.table}", "{arguments.sigma}", "{output}"])
    code, said = run.end()
    assert (code, said) == (0, f"1.5\n{run.tool}\n")
    (one,) = run.said_of_files()
    assert one == {"name": "table", "file_path": f"{run.output}/d/out.csv", "data_type": "table", "file_type": "csv",
                   "compressed": 0, "sources": ["id1"], "meta_data": {"kind": "a"},
                   "sha256": voxelhub_tool.results.sha256(tmp_path / "in.csv")}


def test_a_program_that_writes_out_metadata_itself_as_openvre_tools_do(tmp_path):
    run = Run(tmp_path, interface="files", command=[sys.executable, "program.py"])
    (run.tool / "program.py").write_text(
        "import json, sys\n"
        "given = dict(zip(sys.argv[1::2], sys.argv[2::2]))\n"
        "inputs = json.load(open(given['--in_metadata']))\n"
        "settings = {one['name']: one['value'] for one in json.load(open(given['--config']))['arguments']}\n"
        "out = settings['execution'] + '/a.csv'\n"
        "open(out, 'w').write('x')\n"
        "open(given['--log_file'], 'a').write('mine\\n')\n"
        "json.dump({'output_files': [{'name': 'table', 'file_path': out, 'sources': [inputs[0]['file_path']],\n"
        "           'meta_data': {'rows': 3, 'kind': 'b'}}]}, open(given['--out_metadata'], 'w'))\n")
    assert run.end() == (0, "")
    (one,) = run.said_of_files()
    assert one["sources"] == ["id1"] and one["meta_data"] == {"rows": 3, "kind": "b"} and one["file_type"] == "csv"
    assert "mine\n" in (run.output / ".voxelhub/log.txt").read_text()


@pytest.mark.parametrize(("change", "code", "part"), [
    ({"command": ["no-such-program"]}, 127, "::error This tool's program no-such-program was not found in its environment."),
    ({"command": ["/etc/passwd"]}, 126, "could not be started"),
    ({"command": ["sh", "-c", "exit 42"]}, 42, ""),
    ({"command": ["sh", "-c", "kill -9 $$"]}, 137, ""),
    ({"command": ["sh", "-c", "echo '[3]' > \"$0/.voxelhub/out_metadata.json\"", "{output}"]}, 2, "out_metadata.json must hold"),
    ({"command": ["sh", "-c", "echo '[{\"file_path\": \"x.csv\"}]' > \"$0/.voxelhub/out_metadata.json\"", "{output}"]}, 2,
     "describes x.csv, which is none of the outputs"),
    ({"command": ["sh", "-c", "touch $0/a.csv; echo '[{\"file_path\": \"a.csv\", \"sources\": [\"id2\"]}]' > "
                  "\"$0/.voxelhub/out_metadata.json\"", "{output}"]}, 2, "none of the inputs"),
])
def test_exit_codes(tmp_path, change, code, part):
    ended, said = Run(tmp_path, **change).end()
    assert ended == code and part in said


@pytest.mark.parametrize(("spoil", "part"), [
    (lambda run: run.config.update(arguments=[]), "the argument execution is missing"),
    (lambda run: run.config.update(arguments=3), "arguments is not a list"),
    (lambda run: run.config["input_files"][0].update(value="id9"), "in_metadata.json does not describe the input table"),
    (lambda run: run.metadata[0].pop("file_path"), "lacks an _id or a file_path"),
])
def test_handed_over_files_that_do_not_fit(tmp_path, spoil, part):
    run = Run(tmp_path, command=["true"])
    spoil(run)
    code, said = run.end()
    assert code == 2 and said.startswith("::error ") and part in said


WAITS = ("import signal, sys, time\nseen = []\n"
         "def on_term(*_):\n    seen.append(1)\n    time.sleep(0.5)\n"
         "    open(sys.argv[1] + '/a.csv', 'w').write(str(len(seen)))\n"
         "    sys.exit(0)\nsignal.signal(signal.SIGTERM, on_term)\nprint('ready', flush=True)\ntime.sleep(60)\n")


def test_sigterm_is_passed_on_and_the_end_is_waited_for(tmp_path):
    run = Run(tmp_path, command=[sys.executable, "-c", WAITS, "{output}"])
    process = run.start()
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0 and (run.output / "a.csv").read_text() == "1"
    assert "sha256" not in run.said_of_files()[0]  # no time for it


def test_a_program_without_patience_ends_with_the_code_of_its_signal(tmp_path):
    run = Run(tmp_path, command=[sys.executable, "-c", "print('ready', flush=True); import time; time.sleep(60)"])
    process = run.start()
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.wait(30) == 128 + signal.SIGTERM and not (run.output / ".voxelhub/out_metadata.json").exists()


def test_where_all_processes_are_signalled_nothing_is_passed_on(tmp_path):
    run = Run(tmp_path, command=[sys.executable, "-c", WAITS, "{output}"])
    process = run.start(VOXELHUB_SIGNALS="all")
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    time.sleep(1.5)
    assert process.poll() is None
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGTERM)
    assert process.wait(30) == 0


def test_a_function_is_a_function_too(tmp_path):
    @tool
    def count(inputs, arguments, output):
        (output / "a.txt").write_text(inputs["table"][0].path.read_text() + str(arguments["n"]))
        output.describe("a.txt", n=arguments["n"])

    (tmp_path / "in.csv").write_text("x")
    output = Output(tmp_path)
    count({"table": [Given({"_id": "1", "file_path": str(tmp_path / "in.csv")})]}, {"n": 2}, output)
    assert (tmp_path / "a.txt").read_text() == "x2"
    assert output.described[str(tmp_path / "a.txt")]["meta_data"] == {"n": 2} and count.__name__ == "count"
