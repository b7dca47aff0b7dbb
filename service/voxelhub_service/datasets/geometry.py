"""What a tool should not stumble over: flags of a series whose slices make no even stack. Pure; no identifier in any text.

Geometry as DICOM PS3.3 C.7.6.2.1.1 has it: positions and directions in mm of the patient's system; the normal of a slice
is the cross product of its row and column directions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

PARALLEL = 1e-3  # cosines of equal orientations differ by less: decimal strings are rounded
SAME_MM = 1e-3  # positions along the normal that are nearer are the same
UNEVEN, UNEVEN_MM = 0.1, 0.1  # a distance may differ from the usual one by this part of it, and by this many mm
TILT = 0.5  # degrees between the way from slice to slice and the normal
Vector = NDArray[np.float64]
Flag = dict[str, str]


class Slice(Protocol):
    """An image of one frame, with what it says of its place; `uid` only to be compared."""

    @property
    def uid(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def columns(self) -> int: ...
    @property
    def spacing(self) -> Sequence[float]: ...
    @property
    def position(self) -> Sequence[float]: ...
    @property
    def orientation(self) -> Sequence[float]: ...


def flags(slices: Sequence[Slice]) -> list[Flag]:
    """[{"code", "text"}] of one series, worst first; empty for an even stack and for what is none (projections, no positions)."""
    placed = [one for one in slices if len(one.position) == 3 and len(one.orientation) == 6]
    if len(slices) < 2 or not placed:
        return []
    found = _twice(slices)
    placed = list({one.uid or str(number): one for number, one in enumerate(placed)}.values())
    if missing := sum(len(one.position) != 3 or len(one.orientation) != 6 for one in slices):
        found.append(_flag("no_position", "1 image has no position." if missing == 1 else f"{missing} images have no position."))
    found += _mixed(placed)
    if not any(flag["code"] == "mixed_orientation" for flag in found):
        found += _stack(placed)
    return found


def _flag(code: str, text: str) -> Flag:
    return {"code": code, "text": text}


def _twice(slices: Sequence[Slice]) -> list[Flag]:
    times = Counter(one.uid for one in slices if one.uid)
    again = sum(count - 1 for count in times.values())
    if not again:
        return []
    verb = "is" if again == 1 else "are"
    return [_flag("duplicate_instances", f"{again} of its {len(slices)} images {verb} there already: one instance in two files.")]


def _mixed(slices: Sequence[Slice]) -> list[Flag]:
    first, found = slices[0], []
    if any(_differ(one.orientation, first.orientation, PARALLEL) for one in slices):
        found.append(_flag("mixed_orientation", "Its images are not parallel: they make no volume. A localizer, perhaps."))
    if len({(one.rows, one.columns) for one in slices}) > 1:
        found.append(_flag("mixed_size", "Its images have different numbers of rows or columns."))
    if any(_differ(one.spacing, first.spacing, 1e-3 * max([*first.spacing, 1e-3])) for one in slices):
        found.append(_flag("mixed_spacing", "The pixels of its images have different sizes."))
    return found


def _differ(a: Sequence[float], b: Sequence[float], tolerance: float) -> bool:
    return len(a) != len(b) or any(abs(x - y) > tolerance for x, y in zip(a, b, strict=True))


def _stack(slices: Sequence[Slice]) -> list[Flag]:
    axes = np.asarray(slices[0].orientation, float)
    normal: Vector = np.cross(axes[:3], axes[3:])
    length = float(np.linalg.norm(normal))
    if not 0.9 < length < 1.1:
        return [_flag("bad_orientation", "The directions that its images give are not at a right angle.")]
    normal /= length
    places: list[Vector] = []
    counts: list[int] = []
    for position in sorted((np.asarray(one.position, float) for one in slices), key=lambda p: float(p @ normal)):
        if places and float((position - places[-1]) @ normal) < SAME_MM:
            counts[-1] += 1
        else:
            places.append(position)
            counts.append(1)
    found = _gaps(np.diff([float(place @ normal) for place in places]))
    if len(set(counts)) > 1:  # the same number everywhere: phases, echoes, time points
        usual = Counter(counts).most_common(1)[0][0]
        odd = sum(count != usual for count in counts)
        where = "1 position holds" if odd == 1 else f"{odd} positions hold"
        found.append(_flag("duplicate_positions", f"{where} more or fewer images than the others."))
    return found + _tilt(places, normal)


def _gaps(gaps: Vector) -> list[Flag]:
    if len(gaps) < 2:
        return []
    usual = float(np.sort(gaps)[(len(gaps) - 1) // 2])
    wide = gaps[gaps > 1.5 * usual]
    if len(wide):
        missing = int(sum(round(float(gap) / usual) - 1 for gap in wide))
        slices = "1 slice seems" if missing == 1 else f"{missing} slices seem"
        where = "at one place" if len(wide) == 1 else f"at {len(wide)} places up to"
        return [_flag("missing_slices", f"{slices} to be missing: slices are {usual:.4g} mm apart, but {where} "
                      f"{float(wide.max()):.4g} mm.")]
    if np.any(np.abs(gaps - usual) > max(UNEVEN * usual, UNEVEN_MM)):
        least, most = float(gaps.min()), float(gaps.max())
        return [_flag("uneven_spacing", f"Its slices are not evenly spaced: {least:.4g} to {most:.4g} mm apart.")]
    return []


def _tilt(places: Sequence[Vector], normal: Vector) -> list[Flag]:
    if len(places) < 2:
        return []
    way = places[-1] - places[0]
    along = float(way @ normal)
    angle = float(np.degrees(np.arctan2(float(np.linalg.norm(way - along * normal)), abs(along))))
    if angle <= TILT:
        return []
    return [_flag("gantry_tilt", f"Its slices are shifted against each other, as by a gantry tilted by {angle:.1f}°: "
                  "a volume of it must be straightened.")]
