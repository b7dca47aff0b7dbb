"""The attacks find what is to be found, and nothing in opaque names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voxelhub_planner import PlannerError
from voxelhub_planner.attack import coordinate_attack, order_leak, pca_encoding, recover_coordinates
from voxelhub_planner.sealing import encode, opaque_ids

GRID = np.argwhere(np.ones((40, 31))) + np.array([7, 90])
RASTER = np.lexsort((GRID[:, 0], GRID[:, 1]))


def test_three_known_patches_break_the_pca_encoding() -> None:
    assert coordinate_attack(GRID, pca_encoding(GRID, seed=5), known=3).recovered == 1.0
    assert coordinate_attack(GRID, pca_encoding(GRID, seed=5), known=2).recovered < 0.2


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31))
def test_any_affine_encoding_falls_to_three(seed: int) -> None:
    random = np.random.default_rng(seed)
    turn = random.normal(size=(2, 2)) + 2 * np.eye(2)
    if abs(np.linalg.det(turn)) > 0.1:
        assert coordinate_attack(GRID, GRID @ turn + random.normal(size=2), known=3, seed=seed).recovered == 1.0


@pytest.mark.parametrize("known", [3, 10, 300])
def test_opaque_names_in_keyed_order_give_no_more_than_chance(known: int) -> None:
    """Over many keys: placed exactly no more often than by guessing, and ranks that follow nothing."""
    right, like = [], []
    for n in range(20):
        names = opaque_ids(GRID, bytes([n] * 32), "s")
        order = np.argsort(names)
        found = coordinate_attack(GRID[order], [names[i] for i in order], known=known, seed=n)
        right.append(found.recovered)
        like.append(found.correlation)
    assert np.mean(right) < 5 / len(GRID)
    assert np.mean(like) < 0.1


def test_names_in_raster_order_are_found_out_by_their_order() -> None:
    """Why the order is keyed, too."""
    names = np.array(opaque_ids(GRID, bytes(32), "s"))[RASTER]
    found = coordinate_attack(GRID[RASTER], names, known=10)
    assert (found.hypothesis, found.correlation > 0.4) == ("order", True)


def test_the_order_of_a_folder_does_not_follow_the_slide() -> None:
    labels = np.zeros(len(GRID), int)
    raster, keyed = order_leak(GRID, RASTER.tolist()), order_leak(GRID, encode(GRID, labels, bytes(32), "s").order(0))
    assert raster.touching > 0.95
    assert keyed.touching < 4 * keyed.chance
    assert keyed.chance == pytest.approx(8 / len(GRID), rel=0.1)


def test_the_fit_is_least_squares() -> None:
    random = np.random.default_rng(0)
    features, places = random.normal(size=(50, 3)), random.normal(size=(20, 2))
    found = recover_coordinates(features, range(20), places)
    design = np.hstack([np.ones((20, 1)), features[:20]])
    assert np.allclose(design.T @ (found[:20] - places), 0)


@pytest.mark.parametrize(("encoded", "known"), [
    (GRID, 0), (GRID, len(GRID)), (GRID[:5], 3), (np.full(len(GRID), np.nan), 3), ([{}] * len(GRID), 3)])
def test_bad_input_is_refused_with_a_sentence(encoded: object, known: int) -> None:
    with pytest.raises(PlannerError, match=r"\."):
        coordinate_attack(GRID, encoded, known=known)  # type: ignore[arg-type]
