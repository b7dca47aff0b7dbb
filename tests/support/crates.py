"""Judges crates with roc-validator in its own offline mode: its cache is filled with the context that rocrate ships."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import rocrate
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.utils.http import HttpRequester
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
SHIPPED = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"  # of a later edition, which only adds terms


class _Shelf(HTTPAdapter):
    """Answers for the one address, so that nothing is asked of the network."""

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        assert request.url == CONTEXT, request.url
        body = HTTPResponse(BytesIO(SHIPPED.read_bytes()), {"Content-Type": "application/ld+json"}, 200, preload_content=False,
                            request_url=CONTEXT)
        return self.build_response(request, body)


def make_cache(folder: Path) -> Path:
    """A cache of HTTP answers for `issues_of`."""
    path = folder / "roc-validator-cache"
    session = CachedSession(str(path), backend="sqlite", expire_after=-1, allowable_codes=(200,))
    session.mount("https://", _Shelf())
    headers = {"Accept": "application/ld+json, application/json, */*;q=0.1"}
    assert session.get(CONTEXT, headers=headers).status_code == 200
    session.close()
    return path


def issues_of(crate: Path, cache: Path, severity: Severity = Severity.REQUIRED, **more: Any) -> list[str]:
    """What the validator has against the crate in this folder, as a Process Run Crate; [] when it accepts it."""
    HttpRequester._instance = None  # it keeps the settings of its first use
    result = services.validate(ValidationSettings(
        rocrate_uri=str(crate), profile_identifier="process-run-crate", requirement_severity=severity, offline=True,
        cache_path=cache, cache_max_age=-1, **more))
    return sorted({f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues()})
