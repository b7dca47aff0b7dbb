"""(d) De-identification from disk to disk against three libraries; and what of the planted words each leaves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import median, table
from pydicom import dcmread
from support.cleaned import text_of
from support.planted import Hunt, PlantedFile, Planter
from support.planted_attributes import deep
from support.planted_dicom import ct, pixels_of, put, put_pixels, write

DRIVER = Path(__file__).with_name("deid_drivers.py")
PEER = Path(sys.executable).parents[2] / "bench-deid/bin/python"  # beside the tests' environment
PEERS = dict.fromkeys(("dicognito", "dicom-anonymizer", "deid"), PEER)
TOOLS = {"ours-headers": Path(sys.executable), "ours": Path(sys.executable)} | PEERS
NAMES = {
    "ours-headers": "**VoxelHub, headers**",
    "ours": "**VoxelHub, headers and a look for text in the pixels**",
    "dicognito": "dicognito 0.19.0, headers",
    "dicom-anonymizer": "dicom-anonymizer 2.1.0, headers",
    "deid": "deid 0.4.13, headers",
}
SIDE = 512


def measure(folder: Path, count: int = 300, rounds: int = 7) -> str:
    source, planted = make_files(folder / "in", count)
    times: dict[str, list[tuple[float, float]]] = {tool: [] for tool in TOOLS}
    left: dict[str, tuple[int, int, int]] = {}
    for number in range(rounds):
        for tool in TOOLS if number % 2 == 0 else reversed(TOOLS):
            target = folder / f"out-{tool}"
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            wall, cpu = run(tool, source, target)
            times[tool].append((wall / count, cpu / count))
            print(f"  round {number} {tool}: {count / wall:.0f} instances/s, {1000 * cpu / count:.1f} ms CPU each", flush=True)
            if number == 0:
                left[tool] = tokens_left(target, planted)
    return report(times, left, count, sum(len(file.plants) for file in planted))


def run(tool: str, source: Path, target: Path) -> tuple[float, float]:
    """Seconds, and seconds of CPU; what the tool says is of no interest unless it fails."""
    command = [TOOLS[tool], "-P", DRIVER, tool, source, target]  # -P: this folder has a module called as one of them
    done = subprocess.run(command, capture_output=True, text=True, cwd=target)
    assert done.returncode == 0, f"{tool}: {done.stderr[-2000:]}"
    wall, cpu = done.stdout.splitlines()[-1].split()
    return float(wall), float(cpu)


def make_files(folder: Path, count: int) -> tuple[Path, list[PlantedFile]]:
    """CT slices of 512 x 512 in 16 bit, with words at the top, three sequences deep, in a private block and an overlay."""
    planter = Planter(folder / "planted")
    flat = folder / "flat"
    flat.mkdir(parents=True)
    for number in range(count):
        with planter.file(".dcm") as path:
            dataset = ct(planter, number=number + 1)
            put_pixels(dataset, pixels_of(number, SIDE))
            item = deep(dataset)
            for keyword in ("PatientName", "ImageComments", "StudyDescription", "InstitutionName"):
                put(dataset if keyword == "ImageComments" else item, keyword, planter.word(f"{keyword}"))
            block = dataset.private_block(0x0029, "PLANTED", create=True)
            put(dataset, block.get_tag(1), planter.word("private block"), "LO")
            put(dataset, 0x60004000, planter.word("overlay comment"), "LT")
            write(path, dataset)
        path.rename(flat / f"{number:05d}.dcm")
    return flat, planter.files


def tokens_left(target: Path, planted: list[PlantedFile]) -> tuple[int, int, int]:
    """(places where planted words were found over all files, kinds of places, files without their own SOPInstanceUID)."""
    hunt = Hunt(plant for file in planted for plant in file.plants)
    found: list[str] = []
    broken = 0
    for path, file in zip(sorted(target.glob("*.dcm")), planted, strict=True):
        dataset = dcmread(path, force=True)
        places = {*hunt.leaks(path.read_bytes(), file.plants), *hunt.leaks(text_of(dataset), file.plants)}
        found += [place for place in places if place not in ("file name", "folder name")]
        broken += "SOPInstanceUID" not in dataset
    return len(found), len(set(found)), broken


def report(
    times: dict[str, list[tuple[float, float]]], left: dict[str, tuple[int, int, int]], count: int, plants: int
) -> str:
    walls = {tool: [1 / wall for wall, _ in values] for tool, values in times.items()}
    cpus = {tool: median([1000 * cpu for _, cpu in values]) for tool, values in times.items()}
    rows = []
    for tool, values in walls.items():
        words, kinds, broken = left[tool]
        spread = f"{min(values):.0f}–{max(values):.0f}"
        rows.append([NAMES[tool], f"{median(values):.0f}", spread, f"{cpus[tool]:.2f} ms", f"{words:,}", str(kinds), str(broken)])
    head = ["", "instances/s", "spread", "CPU each", "planted words left", "kinds of places", "without SOP instance UID"]
    peers = [tool for tool in times if not tool.startswith("ours")]
    faster = {ours: all(cpus[ours] < cpus[peer] for peer in peers) for ours in ("ours-headers", "ours")}
    clean = left["ours"][0] == left["ours-headers"][0] == 0
    return (
        f"{count} synthetic CT slices of {SIDE} × {SIDE} in 16 bit ({plants:,} planted words and dates), from disk to disk, "
        f"one process each, {len(walls['ours'])} runs each taking turns, medians. The clock runs from the first read to the last "
        "write. "
        "Ours with its report written, profile “research”; the others as their documentation starts, private elements removed "
        "where they offer it. On a machine with other work CPU time says more than instances a second.\n\n"
        f"{table(head, rows)}\n\nAim: less CPU time than each of them for what they do, the headers: "
        f"{'met' if faster['ours-headers'] else 'NOT met'}; also with the look at the pixels, which none of them takes: "
        f"{'met' if faster['ours'] else 'NOT met'}; nothing left: {'met' if clean else 'NOT met'}."
    )
