"""`voxelhub tool test .` runs this where the tool will run: the notebook on the example."""

import csv
import tempfile
import unittest
from pathlib import Path

import nbformat
from nbclient import NotebookClient


class Notebook(unittest.TestCase):
    def test_the_example(self):
        notebook = nbformat.read("main.ipynb", as_version=4)
        after = 1 + next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
        with tempfile.TemporaryDirectory() as folder:
            notebook.cells.insert(after, nbformat.v4.new_code_cell(f"output = {folder!r}"))
            NotebookClient(notebook, kernel_name="python3").execute()
            with Path(folder, "summary.csv").open(newline="", encoding="utf-8") as file:
                self.assertEqual(list(csv.reader(file)), [["column", "count", "mean"], ["age", "2", "35.5"]])


if __name__ == "__main__":
    unittest.main()
