"""One tool over one folder, in its own environment: `python deid_drivers.py TOOL IN OUT`.

Prints the seconds from the first file's reading to the last one's writing, and the CPU seconds of it; without imports."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

Files = list[Path]


def ours(pixels: bool = True) -> Callable[[Files, Path], None]:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "service"))
    from voxelhub_service.deid.cleaning import clean
    from voxelhub_service.deid.dicom import clean_dicom  # noqa: F401 (loaded before the clock runs)
    from voxelhub_service.deid.outcome import Released
    from voxelhub_service.deid.profile import PROFILES
    from voxelhub_service.deid.pseudonyms import Key

    key, profile = Key(bytes(range(32))), dataclasses.replace(PROFILES["research"], clean_pixel_data=pixels)

    def run(files: Files, target: Path) -> None:
        with (target / "report.jsonl").open("w") as report:
            for number, file in enumerate(files):
                outcome = clean(file, file.name, target / f"{number:05d}.dcm", key=key, profile=profile)
                assert isinstance(outcome, Released), outcome
                report.write(json.dumps(outcome.report.to_json() | {"path": outcome.path}) + "\n")

    return run


def dicognito() -> Callable[[Files, Path], None]:
    import pydicom
    from dicognito.anonymizer import Anonymizer

    def run(files: Files, target: Path) -> None:
        anonymizer = Anonymizer(seed="bench")
        for number, file in enumerate(files):
            with pydicom.dcmread(file) as dataset:
                anonymizer.anonymize(dataset)
                dataset.save_as(target / f"{number:05d}.dcm")

    return run


def dicom_anonymizer() -> Callable[[Files, Path], None]:
    from dicomanonymizer.simpledicomanonymizer import anonymize_dicom_file

    def run(files: Files, target: Path) -> None:
        for number, file in enumerate(files):
            anonymize_dicom_file(str(file), str(target / f"{number:05d}.dcm"), delete_private_tags=True)

    return run


def deid() -> Callable[[Files, Path], None]:
    from deid.config import DeidRecipe
    from deid.dicom import replace_identifiers
    from deid.logger import bot

    bot.level = -5  # quiet

    def run(files: Files, target: Path) -> None:
        names = [str(file) for file in files]
        replace_identifiers(names, deid=DeidRecipe(), save=True, overwrite=True, output_folder=str(target), remove_private=True)

    return run


TOOLS = {
    "ours": ours,
    "ours-headers": lambda: ours(pixels=False),
    "dicognito": dicognito,
    "dicom-anonymizer": dicom_anonymizer,
    "deid": deid,
}


def main() -> int:
    tool, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    run = TOOLS[tool]()
    files = sorted(source.iterdir())
    started, worked = time.perf_counter(), time.process_time()
    run(files, target)
    print(time.perf_counter() - started, time.process_time() - worked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
