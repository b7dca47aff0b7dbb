"""PNG and JPEG: texts go, pixels stay, and a picture in which text is seen is held."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from support.cleanable import KEY, TOKEN, WhiteFinder, jpeg_of, tissue
from voxelhub_service.deid import jpeg, png
from voxelhub_service.deid.isolated import isolated
from voxelhub_service.deid.outcome import Held, Released
from voxelhub_service.deid.pictures import clean_picture
from voxelhub_service.deid.pixels import FinderFailed


def png_of(image: Image.Image, **named: Any) -> bytes:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", TOKEN)
    texts.add_text("Comment", TOKEN, zip=True)
    texts.add_itxt("Title", TOKEN)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=texts, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0" + TOKEN.encode(), **named)
    data = buffer.getvalue()
    chunk = b"prVt" + TOKEN.encode()
    private = struct.pack(">I", len(TOKEN)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[:33] + private + data[33:] + TOKEN.encode()


def cleaned(data: bytes, folder: Path, **named: Any) -> tuple[Any, Path]:
    source, target = folder / "source", folder / "clean"
    source.write_bytes(data)
    target.unlink(missing_ok=True)
    outcome = clean_picture(source, target, key=KEY, **named)
    assert target.exists() == isinstance(outcome, Released)
    return outcome, target


def modes() -> list[Image.Image]:
    colour = Image.fromarray(tissue(37, 61))
    wide = Image.fromarray(np.arange(37 * 61, dtype=np.uint16).reshape(37, 61) * 20)
    return [
        colour,
        colour.convert("L"),
        colour.convert("P"),
        colour.convert("1"),
        colour.convert("RGBA"),
        colour.convert("LA"),
        wide,
    ]


@pytest.mark.parametrize("number", range(7))
def test_png_pixels_stay_and_are_what_a_reader_sees(tmp_path: Path, number: int) -> None:
    image = modes()[number]
    data = png_of(image)
    outcome, target = cleaned(data, tmp_path, waived=True)
    assert isinstance(outcome, Released) and TOKEN.encode() not in target.read_bytes()
    with Image.open(target) as after:
        assert (
            after.mode == Image.open(io.BytesIO(data)).mode
            and np.array_equal(np.asarray(after), np.asarray(image))
            and not after.info.get("Author")
        )
    ours = png.pixels(png.parsed(data))
    theirs = np.asarray(image.convert("RGB") if image.mode == "P" else image.convert("L") if image.mode == "1" else image)
    assert np.array_equal(ours, theirs.reshape(ours.shape))


def test_interlaced_png(tmp_path: Path) -> None:
    """Adam7 by hand: no writer at hand makes one."""
    image = tissue(13, 11)
    raw = b"".join(
        b"".join(b"\0" + image[row, column::right].tobytes() for row in range(first, 13, down))
        for first, column, down, right in png.ADAM7
    )
    picture = png.Png(11, 13, 8, 2, True, packed=zlib.compress(raw))
    data = picture.written()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), image)
    assert np.array_equal(png.pixels(png.parsed(data)), image)


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_texts_go_and_pixels_stay(tmp_path: Path, progressive: bool) -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = TOKEN, 6
    Image.fromarray(tissue(64, 80)).save(
        buffer, "JPEG", comment=TOKEN.encode(), exif=exif, progressive=progressive, icc_profile=TOKEN.encode() * 9
    )
    data = buffer.getvalue() + TOKEN.encode()
    outcome, target = cleaned(data, tmp_path, finder=WhiteFinder())
    assert isinstance(outcome, Released), outcome
    assert TOKEN.encode() not in target.read_bytes()
    with Image.open(io.BytesIO(data)) as before, Image.open(target) as after:
        assert np.array_equal(np.asarray(before), np.asarray(after))
        assert after.getexif().get(0x0112) == 6 and len(after.getexif()) == 1  # or the picture would turn


def test_segments_that_hide_something_are_refused() -> None:
    data = jpeg_of(tissue(16, 16), planted=False)
    at = data.index(b"\xff\xdb")
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    hidden = (
        data[: at + 2] + struct.pack(">H", length + 10) + data[at + 4 : at + 2 + length] + b"SMITH^JOHN" + data[at + 2 + length :]
    )
    with pytest.raises(jpeg.Broken):
        jpeg.stripped(hidden)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_text_in_the_pixels_holds_a_picture(tmp_path: Path, kind: str) -> None:
    lit = np.zeros((64, 64, 3), np.uint8)
    lit[16:48, 16:48] = 255
    for image, finder, code in (
        (lit, WhiteFinder(), "text_in_pixels"),
        (lit, None, "no_region_rule"),
        (tissue(64, 64), WhiteFinder(), ""),
    ):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, kind)
        outcome, _ = cleaned(buffer.getvalue(), tmp_path, finder=finder)
        assert (outcome.code if isinstance(outcome, Held) else "") == code
        assert isinstance(cleaned(buffer.getvalue(), tmp_path, finder=finder, waived=True)[0], Released)


def test_a_reader_that_fails_holds_the_picture(tmp_path: Path) -> None:
    class Failing:
        def find(self, image: np.ndarray) -> list[Any]:
            raise FinderFailed(TOKEN)

    buffer = io.BytesIO()
    Image.fromarray(tissue(32, 32)).save(buffer, "PNG")
    outcome, _ = cleaned(buffer.getvalue(), tmp_path, finder=Failing())
    assert isinstance(outcome, Held) and outcome.code == "no_region_rule" and outcome.releasable and TOKEN not in repr(outcome)


def test_text_in_the_opacity_is_seen(tmp_path: Path) -> None:
    image = np.zeros((32, 32, 4), np.uint8)
    image[8:16, 8:16, 3] = 255
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    outcome, _ = cleaned(buffer.getvalue(), tmp_path, finder=WhiteFinder())
    assert isinstance(outcome, Held) and outcome.code == "text_in_pixels"


@settings(max_examples=200, deadline=None)
@given(
    flips=st.lists(st.tuples(st.integers(0, 2**14), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 3000),
    as_png=st.booleans(),
)
def test_damage_never_raises(tmp_path: Path, flips: list[tuple[int, int]], cut: int, as_png: bool) -> None:
    data = bytearray(png_of(Image.fromarray(tissue(20, 20))) if as_png else jpeg_of(tissue(20, 20)))
    for at, value in flips:
        data[2 + at % (len(data) - 2)] = value
    outcome, target = cleaned(bytes(data[: max(len(data) - cut, 2)]), tmp_path, waived=True)
    if isinstance(outcome, Released) and not flips:
        assert TOKEN.encode() not in target.read_bytes()


def test_a_decoder_that_dies_takes_nothing_with_it() -> None:
    image = tissue(20, 30)
    decoded = isolated(lambda: (image, "grey"))
    assert decoded is not None and np.array_equal(decoded[0], image) and decoded[1] == "grey"
    assert isolated(os.abort) is None  # type: ignore[arg-type]
    assert isolated(lambda: (image / 0 if jpeg.stripped(b"") else image, "")) is None
