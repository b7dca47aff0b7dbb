"""Images as podman writes them (docker-archive), turned into one OCI layout in which a layer of several images is there once.

Layers are compressed with zstd, one at a time, on their way from one archive into the other.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from machine import BuildError

OCI = "application/vnd.oci.image"
PIECE = 1 << 20


class Writer:
    """A tar file of one folder, written front to back and never read: the same files give the same bytes."""

    def __init__(self, target: IO[bytes], folder: str, time: int) -> None:
        self.tar = tarfile.TarFile(fileobj=target, mode="w", format=tarfile.GNU_FORMAT)
        self.folder, self.time, self.sums = folder, time, dict[str, str]()

    def add(self, name: str, content: bytes, mode: int = 0o644) -> None:
        self.copy(name, io.BytesIO(content), len(content), hashlib.sha256(content).hexdigest(), mode)

    def copy(self, name: str, file: IO[bytes], size: int, digest: str, mode: int = 0o644) -> None:
        entry = tarfile.TarInfo(f"{self.folder}/{name}")
        entry.size, entry.mode, entry.mtime = size, mode, self.time
        self.tar.addfile(entry, file)
        self.sums[name] = digest

    def close(self) -> None:
        """Last, so that an archive which is not all there has no sums: `sha256sum --check SHA256SUMS`."""
        self.add("SHA256SUMS", "".join(f"{digest}  {name}\n" for name, digest in sorted(self.sums.items())).encode())
        self.tar.close()


@dataclass(frozen=True, order=True)
class Saved:
    """An image in the layout: its name, its number as `kubectl` shows it, and its size unpacked."""

    name: str
    number: str
    size: int


@dataclass
class Layout:
    """In the folder `images` of the archive."""

    writer: Writer
    scratch: Path
    blobs: dict[str, dict[str, Any]] = field(default_factory=dict)  # of layers, by what they are uncompressed
    sizes: dict[str, int] = field(default_factory=dict)  # and how large they are then
    images: list[Saved] = field(default_factory=list)
    manifests: list[dict[str, Any]] = field(default_factory=list)

    def take(self, archive: IO[bytes], said: str) -> None:
        """All images of a docker-archive. `said` names it where something is wrong with it."""
        small, layers = dict[str, bytes](), dict[str, str]()
        try:
            with tarfile.open(fileobj=archive, mode="r|") as tar:
                for member in tar:
                    if not member.isfile() or not (file := tar.extractfile(member)):
                        continue
                    if member.name.endswith(".json"):
                        small[member.name] = file.read()
                    elif member.name.endswith(".tar"):
                        layers[member.name] = self._layer(file, Path(member.name).stem)
            for image in json.loads(small["manifest.json"]):
                self._image(image, small[image["Config"]], [layers[name] for name in image["Layers"]])
        except (tarfile.TarError, KeyError, ValueError) as error:
            raise BuildError(f"{said} is no complete archive of images: {error}. Build and save it again.") from error

    def _layer(self, file: IO[bytes], named: str) -> str:
        """Its digest. podman names layers by it: one that is here already is not compressed again."""
        if named in self.blobs:
            return named
        raw = hashlib.sha256()
        with tempfile.TemporaryFile(dir=self.scratch) as packed:
            size = _compress(file, packed, raw)
            if (digest := raw.hexdigest()) not in self.blobs:
                self.blobs[digest] = self._blob(packed, f"{OCI}.layer.v1.tar+zstd")
                self.sizes[digest] = size
        return digest

    def _image(self, image: dict[str, Any], configuration: bytes, layers: list[str]) -> None:
        if json.loads(configuration)["rootfs"]["diff_ids"] != [f"sha256:{digest}" for digest in layers]:
            raise ValueError(f"a layer of {image['RepoTags'][0]} is not the one that was built")
        config = self._document(configuration, f"{OCI}.config.v1+json")
        manifest = self._document(_json({
            "schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "config": config,
            "layers": [self.blobs[digest] for digest in layers]}), f"{OCI}.manifest.v1+json")
        for name in image["RepoTags"]:
            self.images.append(Saved(name, config["digest"], sum(self.sizes[digest] for digest in layers)))
            self.manifests.append({**manifest, "annotations": {  # the first is containerd's, the other skopeo's and podman's
                "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition("/")[2]}})

    def close(self) -> None:
        self.writer.add("images/oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        self.writer.add("images/index.json", _json({
            "schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": self.manifests}))

    def _document(self, content: bytes, kind: str) -> dict[str, Any]:
        return self._blob(io.BytesIO(content), kind)

    def _blob(self, file: IO[bytes], kind: str) -> dict[str, Any]:
        digest = hashlib.sha256()
        file.seek(0)
        while piece := file.read(PIECE):
            digest.update(piece)
        size, named = file.tell(), digest.hexdigest()
        file.seek(0)
        if (name := f"images/blobs/sha256/{named}") not in self.writer.sums:
            self.writer.copy(name, file, size, named)
        return {"mediaType": kind, "digest": f"sha256:{named}", "size": size}


def _compress(file: IO[bytes], packed: IO[bytes], raw: Any) -> int:
    """Of the same content the same bytes, whatever number of processors there is."""
    if not (zstd := shutil.which("zstd")):
        raise BuildError("zstd is missing. On Debian: apt-get install zstd")
    size = 0
    with subprocess.Popen([zstd, "-q", "-3", "-T0", "--no-check", "-c"], stdin=subprocess.PIPE, stdout=packed) as process:
        assert process.stdin
        while piece := file.read(PIECE):
            raw.update(piece)
            process.stdin.write(piece)
            size += len(piece)
    if process.returncode:
        raise BuildError(f"zstd ended with code {process.returncode}; its message is above.")
    return size


def _json(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
