"""UIDs: instances are replaced; classes, syntaxes and registered coding schemes are names of things and stay."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import Any

from .pseudonyms import Key
from .values import fits

IMPLEMENTATION = "2.25.152438973125706849182413072866034182145"  # ours; a UUID drawn once
IMPLEMENTATION_NAME = "VOXELHUB_DEID"


@lru_cache(1)
def rules() -> dict[str, Any]:
    """rules.json."""
    read: dict[str, Any] = json.loads(resources.files(__package__).joinpath("rules.json").read_text(encoding="utf-8"))
    return read


def replaced(text: str, key: Key) -> str:
    """Every UID of a (multi-valued) text replaced under the key."""
    return "\\".join(uid and _one(uid, key) for uid in (value.strip(" \0") for value in text.split("\\")))


def _one(uid: str, key: Key) -> str:
    if uid.startswith(tuple(rules()["known_uids"])) and fits("UI", uid) and len(uid) < 40:
        return uid
    return key.uid(uid)
