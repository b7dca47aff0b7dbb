"""Slides: label, macro and every text are gone from the bytes; the tissue is the same in OpenSlide, pixel for pixel."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.cleanable import KEY, TOKEN, WhiteFinder, ascii_tag, jpeg_of, page_of, shared, tiff_of, tissue
from voxelhub_service.deid.descriptions import aperio, ome
from voxelhub_service.deid.outcome import Held, Released
from voxelhub_service.deid.slides import clean_slide

TEXT_TAGS = (
    269,
    271,
    272,
    285,
    305,
    306,
    315,
    316,
    337,
    700,
    33432,
    33723,
    34377,
    34675,
    37724,
    50838,
    50839,
    65000,
    65421 - 500,
)
BASE, SMALL, LABEL, MACRO = (512, 768), (256, 384), (120, 150), (90, 270)


def scanned(order: str = "<", big: bool = False, words: bool = True) -> bytes:
    """Like Aperio's, with the word in all its corners; without `words` like scanners that do not name their label and macro."""
    texts = {code: ascii_tag(f"{TOKEN} {code}") for code in TEXT_TAGS}
    tables = jpeg_of(tissue(16, 16))[: -len(TOKEN)]

    def said(text: str) -> dict[int, tuple[int, int, bytes]]:
        head = "Aperio Image Library v11.2.1 \r\n"
        fields = (
            f"|AppMag = 20|MPP = 0.4990|Filename = {TOKEN}|User = {TOKEN}|Date = 12/29/09|ScanScope ID = {TOKEN}|Left = {TOKEN}"
        )
        return texts | {270: ascii_tag(head + text + fields)}

    rows, columns = BASE
    pages = [
        page_of(
            tissue(*BASE),
            tile=256,
            order=order,
            more=said(f"{columns}x{rows} [0,0 {columns}x{rows}] (256x256) JPEG/RGB Q=30;{TOKEN}"),
        ),
        page_of(tissue(128, 192), order=order, more=said(f"{columns}x{rows} -> 192x128 - ;{TOKEN}")),
        page_of(
            tissue(*SMALL), tile=256, order=order, more=said(f"{columns}x{rows} (256x256) -> {SMALL[1]}x{SMALL[0]} JPEG/RGB Q=30")
        ),
        page_of(tissue(*LABEL, seed=3), order=order, more=said("label 150x120" if words else "150x120")),
        page_of(tissue(*MACRO, seed=4), order=order, more=said("macro 270x90" if words else "270x90")),
    ]
    assert TOKEN.encode() in tables
    return tiff_of(pages, order, big, slack=TOKEN.encode())


def cleaned(data: bytes, folder: Path, **named: object):  # type: ignore[no-untyped-def]
    source, target = folder / "source", folder / "clean.svs"
    source.write_bytes(data)
    target.unlink(missing_ok=True)
    outcome = clean_slide(source, target, key=KEY, **named)  # type: ignore[arg-type]
    assert target.exists() == isinstance(outcome, Released)
    return outcome, target


def same_levels(before: Path, after: Path) -> openslide.OpenSlide:
    a, b = openslide.OpenSlide(str(before)), openslide.OpenSlide(str(after))
    assert a.level_dimensions == b.level_dimensions
    for level, size in enumerate(a.level_dimensions):
        assert np.array_equal(np.asarray(a.read_region((0, 0), level, size)), np.asarray(b.read_region((0, 0), level, size)))
    return b


