"""Runs a parameterised notebook: `python -m voxelhub_tool.notebook NOTEBOOK`, with the standard four options.

After the cell with the tag `parameters`, or first, comes a cell with the values of the run: a variable for each argument,
`inputs` (input name -> paths) and `output` (the folder). The executed notebook lies among the results, also when a cell
failed. It needs nbclient and a kernel in the tool's environment.
"""

from __future__ import annotations

import re
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from .handover import Handover, HandoverError, options, read_handover
from .speaking import progress, tell_error

_formats: Any = nbformat  # it has no types
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def main() -> int:
    parser = options("Run a parameterised notebook.", manifest=False)
    parser.add_argument("notebook")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, _on_term)
    try:
        handover = read_handover(wanted.config, wanted.in_metadata)
        notebook = _formats.read(wanted.notebook, as_version=4)
    except HandoverError as wrong:
        tell_error(str(wrong))
        return 2
    except (OSError, ValueError, _formats.reader.NotJSONError):
        tell_error("The notebook of this tool cannot be read.")
        return 2
    inject(notebook, handover)
    try:
        return execute(notebook, str(Path(wanted.notebook).absolute().parent))
    finally:
        _formats.write(notebook, str(handover.output / Path(wanted.notebook).name))


def inject(notebook: Any, handover: Handover) -> None:
    """The cell with the values of this run, where the notebook's own defaults end."""
    cells: list[Any] = notebook.cells
    at = next((i + 1 for i, one in enumerate(cells) if "parameters" in one.metadata.get("tags", [])), 0)
    cell = _formats.v4.new_code_cell(_assignments(handover), metadata={"tags": ["injected-parameters"]})
    if notebook.get("nbformat_minor", 5) < 5:
        cell.pop("id", None)
    cells.insert(at, cell)


def _assignments(handover: Handover) -> str:
    values: dict[str, Any] = dict(handover.arguments)
    values["inputs"] = {name: [str(one.path) for one in many] for name, many in handover.inputs.items()}
    values["output"] = str(handover.output.path)
    return "# The values of this run\n" + "\n".join(f"{name} = {value!r}" for name, value in values.items())


def execute(notebook: Any, folder: str) -> int:
    """Cell by cell in a kernel of the notebook's own environment; 1 when a cell fails."""
    code = [i for i, one in enumerate(notebook.cells) if one.cell_type == "code"]
    with tempfile.TemporaryDirectory() as runtime:
        # Sockets in a folder of its own, not ports: no other process reaches the kernel, and none has to be free.
        manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=str(Path(runtime) / "kernel"))
        client = NotebookClient(notebook, km=manager, resources={"metadata": {"path": folder}}, timeout=None)
        with client.setup_kernel():
            for number, index in enumerate(code, 1):
                try:
                    client.execute_cell(notebook.cells[index], index)
                except (CellExecutionError, DeadKernelError) as wrong:
                    _print_streams(notebook.cells[index])
                    tell_error("Cell {} of the notebook failed ({}); the log and the notebook among the outputs say more.".format(
                        number, getattr(wrong, "ename", "") or "its kernel ended"))
                    return 1
                _print_streams(notebook.cells[index])
                progress(number / len(code), f"{number} of {len(code)} cells")
    return 0


def _print_streams(cell: Any) -> None:
    """What a cell printed, for the log."""
    for one in cell.get("outputs", []):
        if one.output_type == "stream":
            print(one.text, end="" if one.text.endswith("\n") else "\n", flush=True)
        elif one.output_type == "error":
            print(ANSI.sub("", "\n".join(one.traceback)), flush=True)


def _on_term(_signal: int, _frame: Any) -> None:
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
