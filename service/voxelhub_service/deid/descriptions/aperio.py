"""Aperio: a line with the program, a line with sizes, then `|Name = value`. Sizes, magnification and microns per pixel stay."""

from __future__ import annotations

import re

PROGRAM = re.compile(r"Aperio (Image Library|Leica Biosystems GT450( DX)?)( v\d{1,3}(\.\d{1,3}){0,3})?")
GEOMETRY = re.compile(
    r"(\d{1,7}x\d{1,7})(?: \[(\d{1,7},\d{1,7} \d{1,7}x\d{1,7})\])?(?: \((\d{1,5}x\d{1,5})\))?(?: -> (\d{1,6}x\d{1,6}))?"
)
CODING = re.compile(r"(?<![\w/])(JPEG/RGB|JPEG/YCC|JPEG|J2K/KDU|J2K/YUV16|J2K|Raw|LZW)(?![\w/])(?: Q=(\d{1,3}))?")
SHRUNK = re.compile(r"(\d{1,7})x(\d{1,7}) -> (\d{1,6})x(\d{1,6})(?!\d)")
# Number -> the greatest it can sensibly be.
NUMBERS = {"AppMag": 200.0, "MPP": 100.0, "StripeWidth": 1e5, "Left": 1e3, "Top": 1e3, "OriginalWidth": 1e6,
           "OriginalHeight": 1e6, "Originalheight": 1e6}  # fmt: skip
NUMBER = re.compile(r"\d{1,7}(\.\d{1,8})?")


def cleaned(description: str, width: int, height: int) -> str:
    """ASCII; begins with "Aperio", by which readers know the format."""
    lines = description.replace("\r\n", "\n").split("\n")
    program = PROGRAM.match(lines[0])
    fields = "|".join(lines[1:]).split("|")
    geometry = _geometry(fields[0] if fields else "", width, height)
    kept = []
    for field in fields[1:]:
        name, _, value = (part.strip() for part in field.partition("="))
        if name in NUMBERS and NUMBER.fullmatch(value) and float(value) <= NUMBERS[name]:
            kept.append(f"{name} = {value}")
    return "|".join([f"{program.group() if program else 'Aperio Image Library'} \r\n{geometry}", *kept])


def _geometry(line: str, width: int, height: int) -> str:
    match = GEOMETRY.match(line.strip())
    if match is None:
        return f"{width}x{height}"
    whole, region, tile, shrunk = match.groups()
    parts = [whole, f"[{region}]" if region else "", f"({tile})" if tile else "", f"-> {shrunk} -" if shrunk else ""]
    if coding := CODING.search(line, match.end()):
        parts.append(coding.group())
    return " ".join(part for part in parts if part)


def shrunk(description: str) -> tuple[int, int, int, int] | None:
    """(columns, rows of the slide, columns, rows of this picture) when it says that it is the slide made smaller."""
    match = SHRUNK.search(description)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]), int(match[4]))
