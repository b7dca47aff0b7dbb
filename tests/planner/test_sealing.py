"""What is sealed says nothing of its place without the key; what comes back is the unsplit result, or is refused by name."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from voxelhub_planner import PlannerError, png, split
from voxelhub_planner import manifest as table
from voxelhub_planner.sealing import (
    Manifest,
    decode,
    encode,
    joined_mask,
    new_key,
    opaque_ids,
    open_fragments,
    open_manifest,
    open_results,
    read_key,
    read_results,
    seal,
    write_key,
)

KEY = bytes(range(32))
CORNER = np.array([40, 9])
CELLS = np.array([[x, y] for y in range(5) for x in range(7) if (x, y) not in ((0, 0), (3, 2))]) + CORNER


def image() -> np.ndarray:
    """Pixels of the whole box, so that patches and joined results have something to be equal to."""
    return np.random.default_rng(5).integers(0, 256, (5 * 16, 7 * 16, 3), dtype=np.uint8)


def patches() -> list[np.ndarray]:
    return [image()[y * 16:y * 16 + 16, x * 16:x * 16 + 16] for x, y in (CELLS - CORNER).tolist()]


def a_seal(folder: Path, **options: object) -> tuple[Manifest, Path, Path]:
    fragments, manifest = folder / "out", folder / "manifest"
    return seal(patches(), CELLS, split(CELLS), KEY, "slide-17", fragments, manifest, **options), fragments, manifest  # type: ignore[arg-type]


def answers(fragments: Path) -> dict[str, dict[str, int]]:
    """A node's work, from its folder alone: one number a patch."""
    return {home.name: {file.stem: int(png.decoded(file.read_bytes()).sum()) for file in home.iterdir()}
            for home in fragments.iterdir()}