def frame(file: Path, number: int) -> np.ndarray:
    with Image.open(file) as picture:
        picture.seek(number)
        return np.asarray(picture)


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True), (">", True)])
def test_nothing_planted_is_left_and_the_tissue_is_the_same(tmp_path: Path, order: str, big: bool, words: bool) -> None:
    outcome, target = cleaned(scanned(order, big, words), tmp_path)
    assert isinstance(outcome, Released), outcome
    raw = target.read_bytes()
    assert TOKEN.encode() not in raw and b"12/29/09" not in raw and b"label" not in raw and b"macro" not in raw
    if order == ">" and not big:  # OpenSlide 4.0.1 opens no such file
        other, _ = tmp_path / "other.svs", target.rename(tmp_path / "other.svs")
        _, little = cleaned(scanned("<"), tmp_path)
        assert all(np.array_equal(frame(other, number), frame(little, number)) for number in range(3))
        target = other
    else:
        slide = same_levels(tmp_path / "source", target)
        assert slide.properties["openslide.vendor"] == "aperio"
        assert slide.properties["openslide.objective-power"] == "20" and slide.properties["openslide.mpp-x"].startswith("0.499")
        assert set(slide.associated_images) == {"thumbnail"}
    with tifffile.TiffFile(target) as tiff:
        assert len(tiff.pages) == 3
    assert outcome.report.actions["label, macro or unknown picture: removed"] == 2
    assert outcome.path.startswith("files/slide-") and outcome.path.endswith(".svs")


def test_bytes_of_the_removed_pictures_are_gone(tmp_path: Path) -> None:
    label = jpeg_of(tissue(*LABEL, seed=3), planted=False)
    middle = label[len(label) // 2 : len(label) // 2 + 200]
    data = scanned()
    assert middle in data
    _, target = cleaned(data, tmp_path)
    assert middle not in target.read_bytes()


def test_a_thumbnail_that_nothing_proves_is_removed(tmp_path: Path) -> None:
    """A label of the slide's own shape, in strips, without a word."""
    pages = [page_of(tissue(*BASE), tile=256, more={270: ascii_tag("Aperio\r\n768x512")}), page_of(tissue(128, 192))]
    outcome, target = cleaned(tiff_of(pages), tmp_path)
    assert isinstance(outcome, Released)
    assert not openslide.OpenSlide(str(target)).associated_images


def test_the_real_slide(tmp_path: Path) -> None:
    source = shared("wsi/CMU-1-Small-Region.svs")
    outcome, target = cleaned(source.read_bytes(), tmp_path)
    assert isinstance(outcome, Released)
    slide = same_levels(source, target)
    assert set(slide.associated_images) == {"thumbnail"}
    raw = target.read_bytes()
    for value in (b"CMU-1", b"b414003d", b"CPAPERIOCS", b"12/29/09", b"09:59:15", b"1004486"):
        assert value in source.read_bytes() and value not in raw


def test_a_tile_used_twice_is_written_once(tmp_path: Path) -> None:
    tags, segments = page_of(tissue(256, 512), tile=256, planted=False)
    data = bytearray(tiff_of([(tags, segments), page_of(tissue(128, 256), tile=256, planted=False)]))
    one, two = data.find(segments[0]), data.find(segments[1])
    assert data.count(struct.pack("<I", two)) == 1
    places = data.find(struct.pack("<II", one, two))
    data[places : places + 8] = struct.pack("<II", one, one)
    sizes = data.find(struct.pack("<II", len(segments[0]), len(segments[1])))
    data[sizes : sizes + 8] = struct.pack("<II", len(segments[0]), len(segments[0]))
    outcome, target = cleaned(bytes(data), tmp_path)
    assert isinstance(outcome, Released)
    assert target.stat().st_size < len(data) - len(segments[1]) // 2
    same_levels(tmp_path / "source", target)


def test_plain_pictures_are_read_for_text(tmp_path: Path) -> None:
    dark, lit = tissue(60, 80), tissue(60, 80).copy()
    lit[10:20, 10:40] = 255
    for compression in ("raw", "tiff_deflate", "tiff_lzw", "packbits"):
        for image, code in ((dark, None), (lit, "text_in_pixels")):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "TIFF", compression=None if compression == "raw" else compression,
                                        tiffinfo={270: TOKEN, 305: TOKEN})  # fmt: skip
            outcome, target = cleaned(buffer.getvalue(), tmp_path, finder=WhiteFinder())
            if code:
                assert isinstance(outcome, Held) and outcome.code == code, (compression, outcome)
                assert isinstance(cleaned(buffer.getvalue(), tmp_path, waived=True)[0], Released)
            else:
                assert isinstance(outcome, Released), (compression, outcome)
                assert TOKEN.encode() not in target.read_bytes()
                assert np.array_equal(np.asarray(Image.open(target)), image)
            assert isinstance(held := cleaned(buffer.getvalue(), tmp_path)[0], Held) and held.code == "no_region_rule"


