"""Headers of NRRD (version 5, teem.sourceforge.net) and MetaImage volumes: size, spacing, and whether all of it is there."""

from __future__ import annotations

import math
import re
from typing import Any

LONGEST = 64 * 1024  # bytes of a header


class NotWhole(Exception):
    """Completes the sentence “… is a volume …”."""


def looks_like_nrrd(head: bytes) -> bool:
    return re.match(rb"NRRD000[1-5]\r?\n", head) is not None


def looks_like_metaimage(head: bytes) -> bool:
    return re.match(rb"(Comment *=[^\n]*\n)*ObjectType *= *Image\r?\n", head) is not None and b"NDims" in head[:1024]


def nrrd(head: bytes, size: int) -> dict[str, Any]:
    """meta of the entry. Raises NotWhole; `size` is the file's, `head` its beginning."""
    end = re.search(rb"\r?\n\r?\n", head)
    detached = b"\ndata file" in head.lower() or b"\ndatafile" in head.lower()
    if end is None and not detached:
        raise NotWhole("whose header does not end")
    fields: dict[str, str] = {}
    for line in (head[: end.start()] if end else head).decode("latin-1").splitlines()[1:]:
        name, colon, value = line.partition(": ")
        if colon and not line.startswith("#"):
            fields[name.strip().lower()] = value.strip()
    shape = _whole(fields.get("sizes", ""))
    width = {"char": 1, "short": 2, "int": 4, "long": 8, "float": 4, "double": 8}.get(fields.get("type", "").split(" ")[-1])
    if not shape or str(len(shape)) != fields.get("dimension"):
        raise NotWhole("whose header gives impossible dimensions")
    if fields.get("encoding") == "raw" and width and end and not detached and size - end.end() < width * math.prod(shape):
        raise NotWhole("whose header promises more data than the file holds")
    vectors = [_decimals(part) for part in re.findall(r"\(([^)]*)\)", fields.get("space directions", ""))]
    spacing = [round(math.hypot(*one), 6) for one in vectors if one] or _decimals(fields.get("spacings", "").replace(" ", ","))
    return _meta(shape, spacing)


def metaimage(head: bytes, size: int) -> dict[str, Any]:
    """The same for .mha, and .mhd whose data lies in another file."""
    start = re.search(rb"\nElementDataFile *= *([^\r\n]*)\r?\n", head)
    if start is None:
        raise NotWhole("whose header does not end")
    fields = dict(re.findall(r"^(\w+) *= *([^\r\n]*)", head[: start.start()].decode("latin-1"), re.MULTILINE))
    shape = _whole(fields.get("DimSize", ""))
    if not shape or str(len(shape)) != fields.get("NDims", "").strip():
        raise NotWhole("whose header gives impossible dimensions")
    kind = fields.get("ElementType", "").strip().removeprefix("MET_").removeprefix("U")
    width = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 8, "FLOAT": 4, "DOUBLE": 8}.get(kind)
    packed = fields.get("CompressedData", "False").strip().lower() == "true"
    if start[1] == b"LOCAL" and width and not packed and size - start.end() < width * math.prod(shape):
        raise NotWhole("whose header promises more data than the file holds")
    return _meta(shape, _decimals(fields.get("ElementSpacing", "").strip().replace(" ", ",")))


def _whole(text: str) -> list[int]:
    parts = text.split()
    return [int(part) for part in parts] if parts and all(re.fullmatch(r"[1-9]\d{0,11}", part) for part in parts) else []


def _decimals(text: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        return []
    return values if all(map(math.isfinite, values)) else []


def _meta(shape: list[int], spacing: list[float]) -> dict[str, Any]:
    return {"shape": shape, "spacing": [abs(value) for value in spacing]} if len(spacing) == len(shape) else {"shape": shape}
