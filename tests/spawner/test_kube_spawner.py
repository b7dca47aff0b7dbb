"""The spawner against an API server that only holds documents: what it makes, refuses, finds again, says, and leaves alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kubernetes_asyncio.client import ApiException
from kubespawner.slugs import is_valid_label, is_valid_object_name
from support.chart import chart_document
from support.fake_cluster import RUNNING, FakeCluster
from support.kube_documents import claim_event, condition, holder, kubelet_event, node, scheduler_event, status_document
from support.kube_spawners import TOKEN, kube_spawner
from support.pod_security import breaches
from support.ports import free_ports
from traitlets import HasTraits
from voxelhub_hub.claims import home_of
from voxelhub_spawner import VoxelHubKubeSpawner
from voxelhub_spawner.base import NotStarted
from voxelhub_spawner.kube_gpus import GpuView
from voxelhub_spawner.kube_limits import Starting
from voxelhub_spawner.local import LocalIsolatedSpawner

GROUPS = ["/voxelhub-users", "/projects/lung", "/projects/open", "/projects/heart"]
GPU_GROUP = "/voxelhub-gpu"


@dataclass
class World:
    cluster: FakeCluster
    reports: list[tuple[Any, ...]] = field(default_factory=list)
    charged: list[dict[str, Any]] = field(default_factory=list)
    spawners: list[VoxelHubKubeSpawner] = field(default_factory=list)

    def spawner(self, options: Mapping[str, Any] | None = None, *, user: str = "ada", groups: list[str] = GROUPS,
                server: str = "", document: dict[str, Any] | None = None, **traits: Any) -> VoxelHubKubeSpawner:
        async def ensure(names: list[str]) -> None:
            self.cluster.asked.append(("folders", ",".join(names)))

        async def charge(record: dict[str, Any]) -> None:
            self.charged.append(record)

        made = kube_spawner(
            document or chart_document(), options, user=user, groups=groups, server=server, api=self.cluster.url, charge=charge,
            ensure_projects=ensure, report=lambda *told: self.reports.append(told),
            variables={"VOXELHUB_API_URL": "http://voxelhub-service:8002/api/v1"}, **traits)
        self.spawners.append(made)
        return made

    def pod(self) -> dict[str, Any]:
        (pod,) = self.cluster.objects["pods"].values()
        return pod

    def told(self, *names: str) -> list[tuple[Any, ...]]:
        return [(one[1], one[2], one[3]) for one in self.reports if not names or one[1] in names]


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    (tmp_path / "kubeconfig").write_text(
        "{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}],"
        " users: [{name: u, user: {}}], contexts: [{name: c, context: {cluster: c, user: u}}]}")
    monkeypatch.setattr("kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    monkeypatch.setattr(VoxelHubKubeSpawner, "gpu_view", GpuView())
    monkeypatch.setattr(VoxelHubKubeSpawner, "starting", Starting())
    async with FakeCluster() as cluster:
        yield World(cluster)
        await VoxelHubKubeSpawner._stop_all_reflectors()


async def refused(spawner: VoxelHubKubeSpawner) -> NotStarted:
    with pytest.raises(NotStarted) as refusal:
        await spawner.start()
    return refusal.value


async def test_a_start_in_whole(world: World) -> None:
    spawner = world.spawner({"profile": "small", "project": "lung"})
    assert await spawner.start() == "http://10.244.0.7:8888"
    assert world.cluster.asked == [("folders", "lung,open"), ("POST", "persistentvolumeclaims"), ("POST", "pods")]
    assert breaches(world.pod()) == []
    assert world.pod()["metadata"]["labels"] == {
        "app.kubernetes.io/name": "voxelhub", "app.kubernetes.io/instance": "vh", "app.kubernetes.io/part-of": "voxelhub",
        "app.kubernetes.io/component": "singleuser-server", "app.kubernetes.io/managed-by": "kubespawner",
        "component": "singleuser-server", "hub.jupyter.org/username": "ada", "hub.jupyter.org/servername": "",
        "hub.jupyter.org/network-access-hub": "true", "voxelhub/network-access-service": "true", "voxelhub/profile": "small",
        "voxelhub/network": "project", "voxelhub/project": "lung"}
    claim = world.cluster.objects["persistentvolumeclaims"]["home-ada"]
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    assert claim["metadata"]["labels"]["hub.jupyter.org/username"] == "ada"
    assert world.reports == [
        ("ada", "server.start", "server:ada/", "success", {"profile": "small", "project": "lung", "network": "project"}),
        ("ada", "project.mount", "project:lung", "success", {"server": "", "mode": "read-only"}),
        ("ada", "project.mount", "project:open", "success", {"server": "", "mode": "read-only"})]
    assert spawner.orm_spawner.state["pod_name"] == "jupyter-ada", "remembered before the pod runs"


async def test_the_servers_environment_is_a_list(world: World) -> None:
    document = chart_document()
    document["singleuser"]["extraEnv"] = {"HTTPS_PROXY": "http://proxy:3128", "PATH": "/evil"}
    spawner = world.spawner({}, document=document)
    spawner.environment = {"SITE": "north", "ASKED": lambda one: one.user.name}
    await spawner.start()
    environ = {one["name"]: one["value"] for one in world.pod()["spec"]["containers"][0]["env"]}
    hubs = {name for name in environ if name.startswith("JUPYTERHUB_")}
    assert {"JUPYTERHUB_API_TOKEN", "JUPYTERHUB_API_URL", "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_USER"} <= hubs
    assert environ["JUPYTERHUB_SERVICE_URL"] == "http://0.0.0.0:8888/user/ada/", "reached from other pods"
    assert {name: value for name, value in environ.items() if name not in hubs} == {
        "CPU_LIMIT": "1.0", "MEM_LIMIT": str(2 * 1024**3), "HTTPS_PROXY": "http://proxy:3128", "SITE": "north", "ASKED": "ada",
        "NVIDIA_VISIBLE_DEVICES": "void", "USER": "ada", "LOGNAME": "ada", "HOME": "/home/ada", "SHELL": "/bin/bash",
        "LANG": "C.UTF-8", "TMPDIR": "/tmp", "JUPYTER_RUNTIME_DIR": "/tmp/jupyter-runtime", "OMP_NUM_THREADS": "1",
        "PATH": "/opt/voxelhub/.envs/lab/bin:/usr/local/bin:/usr/bin:/bin",
        "VOXELHUB_API_URL": "http://voxelhub-service:8002/api/v1", "VOXELHUB_PROJECTS": "heart,home-ada,lung,open",
        "VOXELHUB_PROJECTS_DIR": "/projects", "VOXELHUB_PROFILE": "small", "VOXELHUB_PROJECT": "", "VOXELHUB_NETWORK": "isolated",
        "VOXELHUB_ISOLATION": "true"}
    arguments = world.pod()["spec"]["containers"][0]["args"]
    assert arguments[3:5] == ["/opt/voxelhub", "/opt/voxelhub/.envs/lab/bin/jupyterhub-singleuser"]
    assert "--ServerApp.root_dir=/home/ada" in arguments and "--HubOAuth.cache_max_age=5" in arguments


async def test_a_pod_of_an_earlier_start_gives_way(world: World) -> None:
    """It is not taken for ours, neither when it is seen nor when it goes."""
    old = {"metadata": {"name": "jupyter-ada", "uid": "old"}, "spec": {"containers": []},
           "status": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. "}}
    world.cluster.put("pods", old)
    assert await world.spawner().start() == "http://10.244.0.7:8888"
    assert world.cluster.asked[1:] == [("POST", "persistentvolumeclaims"), ("POST", "pods"), ("DELETE", "pods"), ("POST", "pods")]
    assert world.told("server.stop") == [] and world.pod()["metadata"]["uid"] != "old"


async def test_a_hub_that_was_started_again_finds_the_server(world: World) -> None:
    first = world.spawner({"project": "lung"})
    await first.start()
    state = first.get_state()
    await VoxelHubKubeSpawner._stop_all_reflectors()
    again = world.spawner()
    again.load_state(state)
    assert await again.poll() is None and again.projects == ["lung", "open"]
    assert world.charged[-1]["id"] == state["facts"]["id"] and world.charged[-1]["ended_at"] is None
    world.cluster.take("pods", "jupyter-ada")
    for _ in range(50):
        if await again.poll() is not None:
            break
        await asyncio.sleep(0.1)
    assert await again.poll() == 1
    assert world.charged[-1]["ended_at"] and len([one for one in world.charged if one["ended_at"]]) == 1


async def test_a_hub_that_was_restored_in_another_namespace_finds_none(world: World) -> None:
    first = world.spawner()
    await first.start()
    restored = world.spawner()
    restored.load_state({**first.get_state(), "namespace": "before", "dns_name": "jupyter-ada.before.svc.cluster.local"})
    assert (restored.namespace, restored.pod_name) == (first.namespace, "jupyter-ada")
    assert "before" not in restored.dns_name


async def test_a_hub_that_was_killed_while_it_started_one_finds_it_too(world: World) -> None:
    """Before the start is over, the state is in the database."""
    world.cluster.then = world.cluster.stay({"phase": "Pending", "conditions": []})
    first = world.spawner()
    start = asyncio.ensure_future(first.start())
    await asyncio.wait({start}, timeout=1.5)
    assert world.cluster.objects["pods"] and not start.done()
    state = dict(first.orm_spawner.state)
    start.cancel()
    await VoxelHubKubeSpawner._stop_all_reflectors()
    again = world.spawner()
    again.load_state(state)
    assert await again.poll() is None and world.charged == [], "waiting costs nothing"
    where = asyncio.ensure_future(again.get_url())
    assert not (await asyncio.wait({where}, timeout=0.5))[0], "asked for at once, and there only later"
    world.cluster.put("pods", world.pod() | {"status": RUNNING})
    assert await where == "http://10.244.0.7:8888/user/ada/"
    assert await again.poll() is None
    assert world.charged[0]["user"] == "ada" and again.orm_spawner.state["facts"]["started_at"]


async def test_a_cluster_that_is_silent_when_the_hub_starts_costs_nobody_their_server(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """JupyterHub forgets a server whose poll raises; KubeSpawner calls every server ended after a first look that failed."""
    monkeypatch.setattr("voxelhub_spawner.kube.PAUSE", 0.2)
    first = world.spawner()
    await first.start()
    await VoxelHubKubeSpawner._stop_all_reflectors()
    world.cluster.refused["GET", "pods"] = (503, status_document(503, "ServiceUnavailable", "etcd leader changed"))
    again = [world.spawner() for _ in range(3)]
    for one in again:
        one.load_state(first.get_state())
    looks = [asyncio.ensure_future(one.poll()) for one in again]
    done, _ = await asyncio.wait(looks, timeout=1)
    assert not done
    del world.cluster.refused["GET", "pods"]
    assert await asyncio.gather(*looks) == [None] * 3


async def test_a_view_that_gave_up_is_made_anew(world: World) -> None:
    spawner = world.spawner()
    await spawner.start()
    spawner.pod_reflector.watch_task.cancel()
    await asyncio.wait({spawner.pod_reflector.watch_task})
    world.cluster.take("pods", "jupyter-ada")
    assert await spawner.poll() == 1, "it would have been there for ever"


async def test_a_cluster_that_stays_silent_is_an_error_in_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxelhub_spawner.kube.PAUSE", 0.1)
    monkeypatch.setattr("voxelhub_spawner.kube.SILENCE", 0.5)
    world.cluster.refused["GET", "pods"] = (403, status_document(403, "Forbidden", "pods is forbidden"))
    with pytest.raises(ApiException):
        await world.spawner().poll()


async def test_a_start_that_failed_costs_nothing(world: World) -> None:
    world.cluster.then = world.cluster.stay(BACK_OFF, node="node1")
    spawner = world.spawner()
    await refused(spawner)
    await spawner.stop()
    assert world.charged == [] and world.told() == [
        ("server.start", "server:ada/", "success"), ("project.mount", "project:heart", "success"),
        ("project.mount", "project:home-ada", "success"), ("project.mount", "project:lung", "success"),
        ("project.mount", "project:open", "success"), ("server.start", "server:ada/", "failure"),
        ("server.stop", "server:ada/", "success")]


async def test_what_a_server_used_is_told_until_it_ends(world: World) -> None:
    spawner = world.spawner({"profile": "gpu"}, groups=[*GROUPS, GPU_GROUP])
    await spawner.start()
    await spawner.poll()
    await spawner.stop()
    first, last = world.charged
    assert set(first) == {"id", "user", "server", "profile", "cpu", "gpus", "started_at", "ended_at", "seconds"}
    assert (first["user"], first["profile"], first["cpu"], first["gpus"]) == ("ada", "gpu", 4.0, 2)
    assert first["ended_at"] is None and last["ended_at"] and last["seconds"] >= first["seconds"] >= 0
    spawner.clear_state()
    assert spawner.get_state().get("facts") is None


async def test_what_cannot_be_told_is_told_later(world: World) -> None:
    spawner = world.spawner()
    await spawner.start()

    async def away(_: dict[str, Any]) -> None:
        raise ConnectionError("the service is away")

    taken, spawner.charge = spawner.charge, away
    await spawner.poll()
    spawner.charge = taken
    await spawner.stop()
    assert [bool(one["ended_at"]) for one in world.charged] == [True]


async def test_stop_takes_the_pod_and_leaves_the_home(world: World) -> None:
    spawner = world.spawner()
    await spawner.start()
    await spawner.stop()
    assert world.cluster.objects["pods"] == {} and list(world.cluster.objects["persistentvolumeclaims"]) == ["home-ada"]
    assert world.told("server.stop") == [("server.stop", "server:ada/", "success")]
    await spawner.stop()
    assert len(world.told("server.stop")) == 1, "nothing was there to stop"


@pytest.mark.parametrize(("delete", "server", "left"), [
    (False, "", ["home-ada"]), (True, "", []), (True, "second", ["home-ada"])])
async def test_a_home_goes_only_when_an_administrator_says_so(world: World, delete: bool, server: str, left: list[str]) -> None:
    """And never with one of a person's servers: they share it."""
    spawner = world.spawner(server=server, delete_homes=delete)
    await spawner.start()
    await spawner.stop()
    await spawner.delete_forever()
    assert list(world.cluster.objects["persistentvolumeclaims"]) == left


