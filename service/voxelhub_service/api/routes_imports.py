"""Imports that the service makes by itself: from a URL."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header

from ..database import reading
from ..imports import from_url
from ..runs.store import run_out
from ..wire_datasets import UrlIn
from ..wire_runs import RunOut
from .deps import CallerDep, ContextDep

router = APIRouter(tags=["imports"])


@router.post("/imports/url", status_code=201)
def import_url(
    wanted: UrlIn, context: ContextDep, actor: CallerDep,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> RunOut:
    """Load a file from http, https or ftp in a run of its own; follow that. The same Idempotency-Key gives the same run."""
    run = from_url.create(context, actor, wanted, idempotency_key)
    with reading(context.engine) as session:
        return run_out(session, run)
