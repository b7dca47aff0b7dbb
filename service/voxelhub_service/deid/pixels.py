"""Cleans the pixels of a DICOM image: regions by rule, then text detection, then detection again to prove that it is gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from . import codecs
from .boxes import Box, grown, joined, mask
from .engine import what_is
from .outcome import Finding, Held
from .profile import Profile
from .regions import Plan, plan_of, slide_held
from .screening import lengthened, renderings, suspicious

Image = npt.NDArray[Any]
Window = tuple[float, float]  # the lowest and the highest stored value that a viewer tells apart
ROUNDS = 4  # of reading and masking before an image counts as one whose text will not go
MOST_MASKED = 0.4  # of a frame: beyond this a mask would leave no image
ASK = "Ask a data steward to look at it."


class FinderFailed(Exception):
    """The reader of text gave no answer. Its text names nothing of the image."""


class TextFinder(Protocol):
    def find(self, image: Image) -> list[Box]:
        """Boxes of text in `image`: uint8, rows x columns or rows x columns x 3. Raises FinderFailed."""


@dataclass
class PixelOutcome:
    """What was done to the pixels, or why they cannot go on. `codes`: CID 7050 codes of what was applied."""

    kind: Literal["none", "untouched", "screened", "read", "masked", "hold"]
    boxes: int = 0
    lossy: bool = False
    code: str = ""
    reason: str = ""
    fix: str = ""
    releasable: bool = True
    findings: list[Finding] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    what: str = "DICOM file"

    @property
    def pixels(self) -> str:
        return self.kind

    @property
    def held(self) -> Held | None:
        if self.kind != "hold":
            return None
        return Held(self.code, self.reason, self.what, tuple(self.findings), self.releasable, self.fix)


class _Hold(Exception):
    def __init__(self, code: str, reason: str, fix: str = ASK, *, releasable: bool = True, found: int = 0) -> None:
        findings = [Finding("text", "pixels", found)] if found else []
        self.outcome = PixelOutcome("hold", code=code, reason=reason, fix=fix, releasable=releasable, findings=findings)
        super().__init__(code)


def clean_pixels(dataset: Dataset, *, profile: Profile, finder: TextFinder | None, waived: bool) -> PixelOutcome:
    """Changes `dataset` in place: PixelData and what describes it. `waived`: what is found is masked, but holds nothing back."""
    if "PixelData" not in dataset:
        return PixelOutcome("none")
    outcome = _outcome(dataset, profile, finder, waived)
    outcome.what = what_is(dataset)
    return outcome


def _outcome(dataset: Dataset, profile: Profile, finder: TextFinder | None, waived: bool) -> PixelOutcome:
    try:
        return _cleaned(dataset, profile, finder, waived)
    except _Hold as hold:
        return hold.outcome
    except codecs.TooLarge:
        return _Hold("too_large", "The image is too large to be read for text.").outcome
    except codecs.Undecodable:
        reason = "The pixels of this image cannot be decoded; it seems to be damaged, or its coding is unknown here."
        return _Hold("unreadable", reason, "Export it again, uncompressed.", releasable=False).outcome


def _cleaned(dataset: Dataset, profile: Profile, finder: TextFinder | None, waived: bool) -> PixelOutcome:
    plan = plan_of(dataset)
    if plan.look == "video" or codecs.is_video(dataset):
        raise _Hold("waveform_or_video", "This is a video, whose pictures are not read for text.")
    if not waived:
        _refuse_by_rule(dataset, plan)
    outcome = PixelOutcome("untouched")
    if stripped := codecs.strip_encapsulated(dataset):
        outcome.findings.append(Finding("comment", "coded frames", stripped))
    if plan.look in ("none", "slide") or not profile.clean_pixel_data or int(dataset.get("BitsAllocated", 0)) == 1:
        return outcome
    _look(dataset, plan, finder, waived, outcome)
    return outcome


def _refuse_by_rule(dataset: Dataset, plan: Plan) -> None:
    if str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES":
        raise _Hold("burned_in", "The image says of itself that text about the patient is burned into its pixels.")
    if plan.look == "slide" and slide_held(dataset):
        raise _Hold("burned_in", "This is the label of a slide, or shows it.", f"Leave it out, or {ASK[0].lower()}{ASK[1:]}")
    if plan.look == "regions" and not plan.keep:
        reason = "Ultrasound images and screen captures show names, and there is no rule where this device shows them."
        raise _Hold("no_region_rule", reason)


def _look(dataset: Dataset, plan: Plan, finder: TextFinder | None, waived: bool, outcome: PixelOutcome) -> None:
    window, covered, changed, total = _window(dataset), 0, False, codecs.frames_of(dataset)
    kept: list[Image] = []
    photometric, must_read = "", {0, total // 2, total - 1}
    for number, (coded, photometric) in enumerate(codecs.frames(dataset)):
        frame = codecs.used_bits(dataset, coded)
        if frame is not coded and not np.array_equal(frame, coded):
            changed = True
            outcome.findings.append(Finding("unused bits", "pixels"))
        hidden = np.zeros(frame.shape[:2], bool)
        if plan.keep:
            hidden = ~mask(plan.keep, *frame.shape[:2])
            frame, changed, covered = _filled(frame, hidden), True, covered + (number == 0)
        read = (plan.look != "screen" and number in must_read) or suspicious(frame)
        if not read:
            kept.append(frame)
            continue
        clean, boxes = _read(frame, photometric, window, finder, waived)
        outcome.kind = "read"
        changed, covered = changed or bool(boxes), covered + len(boxes)
        kept.append(clean)
    if not kept or len(kept) < total:
        raise codecs.Undecodable
    if outcome.kind == "untouched":
        outcome.kind = "screened"
    outcome.boxes = covered
    if covered:
        outcome.kind = "masked"
        outcome.codes.append("113101")
    if changed:
        outcome.lossy = codecs.write_back(dataset, np.stack(kept), photometric)


def _read(
    frame: Image, photometric: str, window: Window | None, finder: TextFinder | None, waived: bool
) -> tuple[Image, list[Box]]:
    """(the frame with its text masked, the rectangles). Raises _Hold."""
    if finder is None:
        if waived:
            return frame, []
        raise _Hold("text_in_pixels", "Text may be burned into the image, and no reader of text is set up that could tell.")
    try:
        clean, boxes, gone = _masked(frame, _shown(frame, photometric), window, finder)
    except FinderFailed:
        if waived:
            return frame, []
        raise _Hold("text_in_pixels", "Text may be burned into the image, and the reader of text gave no answer.") from None
    if not gone and not waived:
        raise _Hold("text_in_pixels", "Text is burned into the image and could not be covered.", found=max(len(boxes), 1))
    return clean, boxes


def clean_array(image: Image, finder: TextFinder) -> tuple[Image, list[Box], bool]:
    """A picture (rows x columns, or x samples), its text masked; the rectangles; whether all is gone. Raises FinderFailed."""
    return _masked(image, _shown(image, ""), None, finder)


def _masked(frame: Image, shown: Image, window: Window | None, finder: TextFinder) -> tuple[Image, list[Box], bool]:
    rows, columns = frame.shape[:2]
    boxes: list[Box] = []
    for _ in range(ROUNDS):
        found = _found(shown, window, finder)
        if not found:
            return frame, boxes, True
        boxes = joined([*boxes, *(lengthened(grown(box), shown) for box in found)])
        hidden = mask(boxes, rows, columns)
        if float(hidden.mean()) > MOST_MASKED:
            return frame, boxes, False
        frame, shown = _filled(frame, hidden), _filled(shown, hidden)
    return frame, boxes, not _found(shown, window, finder)


def _found(shown: Image, window: Window | None, finder: TextFinder) -> list[Box]:
    """Detectors take a whole organ for a letter now and then; what is that tall is none."""
    tallest = max(48, min(shown.shape[:2]) // 10)
    found = [box for view in renderings(shown, window) for box in finder.find(view)]
    return [box for box in found if min(box.height, box.right - box.left) <= tallest]


def _filled(frame: Image, hidden: npt.NDArray[np.bool_]) -> Image:
    """A copy whose hidden pixels have the background's value: the commonest along the frame's border."""
    flat = frame.reshape(frame.shape[0], frame.shape[1], -1)
    border = np.concatenate([flat[0], flat[-1], flat[:, 0], flat[:, -1]])
    values, counts = np.unique(border, axis=0, return_counts=True)
    filled = flat.copy()
    filled[hidden] = values[counts.argmax()]
    return filled.reshape(frame.shape)


def _shown(frame: Image, photometric: str) -> Image:
    """What the reader sees: grey values, or colours; the brightness alone of a luminance coding."""
    if frame.ndim == 3 and photometric.startswith("YBR"):
        return frame[..., 0]
    return frame[..., :3] if frame.ndim == 3 and frame.shape[2] >= 3 else frame.reshape(*frame.shape[:2], -1)[..., 0]


def _window(dataset: Dataset) -> Window | None:
    """The first window of the dataset in stored values (PS3.3 C.11.2)."""
    try:
        centre, width = (np.atleast_1d(np.asarray(dataset[name].value, float))[0] for name in ("WindowCenter", "WindowWidth"))
        slope, zero = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
        return (float((centre - width / 2 - zero) / slope), float((centre + width / 2 - zero) / slope))
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError):
        return None


__all__ = ["Box", "FinderFailed", "PixelOutcome", "TextFinder", "clean_array", "clean_pixels"]
