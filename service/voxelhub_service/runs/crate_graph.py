"""The entities of a crate, each once by its @id; what is said twice of one is put together."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from typing import Any

Entity = dict[str, Any]
Reference = dict[str, str]
TERMS = {name: f"https://w3id.org/ro/terms/workflow-run#{name}" for name in ("sha256", "resourceUsage")}
PROCESS = "https://w3id.org/ro/wfrun/process/0.5"
PARAMETER = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"


def ni(sha256: str) -> str:
    """The name of bytes by their digest (RFC 6920), from its 64 hexadecimal digits."""
    return "ni:///sha-256;" + base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")


def urn(identifier: str) -> str:
    """A URN of an identifier of ours, which is a UUID without its dashes."""
    return uuid.UUID(identifier).urn


def urn_of_digest(digest: str) -> str:
    """A version 8 UUID (RFC 9562, 5.8) of the first 122 free bits of a digest that is none of a single file."""
    number = int(digest[:32], 16) & ~(0xF << 76) | 0x8 << 76
    return uuid.UUID(int=number & ~(0x3 << 62) | 0x2 << 62).urn


class Graph:
    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}
        self.mentioned: list[str] = []

    def add(self, id: str, type: str, **properties: Any) -> Reference:
        """Properties that are None, "" or [] are left out; a second entity of the same @id adds what the first did not say."""
        entity = self.entities.setdefault(id, {"@type": type})
        for name, value in properties.items():
            if value in (None, "", []):
                continue
            known = entity.get(name)
            if known is None:
                entity[name] = value
            elif name in ("exampleOfWork", "isPartOf", "alternateName") and value not in _many(known):
                entity[name] = [*_many(known), value]
        return {"@id": id}

    def file(self, id: str, **properties: Any) -> Reference:
        """Equal bytes are one entity, with a name for each place where they lie."""
        known = self.entities.get(id, {}).get("name")
        if known is not None and properties.get("name", known) != known:
            properties["alternateName"] = properties.pop("name")
        return self.add(id, "File", **properties)

    def collection(self, id: str, **properties: Any) -> Reference:
        self.mention(id)
        return self.add(id, "Collection", **properties)

    def mention(self, id: str) -> None:
        if id not in self.mentioned:
            self.mentioned.append(id)

    def value(self, id: str, name: str, value: Any, **more: Any) -> Reference:
        reference = self.add(id, "PropertyValue", name=name, **more)
        self.entities[id]["value"] = plain(value)  # an empty one says something too
        return reference

    def document(self, root: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON-LD, as rocrate makes it."""
        from rocrate.model import ContextEntity, DataEntity  # a third of a second: only who writes a crate needs it
        from rocrate.rocrate import ROCrate

        crate = ROCrate(version="1.1")
        crate.metadata.extra_terms.update(TERMS)
        for id, entity in self.entities.items():
            kind = DataEntity if entity["@type"] == "File" else ContextEntity
            crate.add(kind(crate, id, properties={name: _single(value) for name, value in entity.items()}))
        for name, value in root.items():
            crate.root_dataset[name] = value
        crate.root_dataset["mentions"] = _single([{"@id": one} for one in self.mentioned])
        document: dict[str, Any] = crate.metadata.generate()
        return document


def plain(value: Any) -> str | int | float | bool:
    """RO-Crate's values are scalars."""
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(map(str, value))
    return str(value)


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
