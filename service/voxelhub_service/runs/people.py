"""People and projects as they appear in what may leave VoxelHub: under a keyed pseudonym, never by a login name."""

from __future__ import annotations

from ..context import Context
from ..deid.pseudonyms import Key
from ..models import Project
from ..secrets import read_secret


class People:
    """The same pseudonym for the same person, in every record of this installation; another installation's share none."""

    def __init__(self, context: Context) -> None:
        self._key = Key(bytes.fromhex(read_secret(context.settings.secrets_dir, "provenance-key")))

    def pseudonym(self, name: str) -> str:
        """person-<16 letters or digits>"""
        return f"person-{self._key.token('person', name, 16)}"

    def project(self, project: Project) -> str:
        """A personal project's name holds its owner's."""
        return f"home of {self.pseudonym(project.owner)}" if project.kind == "personal" and project.owner else project.name
