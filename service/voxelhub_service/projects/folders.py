"""The folders of projects, which notebook servers mount read-only."""

from __future__ import annotations

from collections.abc import Iterable

from ..settings import Settings


def ensure_folders(settings: Settings, names: Iterable[str]) -> None:
    """projects/<name> for each; the caller has checked that they are names of projects. Makes no project: publishing does."""
    for name in names:
        (settings.projects_dir / name).mkdir(parents=True, exist_ok=True)
