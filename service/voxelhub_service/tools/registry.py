"""The tools that ship: a folder each below `tools/` of the clone, named <name>, or <name>@<version> beside another version."""

from __future__ import annotations

import functools
import logging
import os
from pathlib import Path

from ..settings import Settings
from .manifest import Manifest, ManifestError, load_manifest
from .versions import order

log = logging.getLogger(__name__)


class Registry:
    """Reads the folder again when a manifest in it changed, so that a tool developer need not restart anything."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()
        self._seen: dict[str, tuple[float, Manifest | ManifestError]] = {}

    def all(self) -> list[Manifest]:
        """By title. A tool whose manifest is wrong is left out and named in the log."""
        found = [self._load(path) for path in self._folders()]
        return sorted((one for one in found if isinstance(one, Manifest)), key=lambda one: (one.title, one.name))

    def get(self, name: str, version: str | None = None) -> Manifest | None:
        """The newest, or one particular version."""
        found = [one for one in self.all() if one.name == name and version in (None, one.version)]
        return max(found, key=lambda one: order(one.version), default=None)

    def problems(self) -> list[str]:
        """For `voxelhub doctor`: a sentence for each tool that is left out."""
        return [str(one) for one in map(self._load, self._folders()) if isinstance(one, ManifestError)]

    def _folders(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if (path / "tool.json").is_file())

    def _load(self, path: Path) -> Manifest | ManifestError:
        changed = max((one.stat().st_mtime for one in path.rglob("*") if one.is_file() and one.suffix != ".pyc"), default=0.0)
        known = self._seen.get(path.name)
        if known and known[0] == changed:
            return known[1]
        try:
            loaded: Manifest | ManifestError = load_manifest(path)
        except ManifestError as error:
            log.warning("tool left out: %s", error)
            loaded = error
        self._seen[path.name] = (changed, loaded)
        return loaded


def registry(settings: Settings | None = None) -> Registry:
    """The one of this process for these settings."""
    return _registry(settings.tools_dir if settings else "")


@functools.cache
def _registry(folder: str) -> Registry:
    return Registry(Path(folder) if folder else None)


def default_folder() -> Path:
    """`tools/` of the clone; an image lays them out in the same way."""
    return Path(os.path.realpath(__file__)).parents[3] / "tools"
