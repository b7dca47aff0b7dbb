"""The OpenAPI 3.1 document: FastAPI's, with what holds for every operation added once."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ..wire import EventOut, ProblemOut
from .errors import MEDIA_TYPE
from .gate import GUARDS

DESCRIPTION = (
    "Send `Authorization: token <hub token>` (scope access:services!service=voxelhub) or `Authorization: Bearer <Keycloak access "
    "token>` (audience voxelhub-api). Cookies are not read. Every failure is an RFC 9457 problem document with a stable code."
)
PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}}


def openapi_of(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title="VoxelHub", version=app.version, openapi_version="3.1.0", description=DESCRIPTION,
                           routes=app.routes)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for model in (ProblemOut, EventOut):  # named by no route's return type
        schemas[model.__name__] = model.model_json_schema(ref_template="#/components/schemas/{model}")
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A hub token or a Keycloak access token."},
    }
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _complete(operation, GUARDS.get((method.upper(), path)) == "open")
            if method == "head":  # RFC 9110, section 9.3.2: no content
                for response in operation["responses"].values():
                    response.pop("content", None)
    return document


def _complete(operation: dict[str, Any], is_open: bool) -> None:
    responses = operation.setdefault("responses", {})
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]
    responses["4XX"] = {"description": "Refused: the problem says why and what would make it right.", **PROBLEM}
    responses["5XX"] = {"description": "Failed, or a part that must be asked does not answer.", **PROBLEM}
    operation["security"] = [] if is_open else [{"token": []}]
