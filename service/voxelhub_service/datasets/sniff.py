"""What one file is, by its content; its name only decides between texts. Reads a bounded part of a file, but FASTQ to its end.

Raises Problem for a file that claims to be something and is not whole (a truncated DICOM file, a NIfTI header that
promises more than there is, a FASTQ file with a record that is none).
"""

from __future__ import annotations

import gzip
import json
import re
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..deid.recognise import sequences_kind
from ..deid.sequences import check_fastq
from ..errors import Problem, invalid
from . import nifti, series, tiff, volumes
from .names import printable

HEAD = 64 * 1024  # bytes looked at
JSON_LIMIT = 8 * 1024**2  # a longer JSON document is recognised by its name and first character only
GZIP_HEAD = 4 * HEAD  # unpacked bytes looked at


@dataclass(frozen=True)
class Seen:
    kind: str
    data_type: str
    file_format: str
    meta: dict[str, Any] = field(default_factory=dict)


FILE = Seen("file", "file", "binary")
MEDIA = Seen("file", "dicom-object", "dicom")  # a DICOMDIR: the table of contents of a disc


def not_whole(path: str, what: str) -> Problem:
    return invalid("file_not_whole", f"“{printable(path)}” {what}.", "Export or copy it again, or leave it out.")


def sniff(file: Path, path: str) -> Seen | series.Instance:
    """`path` is the name within the dataset."""
    with file.open("rb") as stream:
        head = stream.read(HEAD)
    if not head:
        return _by_name_only(path)
    try:
        if series.looks_like_dicom(head):
            return series.read_instance(file, path) or (MEDIA if series.is_directory(head) else FILE)
        if nifti.looks_like_nifti(head, path):
            return _nifti(file)
    except series.NotWhole:
        raise not_whole(path, "is a DICOM file that ends too early") from None
    except nifti.NotWhole as reason:
        raise not_whole(path, f"is a NIfTI file {reason}") from None
    try:
        if (seen := _volume(file, head) or _picture(file, head)) is not None:
            return seen
    except volumes.NotWhole as reason:
        raise not_whole(path, f"is a volume {reason}") from None
    except tiff.NotWhole:
        raise not_whole(path, "is a TIFF file that ends too early") from None
    if path.lower().endswith(".svs"):
        raise not_whole(path, "is named as a slide, but is none")
    return _packed(file, head, path) or _text(file, head, path) or FILE


def _volume(file: Path, head: bytes) -> Seen | None:
    """Kinds that no viewer shows yet."""
    if volumes.looks_like_nrrd(head):
        return Seen("file", "volume", "nrrd", volumes.nrrd(head, file.stat().st_size))
    if volumes.looks_like_metaimage(head):
        return Seen("file", "volume", "metaimage", volumes.metaimage(head, file.stat().st_size))
    return None


def _by_name_only(path: str) -> Seen:
    ending = path.lower().rpartition(".")[2]
    return {"csv": TABLE_CSV, "tsv": TABLE_TSV, "md": MARKDOWN, "txt": TEXT}.get(ending, FILE)


def _nifti(file: Path) -> Seen:
    info = nifti.inspect(file)
    meta = {"shape": info.shape, "spacing": info.spacing}
    if info.labels is not None:
        return Seen("volume", "segmentation-mask", "nifti", {**meta, "labels": info.labels})
    return Seen("volume", "volume", "nifti", meta)


def _picture(file: Path, head: bytes) -> Seen | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        width, height = struct.unpack(">II", head[16:24])
        return Seen("image", "image", "png", {"shape": [width, height]})
    if head.startswith(b"\xff\xd8\xff"):
        size = _jpeg_size(head)
        return Seen("image", "image", "jpeg", {"shape": size} if size else {})
    if head[:4] in tiff.MAGICS:
        first = tiff.first(file)
        meta = {"shape": list(first.size)} if first.size else {}
        if first.description.startswith(b"Aperio"):
            return Seen("image", "whole-slide-image", "svs", meta)
        return Seen("image", "image", "tiff", meta)
    if (found := re.match(rb"P[25]\s(?:#[^\n]*\n)*\s*(\d{1,6})\s+(\d{1,6})\s", head)) is not None:
        return Seen("image", "image", "pgm", {"shape": [int(found[1]), int(found[2])]})
    return None