# refusals


@pytest.mark.parametrize("groups", [GROUPS, [*GROUPS, "/voxelhub-gp"], ["voxelhub-gpu"]])
async def test_a_user_of_another_group_neither_sees_nor_gets_a_profile(world: World, groups: list[str]) -> None:
    spawner = world.spawner({"profile": "gpu"}, groups=groups)
    page = await spawner.get_options_form()
    assert "gpu" not in page.partition("</style>")[2].lower()
    refusal = await refused(spawner)
    assert str(refusal.message) == "There is no server profile of that name for you. Yours are: small."
    nothing = await refused(world.spawner({"profile": "none-such"}, groups=groups))
    assert refusal.message == nothing.message and refusal.status_code == 403, "as for one that does not exist"
    assert world.cluster.asked == []
    assert world.told() == [("server.start", "server:ada/", "denied")] * 2


async def test_a_project_of_others_is_refused(world: World) -> None:
    refusal = await refused(world.spawner({"project": "secret"}))
    assert refusal.message == "There is no project of that name for you. Yours are: heart, lung, open."
    assert (await refused(world.spawner({"image": "evil:1"}))).message == (
        "A server has no option image. There are `profile` and `project`.")


async def test_a_spent_budget_refuses_before_anything_is_made(world: World) -> None:
    class Spend:
        async def refusal(self, person: str) -> str:
            return f"The budget of {person} is spent."

        async def show(self, person: str) -> None:
            return None

    refusal = await refused(world.spawner(spend=Spend()))
    assert (refusal.message, refusal.reason) == ("The budget of ada is spent.", "budget") and world.cluster.asked == []


