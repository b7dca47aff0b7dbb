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
    checkpoint: str = ""  # digest of the newest checkpoint, once there is one


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
            head = Head(int(document["seq"]), str(document["mac"]), str(document.get("checkpoint", "")))
            seal = str(document["seal"])
        except (KeyError, TypeError, ValueError):
            raise ValueError("it is damaged") from None
        if not hmac.compare_digest(self._seal(head), seal):
            raise ValueError("it does not carry our seal")
        return head

    def exists(self) -> bool:
        return (self._folder / "head.json").exists()

    def begin(self) -> None:
        """Make the file for an empty chain, unless there is one."""
        with self._locked():
            if not self.exists():
                self._write(Head(0, GENESIS))

    def advance(self, head: Head) -> None:
        """Never backwards, whichever process commits last. A missing or foreign file is left as it is, for `verify` to find."""
        with self._locked():
            known = self.read()
            if known is not None and known.seq < head.seq:
                self._write(head._replace(checkpoint=known.checkpoint))

    def note_checkpoint(self, digest: str) -> None:
        """Remember the newest checkpoint, so that its removal is noticed. A missing or foreign file is left as it is."""
        with self._locked():
            known = self.read()
            if known is not None:
                self._write(known._replace(checkpoint=digest))

    def reset(self, head: Head) -> None:
        """Write it whatever stood there; only for a person who has looked into it (fsck --repair)."""
        with self._locked():
            self._write(head)

    def _seal(self, head: Head) -> str:
        text = f"head:{head.seq}:{head.mac}" + (f":{head.checkpoint}" if head.checkpoint else "")
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def _write(self, head: Head) -> None:
        part = self._folder / "head.json.part"
        with part.open("w") as file:
            more = {"checkpoint": head.checkpoint} if head.checkpoint else {}
            json.dump({"seq": head.seq, "mac": head.mac, **more, "seal": self._seal(head)}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / "head.json")

    def _locked(self) -> Lock:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Lock(self._folder / "head.lock")


class Lock:
    """A file's lock for the length of a `with`; BlockingIOError where another holds it and we shall not wait."""

    def __init__(self, path: Path, wait: bool = True) -> None:
        self._path, self._how = path, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB)

    def __enter__(self) -> None:
        self._file = self._path.open("w")
        try:
            fcntl.flock(self._file, self._how)
        except BlockingIOError:
            self._file.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._file.close()
