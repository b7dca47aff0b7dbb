"""A complete small tool to begin with: manifest, program, tests. One folder of the clone's `tools/templates/` for each kind."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, get_args

from ..errors import conflict, invalid
from . import package

Kind = Literal["python", "r", "shell", "notebook"]
KINDS: tuple[str, ...] = get_args(Kind)
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def files(kind: Kind, name: str) -> dict[str, bytes]:
    """By relative path, with the tool's name and a title made from it."""
    if not NAME.fullmatch(name):
        raise invalid("bad_name", "This cannot be a tool's name.",
                      "Write small letters, digits and -, at most 63, as in my-tool.")
    words = {"{{name}}": name, "{{title}}": name.replace("-", " ").strip().capitalize() or name}
    found = {}
    for path, data in package.collect(templates_folder() / kind, 2**20).items():
        text = data.decode("utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        found[path] = text.encode("utf-8")
    return found


def templates_folder() -> Path:
    """An image lays it out in the same way."""
    return Path(os.path.realpath(__file__)).parents[3] / "tools" / "templates"


def archive(kind: Kind, name: str) -> bytes:
    return package.zipped(files(kind, name))


def write(kind: Kind, name: str, folder: Path) -> None:
    """Into a new folder; whatever is there already stays as it is, and is a Problem."""
    found = files(kind, name)
    try:
        package.write(found, folder)
    except FileExistsError:
        raise conflict("exists", f"There is a {folder.name} already; nothing was written.", "Choose another name.") from None
