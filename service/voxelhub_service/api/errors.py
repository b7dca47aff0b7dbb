"""Every failure leaves as `application/problem+json` (RFC 9457): a code, a sentence, a fix; no value of the caller."""

from __future__ import annotations

import logging
import re
import traceback
import uuid
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..context import Context
from ..database import NoAnswer, Unstorable, away, writing
from ..errors import NUL, Problem, not_found

log = logging.getLogger("voxelhub.api")
MEDIA_TYPE = "application/problem+json"
HTTP_SENTENCES = {
    400: ("bad_request", "This request cannot be read."),
    405: ("method_not_allowed", "This address does not know that method."),
    413: ("too_large", "This request is larger than the service accepts."),
    415: ("unsupported_media_type", "The service reads application/json here."),
}
NO_DATABASE = Problem(503, "database_away", "The database does not answer at the moment.",
                      "Try again in a few seconds. If it stays so, tell the administrator.")


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    body = {"status": problem.status, "code": problem.code, "detail": problem.detail, "fix": problem.fix}
    if problem.field:
        body["field"] = problem.field
    extra = {"Cache-Control": "no-store", **(headers or {})}
    if problem.status == 401:
        extra["WWW-Authenticate"] = 'Bearer realm="voxelhub"'
    if problem.status == 503:
        extra["Retry-After"] = "5"
    return ProblemResponse(body, problem.status, extra)


class Denials:
    """Appends the audit event of a refusal that policy marked as one."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def append(self, scope: Scope, problem: Problem) -> None:
        if problem.denied is None:
            return
        action, resource = problem.denied
        actor = scope.get("state", {}).get("actor")
        name = actor.name if actor else problem.actor or "nobody"
        resource = resource or f"route:{getattr(scope.get('route'), 'path', '')}"
        try:
            await run_in_threadpool(self._write, name, action, resource, problem)
        except Exception as error:  # the refusal stands, written down or not
            log.error("a denial could not be written to the audit log: %s", type(error).__name__)

    def _write(self, actor: str, action: str, resource: str, problem: Problem) -> None:
        with writing(self._context.engine) as session:
            self._context.audit.append(session, actor, action, resource, "denied", {"code": problem.code})


def install_error_handlers(app: FastAPI, denials: Denials) -> None:
    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        await denials.append(request.scope, error)
        return problem_response(error)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return problem_response(not_found())
        code, sentence = HTTP_SENTENCES.get(error.status_code, ("refused", "This request was refused."))
        return problem_response(Problem(error.status_code, code, sentence), dict(error.headers or {}))

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_response(Problem(422, "invalid_request", sentence_of(error.errors())))

    async def on_database(request: Request, error: Exception) -> Response:
        if not away(error):
            raise error
        log.warning("the database does not answer: %s", type(getattr(error, "orig", error)).__name__)
        return problem_response(NO_DATABASE)

    async def on_unstorable(request: Request, error: Exception) -> Response:
        return problem_response(NUL)

    for known in NoAnswer:
        app.add_exception_handler(known, on_database)
    app.add_exception_handler(Unstorable, on_unstorable)
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)


def sentence_of(errors: Sequence[Any]) -> str:
    """The first finding as a sentence, with the place of it as far as we named it ourselves."""
    first = errors[0]
    place = [part for part in first["loc"] if isinstance(part, int) or re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,40}", str(part))]
    if first["type"] in {"extra_forbidden", "json_invalid"}:  # what stands there is the caller's own text
        place = place[:-1]
    where = ".".join(str(part) for part in place) or "the request"
    message = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    more = f" There are {len(errors) - 1} more findings." if len(errors) > 1 else ""
    return f"{where}: {message}.{more}"


class Shield:
    """The outermost layer: an unforeseen exception is told by a number; its message, which may name a patient, stays here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http":
                raise
            number = uuid.uuid4().hex[:12]
            log.error("failure %s: %s at %s", number, type(error).__name__, _where(error))
            if started:
                raise RuntimeError(f"failure {number} after the answer had begun") from None
            sentence = f"The service failed. This is not your fault; its number is {number}."
            problem = Problem(500, "internal", sentence, "Tell the administrator this number.")
            await problem_response(problem)(scope, receive, send)


def _where(error: BaseException) -> str:
    """Positions in our code, innermost last; neither values nor messages."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "voxelhub" in f.filename]
    return " < ".join(f"{f.filename.rpartition('voxelhub_service/')[2]}:{f.lineno}" for f in reversed(frames[-6:])) or "unknown"