async def test_folders_that_cannot_be_made_refuse(world: World) -> None:
    async def away(_: list[str]) -> None:
        raise ConnectionError("connect: refused")

    spawner = world.spawner()
    spawner.ensure_projects = away
    refusal = await refused(spawner)
    assert refusal.message.startswith("The folders of your projects cannot be made ready now")
    assert "ConnectionError: connect: refused" in refusal.jupyterhub_html_message
    assert world.cluster.asked == [] and world.told() == [("server.start", "server:ada/", "failure")]


async def test_limits_of_a_person_count_what_runs_and_what_starts(world: World) -> None:
    limits = {"serversPerUser": 2, "gpusPerUser": 2, "gpusPerProject": 0}
    document, groups = chart_document(limits=limits), [*GROUPS, GPU_GROUP]
    starts = [world.spawner({"profile": "gpu"}, groups=groups, document=document, server=name) for name in ("", "b")]
    ended = await asyncio.gather(*(one.start() for one in starts), return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended) == ["NotStarted", "str"], "both asked at once, for two cards each"
    refusal = next(one for one in ended if isinstance(one, NotStarted))
    assert refusal.message.startswith("You may have 2 GPUs at the same time, and have 2.") and refusal.reason == "limit"
    assert await world.spawner({"profile": "small"}, groups=groups, document=document, server="c").start()
    third = await refused(world.spawner({"profile": "small"}, groups=groups, document=document, server="d"))
    assert third.message == "You may have 2 servers at the same time, and have 2. Stop one first."
    assert await world.spawner({"profile": "small"}, user="ben", document=document).start(), "another person's are their own"


