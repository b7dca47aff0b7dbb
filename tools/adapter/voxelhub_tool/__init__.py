"""Between VoxelHub and a tool's program: one standard command line outside, an unaltered program inside.

    python -m voxelhub_tool --manifest tool.json --config config.json --in_metadata in_metadata.json \
        --out_metadata out_metadata.json --log_file log.txt

A tool that is a Python function needs no more than this, with `"interface": "files"` in its manifest:

    from voxelhub_tool import progress, tool

    @tool
    def count(inputs, arguments, output):
        for number, table in enumerate(inputs["table"], 1):
            (output / f"{table.path.stem}.txt").write_text(str(len(table.path.read_text().splitlines())))
            progress(number / len(inputs["table"]))

    if __name__ == "__main__":
        count()

Python 3.8 or newer, nothing else: it runs in the environment of any tool.
"""

from .function import tool
from .handover import Given, Output
from .speaking import error, log, progress

__all__ = ["Given", "Output", "error", "log", "progress", "tool"]
