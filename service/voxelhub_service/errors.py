"""What may reach a user: a stable code, a sentence, and what would make it right. Nothing else leaves the service."""

from __future__ import annotations


class Problem(Exception):
    """A refusal or failure with its HTTP status (RFC 9457 `application/problem+json` on the wire).

    `detail` and `fix` are sentences for the user: no path, token, traceback or patient identifier. `field` is what of the
    request they are about, as `arguments.sigma`, where a form can show them beside it.
    """

    def __init__(self, status: int, code: str, detail: str, fix: str = "", field: str = "") -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.fix, self.field = status, code, detail, fix, field
        self.denied: tuple[str, str] | None = None  # (action, resource) when policy said no: the audit event to append
        self.actor = ""  # who was refused, where that is known before an Actor is


def not_found() -> Problem:
    """The one answer for what does not exist and for what the caller may not see."""
    return Problem(404, "not_found", "There is nothing here under this name that you may see.")


def unauthenticated(detail: str = "This request carries no valid token.") -> Problem:
    fix = "Send a hub token with the scope access:services!service=voxelhub, or a Keycloak access token."
    return Problem(401, "unauthenticated", detail, fix)


def forbidden(detail: str, fix: str = "") -> Problem:
    return Problem(403, "forbidden", detail, fix)


def conflict(code: str, detail: str, fix: str = "") -> Problem:
    return Problem(409, code, detail, fix)


def invalid(code: str, detail: str, fix: str = "", field: str = "") -> Problem:
    return Problem(422, code, detail, fix, field)


NUL = invalid("unstorable_text", "A text in this request holds a NUL character, which cannot be kept.", "Take it out.")
