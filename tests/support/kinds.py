"""The same small tool five times: as a Python function, in R, in shell, as a notebook, and an unaltered program of the system.

Each counts the lines of the tables it is given that hold a word.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BASE: dict[str, Any] = {
    "manifest": 1, "version": "1.0", "title": "Count", "description": "Counts lines that hold a word.",
    "inputs": [{"name": "tables", "title": "Tables", "accepts": [{"data_type": "table", "file_format": "csv"}], "maximum": 5}],
    "arguments": {"type": "object", "properties": {
        "word": {"type": "string", "title": "Word", "default": "b"},
        "deaf": {"type": "boolean", "title": "Fail", "default": False}}},
    "outputs": [
        {"name": "counts", "title": "Counts", "data_type": "table", "file_format": "csv", "path": "counts.csv",
         "meta": {"unit": "lines"}},
        {"name": "notebook", "title": "Notebook", "data_type": "document", "file_format": "json", "path": "*.ipynb",
         "required": False},
    ],
    "resources": {"cpu": 1, "memory": 1 << 30, "time": 120, "output": {"base": 4 << 20, "per_input_byte": 1}},
    "environment": "tool-base", "licence": "Apache-2.0", "citation": "-", "authors": [{"name": "Tests"}],
}
FUNCTION = '''
from voxelhub_tool import error, log, progress, tool

@tool
def count(inputs, arguments, output):
    """Counts lines that hold a word."""
    if arguments["deaf"]:
        error("This tool is deaf. Choose another one.")
    rows = ["name,lines"]
    for number, table in enumerate(inputs["tables"], 1):
        rows.append(f"{table.name},{sum(arguments['word'] in line for line in open(table))}")
        progress(number / len(inputs["tables"]), f"{number} done")
    (output / "counts.csv").write_text("\\n".join(rows) + "\\n")
    log("counted")
    output.describe("counts.csv", sources=inputs["tables"][:1], rows=len(rows) - 1)

if __name__ == "__main__":
    count()
'''
R = '''
given <- commandArgs(trailingOnly = TRUE)
if (given[1] == "true") { cat("::error This tool is deaf. Choose another one.\\n"); quit(status = 1) }
files <- given[4:length(given)]
lines <- sapply(files, function(one) sum(grepl(given[2], readLines(one), fixed = TRUE)))
cat("::progress 0.5 counted\\n")
write.csv(data.frame(name = sub("^[0-9]+-", "", basename(files)), lines = as.integer(lines)),
          file.path(given[3], "counts.csv"), row.names = FALSE, quote = FALSE)
'''
SHELL = '''
deaf=$1; word=$2; output=$3; shift 3
if [ "$deaf" = true ]; then echo "::error This tool is deaf. Choose another one."; exit 1; fi
echo "name,lines" > "$output/counts.csv"
for table in "$@"; do
    name=$(basename "$table"); echo "${name#*-},$(grep -c -F -- "$word" "$table")" >> "$output/counts.csv"
done
'''
CELLS = [
    ("markdown", [], "# Count"),
    ("code", ["parameters"], "word, deaf = 'nothing', False\ninputs, output = {}, '.'"),
    ("code", [], "assert not deaf, 'This tool is deaf'"),
    ("code", [], "import helper\nfrom pathlib import Path\nrows = [helper.row(Path(one), word) for one in inputs['tables']]\n"
                 "print('counted')"),
    ("code", [], "Path(output, 'counts.csv').write_text('\\n'.join(['name,lines', *rows]) + '\\n')"),
]
HELPER = '''
def row(path, word):
    return f"{path.name.partition('-')[2]},{sum(word in line for line in open(path))}"
'''


def notebook(cells: list[tuple[str, list[str], str]]) -> str:
    run = {"outputs": [], "execution_count": None}
    made = [{"cell_type": kind, "metadata": {"tags": tags}, "source": source, "id": f"cell-{i}"} | (run if kind == "code" else {})
            for i, (kind, tags, source) in enumerate(cells)]
    return json.dumps({"cells": made, "nbformat": 4, "nbformat_minor": 5, "metadata": {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}})


ARGUMENTS = ["{arguments.deaf}", "{arguments.word}", "{output}", "{inputs.tables}"]
KINDS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {  # changes of the manifest, files
    "python": ({"interface": "files", "command": ["python", "count.py"]}, {"count.py": FUNCTION}),
    "r": ({"command": ["Rscript", "count.R", *ARGUMENTS]}, {"count.R": R}),
    "shell": ({"command": ["sh", "count.sh", *ARGUMENTS]}, {"count.sh": SHELL}),
    "notebook": ({"interface": "notebook", "notebook": "count.ipynb", "environment": "tool-notebook"},
                 {"count.ipynb": notebook(CELLS), "helper.py": HELPER}),
    # install(1) as Debian ships it: nobody told it of VoxelHub
    "unaltered": ({"command": ["install", "--mode=0644", "--target-directory", "{output}", "{inputs.tables}"],
                   "arguments": {"type": "object", "properties": {}},
                   "outputs": [{**BASE["outputs"][0], "path": "*.csv"}]}, {}),
}


def write_kind(tools: Path, kind: str, **changes: Any) -> Path:
    """The folder of the tool `count-<kind>` below `tools`."""
    folder = tools / f"count-{kind}"
    folder.mkdir(parents=True)
    more, files = KINDS[kind]
    (folder / "tool.json").write_text(json.dumps({**BASE, "name": folder.name, **more, **changes}))
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder
