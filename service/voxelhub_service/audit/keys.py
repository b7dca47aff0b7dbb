"""The keys that sign the audit log: private ones in the secrets folder, public ones in `keys.jsonl` for everybody.

Each public key is a line, signed by the key before it; the first one by itself. So whoever trusts the first key can follow
to the newest. The last record says which key is in force: there is no moment at which two are.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .head import Lock
from .lines import append_line, cut_short, last_line, lines
from .record import canonical

SECRET = "audit-signing-key"  # noqa: S105 - the name of a file
NEXT = f"{SECRET}.next"  # of a rotation that is under way
SIGNED = b"voxelhub audit key v1\n"
FIELDS = {"key", "public", "previous", "time"}


class LostKey(RuntimeError):
    """The key in force is not in the secrets folder; without it nothing more can be written to the log."""


class NoNextKey(RuntimeError):
    """The secrets folder cannot be written, and no new key was put there."""


class PublicKey(NamedTuple):
    id: str
    key: Ed25519PublicKey
    line: bytes

    def signed(self, prefix: bytes, message: bytes, signature: str | None) -> bool:
        """Whether `signature`, in hexadecimal digits as we write them, is of this key."""
        try:
            raw = bytes.fromhex(signature or "")
            if raw.hex() != signature:
                return False
            self.key.verify(raw, prefix + message)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKeys:
    """`secrets_dir` holds the private key, `folder` is the audit folder.

    With `given` the secrets are a Secret of Kubernetes: an administrator puts NEXT there, and moves it to SECRET afterwards.
    """

    def __init__(self, secrets_dir: Path, folder: Path, given: bool = False) -> None:
        self._secrets, self._folder, self.given = secrets_dir, folder, given
        self._private: dict[str, Ed25519PrivateKey] = {}

    @property
    def path(self) -> Path:
        return self._folder / "keys.jsonl"

    def lock(self, *, wait: bool = True) -> AbstractContextManager[None]:
        return signing_lock(self._folder, wait=wait)

    def first(self) -> str:
        """The key for a log that has no signed record yet; its line is written unless there is one."""
        private = self._read(SECRET)
        if private is None:
            raise LostKey("The key that signs the audit log is missing. Bring secrets/audit-signing-key back from a backup.")
        if not self.path.exists():
            self._publish(private, "", private)
        return id_of(private.public_key())

    def sign(self, key: str, prefix: bytes, message: bytes) -> str:
        """LostKey where the secrets folder does not hold the private key of that id."""
        if key not in self._private:
            for name in (SECRET, NEXT):
                private = self._read(name)
                if private is not None:
                    self._private[id_of(private.public_key())] = private
        if key not in self._private:
            raise LostKey(f"The key {key}, which signs the audit log, is missing. Bring secrets/{SECRET} back from a backup.")
        return self._private[key].sign(prefix + message).hex()

    def prepare(self, current: str) -> str:
        """Under the lock: a new private key and its line, signed by `current`. After a kill the same one is taken up again."""
        self.settle(current)
        private = self._read(NEXT)
        if self.given and private is None:
            raise NoNextKey(f"There is no new key. Put 64 hexadecimal digits into the Secret as {NEXT}, and restart the service.")
        if self.given and private is not None and id_of(private.public_key()) == current:
            raise NoNextKey(f"The key in {NEXT} signs already. Move it to {SECRET} in the Secret, and put another one there.")
        if private is None:
            _write_private(self._secrets / NEXT, secrets.token_hex(32))
            private = self._read(NEXT)
            assert private is not None
        new = id_of(private.public_key())
        newest = last_line(self.path)
        if newest is None or json.loads(newest)["key"] != new:
            self._publish(private, current)
        return new

    def settle(self, current: str) -> None:
        """Under the lock: if the rotation to NEXT is written in the log, NEXT is the key and the old private key goes."""
        private = None if self.given else self._read(NEXT)
        if private is not None and id_of(private.public_key()) == current:
            (self._secrets / NEXT).replace(self._secrets / SECRET)
            self._private = {}

    def _publish(self, private: Ed25519PrivateKey, previous: str, signer: Ed25519PrivateKey | None = None) -> None:
        public = private.public_key()
        document = {
            "key": id_of(public), "public": raw_of(public).hex(), "previous": previous,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        text = canonical(document)
        signature = signer.sign(SIGNED + text).hex() if signer else self.sign(previous, SIGNED, text)
        append_line(self.path, canonical({**document, "signature": signature}))

    def _read(self, name: str) -> Ed25519PrivateKey | None:
        try:
            return Ed25519PrivateKey.from_private_bytes(bytes.fromhex((self._secrets / name).read_text().strip()))
        except (FileNotFoundError, ValueError):
            return None


def signing_lock(folder: Path, *, wait: bool = True) -> AbstractContextManager[None]:
    """Held while a checkpoint is made, a key changes, or a backup copies what must fit together.

    BlockingIOError where another holds it and `wait` is false.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Lock(folder / "sign.lock", wait)


def id_of(public: Ed25519PublicKey) -> str:
    return sha256(raw_of(public)).hexdigest()[:16]


def raw_of(public: Ed25519PublicKey) -> bytes:
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def read_keys(path: Path) -> tuple[list[PublicKey], list[str]]:
    """The keys in order, as far as each is signed by the one before, and what is wrong with the file, a sentence each."""
    found: list[PublicKey] = []
    for line, _ in lines(path):
        key = _read_line(line, found[-1] if found else None)
        if key is None:
            return found, [f"Public key {len(found) + 1} was changed, or is not signed by the key before it."]
        found.append(key)
    return found, ["The file of public keys ends in the middle of a line."] if cut_short(path) else []


def _read_line(line: bytes, before: PublicKey | None) -> PublicKey | None:
    try:
        document: dict[str, Any] = json.loads(line)
        signature = str(document.pop("signature"))
        raw = bytes.fromhex(document["public"])
        public = PublicKey(document["key"], Ed25519PublicKey.from_public_bytes(raw), line)
        written = set(document) == FIELDS and canonical({**document, "signature": signature}) == line
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    honest = written and public.id == id_of(public.key) and document["previous"] == (before.id if before else "")
    return public if honest and (before or public).signed(SIGNED, canonical(document), signature) else None


def _write_private(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
