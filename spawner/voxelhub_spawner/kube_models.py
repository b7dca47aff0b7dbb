"""Documents as the client's own objects, which KubeSpawner hands on and administrators' hooks change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kubernetes_asyncio import client


def model(kind: str, document: Any) -> Any:
    """The object of this class (V1Pod, list[V1Container], dict(str, str)) that says what the document says."""
    if inner := re.fullmatch(r"list\[(.+)\]", kind):
        return [model(inner[1], one) for one in document]
    if inner := re.fullmatch(r"dict[(\[]str, (.+)[)\]]", kind):
        return {key: model(inner[1], value) for key, value in document.items()}
    made = getattr(client, kind, None)
    if made is None or not isinstance(document, Mapping):
        return document
    if unknown := set(document) - set(made.attribute_map.values()):
        raise ValueError(f"{kind} has no {', '.join(sorted(unknown))}")
    return made(**{name: model(made.openapi_types[name], document[key])
                   for name, key in made.attribute_map.items() if key in document})
