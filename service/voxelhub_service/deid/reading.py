"""Asks the reader of text about the pixels of a picture that is no DICOM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .outcome import Finding, Held
from .streams import Refused

if TYPE_CHECKING:
    from .pixels import TextFinder

Image = npt.NDArray[Any]
ASK = "Ask a data steward to look at it."


def refuse_unread(what: str) -> Refused:
    reason = "VoxelHub cannot read the pixels of this picture, so it cannot tell whether they show text."
    return Refused(Held("no_region_rule", reason, what, fix=f"Save it as PNG, or {ASK[0].lower()}{ASK[1:]}"))


def refuse_text(image: Image, what: str, finder: TextFinder | None) -> None:
    """`image`: rows x columns x 1 to 4 samples. Raises Refused when text is seen, or nobody is there to look."""
    if finder is None:
        reason = "A picture may show a name, and no reader of text is set up that could tell."
        raise Refused(Held("no_region_rule", reason, what, fix=ASK))
    from .pixels import FinderFailed

    try:
        seen = sum(len(finder.find(view)) for view in _views(image))
    except FinderFailed:
        raise Refused(Held("no_region_rule", "The reader of text failed on this picture.", what, fix=ASK)) from None
    if seen:
        reason = "Text can be seen in the picture."
        fix = "Cover the text and bring it in again, or ask a data steward to look at it."
        raise Refused(Held("text_in_pixels", reason, what, (Finding("text", "pixels", seen),), fix=fix))


def _views(image: Image) -> list[Image]:
    """What a person would see: the colours, and the opacity when it differs within the picture."""
    samples = image.shape[2]
    views = [image[..., 0]] if samples < 3 else [image[..., :3]]
    if samples in (2, 4) and image[..., -1].min() != image[..., -1].max():
        views.append(image[..., -1])
    return [np.ascontiguousarray(_bytes(view)) for view in views]


def _bytes(image: Image) -> Image:
    if image.dtype == np.uint8:
        return image
    low, high = float(image.min()), float(image.max())
    scale = 255.0 / (high - low) if high > low else 0.0
    return ((image.astype(np.float32) - low) * scale).astype(np.uint8)
