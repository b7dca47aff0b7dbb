"""Container images of one static program each, as archives that `ctr images import` and `podman load` read."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def from_scratch(target: Path, name: str, program: Path, arguments: list[str] | None = None) -> Path:
    """An image that holds /`program` alone and runs it as nobody; the same bytes for the same program."""
    layer = _tar({program.name: program.read_bytes()}, mode=0o755)
    configuration = json.dumps({
        "architecture": ARCHITECTURES[platform.machine()], "os": "linux",
        "config": {"User": "65534:65534", "Entrypoint": [f"/{program.name}", *(arguments or [])], "Env": ["PATH=/"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }).encode()
    named = f"{hashlib.sha256(configuration).hexdigest()}.json"
    manifest = json.dumps([{"Config": named, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    target.write_bytes(_tar({named: configuration, "layer.tar": layer, "manifest.json": manifest}, mode=0o644))
    return target


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
