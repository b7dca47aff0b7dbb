"""What the worker asks the hub about owners of clusters; a hub that says nothing ends nothing."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from support.live import serving
from voxelhub_service.clusters.servers import HubServers
from voxelhub_service.identity.hub import _server_of

READY = {"ready": True, "pending": None, "started": "2026-11-30T10:00:00.000000Z"}
GROUPS = ["/voxelhub-users", "/projects/demo"]


@pytest.fixture(scope="module")
def hub():
    async def user(request: Request) -> Response:
        if request.headers["authorization"] != "token ours":
            return Response(status_code=403)
        name = request.path_params["name"]
        if name == "nobody":
            return JSONResponse({"status": 404}, 404)
        if name == "broken":
            return Response("no JSON", 200)
        servers = {"ada": {"": READY, "second": {**READY, "ready": False, "pending": "stop"}, "third": {**READY, "ready": False}},
                   "eve": {}}
        model = {"name": name, "groups": GROUPS, "servers": servers.get(name)}
        return JSONResponse({key: value for key, value in model.items() if value is not None})

    with serving(Starlette(routes=[Route("/hub/api/users/{name}", user)])) as port:
        yield f"http://127.0.0.1:{port}/hub/api"


def test_a_server_lives_while_the_hub_has_it_and_it_is_the_same(hub):
    owner = HubServers(hub, "ours").owner("ada")
    assert owner.lives("", None) is True
    assert owner.lives("", READY["started"]) is True
    assert owner.lives("", "2026-11-30T09:00:00.000000Z") is False  # a later one of this name
    assert owner.lives("second", None) is True  # on its way down
    assert owner.lives("third", None) is False
    assert HubServers(hub, "ours").owner("eve").lives("", None) is False


def test_what_its_owner_may_read(hub):
    owner = HubServers(hub, "ours").owner("ada")
    assert owner.reads(["demo", "home-ada"]) is True
    assert owner.reads(["demo", "secret"]) is False
    stranger = HubServers(hub, "ours").owner("nobody")
    assert (stranger.reads(["demo"]), stranger.lives("", None)) == (None, False)


def test_a_hub_that_cannot_be_asked_says_nothing(hub):
    assert HubServers(hub, "theirs").owner("ada") is None
    assert HubServers(hub, "ours").owner("broken") is None
    assert HubServers("http://127.0.0.1:9/hub/api", "ours").owner("ada") is None
    assert HubServers(hub, "ours").owner("unscoped").lives("", None) is None  # without read:servers


@pytest.mark.parametrize(("scopes", "server"), [
    (["access:services!service=voxelhub", "access:servers!server=ada/"], ""),
    (["access:servers!server=ada/second"], "second"),
    (["access:servers!server=eve/"], None),  # somebody else's
    (["access:servers!user=ada"], None),
    (["access:servers!server=ada/", "access:servers!server=ada/second"], None),
    ([], None),
])
def test_a_servers_token_tells_which_server_asks(scopes, server):
    assert _server_of("ada", scopes) == server