def test_a_jpeg_strip_is_read_for_text(tmp_path: Path) -> None:
    lit = np.zeros((64, 64, 3), np.uint8)
    lit[16:48, 16:48] = 255
    for image, kind in ((lit, Held), (tissue(64, 64), Released)):
        assert isinstance(cleaned(tiff_of([page_of(image)]), tmp_path, finder=WhiteFinder())[0], kind)


@pytest.mark.parametrize("more", [{65420: (4, 1, b"\1\0\0\0")}, {270: ascii_tag("<scn xmlns='x'>")}, {305: ascii_tag("iScan 1")}])
def test_other_scanners_slides_are_held(tmp_path: Path, more: dict[int, tuple[int, int, bytes]]) -> None:
    outcome, _ = cleaned(tiff_of([page_of(tissue(*BASE), tile=256, more=more), page_of(tissue(*SMALL), tile=256)]), tmp_path)
    assert isinstance(outcome, Held) and outcome.code == "unknown_format"


def test_microscopes_xml_keeps_sizes_only() -> None:
    text = (
        f'<?xml version="1.0"?><OME Creator="{TOKEN}"><Experimenter UserName="{TOKEN}"/><Image Name="{TOKEN}">'
        f'<AcquisitionDate>2020</AcquisitionDate>'
        f'<Pixels ID="{TOKEN}" DimensionOrder="XYCZT" Type="uint8" SizeX="512" SizeY="256" '
        f'SizeZ="2" SizeC="3" SizeT="1" PhysicalSizeX="0.25" PhysicalSizeXUnit="µm" Extra="{TOKEN}">'
        '<Channel ID="Channel:0:0" SamplesPerPixel="3"/></Pixels></Image></OME>'
    )
    kept = ome.cleaned(text, 2)
    assert (
        TOKEN not in kept and 'SizeX="512"' in kept and 'PhysicalSizeX="0.25"' in kept and kept.isascii() and "2020" not in kept
    )
    assert ome.cleaned(text, 3) == ""


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_of_a_description_only_its_grammar_stays(text: str) -> None:
    kept = aperio.cleaned("Aperio" + text, 10, 20)
    assert (kept.isascii() and kept.startswith("Aperio Image Library \r\n")) or text.startswith((" Image Library", " Leica"))
    assert TOKEN not in aperio.cleaned(f"Aperio{text}{TOKEN}|AppMag = {TOKEN}|{TOKEN} = 1", 10, 20)


@settings(max_examples=120, deadline=None)
@given(flips=st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), max_size=8), cut=st.integers(0, 2**17))
def test_damage_never_raises(tmp_path: Path, flips: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(scanned())
    for at, value in flips:
        data[at % len(data)] = value
    cleaned(bytes(data[: len(data) - cut % len(data)]) or b"II*\0", tmp_path)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 400), value=st.integers(0, 255))
def test_damage_of_a_directory_never_raises(tmp_path: Path, at: int, value: int) -> None:
    data = bytearray(tiff_of([page_of(tissue(64, 64), tile=64), page_of(tissue(32, 32), tile=32)]))
    directory = struct.unpack_from("<I", data, 4)[0]
    data[(directory + at) % len(data)] = value
    cleaned(bytes(data), tmp_path, waived=True)
