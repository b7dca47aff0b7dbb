"""Bytes to text without guessing far: UTF-8, UTF-16 with its mark, or an 8-bit code without control characters."""

from __future__ import annotations


def encoding_of(head: bytes, whole: bool) -> str | None:
    """A codec's name for the beginning of a file, None for bytes that are no text."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in head:
        return None
    try:
        head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not whole and error.start > len(head) - 4:
            return "utf-8-sig"
    else:
        return "utf-8-sig"
    controls = sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head)
    high = sum(byte >= 128 for byte in head)
    return "latin-1" if controls == 0 and high < len(head) * 0.3 else None


def decoded(head: bytes, whole: bool) -> str | None:
    encoding = encoding_of(head, whole)
    return None if encoding is None else head.decode(encoding, "ignore")


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())