async def test_limits_of_a_project_are_of_all_its_people(world: World) -> None:
    document, groups = chart_document(limits={"gpusPerProject": 3}), [*GROUPS, GPU_GROUP]
    await world.spawner({"profile": "gpu", "project": "lung"}, groups=groups, document=document).start()
    refusal = await refused(world.spawner({"profile": "gpu", "project": "lung"}, user="ben", groups=groups, document=document))
    assert refusal.message.startswith("The project lung may have 3 GPUs at the same time, and has 2.")
    assert await world.spawner({"profile": "gpu", "project": "open"}, user="ben", groups=groups, document=document).start()


QUOTA = status_document(403, "Forbidden", 'pods "jupyter-ada" is forbidden: exceeded quota: team, requested: limits.memory=2Gi, '
                                          "used: limits.memory=7Gi, limited: limits.memory=8Gi")


async def test_what_the_api_server_refuses_is_a_sentence_with_its_words_behind(
        world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world.cluster.refused["POST", "pods"] = (403, QUOTA)
    refusal = await refused(world.spawner())
    assert refusal.message.startswith("The cluster's quota for memory is used up.") and refusal.status_code == 403
    assert refusal.jupyterhub_message == refusal.message
    assert "<details" in refusal.jupyterhub_html_message and "limited: limits.memory=8Gi" in refusal.jupyterhub_html_message
    assert world.reports == [("ada", "server.start", "server:ada/", "failure", {"reason": refusal.message})]
    assert TOKEN not in caplog.text, "KubeSpawner's own request writes the whole pod to the log"


async def test_a_home_that_the_quota_does_not_allow(world: World) -> None:
    of_home = QUOTA.replace('pods \\"jupyter', 'persistentvolumeclaims \\"home').replace("memory", "storage")
    world.cluster.refused["POST", "persistentvolumeclaims"] = (403, of_home)
    assert (await refused(world.spawner())).message.startswith("The cluster's quota for storage is used up, so your home")


async def test_a_cluster_that_does_not_answer(world: World) -> None:
    spawner = world.spawner()
    await world.cluster.__aexit__()
    refusal = await refused(spawner)
    assert refusal.message == "The cluster does not answer now, so no server can start. Try again in a moment."


BACK_OFF = {"phase": "Pending", "conditions": [condition("PodScheduled", "True")], "containerStatuses": [
    {"name": "notebook", "ready": False, "restartCount": 0, "imageID": "", "lastState": {}, "state": {"waiting": {
        "reason": "ErrImageNeverPull", "message": 'Container image "x:1" is not present with pull policy of Never'}}}]}


async def test_a_hopeless_start_is_given_up_at_once(world: World) -> None:
    world.cluster.then = world.cluster.stay(BACK_OFF, node="node1")
    async with asyncio.timeout(20):  # the start's own patience is 300 seconds
        refusal = await refused(world.spawner())
    assert refusal.message.startswith("The software image is not on the machine") and refusal.reason == "image"
    assert 'ErrImageNeverPull: Container image &quot;x:1&quot; is not present' in refusal.jupyterhub_html_message


async def test_a_pod_that_ended_by_itself_is_taken_away(world: World) -> None:
    """The hub does not stop what does not run."""
    world.cluster.then = world.cluster.stay(
        {"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "Pod was rejected: Allocate failed due to requested "
         "number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0, which is unexpected"}, node="node1")
    assert (await refused(world.spawner())).reason == "no-gpu"
    assert world.cluster.asked[-1] == ("DELETE", "pods") and world.cluster.objects["pods"] == {}


async def test_a_pod_that_goes_away_while_it_starts(world: World) -> None:
    async def vanish(pod: dict[str, Any]) -> None:
        await asyncio.sleep(2.5)
        world.cluster.take("pods", pod["metadata"]["name"])

    world.cluster.then = vanish
    async with asyncio.timeout(30):
        assert (await refused(world.spawner())).reason == "removed"


UNBOUND = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"


@pytest.mark.parametrize(("message", "events", "sentence", "behind"), [
    ("0/1 nodes are available: 1 Insufficient nvidia.com/gpu. preemption: x", [], "No GPU of this kind is free.", "Insufficient"),
    (UNBOUND, [scheduler_event(UNBOUND), claim_event("ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found')],
     "The volume of your home cannot be made", "storageclass.storage.k8s.io"),
])
async def test_the_end_of_the_time_says_what_was_in_the_way(
        world: World, message: str, events: list[dict[str, Any]], sentence: str, behind: str) -> None:
    world.cluster.then = world.cluster.stay(
        {"phase": "Pending", "conditions": [condition("PodScheduled", "False", "Unschedulable", message)]}, events)
    spawner = world.spawner()
    spawner.start_timeout = 4
    refusal = await refused(spawner)
    assert refusal.message.startswith(sentence) and behind in refusal.jupyterhub_html_message and refusal.status_code == 503


async def test_the_end_of_the_time_without_a_reason_says_how_far_it_came(world: World) -> None:
    world.cluster.then = world.cluster.stay({"phase": "Pending", "conditions": [condition("PodScheduled", "True")]}, node="node1")
    spawner = world.spawner()
    spawner.start_timeout = 3
    assert "The last step was: A place was found." in (await refused(spawner)).message


async def test_events_of_an_earlier_pod_say_nothing_of_this_one(world: World) -> None:
    old = kubelet_event("FailedMount", "MountVolume.SetUp failed") | {"involvedObject": {
        "kind": "Pod", "namespace": "voxelhub", "name": "jupyter-ada", "uid": "old"}}
    world.cluster.put("events", old)
    world.cluster.then = world.cluster.stay({"phase": "Pending", "conditions": [condition("PodScheduled", "True")]}, node="node1")
    spawner = world.spawner()
    spawner.start_timeout = 3
    assert (await refused(spawner)).reason == "timeout"


# the page and the progress


async def test_the_form_says_what_is_free_and_what_it_costs(world: World) -> None:
    labels = {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB", "disk": "fast"}
    world.cluster.put("nodes", node("a", gpus=4, labels=labels))
    world.cluster.put("nodes", node("b", gpus=7, resource="nvidia.com/mig-1g.5gb"))
    world.cluster.put("pods", holder("jupyter-ben", 3, node="a", user="ben"))
    page = await world.spawner(groups=[*GROUPS, GPU_GROUP]).get_options_form()
    assert "<dt>Free now</dt><dd>1 of 4</dd>" in page and "<dt>Free now</dt><dd>7 of 7</dd>" in page
    assert "Cannot start at once: only 1 NVIDIA-A100-SXM4-40GB GPU is free." in page
    assert "2.40 EUR an hour" in page and 'name="project" value="lung"' in page


async def test_the_form_is_there_when_nodes_may_not_be_read(world: World) -> None:
    world.cluster.refused["GET", "nodes"] = (403, status_document(403, "Forbidden", "nodes is forbidden"))
    page = await world.spawner(groups=[*GROUPS, GPU_GROUP]).get_options_form()
    assert 'value="gpu"' in page and "Free now" not in page
    await world.spawner(groups=[*GROUPS, GPU_GROUP], document=chart_document(gpus={"show": False})).get_options_form()


async def test_the_choice_of_the_last_time_is_the_choice_of_this(world: World) -> None:
    page = await world.spawner({"profile": "slice", "project": "open"}, groups=[*GROUPS, GPU_GROUP]).get_options_form()
    assert 'value="slice" checked' in page and 'value="open" checked' in page


async def test_what_the_form_sends(world: World) -> None:
    read: Callable[[Mapping[str, list[str]]], dict[str, str]] = world.spawner().options_from_form
    assert read({"profile": ["gpu"], "project": ["lung"]}) == {"profile": "gpu", "project": "lung"}
    assert read({"profile": ["gpu"]}) == {"profile": "gpu"}


async def test_progress_tells_the_steps_and_ends_when_lab_answers(world: World) -> None:
    async def slowly(pod: dict[str, Any]) -> None:
        pod["spec"]["nodeName"] = "node1"
        world.cluster.put("pods", pod | {"status": {"phase": "Pending", "conditions": [condition("PodScheduled", "True")]}})
        await asyncio.sleep(2)
        pulling = kubelet_event("Pulling", 'Pulling image "x"', "Normal")
        world.cluster.put("events", pulling | {"involvedObject": pulling["involvedObject"] | {"uid": pod["metadata"]["uid"]}})
        await asyncio.sleep(2)
        world.cluster.put("pods", pod | {"status": RUNNING})

    world.cluster.then = slowly
    spawner = world.spawner()
    start = asyncio.ensure_future(spawner.start())
    told = [one async for one in spawner.progress()]
    assert await start
    percents = [one["progress"] for one in told]
    assert percents == sorted(percents) and percents[-1] == 95
    words = " ".join(one["message"] for one in told)
    steps = ["Looking for a place", "A place was found", "Fetching the software", "The server has started", "JupyterLab answers"]
    assert [words.index(step) for step in steps] == sorted(words.index(step) for step in steps)


async def test_a_server_that_takes_connections_is_there_before_the_cluster_calls_it_ready(world: World) -> None:
    listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    (container,) = RUNNING["containerStatuses"]

    async def not_ready(pod: dict[str, Any]) -> None:
        pod["spec"]["containers"][0]["ports"][0]["containerPort"] = port
        world.cluster.put("pods", pod | {"status": RUNNING | {
            "podIP": "127.0.0.1", "containerStatuses": [container | {"ready": False, "started": False}]}})

    world.cluster.then = not_ready
    async with listener:
        spawner = world.spawner()
        assert await spawner.start() == f"http://127.0.0.1:{port}"
    assert spawner.facts["started_at"] and await spawner.poll() is None


async def test_a_pod_whose_server_does_not_listen_yet_is_waited_for(world: World) -> None:
    (container,), (port,) = RUNNING["containerStatuses"], free_ports(1)

    async def not_ready(pod: dict[str, Any]) -> None:
        pod["spec"]["containers"][0]["ports"][0]["containerPort"] = port
        world.cluster.put("pods", pod | {"status": RUNNING | {
            "podIP": "127.0.0.1", "containerStatuses": [container | {"ready": False, "started": False}]}})

    world.cluster.then = not_ready
    start = asyncio.ensure_future(world.spawner().start())
    assert not (await asyncio.wait({start}, timeout=1.5))[0]
    world.cluster.put("pods", world.pod() | {"status": RUNNING})
    assert await start == f"http://10.244.0.7:{port}"


async def test_progress_of_a_start_that_fails_ends_with_it(world: World) -> None:
    world.cluster.then = world.cluster.stay(BACK_OFF, node="node1")
    spawner = world.spawner()
    start = asyncio.ensure_future(spawner.start())
    told = [one async for one in spawner.progress()]
    assert "JupyterLab answers." not in [one["message"] for one in told]
    with pytest.raises(NotStarted):
        await start


# names


STRANGE = [
    "ada", "Ada", "ADA", "ada.", "ada-", "-ada", "ada--b", "ada---b", "ada@example.org", "ada@example-org", "ada_example.org",
    "ada example.org", "ada/example", "..", "../../etc", "日本語", "日本", "Ünal", "unal", "u" * 100, "u" * 101, "u" * 48,
    "u" * 49, "1ada", "x-1ada", "9", "jupyter-ada", "home-ada", "ada\n", "ada\u200b", "%2e%2e", "a" * 63 + "b",
    "a" * 63 + "c", "---", "--"]


async def test_strange_names_never_meet_and_are_always_names(world: World) -> None:
    pods, claims, labels, homes = set(), set(), set(), set()
    for user in STRANGE:
        names = world.spawner(user=user)._names()
        assert is_valid_object_name(names.pod) and is_valid_object_name(names.claim) and is_valid_label(names.user_label), user
        pods.add(names.pod)
        claims.add(names.claim)
        labels.add(names.user_label)
        homes.add(home_of(user))
    assert len(pods) == len(claims) == len(labels) == len(homes) == len(STRANGE)


async def test_servers_of_one_person_share_a_home_and_no_pod(world: World) -> None:
    found = [world.spawner(user=user, server=server)._names()
             for user, server in [("ada", ""), ("ada", "b"), ("ada--b", ""), ("ada", "b--c"), ("ada--b", "c")]]
    assert len({one.pod for one in found}) == 5
    assert [one.claim for one in found].count("home-ada") == 3


REPLACED = {  # of KubeSpawner and JupyterHub's Spawner, on purpose
    "_make_create_pod_request", "_namespace_default", "_start", "_start_reflector", "clear_state", "get_pod_manifest",
    "get_pvc_manifest", "get_state", "get_url", "load_state", "load_user_options", "poll", "progress", "start", "stop",
}


@pytest.mark.parametrize("spawner", [VoxelHubKubeSpawner, LocalIsolatedSpawner])
def test_no_name_of_ours_hides_one_of_the_hubs(spawner: type[Any]) -> None:
    """A method of ours by the name `_failed` once made every server look failed to the hub."""
    ours = {name for one in spawner.__mro__ if one.__module__.startswith("voxelhub_") for name in vars(one)}
    theirs = {name for one in spawner.__mro__ if one.__module__.startswith(("kubespawner", "jupyterhub")) for name in vars(one)}
    made_by_traitlets = set(vars(type("Plain", (HasTraits,), {})))
    assert {name for name in ours & theirs if not name.startswith("__")} - made_by_traitlets <= REPLACED
