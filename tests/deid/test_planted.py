"""Nothing that was planted is found in the bytes of what is released, in what is told about it, or in its names."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from support.cleaned import KEY, PATIENT, Cleaned, all_cleaned, text_of
from support.planted import Corpus, Hunt, PlantedFile, make_corpus

Files = list[tuple[PlantedFile, Cleaned]]
# What another word of the same file overwrites is not found in the source either.
FINDABLE = 0.995
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def found_in(hunt: Hunt, files: Files) -> list[str]:
    """A line for every planted thing found."""
    lines = []
    for number, (file, cleaned) in enumerate(files):
        places = {f"told: {place}" for place in hunt.leaks(cleaned.told, file.plants)}
        if not cleaned.held:
            data = cleaned.target.read_bytes()
            places |= set(hunt.leaks(data, file.plants))
            if data[128:132] == b"DICM":
                places |= {f"decoded: {place}" for place in hunt.leaks(text_of(cleaned.after()), file.plants)}
        lines += [f"{number} {Path(file.path).suffix} {place}" for place in sorted(places)]
    return lines


def test_the_search_finds_what_is_planted(corpus: Corpus) -> None:
    """The judge itself: in the sources the same search finds every word."""
    hunt = Hunt(corpus.plants)
    assert KEY.shift_days(PATIENT, corpus.issuer) % 7, "planted dates are Mondays; no shift may move one onto another"
    missed, places = [], 0
    for file in corpus.files:
        if file.path.endswith((".zip", ".tar.gz")):
            continue
        found = set(hunt.leaks((corpus.root / file.path).read_bytes(), file.plants)) | set(
            hunt.leaks(file.path.encode(), file.plants)
        )
        expected = {plant.where for plant in file.plants}
        places += len(expected)
        missed += sorted(expected - found)
    print(f"{len(corpus.files)} files, {len(corpus.plants)} planted words, {places} places, {len(missed)} overwritten")
    assert len(missed) < (1 - FINDABLE) * places, missed


def test_nothing_planted_is_left(corpus: Corpus, research: Files) -> None:
    lines = found_in(Hunt(corpus.plants), research)
    released = sum(not cleaned.held for _, cleaned in research)
    print(f"{len(corpus.plants)} planted words in {len(research)} files: {released} released, {len(lines)} words left")
    assert not lines, "\n".join(lines)


def test_each_file_is_released_or_held_as_it_should(research: Files) -> None:
    """A door that holds everything leaks nothing either."""
    wrong = [
        f"{number} {Path(file.path).suffix}: {cleaned.held or 'released'}, not {'/'.join(sorted(file.expect))}; {cleaned.outcome}"
        for number, (file, cleaned) in enumerate(research)
        if (cleaned.held or "released") not in file.expect
    ]
    assert not wrong, "\n".join(wrong)


def test_held_files_leave_nothing_behind(research: Files) -> None:
    assert not [cleaned.target for _, cleaned in research if cleaned.held and cleaned.target.exists()]


def test_names_of_files_are_neutral(research: Files) -> None:
    paths = [cleaned.outcome.path for _, cleaned in research if not cleaned.held]
    assert len(set(paths)) == len(paths)
    assert not [path for path in paths if path.startswith("/") or ".." in path or not path.isascii() or " " in path]


def test_the_basic_profile_leaves_nothing(corpus: Corpus, tmp_path: Path) -> None:
    lines = found_in(Hunt(corpus.plants), all_cleaned(corpus, tmp_path, "basic"))
    assert not lines, "\n".join(lines)


def test_a_released_screen_shows_its_pixels_and_nothing_else(corpus: Corpus, tmp_path: Path) -> None:
    """A steward waives the pixels of a DICOM file; its header is cleaned as ever."""
    screens = Corpus(corpus.root, [file for file in corpus.files if file.expect & {"burned_in"}])
    files = all_cleaned(screens, tmp_path, waived=True)
    assert files
    assert not [cleaned.outcome for _, cleaned in files if cleaned.held]
    lines = found_in(Hunt(corpus.plants), files)
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("seed", [11, 12])
def test_other_words_in_other_places(tmp_path: Path, seed: int) -> None:
    """Words of other letters: none escapes for what it looks like."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        corpus = make_corpus(tmp_path / "in", seed)
        dicom = Corpus(corpus.root, [file for file in corpus.files if file.path.endswith(".dcm")][::3])
        lines = found_in(Hunt(corpus.plants), all_cleaned(dicom, tmp_path / "out"))
    assert not lines, "\n".join(lines)
