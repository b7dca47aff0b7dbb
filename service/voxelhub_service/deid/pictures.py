"""PNG and JPEG: texts, profiles and what follows the end are removed, the pixels stay bit for bit, and are read for text.

A picture goes on only when a reader of text looked at it and saw none. Nobody can tell by rule whether a photograph shows a face.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import jpeg, png
from .isolated import isolated
from .naming import neutral_name
from .outcome import Held, Outcome, Released, Report
from .reading import refuse_text, refuse_unread
from .streams import Refused, not_whole, refusals, unreadable, writing

if TYPE_CHECKING:
    from .pixels import TextFinder
    from .pseudonyms import Key

LARGEST = 512 * 1024**2


@refusals
def clean_picture(source: Path, target: Path, *, key: Key, finder: TextFinder | None = None, waived: bool = False) -> Outcome:
    with source.open("rb") as stream:
        data = stream.read(LARGEST + 1)
    what = "PNG picture" if data.startswith(png.SIGNATURE) else "JPEG picture"
    report = Report(what, pixels="untouched" if waived else "read")
    if len(data) > LARGEST:
        raise _too_large(what)
    try:
        cleaned = _png(data, report, finder, waived) if what.startswith("PNG") else _jpeg(data, report, finder, waived)
    except png.TooLarge:
        raise _too_large(what) from None
    except jpeg.Early as reason:
        raise not_whole(what, f"The picture {reason}.") from None
    except jpeg.Broken as reason:
        raise unreadable(what, f"The picture {reason}.") from None
    with writing(target) as sink:
        sink.write(cleaned)
    return Released(neutral_name("image", sink.digest(), ".png" if what.startswith("PNG") else ".jpg", key), report)


def _too_large(what: str) -> Refused:
    reason = "The picture is too large to be read for text."
    return Refused(Held("too_large", reason, what, fix="Ask a data steward to look at it."))


def _png(data: bytes, report: Report, finder: TextFinder | None, waived: bool) -> bytes:
    picture = png.parsed(data)
    for name in picture.removed:
        report.actions[f"{name}: removed"] += 1
    pixels = png.pixels(picture)  # cuts what lies behind them, so also for a picture that nobody reads
    if not waived:
        refuse_text(pixels, report.what, finder)
    return picture.written()


def _jpeg(data: bytes, report: Report, finder: TextFinder | None, waived: bool) -> bytes:
    removed: list[int] = []
    cleaned = jpeg.stripped(data, removed)
    for marker in removed:
        report.actions["bytes after the end: removed" if marker == 0 else f"marker {marker:02X}: removed"] += 1
    if not waived:
        if finder is None:
            refuse_text(_EMPTY, report.what, None)
        refuse_text(decoded_jpeg(cleaned, report.what), report.what, finder)
    return cleaned


_EMPTY: npt.NDArray[Any] = np.zeros((1, 1, 1), np.uint8)


def decoded_jpeg(data: bytes, what: str) -> npt.NDArray[Any]:
    """rows x columns x samples. Raises Refused for what the decoders of DICOM pixels do not read."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    frame = jpeg.frame(data)
    if frame is None or frame.samples not in (1, 3):
        raise refuse_unread(what)
    if frame.width * frame.height > png.MOST_PIXELS:
        raise _too_large(what)
    # Baseline and progressive, extended, lossless: transfer syntaxes of PS3.5, A.4.1 and A.4.2.
    syntax = "1.2.840.10008.1.2.4." + ("57" if frame.marker == 0xC3 else "50" if frame.bits == 8 else "51")

    def decode() -> tuple[npt.NDArray[Any], str]:
        pixels, _ = get_decoder(UID(syntax)).as_array(
            encapsulate([data]), rows=frame.height, columns=frame.width, samples_per_pixel=frame.samples, number_of_frames=1,
            photometric_interpretation="MONOCHROME2" if frame.samples == 1 else "YBR_FULL", planar_configuration=0,
            bits_allocated=8 if frame.bits == 8 else 16, bits_stored=frame.bits, pixel_representation=0,
            pixel_keyword="PixelData",
        )  # fmt: skip
        return np.asarray(pixels).reshape(frame.height, frame.width, frame.samples), ""

    decoded = isolated(decode)
    if decoded is None:
        raise refuse_unread(what)
    return decoded[0]
