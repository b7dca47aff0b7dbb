"""A hub whose database does not answer: nobody is told that they are signed out."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from jupyterhub import orm
from jupyterhub.apihandlers.users import SelfAPIHandler
from jupyterhub.objects import Hub
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool
from support.ports import free_port
from tornado.httpserver import HTTPServer
from tornado.web import Application
from voxelhub_hub import database_away


async def asked(session: Session) -> httpx.Response:
    """The hub's own handler, as a notebook server asks it whose token this is."""
    database_away.install()
    port = free_port()
    hub = Hub(ip="127.0.0.1", port=port)
    app = Application([("/hub/api/user", SelfAPIHandler)], db=session, hub=hub, cookie_secret=b"0" * 32)
    server = HTTPServer(app)
    server.listen(port, "127.0.0.1")
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/hub/api/user", headers={"Authorization": "token somebody's"})
    server.stop()
    return answer


@pytest.fixture
async def silent() -> AsyncIterator[Session]:
    with Session(create_engine(f"postgresql+psycopg://hub@127.0.0.1:{free_port()}/hub")) as session:
        yield session


async def test_nobody_is_taken_for_signed_out(silent: Session) -> None:
    answer = await asked(silent)
    assert (answer.status_code, answer.json()["message"]) == (503, database_away.AWAY)


async def test_an_unknown_token_is_still_refused() -> None:
    engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
    orm.Base.metadata.create_all(engine)
    with Session(engine) as session:
        assert (await asked(session)).status_code == 403
