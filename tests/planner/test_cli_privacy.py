"""The commands in a row: split, seal, a node that works on its folder alone, open; and attack. The slide is a real tiled TIFF."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from voxelhub_planner.cli_privacy import main_attack, main_open, main_seal, main_split

pytest.importorskip("openslide", reason="OpenSlide is not installed here")
tifffile = pytest.importorskip("tifffile", reason="tifffile, which writes the slide, is not installed here")
SIZE = 32

# Runs as a node would: another process that is given one folder and a place for its answer.
NODE = """
import json, sys
from pathlib import Path
import numpy as np
from PIL import Image
home, answer, masks = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
found = {file.stem: np.asarray(Image.open(file)) for file in home.iterdir()}
results = {name: int(pixels.sum()) for name, pixels in found.items()}
answer.write_text(json.dumps({"format": "voxelhub-results/1", "fragment": home.name, "results": results}))
masks.mkdir(parents=True)
for name, pixels in found.items():
    np.save(masks / f"{name}.npy", (pixels[:, :, 1] < 120).astype(np.uint8))
"""


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(3).normal(size=(640, 800, 3)), (3, 3, 0))
    tissue = np.clip(np.array([190, 110, 160]) + 500 * noise, 0, 254).astype(np.uint8)
    y, x = np.mgrid[:640, :800]
    inside = (x - 380) ** 2 / 300**2 + (y - 330) ** 2 / 260**2 < 1
    return np.where(inside[..., None], tissue, np.uint8(236))


@pytest.fixture(scope="module")
def slide(image: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slide") / "DOE-JANE.tiff"
    tifffile.imwrite(path, image, tile=(64, 64), photometric="rgb", description="patient DOE JANE", software="scanner of DOE")
    return path


def run(command: object, *arguments: object) -> None:
    assert command([str(one) for one in arguments]) == 0  # type: ignore[operator]


def test_from_a_slide_to_fragments_and_back(
    slide: Path, image: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    chosen, sent, manifest, key = (tmp_path / name for name in ("split.json", "sent", "manifest", "key"))
    run(main_split, slide, chosen, "--size", SIZE)
    assert "in 5 fragments" in capsys.readouterr().out
    run(main_seal, slide, chosen, sent, manifest, key)
    out = capsys.readouterr().out
    assert "can read the pixels" in out
    for file in [manifest, *sent.rglob("*")]:
        assert "DOE" not in file.name
        assert file.is_dir() or b"DOE" not in file.read_bytes()
    answers, masks = [], []
    for home in sent.iterdir():
        assert home.name in out
        answers.append(tmp_path / f"{home.name[:6]}.json")
        masks.append(tmp_path / "masks" / home.name)
        subprocess.run([sys.executable, "-c", NODE, home, answers[-1], masks[-1]], check=True)
    run(main_open, manifest, key, tmp_path / "result.json", *answers)
    result, table = json.loads((tmp_path / "result.json").read_text()), json.loads(chosen.read_text())
    assert result["cells"] == table["cells"]
    assert result["id"] == "DOE-JANE"
    places = [(slice(y * SIZE, y * SIZE + SIZE), slice(x * SIZE, x * SIZE + SIZE)) for x, y in table["cells"]]
    assert result["values"] == [int(image[place].sum()) for place in places]
    run(main_open, manifest, key, tmp_path / "mask.npy", *masks)
    covered = np.zeros(image.shape[:2], bool)
    for place in places:
        covered[place] = True
    low = np.array(table["cells"]).min(axis=0) * SIZE
    high = (np.array(table["cells"]).max(axis=0) + 1) * SIZE
    expected = ((image[:, :, 1] < 120) & covered)[low[1]:high[1], low[0]:high[0]]
    assert np.array_equal(np.load(tmp_path / "mask.npy"), expected)
    assert expected.any()
    file = next(next(sent.iterdir()).iterdir())
    with Image.open(file) as patch:
        assert patch.info == {}

    for arguments, words in (
        ((manifest, key, tmp_path / "again.json", *answers[1:]), "is not there"),
        ((manifest, key, tmp_path / "again.json", *answers, answers[0]), "twice"),
        ((manifest, tmp_path / "lost", tmp_path / "again.json", *answers), "Without it"),
        ((manifest, key, tmp_path / "again.npy", *answers), "no masks"),
        ((manifest, key, tmp_path / "again.json", *masks), "are masks"),
    ):
        assert main_open([str(one) for one in arguments]) == 1
        said = capsys.readouterr().err
        assert words in said
        assert not list(tmp_path.glob("again*"))


def test_attack_prints_what_an_owner_could_do(slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = tmp_path / "split.json"
    recall = {}
    for strategy in ("lattice5", "rs4"):
        run(main_split, slide, chosen, "--size", SIZE, "--strategy", strategy, "--seed", 1)
        run(main_attack, slide, chosen, "--json", tmp_path / "figures.json")
        figures = json.loads((tmp_path / "figures.json").read_text())
        recall[strategy] = figures["jigsaw"]["worst_pair"]["recall"]
        assert figures["published_encoding"]["recovered"] == 1
        assert figures["names"]["recovered"] < 0.05
    assert recall["lattice5"] < 0.15 < 0.35 < recall["rs4"]
    out = capsys.readouterr().out
    assert "worst two" in out
    assert "for comparison only" in out
    run(main_attack, slide, chosen, "--json", "-")
    assert json.loads(capsys.readouterr().out)["jigsaw"]["worst_pair"]["recall"] == recall["rs4"]


def test_another_slide_than_the_one_that_was_split_is_refused(
    slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    run(main_split, slide, tmp_path / "split.json", "--size", SIZE)
    tifffile.imwrite(tmp_path / "other.tiff", np.zeros((640, 640, 3), np.uint8), tile=(64, 64), photometric="rgb")
    for command, rest in ((main_seal, [tmp_path / "out", tmp_path / "m", tmp_path / "k"]), (main_attack, [])):
        assert command([str(one) for one in (tmp_path / "other.tiff", tmp_path / "split.json", *rest)]) == 1
        assert "Give the slide that was split" in capsys.readouterr().err
    assert {file.name for file in tmp_path.iterdir()} <= {"split.json", "other.tiff", "k"}


@pytest.mark.parametrize("change", [
    {"format": "other"}, {"cells": [["a", "b"]]}, {"cells": [[0, 0], [0, 0]]}, {"cells": [[0]]}, {"labels": [0]}, {"size": "32"},
    {"labels": None}, {"level": 7}])
def test_a_bad_split_file_is_refused(
    slide: Path, tmp_path: Path, change: dict[str, object], capsys: pytest.CaptureFixture[str],
) -> None:
    run(main_split, slide, tmp_path / "split.json", "--size", SIZE)
    (tmp_path / "split.json").write_text(json.dumps(json.loads((tmp_path / "split.json").read_text()) | change))
    assert main_attack([str(slide), str(tmp_path / "split.json")]) == 1
    assert capsys.readouterr().err.startswith("voxelhub attack: ")


def test_neither_key_nor_manifest_lies_with_what_is_sent(slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(main_split, slide, tmp_path / "split.json", "--size", SIZE)
    sent = tmp_path / "sent"
    for manifest, key in ((sent / "m", tmp_path / "k"), (tmp_path / "m", sent / "k")):
        assert main_seal([str(one) for one in (slide, tmp_path / "split.json", sent, manifest, key)]) == 1
        assert "must not lie" in capsys.readouterr().err
    assert not sent.exists()


def test_a_damaged_slide_is_refused_by_each_command(slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(main_split, slide, tmp_path / "split.json", "--size", SIZE)
    (tmp_path / "broken.svs").write_bytes(slide.read_bytes()[:400])
    assert main_split([str(tmp_path / "broken.svs"), str(tmp_path / "s.json")]) == 1
    assert main_attack([str(tmp_path / "broken.svs"), str(tmp_path / "split.json")]) == 1
    assert capsys.readouterr().err.count("broken.svs is damaged or no whole-slide image") == 2


def test_the_commands_run_as_a_program(slide: Path, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "voxelhub_planner"]
    split = [*program, "split", slide, tmp_path / "split.json", "--size", str(SIZE)]
    done = subprocess.run(split, capture_output=True, text=True)
    assert (done.returncode, "can read the pixels" in done.stdout) == (0, True), done.stderr
    done = subprocess.run([*program, "join"], capture_output=True, text=True)
    assert (done.returncode, "plan | split | seal | open | attack | calibrate" in done.stderr) == (2, True)


def test_prescribed_shares_on_the_command_line(slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = tmp_path / "split.json"
    run(main_split, slide, chosen, "--size", SIZE, "--strategy", "quota", "--shares", 0.4, 0.35, 0.25)
    counts = np.bincount(json.loads(chosen.read_text())["labels"])
    assert np.abs(counts / counts.sum() - [0.4, 0.35, 0.25]).max() < 0.01
    for wrong in (["--strategy", "quota"], ["--shares", "0.5", "0.5"], ["--strategy", "quota", "--shares", "0.5", "0.6"]):
        assert main_split([str(slide), str(tmp_path / "no.json"), "--size", str(SIZE), *wrong]) == 1
        assert "shares" in capsys.readouterr().err
    assert not (tmp_path / "no.json").exists()


def test_dummies_and_checking_without_writing(slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen, sent, manifest, key = (tmp_path / name for name in ("split.json", "sent", "manifest", "key"))
    run(main_split, slide, chosen, "--size", SIZE, "--strategy", "rs4", "--seed", 2)
    largest = max(np.bincount(json.loads(chosen.read_text())["labels"]))
    assert main_seal([str(one) for one in (slide, chosen, sent, manifest, key, "--dummies", largest - 1)]) == 1
    assert "cannot fill up" in capsys.readouterr().err
    run(main_seal, slide, chosen, sent, manifest, key, "--dummies")
    assert "more to send and to pay" in capsys.readouterr().out
    homes = sorted(sent.iterdir())
    assert {len(list(home.iterdir())) for home in homes} == {largest}
    answers = []
    for home in homes:
        answers.append(tmp_path / f"{home.name[:6]}.json")
        subprocess.run([sys.executable, "-c", NODE, home, answers[-1], tmp_path / "masks" / home.name], check=True)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    run(main_open, "--check", manifest, key, sent)
    assert f"All {largest * len(homes)} files in sent are as they were sealed" in capsys.readouterr().out
    run(main_open, "--check", manifest, key, *answers)
    assert "Nothing was written" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    run(main_open, manifest, key, tmp_path / "result.json", *answers)
    result = json.loads((tmp_path / "result.json").read_text())
    assert len(result["values"]) == len(result["cells"]) == len(json.loads(chosen.read_text())["cells"])

    smallest = json.loads(answers[0].read_text())
    smallest["results"].popitem()
    answers[0].write_text(json.dumps(smallest))
    (homes[0] / "stray.png").write_bytes(b"")
    for arguments, words in (((sent,), "was not sealed"), (answers, "is not in it"), (answers[1:], "is not there")):
        assert main_open(["--check", *(str(one) for one in (manifest, key, *arguments))]) == 1
        assert words in capsys.readouterr().err
    assert main_open([str(manifest), str(key), str(tmp_path / "again.json")]) == 1
    assert "Give an output" in capsys.readouterr().err
