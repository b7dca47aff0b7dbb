"""A hub whose database does not answer knows nobody. JupyterHub 6.1.1 takes that for a person who is not signed in: it shows
the sign-in page, and tells notebook servers that their person's cookie is no good, so that they throw it away."""

from __future__ import annotations

from typing import Any

from jupyterhub.handlers import BaseHandler
from sqlalchemy.exc import SQLAlchemyError
from tornado import web

AWAY = ("VoxelHub cannot recognise anybody at the moment: its database does not answer. Servers that run, and their kernels, go "
        "on. Try again in a few seconds.")

_get_current_user, _resolve = BaseHandler.get_current_user, BaseHandler._resolve_roles_and_scopes


async def get_current_user(self: Any) -> Any:
    """The hub's `prepare` swallows what is raised here, and asks for the person's rights next."""
    try:
        return await _get_current_user(self)
    except SQLAlchemyError:
        self.voxelhub_unknown = True
        raise


def resolve_roles_and_scopes(self: Any) -> None:
    if getattr(self, "voxelhub_unknown", False):
        self.voxelhub_unknown, self.parsed_scopes = False, {}
        raise web.HTTPError(503, AWAY, reason="Database unavailable")
    _resolve(self)


def install() -> None:
    BaseHandler.get_current_user = get_current_user
    BaseHandler._resolve_roles_and_scopes = resolve_roles_and_scopes
