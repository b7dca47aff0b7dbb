"""Keyed pseudonyms: the same input under the same key gives the same pseudonym, and nobody without the key can go back.

Every use has its own domain, so that equal inputs of different kinds share nothing. UIDs are written as `2.25.` and the integer
of a version 8 UUID (RFC 9562, 5.8; DICOM PS3.5, B.2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from functools import lru_cache

# What DICOM itself names; longer ones are instances of careless makers.
WELL_KNOWN = re.compile(r"1\.2\.840\.10008\.[0-9.]{1,26}")
LONGEST_SHIFT = 3650  # days
_CACHED = 65536


class Key:
    """32 secret bytes. Two keys share no pseudonym; the key never shows in a repr."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise ValueError(f"a de-identification key has 32 bytes, this one has {len(secret)}")
        self._secret = secret
        self.uid = lru_cache(_CACHED)(self._uid)
        self._of_patient = lru_cache(_CACHED)(self._patient)

    @classmethod
    def of_project(cls, root: bytes, project_id: str) -> Key:
        """The key of one project, derived from the installation's root key."""
        return cls(project_secret(root, project_id))

    def __repr__(self) -> str:
        return "Key(hidden)"

    def __reduce__(self) -> tuple[type[Key], tuple[bytes]]:
        return Key, (self._secret,)

    def patient(self, patient_id: str, issuer: str = "") -> str:
        """A patient's identifier: "P-" and 12 letters or digits (base32)."""
        return self._of_patient(patient_id, issuer)[0]

    def shift_days(self, patient_id: str, issuer: str = "") -> int:
        """How far this patient's dates move: -1 to -3650 days, always into the past, never 0."""
        return self._of_patient(patient_id, issuer)[1]

    def token(self, domain: str, value: str, length: int = 12) -> str:
        """A lower-case base32 word of up to 51 letters for neutral names and other identifiers."""
        return _base32(self._digest("token\0" + domain, value))[:length].lower()

    def _uid(self, uid: str) -> str:
        if WELL_KNOWN.fullmatch(uid):
            return uid
        number = int.from_bytes(self._digest("uid", uid)[:16], "big")
        number = number & ~(0xF << 76) | 0x8 << 76  # version 8
        number = number & ~(0x3 << 62) | 0x2 << 62  # RFC 9562 variant
        return f"2.25.{number}"

    def _patient(self, patient_id: str, issuer: str) -> tuple[str, int]:
        who = f"{_plain(issuer)}\0{_plain(patient_id)}"
        shift = int.from_bytes(self._digest("date-shift", who)[:8], "big") % LONGEST_SHIFT
        return "P-" + _base32(self._digest("patient", who))[:12], -1 - shift

    def _digest(self, domain: str, value: str) -> bytes:
        name = domain.encode()
        message = len(name).to_bytes(4, "big") + name + value.encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, message, hashlib.sha256).digest()


def project_secret(root: bytes, project_id: str) -> bytes:
    """What the key of a project is made of; whoever has it can make that project's pseudonyms, and no other's."""
    return hmac.new(root, b"project\0" + project_id.encode(), hashlib.sha256).digest()


def _plain(identifier: str) -> str:
    return identifier.strip(" \0")


def _base32(digest: bytes) -> str:
    return base64.b32encode(digest).decode().rstrip("=")