def grid_of(count: int, seed: int) -> np.ndarray:
    side = int(np.ceil(np.sqrt(count * 1.6)))
    chosen = np.sort(np.random.default_rng(seed).choice(side * side, count, replace=False))
    return np.stack([chosen % side, chosen // side], axis=1)


@pytest.mark.parametrize("names", ["hmac", "random"])
@pytest.mark.parametrize("count", [1, 2, 7919, 9000, 100_000])
def test_decoding_undoes_encoding(count: int, names: str) -> None:
    cells = grid_of(count, count)
    one = encode(cells, split(cells, "even", seed=2), KEY, "a", names)
    assert len(set(one.names)) == count
    again = table.opened(table.sealed(one, KEY), KEY)
    shuffled = np.random.default_rng(1).permutation(count)
    assert np.array_equal(decode(again, [one.names[i] for i in shuffled]), cells[shuffled])
    assert np.array_equal(again.labels, one.labels)


@settings(deadline=None, max_examples=60)
@given(st.sets(st.tuples(*[st.integers(-(2**40), 2**40)] * 2), min_size=1, max_size=30), st.text(min_size=1))
def test_any_cells_and_any_slide_id_come_back(places: set[tuple[int, int]], slide: str) -> None:
    cells = np.array(sorted(places))
    one = encode(cells, np.zeros(len(cells), int), KEY, slide.encode(errors="replace").decode())
    again = table.opened(table.sealed(one, KEY), KEY)
    assert np.array_equal(decode(again, one.names), cells)
    assert again.slide_id == one.slide_id


def test_names_depend_on_key_slide_and_place() -> None:
    one = opaque_ids(CELLS, KEY, "a")
    assert one == opaque_ids(CELLS, KEY, "a")
    assert not set(one) & (set(opaque_ids(CELLS, new_key(), "a")) | set(opaque_ids(CELLS, KEY, "b")))
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in one)


def test_nothing_but_pixels_and_tokens_leaves(tmp_path: Path) -> None:
    _, fragments, manifest = a_seal(tmp_path)
    for file in fragments.rglob("*"):
        assert file.stat().st_mtime == 315532800
        assert len(file.stem) == 32
        if file.is_file():
            with Image.open(file) as read:  # an independent reader: our own may have missed a chunk
                assert (read.format, read.info, dict(read.getexif())) == ("PNG", {}, {})
    assert all(b"slide-17" not in file.read_bytes() for file in [manifest, *fragments.rglob("*.png")])
    assert set(json.loads(manifest.read_bytes().split(b"\n")[0])) == {"format", "nonce", "key_check"}


def test_exif_profile_and_comment_of_a_source_do_not_survive(tmp_path: Path) -> None:
    dirty = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "patient DOE"
    Image.fromarray(patches()[0]).save(dirty, "TIFF", exif=exif, icc_profile=b"profile of DOE", description="DOE")
    assert b"DOE" in dirty.getvalue()
    clean = np.asarray(Image.open(dirty))
    seal([clean], [[0, 0]], [0], KEY, "s", tmp_path / "out", tmp_path / "m")
    (file,) = (tmp_path / "out").rglob("*.png")
    assert b"DOE" not in file.read_bytes()
    assert np.array_equal(np.asarray(Image.open(file)), clean)


@pytest.mark.parametrize("names", ["hmac", "random"])
def test_results_come_back_as_if_nothing_had_been_split(tmp_path: Path, names: str) -> None:
    _, fragments, file = a_seal(tmp_path, names=names)
    found = open_results(answers(fragments).items(), open_manifest(file, KEY))
    assert found.values == [int(patch.sum()) for patch in patches()]
    assert np.array_equal(found.cells, CELLS)
    assert all(np.array_equal(one, other) for one, other in
               zip(open_fragments(fragments, open_manifest(file, KEY)).values, patches(), strict=True))


@pytest.mark.parametrize("trim", [0, 3])
def test_masks_join_to_the_unsplit_mask(tmp_path: Path, trim: int) -> None:
    _, fragments, file = a_seal(tmp_path, trim=trim)
    for home in fragments.iterdir():
        masks = tmp_path / "back" / home.name
        masks.mkdir(parents=True)
        for patch in home.iterdir():
            np.save(masks / f"{patch.stem}.npy", png.decoded(patch.read_bytes())[:, :, 0] > 99)
    known = open_manifest(file, KEY)
    joined = joined_mask(open_results(map(read_results, (tmp_path / "back").iterdir()), known).values, known)
    inside = np.zeros(image().shape[:2], bool)
    for x, y in (CELLS - CORNER).tolist():
        inside[y * 16 + trim:y * 16 + 16 - trim, x * 16 + trim:x * 16 + 16 - trim] = True
    assert np.array_equal(joined, (image()[:, :, 0] > 99) & inside)
    assert joined.any()


def test_sealing_again_gives_the_same_bytes_and_never_overwrites(tmp_path: Path) -> None:
    _, fragments, manifest = a_seal(tmp_path)
    with pytest.raises(PlannerError, match="there already"):
        a_seal(tmp_path)
    before = {file.relative_to(fragments): file.read_bytes() for file in fragments.rglob("*.png")}
    shutil.rmtree(fragments)
    kept = manifest.read_bytes()
    with pytest.raises(PlannerError, match="never overwritten"):
        a_seal(tmp_path)
    assert (manifest.read_bytes(), fragments.exists()) == (kept, False)
    manifest.unlink()
    (tmp_path / "out.part").mkdir()  # as a killed run leaves it
    a_seal(tmp_path)
    assert before == {file.relative_to(fragments): file.read_bytes() for file in fragments.rglob("*.png")}
    assert {file.name for file in tmp_path.iterdir()} == {"out", "manifest"}


# Seals 20 patches; is killed as it reads the patch of this number.
KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from voxelhub_planner.sealing import seal
class Patches:
    read = 0
    def __len__(self):
        return 20
    def __getitem__(self, index):
        self.read += 1
        if self.read == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        return np.full((8, 8, 3), index, np.uint8)
cells = [[x, 0] for x in range(20)]
seal(Patches(), cells, [x % 5 for x in range(20)], bytes(32), "s", Path("out"), Path("manifest"))
"""


def test_a_seal_that_is_killed_shows_no_half_of_it_and_is_done_again(tmp_path: Path) -> None:
    for read in (1, 10, 20):
        assert subprocess.run([sys.executable, "-c", KILLED, str(read)], cwd=tmp_path).returncode == -9
        assert {file.name for file in tmp_path.iterdir()} == {"out.part"}
    subprocess.run([sys.executable, "-c", KILLED, "0"], cwd=tmp_path, check=True)
    assert {file.name for file in tmp_path.iterdir()} == {"out", "manifest"}
    found = open_fragments(tmp_path / "out", open_manifest(tmp_path / "manifest", bytes(32)))
    assert [int(patch[0, 0, 0]) for patch in found.values] == list(range(20))


def test_a_seal_that_fails_leaves_nothing(tmp_path: Path) -> None:
    uneven = [*patches()[:-1], np.zeros((8, 8, 3), np.uint8)]
    with pytest.raises(PlannerError, match="one size"):
        seal(uneven, CELLS, split(CELLS), KEY, "s", tmp_path / "out", tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_what_was_done_to_fragments_is_said_by_name(tmp_path: Path) -> None:
    known, fragments, _ = a_seal(tmp_path)
    home = fragments / known.fragments[0]
    file = next(home.iterdir())
    content = file.read_bytes()

    def refused(*words: str) -> None:
        with pytest.raises(PlannerError) as caught:
            open_fragments(fragments, known)
        assert all(word in str(caught.value) for word in words), caught.value

    changed = png.decoded(content).copy()
    changed[0, 0, 0] ^= 1
    file.write_bytes(png.encoded(changed))
    refused(home.name, file.stem, "altered")
    file.unlink()
    refused(home.name, file.stem, "is not in it")
    file.write_bytes(content)
    (home / "0.png").write_bytes(content)
    refused(home.name, "0.png", "not sealed")
    (home / "0.png").unlink()
    (fragments / "other").mkdir()
    refused("other", "not sealed")
    (fragments / "other").rmdir()
    assert len(open_fragments(fragments, known).values) == len(CELLS)
    home.rename(tmp_path / "away")
    refused(home.name, "is not in the folder")


def test_results_that_do_not_fit_are_refused_by_name(tmp_path: Path) -> None:
    known, fragments, _ = a_seal(tmp_path)
    good = answers(fragments)
    name = known.fragments[0]
    patch = next(iter(good[name]))

    def refused(results: list[tuple[str, dict[str, int]]], *words: str) -> None:
        with pytest.raises(PlannerError) as caught:
            open_results(results, known)
        assert all(word in str(caught.value) for word in words), caught.value

    items = list(good.items())
    refused([*items, (name, good[name])], name, "twice")
    refused([(key, value) for key, value in items if key != name], name, "is not there")
    refused([*items, ("f" * 32, {})], "f" * 32, "none of this manifest")
    refused([(key, {k: v for k, v in value.items() if k != patch}) for key, value in items], name, patch, "is not in it")
    refused([(key, value | {"stranger": 1}) for key, value in items], "stranger", "not sealed")
    swapped = dict(zip(good, [*list(good.values())[1:], next(iter(good.values()))], strict=True))
    refused(list(swapped.items()), "is not in it")


def test_a_result_file_is_checked_as_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"format": "voxelhub-results/1", "fragment": "f", "results": {"p": 1, "p": 2}}')
    with pytest.raises(PlannerError, match="p twice"):
        read_results(file)
    for content in ("{", "[]", '{"format": "other", "fragment": "f", "results": {}}'):
        file.write_text(content)
        with pytest.raises(PlannerError, match=r"a\.json"):
            read_results(file)
    file.write_text(json.dumps({"format": "voxelhub-results/1", "fragment": "f", "results": {"p": [1, 2]}}))
    assert read_results(file) == ("f", {"p": [1, 2]})
    (tmp_path / "f").mkdir()
    np.save(tmp_path / "f" / "p.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(PlannerError, match=r"p\.npy"):
        read_results(tmp_path / "f")


def test_masks_of_another_shape_are_refused_by_name(tmp_path: Path) -> None:
    known, _, _ = a_seal(tmp_path)
    masks = [np.zeros((16, 16), np.uint8) for _ in CELLS]
    masks[3] = np.zeros((15, 16), np.uint8)
    with pytest.raises(PlannerError, match=known.names[3]):
        joined_mask(masks, known)


def test_every_altered_byte_of_a_manifest_is_noticed() -> None:
    content = table.sealed(encode([[0, 0], [1, 0]], [0, 1], KEY, "s"), KEY)
    for at in range(len(content)):
        with pytest.raises(PlannerError, match=r"another key|altered|not a manifest"):
            table.opened(content[:at] + bytes([content[at] ^ 1]) + content[at + 1:], KEY)
    for cut in (0, 10, len(content) - 1):
        with pytest.raises(PlannerError):
            table.opened(content[:cut], KEY)


def test_a_wrong_or_lost_key_says_so(tmp_path: Path) -> None:
    _, _, manifest = a_seal(tmp_path)
    with pytest.raises(PlannerError, match="another key"):
        open_manifest(manifest, new_key())
    with pytest.raises(PlannerError, match=r"key is not there.*Without it"):
        read_key(tmp_path / "key")
    write_key(tmp_path / "key", KEY)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert read_key(tmp_path / "key") == KEY
    with pytest.raises(PlannerError, match="never overwritten"):
        write_key(tmp_path / "key", new_key())
    for content in ("", "00" * 31, "not hexadecimal"):
        (tmp_path / "key").write_text(content)
        with pytest.raises(PlannerError, match="not a key"):
            read_key(tmp_path / "key")


@pytest.mark.parametrize(("change", "words"), [
    ({"key": b"short"}, "32 bytes"), ({"slide_id": ""}, "slide_id"), ({"trim": 8}, "trim"), ({"trim": -1}, "trim"),
    ({"names": "plain"}, "names"), ({"labels": [0]}, "labels"), ({"patches": []}, "0 patches"),
    ({"patches": [np.zeros((16, 16, 4), np.uint8)] * len(CELLS)}, "8 bits"),
    ({"patches": [np.zeros((16, 16, 3))] * len(CELLS)}, "8 bits"),
])
def test_bad_input_is_refused_with_a_sentence(tmp_path: Path, change: dict[str, object], words: str) -> None:
    given: dict[str, object] = {
        "patches": patches(), "cells": CELLS, "labels": split(CELLS), "key": KEY, "slide_id": "s", "folder": tmp_path / "out",
        "manifest": tmp_path / "m"}
    with pytest.raises(PlannerError, match=words):
        seal(**(given | change))  # type: ignore[arg-type]


def test_the_manifest_stays_outside_what_is_sent(tmp_path: Path) -> None:
    with pytest.raises(PlannerError, match="must not lie"):
        seal(patches(), CELLS, split(CELLS), KEY, "s", tmp_path / "out", tmp_path / "out" / "m")


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([(), (3,)]), st.integers(0, 2**31))
def test_png_keeps_every_pixel_and_others_read_it(height: int, width: int, channels: tuple[int, ...], seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, *channels), dtype=np.uint8)
    content = png.encoded(pixels)
    assert np.array_equal(png.decoded(content), pixels)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), pixels)


def test_a_manifest_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        encode([[0, 0]], [0], KEY, "s").trim = 1  # type: ignore[misc]


@pytest.mark.parametrize("names", ["hmac", "random"])
def test_dummies_make_counts_equal_and_are_gone_when_opened(tmp_path: Path, names: str) -> None:
    labels = np.where(np.arange(len(CELLS)) < 4, 0, np.where(np.arange(len(CELLS)) < 11, 1, 2))
    out, file = tmp_path / "out", tmp_path / "manifest"
    made = seal(patches(), CELLS, labels, KEY, "slide-17", out, file, names=names, dummies=25)
    homes = sorted(out.iterdir())
    assert [len(list(home.iterdir())) for home in homes] == [25, 25, 25]
    assert len(made.dummies) == 75 - len(CELLS)
    assert all(len(path.stem) == 32 and path.stat().st_mtime == 315532800 for path in out.rglob("*.png"))
    known = open_manifest(file, KEY)
    assert known.dummies == made.dummies
    opened = open_fragments(out, known)
    assert all(np.array_equal(one, other) for one, other in zip(opened.values, patches(), strict=True))
    results = answers(out)
    found = open_results(results.items(), known)
    assert found.values == [int(one.sum()) for one in patches()]
    sources = {home.name: {tuple(sorted(png.decoded(path.read_bytes()).ravel().tolist())) for path in home.iterdir()
                           if path.stem in known.places} for home in homes}
    for label, name, _ in known.dummies:  # nothing that the fragment does not hold anyway
        home = known.fragments[label]
        assert tuple(sorted(png.decoded((out / home / f"{name}.png").read_bytes()).ravel().tolist())) in sources[home]

    label, name, _ = known.dummies[0]
    path = out / known.fragments[label] / f"{name}.png"
    path.write_bytes(png.encoded(np.zeros((16, 16, 3), np.uint8)))
    with pytest.raises(PlannerError, match=f"{name} was altered"):
        open_fragments(out, known)
    del results[known.fragments[label]][name]
    with pytest.raises(PlannerError, match=f"{name} is not in it"):
        open_results(results.items(), known)


def test_dummies_are_the_same_when_a_slide_is_sealed_again(tmp_path: Path) -> None:
    made = [seal(patches(), CELLS, split(CELLS), KEY, "slide-17", tmp_path / name, tmp_path / f"{name}-m", dummies=9)
            for name in ("a", "b")]
    assert made[0].dummies == made[1].dummies != ()
    with pytest.raises(PlannerError, match="cannot fill up to 6"):
        seal(patches(), CELLS, split(CELLS), KEY, "slide-17", tmp_path / "c", tmp_path / "c-m", dummies=6)
    assert not (tmp_path / "c").exists()
    none = seal(patches()[:1], CELLS[:1], [0], KEY, "slide-17", tmp_path / "d", tmp_path / "d-m", dummies=0)
    assert none.dummies == ()
