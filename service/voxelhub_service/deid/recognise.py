"""What a file is, by its first bytes; its name only decides between texts. Reads a bounded part of the file."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from .decoding import decoded

HEAD = 64 * 1024
MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"), (b"MM\0*", "tiff"), (b"II+\0", "tiff"), (b"MM\0+", "tiff"),
    (b"%PDF-", "document"), (b"{\\rtf", "document"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "document"),
    (b"PK\x03\x04", "archive"), (b"PK\x05\x06", "archive"), (b"7z\xbc\xaf'\x1c", "archive"), (b"Rar!\x1a\x07", "archive"),
    (b"BZh", "archive"), (b"\xfd7zXZ\0", "archive"), (b"\x28\xb5\x2f\xfd", "archive"), (b"\x04\x22\x4d\x18", "archive"),
    (b"\x7fELF", "unknown"), (b"MZ", "unknown"), (b"\x80\x02", "unknown"), (b"\x80\x03", "unknown"), (b"\x80\x04", "unknown"),
    (b"\x80\x05", "unknown"), (b"\x1a\x45\xdf\xa3", "video"), (b"OggS", "video"), (b"ID3", "video"), (b"fLaC", "video"),
    (b"ZISRAWFILE", "slide"),
)  # fmt: skip
BINARY = (".svs", ".tif", ".tiff", ".dcm", ".png", ".jpg", ".jpeg")
OFFICE = (b"[Content_Types].xml", b"mimetypeapplication/vnd.", b"word/", b"xl/", b"ppt/")


def kind_of(source: Path, name: str) -> str:
    """A word that cleaning.py dispatches on; "unknown" for anything else."""
    with source.open("rb") as stream:
        head = stream.read(HEAD)
    if not head:
        return "empty"
    lower = name.lower()
    if looks_like_dicom(head):
        return "dicom"
    for magic, kind in MAGICS:
        if head.startswith(magic):
            return "document" if kind == "archive" and any(word in head[:4096] for word in OFFICE) else kind
    if head.startswith(b"\x1f\x8b"):
        return _packed(head, lower)
    if (volume := _volume(head, lower)) is not None:
        return volume
    if head[257:262] == b"ustar":
        return "archive"
    if head[4:8] == b"ftyp" or (head.startswith(b"RIFF") and head[8:12] in (b"AVI ", b"WAVE")):
        return "video"
    if lower.endswith(BINARY):
        return "mismatch"
    return text_kind(head, lower, whole=len(head) < HEAD)


def looks_like_dicom(head: bytes) -> bool:
    """PS3.10 section 7.1; or a data set without preamble, whose first element is of group 0002 or 0008 (either byte order)."""
    if head[128:132] == b"DICM":
        return True
    group, element, vr = head[:2], head[2:4], head[4:6]
    if len(head) < 16 or group not in (b"\x02\0", b"\x08\0", b"\0\x08"):
        return False
    if vr.isalpha() and vr.isupper():
        return element[0] < 0x80 if group != b"\0\x08" else True
    length = int.from_bytes(head[4:8], "little")
    return group != b"\0\x08" and element in (b"\0\0", b"\x01\0", b"\x05\0", b"\x08\0", b"\x12\0", b"\x16\0") and length <= 1024


def _packed(head: bytes, lower: str) -> str:
    try:
        inner = zlib.decompressobj(wbits=31).decompress(head, HEAD)
    except zlib.error:
        return "nifti" if lower.endswith(".nii.gz") else "fastq" if lower.endswith((".fastq.gz", ".fq.gz")) else "archive"
    if (kind := _volume(inner, lower)) is not None:
        return kind
    sequence = sequences_kind(inner, lower.removesuffix(".gz"))
    return sequence or "archive"


def _volume(head: bytes, lower: str) -> str | None:
    """nifti1.h and nifti2.h: the magic at byte 344, or 4."""
    if head[344:348] == b"n+1\0" or head[4:12] == b"n+2\0\r\n\x1a\n" or lower.endswith((".nii", ".nii.gz")):
        return "nifti"
    if head[344:348] == b"ni1\0" or head[4:8] == b"ni2\0" or head[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c"):
        return "pair"
    return None


def sequences_kind(head: bytes, lower: str) -> str | None:
    """By content; the ending counts for a file that does not follow its format, so that the reader can say why."""
    if head.startswith(b"@") and (lower.endswith((".fastq", ".fq")) or re.match(rb"@[^\n]+\n[A-Za-z.*-]+\r?\n\+", head)):
        return "fastq"
    if lower.endswith((".fastq", ".fq")):
        return "fastq"
    if head.startswith(b">") and re.match(rb">[^\n]+\n[A-Za-z.*-]+\r?(\n|$)", head):
        return "fasta"
    return None


def text_kind(head: bytes, lower: str, whole: bool) -> str:
    if (kind := sequences_kind(head, lower)) is not None:
        return kind
    text = decoded(head, whole)
    if text is None:
        return "unknown"
    start = text.lstrip()[:1024].lower()
    if start.startswith(("<!doctype html", "<html")):
        return "document"
    if start[:1] in ("{", "["):
        return "json"
    if lower.endswith(".json"):
        return "json"
    if lower.endswith((".md", ".markdown", ".log")):
        return "text"
    if re.fullmatch(r"[\s0-9eE+.\-]+|(nan|[\s0-9eE+.\-])+", text, re.IGNORECASE) and not lower.endswith((".csv", ".tsv")):
        return "numbers"
    lines = [line for line in text.split("\n")[:51] if line.strip()]
    lines = lines if whole or len(lines) < 2 else lines[:-1]
    if not lower.endswith(".txt") or len(lines) > 1:
        if lower.endswith(".tsv") or columns(lines, "\t") > 1:
            return "tsv"
        if lower.endswith(".csv") or (not lower.endswith(".txt") and (columns(lines, ",") > 1 or columns(lines, ";") > 1)):
            return "csv"
    return "text"


def columns(lines: list[str], separator: str) -> int:
    """The number of columns that all lines agree on; 0 when they do not."""
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
