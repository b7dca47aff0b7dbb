"""`voxelhub tool test .` runs this where the tool will run."""

import tempfile
import unittest
from pathlib import Path

from main import is_number, summarise
from voxelhub_tool import Given, Output


class Summary(unittest.TestCase):
    def summary_of(self, text):
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder, "table.csv")
            table.write_text(text, encoding="utf-8")
            given = Given({"_id": "1", "file_path": str(table), "file_type": "csv", "data_type": "table"})
            summarise({"table": [given]}, {"digits": 2}, Output(Path(folder)))
            return Path(folder, "summary.csv").read_text(encoding="utf-8").split()

    def test_columns_with_numbers(self):
        self.assertEqual(self.summary_of("name,age\na,30\nb,41\nc,\n"), ["column,count,mean", "age,2,35.5"])

    def test_an_empty_table(self):
        with self.assertRaises(SystemExit):
            self.summary_of("name,age\n")

    def test_what_is_a_number(self):
        self.assertEqual([is_number(one) for one in ("1", "-1.5", "a", "", None)], [True, True, False, False, False])


if __name__ == "__main__":
    unittest.main()
