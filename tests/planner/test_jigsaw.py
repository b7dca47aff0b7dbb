"""The jigsaw self-test finds what touches where it can be found, counts it against the truth, and orders the splits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from voxelhub_planner import PlannerError, leakage, split
from voxelhub_planner.jigsaw import jigsaw_selftest, matches

SIZE = 16


def textured(columns: int = 24, rows: int = 20, seed: int = 2) -> tuple[list[np.ndarray], np.ndarray]:
    """Patches of a smooth random texture, and their cells: neighbours go on across the border, as tissue does."""
    noise = np.random.default_rng(seed).normal(size=(rows * SIZE, columns * SIZE, 3))
    smooth = gaussian_filter(noise, (2.5, 2.5, 0))
    image = np.clip(128 + 900 * smooth, 0, 255).astype(np.uint8)
    cells = np.array([(x, y) for y in range(rows) for x in range(columns)])
    return [image[y * SIZE:(y + 1) * SIZE, x * SIZE:(x + 1) * SIZE] for x, y in cells.tolist()], cells


def contiguous(cells: np.ndarray) -> np.ndarray:
    """Five strips of equal size."""
    labels = np.empty(len(cells), int)
    labels[np.lexsort((cells[:, 1], cells[:, 0]))] = np.arange(len(cells)) * 5 // len(cells)
    return labels


def test_an_unsplit_slide_is_put_together() -> None:
    patches, cells = textured()
    found = jigsaw_selftest(patches, cells, np.zeros(len(cells), int))
    assert found.everything.recall > 0.95
    assert found.everything.precision > 0.95
    assert found.worst_pair == found.alone[0]
    assert found.everything.right <= 24 * 19 + 23 * 20 == round(found.everything.right / found.everything.recall)


def test_the_order_of_splits_is_that_of_what_two_parties_see() -> None:
    patches, cells = textured()
    splits = {name: split(cells, name, seed=1) for name in ("lattice5", "rs8", "even", "rs4")} | {"strips": contiguous(cells)}
    worst = {name: jigsaw_selftest(patches, cells, labels).worst_pair for name, labels in splits.items()}
    recall = {name: found.recall for name, found in worst.items()}
    assert max(recall["lattice5"], recall["rs8"]) < recall["even"] < recall["strips"] < recall["rs4"]
    for name, labels in splits.items():  # pairs with a common edge: about the share that leakage counts for edges and corners
        assert worst[name].recall == pytest.approx(leakage(cells, labels).worst_pair, abs=0.06)
    assert worst["lattice5"].recall < 0.12


def test_a_trimmed_border_takes_most_of_it_away() -> None:
    patches, cells = textured()
    whole, cut = (jigsaw_selftest(patches, cells, np.zeros(len(cells), int), trim=trim).everything for trim in (0, 4))
    assert cut.recall < whole.recall / 2


def test_parties_that_belong_together_find_together() -> None:
    patches, cells = textured()
    labels = split(cells, "lattice5")
    joined = jigsaw_selftest(patches, cells, labels, ["a", "b", "a", "b", "a"])
    assert [one.parties for one in joined.alone] == [("a",), ("b",)]
    assert joined.worst_pair.recall == joined.everything.recall > jigsaw_selftest(patches, cells, labels).worst_pair.recall
    assert joined.alone[0].recall > 0.1  # three fifths of the lattice: neighbours are among them


def test_noise_that_does_not_go_on_is_not_put_together() -> None:
    cells = textured()[1]
    noise = np.random.default_rng(1).integers(0, 256, (len(cells), SIZE, SIZE, 3), dtype=np.uint8)
    found = jigsaw_selftest(list(noise), cells, np.zeros(len(cells), int)).everything
    assert (found.recall < 0.02, found.precision < 0.05) == (True, True)


def test_mutual_matches_are_their_definition_whatever_the_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(8)
    one, other = random.normal(size=(2, 61, 5)).astype(np.float32)
    table = ((one[:, None].astype(float) - other[None]) ** 2).sum(axis=2)
    np.fill_diagonal(table, np.inf)
    expected = [(i, int(table[i].argmin())) for i in range(61) if table[:, table[i].argmin()].argmin() == i]
    for rows in (7, 61, 2048):
        monkeypatch.setattr("voxelhub_planner.jigsaw.ROWS", rows)
        assert matches(one, other).tolist() == [list(pair) for pair in expected]


@pytest.mark.parametrize(("change", "words"), [
    ({"labels": [0]}, "one patch"), ({"patches": []}, "one patch"), ({"trim": 8}, "trim"), ({"domains": ["a"]}, "domains")])
def test_bad_input_is_refused_with_a_sentence(change: dict[str, object], words: str) -> None:
    patches, cells = textured(4, 3)
    given: dict[str, object] = {"patches": patches, "cells": cells, "labels": split(cells)}
    with pytest.raises(PlannerError, match=words):
        jigsaw_selftest(**(given | change))  # type: ignore[arg-type]