def _jpeg_size(head: bytes) -> list[int] | None:
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return [width, height]
        at += 2 + max(length, 2)
    return None


def _packed(file: Path, head: bytes, path: str) -> Seen | None:
    if head.startswith(b"%PDF-"):
        return Seen("file", "document", "pdf")
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return Seen("file", "file", "zip")
    if head[257:262] == b"ustar":
        return Seen("file", "file", "tar")
    if head.startswith(b"\x1f\x8b"):
        inner = _gunzip_head(head)
        if inner[257:262] == b"ustar":
            return Seen("file", "file", "tar")
        return _sequences(file, inner, path) or FILE
    return None


def _gunzip_head(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, GZIP_HEAD)
    except zlib.error:
        return b""


TABLE_CSV, TABLE_TSV = Seen("table", "table", "csv"), Seen("table", "table", "tsv")
TEXT, MARKDOWN = Seen("text", "document", "text"), Seen("text", "document", "markdown")
JSON = Seen("text", "structured-data", "json")
PLAN = Seen("text", "plan", "json")
STUDY = re.compile(r'\s*\{\s*"format"\s*:\s*"voxelhub-study/1"')  # what the planner writes, wherever it was made
HTML = Seen("text", "document", "html")


def _text(file: Path, head: bytes, path: str) -> Seen | None:
    text = _decoded(head, whole=file.stat().st_size <= HEAD)
    if text is None:
        return None
    ending = path.lower().rpartition(".")[2]
    if (seen := _sequences(file, head, path)) is not None:
        return seen
    if _is_json(file, text, ending):
        return PLAN if STUDY.match(text) else JSON
    if text.lstrip()[:15].lower().startswith(("<!doctype html", "<html")):
        return HTML
    lines = [line for line in text.split("\n")[:51] if line.strip()]
    lines = lines[:-1] if len(lines) > 1 and file.stat().st_size > HEAD else lines
    if ending != "md" and ending != "txt":
        if ending == "tsv" or _columns(lines, "\t") > 1:
            return TABLE_TSV
        if ending == "csv" or _columns(lines, ",") > 1 or _columns(lines, ";") > 1:
            return TABLE_CSV
    return MARKDOWN if ending in ("md", "markdown") else TEXT


def _decoded(head: bytes, whole: bool) -> str | None:
    """Text in UTF-8 (with or without mark), UTF-16 with a mark, or an 8-bit code without control characters; None for bytes."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace")
    if b"\0" in head:
        return None
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not whole and error.start > len(head) - 4:
            return head[: error.start].decode("utf-8-sig")
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
    high = sum(byte >= 128 for byte in head)
    return head.decode("latin-1") if controls == 0 and high < len(head) * 0.3 else None


def _columns(lines: list[str], separator: str) -> int:
    """The number of columns that at least two lines agree on; 0 when they do not."""
    counts = {_separators(line, separator) for line in lines}
    return counts.pop() + 1 if len(lines) > 1 and len(counts) == 1 and 0 not in counts else 0


def _separators(line: str, separator: str) -> int:
    quoted, count = False, 0
    for character in line:
        if character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            count += 1
    return count


def _is_json(file: Path, text: str, ending: str) -> bool:
    start = text.lstrip()[:1]
    if start not in ("{", "["):
        return False
    if file.stat().st_size > JSON_LIMIT:
        return ending == "json"
    try:
        json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return False
    return True


def _sequences(file: Path, head: bytes, path: str) -> Seen | None:
    """Reads (gzipped as a rule) and sequences. A file that is named as FASTQ must be, to its last record."""
    named = path.lower().removesuffix(".gz").endswith((".fastq", ".fq"))
    kind = sequences_kind(head, path.lower().removesuffix(".gz"))
    if kind == "fasta":
        return Seen("file", "sequence", "fasta")
    if kind is None:
        return None
    with file.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        reason = check_fastq(gzip.GzipFile(fileobj=raw) if packed else raw)
    if reason is None:
        return Seen("file", "sequence-reads", "fastq")
    if not named:
        return None
    raise invalid("not_fastq", f"“{printable(path)}” is no valid FASTQ file. {reason}",
                  "Export or copy it again, or leave it out.")
