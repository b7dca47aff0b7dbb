"""Converts each given DICOM series to NIfTI with dcm2niix: `convert.py [options] OUTPUT SERIES…`.

dcm2niix can put names, dates and descriptions into file names, sidecars and the header's comment. Here the file is named
after the entry, no sidecar is written, and the comment is emptied.
"""

from __future__ import annotations

import argparse
import gzip
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MERGE = {"auto": "2", "together": "1", "apart": "0"}
CORRECTED = re.compile(r"_(Eq|Tilt)(_\d+)?$")  # dcm2niix's second volume with equal distances or without the gantry's tilt
DESCRIP = slice(148, 228), slice(228, 252)  # NIfTI-1 header: descrip, aux_file
EMPTY = "dcm2niix found no image that it can convert in “{}”. Is it an image series, and complete?"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--compress", choices=("true", "false"), default="true")
    parser.add_argument("--correct", choices=("true", "false"), default="true")
    parser.add_argument("--merge", choices=MERGE, default="auto")
    parser.add_argument("output", type=Path)
    parser.add_argument("series", type=Path, nargs="+")
    wanted = parser.parse_args()
    for number, series in enumerate(wanted.series):
        say(f"progress {number / len(wanted.series):.3f} {number + 1} of {len(wanted.series)} series")
        title = re.sub(r"^\d+-", "", series.name)
        with tempfile.TemporaryDirectory(dir=wanted.output, prefix=".work-") as folder:
            work = Path(folder)
            code = dcm2niix(series, work, wanted.merge)
            volumes = chosen(sorted(work.glob("*.nii")), corrected=wanted.correct == "true")
            if not volumes:
                say(f"error {EMPTY.format(title)}")
                return 1
            if code:
                print(f"dcm2niix ended with code {code}; the volumes that it wrote are kept.", flush=True)
            for index, volume in enumerate(volumes):
                target = free_name(wanted.output, stem(title), index if len(volumes) > 1 else None)
                keep(volume, target, wanted.compress == "true")
    say("progress 1 done")
    return 0


def dcm2niix(series: Path, work: Path, merge: str) -> int:
    """Uncompressed, so that we can look into the headers; `-i n` keeps derived images, `-b n` writes no sidecar."""
    command = ["dcm2niix", "-b", "n", "-z", "n", "-i", "n", "-m", MERGE[merge], "-c", "", "-f", "volume_%s",
               "-o", str(work), str(series)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    for line in done.stdout.splitlines():
        print(line.replace(str(work), "work").replace(str(series), "series"))
    sys.stdout.flush()
    return done.returncode


def chosen(volumes: list[Path], corrected: bool) -> list[Path]:
    """Of a volume and its corrected twin, one: never both, because they are the same picture twice."""
    twins = {CORRECTED.sub("", one.stem): one for one in volumes if CORRECTED.search(one.stem)}
    kept = []
    for one in volumes:
        if CORRECTED.search(one.stem):
            if corrected or not any(other.stem == CORRECTED.sub("", one.stem) for other in volumes):
                kept.append(one)
        elif not (corrected and one.stem in twins):
            kept.append(one)
    return kept


def keep(volume: Path, target: Path, compress: bool) -> None:
    with volume.open("r+b") as file:
        header = bytearray(file.read(252))
        for where in DESCRIP:
            header[where] = bytes(where.stop - where.start)
        file.seek(0)
        file.write(header)
    if not compress:
        volume.rename(target.with_name(target.name + ".nii"))
        return
    with volume.open("rb") as source, (target.with_name(target.name + ".nii.gz")).open("wb") as sink, \
            gzip.GzipFile("", "wb", 6, sink, mtime=0) as packed:  # no name, no time: equal inputs give equal bytes
        shutil.copyfileobj(source, packed, 1 << 20)


def free_name(folder: Path, name: str, index: int | None) -> Path:
    name = name if index is None else f"{name}-{index + 1}"
    number, candidate = 1, name
    while any((folder / f"{candidate}{suffix}").exists() for suffix in (".nii", ".nii.gz")):
        number += 1
        candidate = f"{name}-{number}"
    return folder / candidate


def stem(title: str) -> str:
    """A file name from an entry's name, without a known ending."""
    text = re.sub(r"\.(dcm|ima|zip)$", "", title, flags=re.IGNORECASE)
    text = re.sub(r"[^\w.-]+", "_", text).strip("._-")
    while len(text.encode()) > 150:
        text = text[:-1]
    return text or "volume"


def say(text: str) -> None:
    """A line for VoxelHub, not for the log."""
    print(f"::{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
