"""A spawner for Kubernetes as the hub makes one, without the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from jupyterhub import orm
from jupyterhub.objects import Hub, Server
from traitlets.config import Config
from voxelhub_hub.claims import home_of, projects_of
from voxelhub_spawner import VoxelHubKubeSpawner

TOKEN = "token-7b1e"


def kube_spawner(document: Mapping[str, Any], options: Mapping[str, Any] | None = None, *, user: str = "ada",
                 groups: Sequence[str] = (), server: str = "", api: str = "", **traits: Any) -> VoxelHubKubeSpawner:
    """`api`: address of an API server that asks for nothing; else that of the kubeconfig."""
    config = Config()
    if api:
        config.KubeSpawner.k8s_api_host = api
    config.VoxelHubKubeSpawner = Config(chart=dict(document), **{"slug_for": home_of, "projects_for": projects_of, **traits})
    person = SimpleNamespace(name=user, id=1, url=f"/user/{user}/", escaped_name=user, settings={},
                             groups=[SimpleNamespace(name=group) for group in groups])
    made = VoxelHubKubeSpawner(
        config=config, hub=Hub(), user=person, orm_spawner=orm.Spawner(name=server), api_token=TOKEN,
        oauth_client_id=f"jupyterhub-user-{user}", _mock=True, cookie_options={})
    made.user_options = dict(options or {})
    made.server = Server(orm_server=orm.Server(
        base_url=f"/user/{user}/", proto="http", ip="10.244.0.7", port=8888, cookie_name="c"))
    return made
