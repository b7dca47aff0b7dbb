"""The folder of one local cluster, and the files by which driver and supervisor know of each other.

    spec.json       the ClusterSpec, written before anything starts
    claim           the supervisor that holds it; made exclusively, so there is one
    wish.json       how many workers it shall have
    lease           touched by the service's worker while it lives
    close           somebody wants its end; holds the reason
    status.json     what the supervisor said last
    events.jsonl    what happened, numbered
    tls/            keys and certificates, while it lives
    run/            sockets of the scheduler, while it lives
    scratch/<name>  what a process spills, while it lives
    logs/<name>.log what the processes printed
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..executors.folder import alive, identity, read_json
from .base import ClusterSpec, Group, Size, Wish

NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")  # of a process


class ClusterFolder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec, self.claim_file, self.wish_file = path / "spec.json", path / "claim", path / "wish.json"
        self.lease, self.close, self.status, self.events = (path / n for n in ("lease", "close", "status.json", "events.jsonl"))
        self.tls, self.run, self.scratch, self.logs = (path / name for name in ("tls", "run", "scratch", "logs"))

    def make(self, spec: ClusterSpec) -> None:
        for folder in (self.path, self.tls, self.run, self.scratch, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_json(self.spec, asdict(spec))
        if not self.wish_file.exists():
            self.write_wish(spec.wish)
        self.lease.touch()

    def read_spec(self) -> ClusterSpec:
        known = json.loads(self.spec.read_text())
        known["size"], known["scheduler"] = Size(**known["size"]), Size(**known["scheduler"])
        known["groups"] = tuple(Group(one["name"], one["workers"], Size(**one["size"])) for one in known["groups"])
        known["read_only"] = tuple((outside, inside) for outside, inside in known["read_only"])
        return ClusterSpec(**{**known, "wish": Wish(**known["wish"])})

    def write_wish(self, wish: Wish) -> None:
        replace_json(self.wish_file, asdict(wish))

    def read_wish(self) -> Wish | None:
        found = read_json(self.wish_file)
        return Wish(**found) if found else None

    def claim(self) -> bool:
        """Hold this cluster in this process's name; False when another process has done so. Appears complete or not at all."""
        part = self.path / f".claim.{os.getpid()}"
        part.write_text(json.dumps(identity()))
        try:
            os.link(part, self.claim_file)
        except FileExistsError:
            return False
        finally:
            part.unlink()
        return True

    def claimed(self) -> bool:
        return self.claim_file.exists()

    def held(self) -> bool:
        """Whether its supervisor lives."""
        return alive(read_json(self.claim_file))

    def read_status(self) -> dict[str, Any]:
        return read_json(self.status)

    def forget_secrets(self) -> None:
        """Keys, sockets and spilled data: of no use after the end."""
        for folder in (self.tls, self.run, self.scratch):
            shutil.rmtree(folder, ignore_errors=True)


def replace_json(path: Path, content: dict[str, Any]) -> None:
    """Replace the file whole. Not synced: what it says is of processes that a power cut ends too."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(content, sort_keys=True))
    part.replace(path)
