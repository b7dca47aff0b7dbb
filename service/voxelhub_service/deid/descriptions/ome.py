"""OME-XML: sizes, the order of the planes and the physical size of a pixel stay (OME schema 2016-06)."""

from __future__ import annotations

import re

PIXELS = re.compile(r"<(?:\w+:)?Pixels\b([^<>]*)>")
ATTRIBUTE = re.compile(r"([A-Za-z]+)\s*=\s*\"([^\"<>]*)\"")
WHOLE = re.compile(r"[1-9]\d{0,6}")
VALUES = {
    "DimensionOrder": re.compile(r"XY(ZCT|ZTC|CZT|CTZ|TZC|TCZ)"), "Type": re.compile(r"u?int(8|16|32)|float|double|bit"),
    "SizeX": WHOLE, "SizeY": WHOLE, "SizeZ": WHOLE, "SizeC": WHOLE, "SizeT": WHOLE,
    "PhysicalSizeX": re.compile(r"\d{1,5}(\.\d{1,9})?"), "PhysicalSizeY": re.compile(r"\d{1,5}(\.\d{1,9})?"),
    "PhysicalSizeZ": re.compile(r"\d{1,5}(\.\d{1,9})?"), "PhysicalSizeXUnit": re.compile("µm|mm|nm|pixel"),
    "PhysicalSizeYUnit": re.compile("µm|mm|nm|pixel"), "PhysicalSizeZUnit": re.compile("µm|mm|nm|pixel"),
    "BigEndian": re.compile("true|false"), "Interleaved": re.compile("true|false"),
}  # fmt: skip
NEEDED = ("DimensionOrder", "Type", "SizeX", "SizeY", "SizeZ", "SizeC", "SizeT")
SAMPLES = re.compile(r"<(?:\w+:)?Channel\b[^<>]*SamplesPerPixel\s*=\s*\"([1-4])\"")


def cleaned(description: str, pages: int) -> str:
    """ASCII; empty when the first image's planes are not exactly the `pages` of the file."""
    match = PIXELS.search(description)
    if match is None:
        return ""
    given = dict(ATTRIBUTE.findall(match[1]))
    kept = {name: value for name, value in given.items() if name in VALUES and VALUES[name].fullmatch(value)}
    if any(name not in kept for name in NEEDED):
        return ""
    found = SAMPLES.search(description)
    samples = int(found[1]) if found else 1
    channels, rest = divmod(int(kept["SizeC"]), samples)
    if rest or channels * int(kept["SizeZ"]) * int(kept["SizeT"]) != pages:
        return ""
    attributes = " ".join(f'{name}="{value}"' for name, value in kept.items()).replace("µ", "&#181;")
    channel = "".join(f'<Channel ID="Channel:0:{number}" SamplesPerPixel="{samples}"/>' for number in range(channels))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0">'
        f'<Pixels ID="Pixels:0" {attributes}>{channel}<TiffData/></Pixels></Image></OME>'
    )
