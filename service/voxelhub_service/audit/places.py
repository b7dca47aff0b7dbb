"""The second place: where each checkpoint goes besides the audit folder, so that who controls this machine cannot unsay it."""

from __future__ import annotations

import os
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from ..settings import Settings, SettingsError
from .checkpoint import Checkpoint
from .s3 import Bucket, S3Error
from .syslog import send

EXAMPLES = (
    "file:/mnt/evidence, s3:https://s3.example.org/bucket/prefix?region=eu-central-1, "
    "syslog:tcp://log.example.org:514, syslog:udp://log.example.org:514 or syslog:/dev/log")


class PlaceDown(RuntimeError):
    """It does not take anything now; the text says why."""


class Conflict(RuntimeError):
    """It holds something else under this name; it never forgets, so another place is needed."""


class Place(Protocol):
    """Keeps checkpoints by their size. `names` and `get` are for places that can be read again."""

    readable: bool

    def put(self, checkpoint: Checkpoint) -> None:
        """Kept when this returns, once or again. PlaceDown or Conflict."""

    def names(self) -> list[str]:
        """What it holds, sorted. PlaceDown."""

    def get(self, name: str) -> bytes | None: ...

    def holds(self, name: str, line: bytes) -> bool:
        """Whether it holds exactly that under the name."""


def name_of(size: int) -> str:
    return f"{size:012d}.json"


def make_place(settings: Settings) -> Place | None:
    """None where none is set; SettingsError for what cannot be one."""
    kind, _, rest = settings.audit_second.partition(":")
    if not settings.audit_second:
        return None
    if kind == "file" and Path(rest).is_absolute():
        return FolderPlace(Path(rest))
    if kind == "s3" and (bucket := Bucket.of(rest, settings.secrets_dir)) is not None:
        return BucketPlace(bucket)
    if kind == "syslog" and _is_receiver(rest):
        return SyslogPlace(rest)
    raise SettingsError(f"VOXELHUB_AUDIT_SECOND is {settings.audit_second!r}; write for example {EXAMPLES}.")


def _is_receiver(address: str) -> bool:
    if address.startswith("/"):
        return True
    try:
        parts = urlsplit(address)
        return parts.scheme in {"tcp", "udp"} and bool(parts.hostname) and parts.port is not None
    except ValueError:
        return False


class FolderPlace:
    """A folder that is there already: one that is not mounted must not be taken for an empty one."""

    readable = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, checkpoint: Checkpoint) -> None:
        name, line = name_of(checkpoint.size), checkpoint.line + b"\n"
        try:
            found = self.get(name)
            if found == line:
                return
            if found is not None:
                raise Conflict(f"The folder holds another checkpoint named {name}.")
            part = self._folder / f".{name}.{os.getpid()}"
            with part.open("wb") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._folder / name)
        except OSError as error:
            raise PlaceDown(f"The folder cannot be written: {error.strerror or type(error).__name__}.") from None

    def names(self) -> list[str]:
        try:
            return sorted(path.name for path in self._folder.iterdir() if fnmatch(path.name, "[!.]*.json"))
        except OSError as error:
            raise PlaceDown(f"The folder cannot be read: {error.strerror or type(error).__name__}.") from None

    def get(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def holds(self, name: str, line: bytes) -> bool:
        try:
            return self.get(name) == line + b"\n"
        except OSError as error:
            raise PlaceDown(f"The folder cannot be read: {error.strerror or type(error).__name__}.") from None


class BucketPlace:
    """A bucket of an S3 service, best one with object lock: what is there cannot be replaced then."""

    readable = True

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(self, checkpoint: Checkpoint) -> None:
        name, line = name_of(checkpoint.size), checkpoint.line + b"\n"
        try:
            if not self._bucket.create(name, line) and self._bucket.get(name) != line:
                raise Conflict(f"The bucket holds another checkpoint named {name}.")
        except S3Error as error:
            raise PlaceDown(str(error)) from None

    def names(self) -> list[str]:
        try:
            return sorted(self._bucket.names())
        except S3Error as error:
            raise PlaceDown(str(error)) from None

    def get(self, name: str) -> bytes | None:
        try:
            return self._bucket.get(name)
        except S3Error as error:
            raise PlaceDown(str(error)) from None

    def holds(self, name: str, line: bytes) -> bool:
        return self.get(name) == line + b"\n"


class SyslogPlace:
    """A log of the system or of another machine (RFC 5424). It cannot be asked what it holds."""

    readable = False

    def __init__(self, address: str) -> None:
        self._address = address

    def put(self, checkpoint: Checkpoint) -> None:
        try:
            send(self._address, checkpoint.line)
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            raise PlaceDown(f"The log receiver does not take it: {reason}.") from None

    def names(self) -> list[str]:
        return []

    def get(self, name: str) -> bytes | None:
        return None

    def holds(self, name: str, line: bytes) -> bool:
        return True
