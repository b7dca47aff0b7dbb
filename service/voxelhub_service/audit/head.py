"""The head of the audit chain, mirrored to a sealed file outside the database, so that a truncated chain is noticed."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import NamedTuple

GENESIS = "0" * 64


class Head(NamedTuple):
    seq: int
    mac: str


class HeadFile:
    """`head.json` in `folder`, sealed with the audit key. It moves forwards only, and is made once: before the first record."""

    def __init__(self, key: bytes, folder: Path) -> None:
        self._key, self._folder = key, folder

    def read(self) -> Head | None:
        """None where none was written; ValueError where the file is not ours."""
        try:
            document = json.loads((self._folder / "head.json").read_text())
        except FileNotFoundError:
            return None
        try:
            head, seal = Head(int(document["seq"]), str(document["mac"])), str(document["seal"])
        except (KeyError, TypeError, ValueError):
            raise ValueError("it is damaged") from None
        if not hmac.compare_digest(self._seal(head), seal):
            raise ValueError("it does not carry our seal")
        return head

    def begin(self) -> None:
        """Make the file for an empty chain, unless there is one."""
        with self._locked():
            if not (self._folder / "head.json").exists():
                self._write(Head(0, GENESIS))

    def advance(self, head: Head) -> None:
        """Never backwards, whichever process commits last. A missing or foreign file is left as it is, for `verify` to find."""
        with self._locked():
            known = self.read()
            if known is not None and known.seq < head.seq:
                self._write(head)

    def reset(self, head: Head) -> None:
        """Write it whatever stood there; only for a person who has looked into it (fsck --repair)."""
        with self._locked():
            self._write(head)

    def _seal(self, head: Head) -> str:
        return hmac.new(self._key, f"head:{head.seq}:{head.mac}".encode(), hashlib.sha256).hexdigest()

    def _write(self, head: Head) -> None:
        part = self._folder / "head.json.part"
        with part.open("w") as file:
            json.dump({"seq": head.seq, "mac": head.mac, "seal": self._seal(head)}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / "head.json")

    def _locked(self) -> _Lock:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _Lock(self._folder / "head.lock")


class _Lock:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._file = self._path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()
