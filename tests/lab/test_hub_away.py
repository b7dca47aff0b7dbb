"""A notebook server whose hub does not answer: what its pages and its API say meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from jupyter_server.serverapp import ServerApp
from jupyterhub.singleuser.extension import JupyterHubIdentityProvider
from support.ports import free_port
from tornado.httpserver import HTTPServer
from voxelhub_lab.away import PAGE, SENTENCE

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter's own
BASE = "/user/maria/"


@pytest.fixture
async def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """Of a real server with JupyterHub's own identity provider; nothing listens where its hub should be."""
    for name, value in {
        "HOME": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"), "JUPYTERHUB_USER": "maria",
        "JUPYTERHUB_API_URL": f"http://127.0.0.1:{free_port()}/hub/api", "JUPYTERHUB_API_TOKEN": "of-the-server",
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-maria", "JUPYTERHUB_SERVICE_PREFIX": BASE,
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=maria/"]',
    }.items():
        monkeypatch.setenv(name, value)
    app = ServerApp(identity_provider_class=JupyterHubIdentityProvider, base_url=BASE, root_dir=str(tmp_path), allow_root=True,
                    open_browser=False, jpserver_extensions={"voxelhub_lab": True}, config_file_paths=[])
    app.initialize(argv=[], new_httpserver=False)
    port = free_port()
    server = HTTPServer(app.web_app)
    server.listen(port, "127.0.0.1")
    headers = {"Authorization": "token somebody's"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{BASE}", headers=headers, trust_env=False) as asking:
        yield asking
    server.stop()
    await app.cleanup_kernels()


async def test_a_page_says_that_the_hub_is_away_and_tries_again(client: httpx.AsyncClient) -> None:
    answer = await client.get("view/notes.txt")
    assert (answer.status_code, answer.text) == (502, PAGE)
    assert SENTENCE in answer.text and 'http-equiv="refresh"' in answer.text


@pytest.mark.parametrize("path", ["api/contents", "api/kernels", "voxelhub/server"])
async def test_the_api_says_so_in_the_same_sentence(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["message"]) == (502, SENTENCE)
