"""schemathesis against the whole application in this process, as researcher and as administrator.

For every operation of the OpenAPI document: one sensible call with real ids, then generated ones, half of them on real ids.
Nothing may answer 5xx or break its own schema, and of the operations that the actor may call at least 90 % answer 2xx.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import jwt
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from support.populated import Populated, operations, populate
from support.service import ADMIN, ALICE
from voxelhub_service.api.gate import PREFIX

EXAMPLES = [5, pytest.param(50, marks=pytest.mark.slow)]  # of each operation; the same ones every time
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.missing_required_header,
]
# For bodies only: in a query `yes` counts as true and 0 as a time, which is pydantic's courtesy and no defect.
BODY_CHECKS = [*CHECKS, checks.negative_data_rejection]
# What these actors may not do; they must be told so.
FORBIDDEN = {
    "alice": {
        ("PATCH", "/projects/{project}"), ("POST", "/tools/submissions/{submission_id}/decision"),
        ("GET", "/audit/events"), ("GET", "/audit/csv"), ("GET", "/audit/state"), ("GET", "/audit/proof/{seq}"),
        ("GET", "/metrics"),
    },
    "admin": set(),
}


@schemathesis.serializer("application/zip")
def _as_it_is(context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


class Hub:
    """Gives every caller a living session; how it is asked has its own tests."""

    async def whose(self, token: str) -> dict[str, Any]:
        return {"name": token.removeprefix("token-of-"), "kind": "user"}

    async def user(self, name: str) -> dict[str, Any]:
        return {"auth_state": {"access_token": jwt.encode({"exp": int(time.time()) + 60}, "k" * 32, algorithm="HS256")}}


@pytest.fixture(params=[ALICE, ADMIN], ids=["researcher", "administrator"])
def populated(request, tmp_path) -> Populated:
    made = populate(tmp_path, user=request.param.name, hub=Hub())
    made.app.state.feed.closed = True  # an event stream ends after its first message instead of never
    return made


@pytest.mark.parametrize("examples", EXAMPLES)
def test_every_operation_keeps_what_its_document_says(populated, examples):
    user = populated.user
    with populated.client:
        schema = schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", populated.app)
        documented = {
            (one.ok().method.upper(), one.ok().path.removeprefix(PREFIX)): one.ok() for one in schema.get_all_operations()
        }
        assert set(documented) == set(operations(populated.app, hidden=False))
        seen: dict[tuple[str, str], list[int]] = defaultdict(list)
        failures: list[str] = []
        for method, path in operations(populated.app, hidden=False):
            sensible = populated.call(method, path, user)
            seen[method, path].append(sensible.status_code)
            failures += _fuzz(populated, documented[method, path], (method, path), seen[method, path], examples)
    allowed = {one: statuses for one, statuses in seen.items() if one not in FORBIDDEN[user]}
    reached = {one for one, statuses in allowed.items() if any(200 <= status < 300 for status in statuses)}
    print(
        f"\n{user}: {len(reached)} of {len(allowed)} operations answered 2xx; "
        f"{sum(map(len, seen.values()))} requests, {len(failures)} findings"
    )
    assert failures == [], "\n".join(failures)
    assert {seen[one][0] for one in FORBIDDEN[user]} <= {403}
    assert len(reached) >= 0.9 * len(allowed), sorted(set(allowed) - reached)


def _fuzz(populated: Populated, operation: Any, one: tuple[str, str], statuses: list[int], examples: int) -> list[str]:
    method, path = one
    found: dict[str, None] = {}
    headers = {"Authorization": f"token token-of-{populated.user}"}
    cases = st.one_of(
        *(operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE))
    )

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases, st.booleans())
    def fuzz(case: Any, real: bool) -> None:
        if real and "{" in path and case.meta.generation.mode.is_positive:
            case.path_parameters = populated.path_parameters(method, path)
        response = case.call(headers={**headers, **populated.headers(method, path, populated.body(method, path))})
        statuses.append(response.status_code)
        try:
            case.validate_response(response, checks=CHECKS if populated.body(method, path) is None else BODY_CHECKS)
        except BaseExceptionGroup as group:
            for failure in group.exceptions:
                found[f"{method} {path} {response.status_code}: {str(failure).splitlines()[0]} {response.text[:200]}"] = None

    fuzz()
    return list(found)
