"""Says of each column with numbers in a table how many there are, and their mean."""

import csv
from statistics import fmean

from voxelhub_tool import error, progress, tool


@tool
def summarise(inputs, arguments, output):
    with inputs["table"][0].path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        error("The table has no rows. Choose another one.")
    with (output / "summary.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["column", "count", "mean"])
        for done, column in enumerate(rows[0], 1):
            numbers = [float(row[column]) for row in rows if is_number(row[column])]
            if numbers:
                writer.writerow([column, len(numbers), round(fmean(numbers), arguments["digits"])])
            progress(done / len(rows[0]), f"column {column}")


def is_number(text):
    return (text or "").strip().lstrip("+-").replace(".", "", 1).isdigit()


if __name__ == "__main__":
    summarise()
