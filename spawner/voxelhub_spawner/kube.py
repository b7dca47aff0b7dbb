"""Notebook servers on Kubernetes: KubeSpawner with our profiles, volumes, network and sentences. What is made is in kube_*.py."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import ClientError
from kubernetes_asyncio.client import ApiException
from kubespawner import KubeSpawner
from kubespawner.slugs import is_valid_label, safe_slug
from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Unicode
from voxelhub_sandbox.profiles import Profile, ServerSpec

from .base import NotStarted, VoxelHubSpawner
from .form import Choice, Note
from .kube_chart import Chart, read_chart
from .kube_gpus import GpuView, count, finished, note, selector_of
from .kube_life import asked, now, started, used
from .kube_limits import Held, Starting, exceeded
from .kube_models import model
from .kube_objects import claim, pod
from .kube_plan import Names, PodPlan, choices, common_labels, make_plan, mounted, network_of, server_command, server_variables
from .kube_progress import ANSWERS, Teller, reached
from .kube_reasons import Reason, explain, refusal, timed_out
from .kube_watch import LOOK, Doubts, blind, first_of, listens, text, when
from .mounts import server_environ

Document = Mapping[str, Any]
PERSONAL = "home-"  # how the name of a user's own project begins
NO_FOLDERS = "The folders of your projects cannot be made ready now, so no server can start. Try again in a moment."
SILENCE, PAUSE = 120.0, 2.0  # seconds for a cluster that does not answer, and between two looks
NO_CLUSTER = "The cluster does not answer now, so no server can start. Try again in a moment."


class VoxelHubKubeSpawner(VoxelHubSpawner, KubeSpawner):  # type: ignore[misc]
    """A pod and a home volume for each user. The pod is made whole from the chart's document and the profile."""

    chart = Dict(help="What the chart hands to the hub (chart.yaml), see kube_chart.py.").tag(config=True)
    ensure_projects = AnyTrait(None, help="async (names): makes the projects' folders before a pod opens them.").tag(config=True)
    charge = AnyTrait(None, help="async (record): takes what a server used so far, as kube_life.py has it.").tag(config=True)
    delete_homes = Bool(False, help="Delete a user's home when an administrator deletes the user.").tag(config=True)
    root = Unicode("/opt/voxelhub", help="Where the notebook image has our code and environments.").tag(config=True)

    gpu_view = GpuView()  # of all spawners
    starting = Starting()

    spec: ServerSpec | None = None
    plan: PodPlan | None = None
    facts: dict[str, Any]  # of the server that runs, for the ledger

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.profiles, self.limits, self.facts = list(self.read.profiles), None, {}

    @property
    def read(self) -> Chart:
        if self._read is None:
            self._read = read_chart(self.chart)
        return self._read

    _read: Chart | None = None

    # what KubeSpawner is told once: traitlets asks `_<trait>_default`

    def _namespace_default(self) -> str:
        return self.read.namespace

    def _start_timeout_default(self) -> int:
        return self.read.start_timeout

    def _pod_name_template_default(self) -> str:
        return "jupyter-{user_server}"

    def _pvc_name_template_default(self) -> str:
        return "home-{username}"

    def _common_labels_default(self) -> dict[str, str]:
        return {}

    def _storage_pvc_ensure_default(self) -> bool:
        return True

    def _delete_pvc_default(self) -> bool:
        return bool(self.delete_homes)

    def _delete_grace_period_default(self) -> int:
        return 10

    # what the hub keeps for us between two of its lives

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        return dict(state) | ({"projects": self.projects, "facts": self.facts} if self.projects or self.facts else {})

    def load_state(self, state: dict[str, Any]) -> None:
        """A hub that was restored elsewhere may not even look into the namespace of before, and its servers are not there."""
        super().load_state({key: value for key, value in state.items() if key not in {"namespace", "dns_name"}})
        self.projects, self.facts = state.get("projects", []), state.get("facts", {})

    def clear_state(self) -> None:
        super().clear_state()
        self.projects, self.facts = [], {}

    # what one may choose

    @property
    def slug(self) -> str:
        return str(self.slug_for(self.user.name))

    def _granted(self) -> list[str]:
        return sorted(self.projects_for(self.user.name, self._groups))

    def _own_projects(self) -> list[str]:
        return [name for name in self._granted() if name != PERSONAL + self.slug]

    def _choices(self) -> list[Choice]:
        return choices(self._granted(), PERSONAL + self.slug, self.read.networks)

    def _options(self, form: Mapping[str, Sequence[str]]) -> dict[str, str]:
        return super()._options(form) | ({"project": form["project"][0]} if form.get("project") else {})

    async def _notes(self, profiles: Sequence[Profile]) -> dict[str, Note]:
        chart, cards = self.read, [p for p in profiles if p.gpu_count]
        seen = await self.gpu_view.see(self._look) if chart.show_gpus and cards else None
        pods = seen[1] if seen else self._pods()
        found = {}
        for profile in profiles:
            left = count(*seen, profile.gpu_resource, selector_of(chart, profile)) if seen and profile.gpu_count else None
            found[profile.name] = note(profile, left, chart.start_timeout)
            if why := self._exceeded(profile.gpu_count, "", pods):
                found[profile.name] = Note(found[profile.name].free, why, blocked=True)
        return found

    async def _look(self) -> tuple[list[Document], list[Document]]:
        """Nodes of the cluster, and pods of our namespace alone: a pod's document holds its secrets."""
        nodes, pods = await asyncio.gather(
            self._list(self.api.list_node), self._list(self.api.list_namespaced_pod, namespace=self.namespace))
        return nodes, pods

    async def _list(self, method: Any, **wanted: Any) -> list[Document]:
        answer = await method(**wanted, _preload_content=False, _request_timeout=self.k8s_api_request_timeout)
        if answer.status != 200:
            raise ApiException(status=answer.status, reason=answer.reason)
        return list(json.loads(await answer.read())["items"])

    def _exceeded(self, gpus: int, project: str, pods: Sequence[Document]) -> str:
        resources = {profile.gpu_resource for profile in self.profiles}
        others = self.starting.with_pods(pods, resources, without=self.pod_name)
        return exceeded(self.read.limits, Held(self.user.name, project, gpus), others)

    # life

    async def load_user_options(self) -> None:
        """`decide` does, before anything is asked of the cluster."""

    async def _start(self) -> str:
        spec = self.spec = self.decide()
        await self._refuse_spent()
        try:
            await self._start_watching_pods()
            if why := self._exceeded(spec.gpu_count, spec.project, self._pods()):
                raise self._refused(why, "limit")
            self.starting.held[self.pod_name] = Held(self.user.name, spec.project, spec.gpu_count)
            return await self._begin(spec)
        except NotStarted:
            await self._sweep()
            raise
        except ApiException as error:
            raise self._gave_up(refusal(error.status or 0, text(error.body))) from None
        except (ClientError, OSError) as error:  # a time-out is an OSError too, of the cluster's answers
            raise self._gave_up(Reason("cluster", NO_CLUSTER, f"{type(error).__name__}: {error}")) from None
        finally:
            self.starting.held.pop(self.pod_name, None)

    async def _begin(self, spec: ServerSpec) -> str:
        self._made = ""
        self.projects = list(mounted(spec.project, self._granted(), self.read.networks))
        await self._make_folders()
        self.plan = self._make_plan(spec)
        self.facts = asked(uuid.uuid4().hex, self.user.name, self.name, spec)
        self._remember()
        url = await self._until_it_runs()
        self.facts = started(self.facts, now())
        return url

    async def _make_folders(self) -> None:
        if self.ensure_projects is None:
            return
        try:
            await self.ensure_projects(list(self.projects))
        except Exception as error:  # whatever the hook's client raises
            raise self._gave_up(Reason("service-away", NO_FOLDERS, f"{type(error).__name__}: {error}")) from None

    def _make_plan(self, spec: ServerSpec) -> PodPlan:
        chart, home = self.read, f"/home/{self.slug}"
        self.image = spec.image or chart.image
        self.cpu_limit, self.mem_limit = spec.cpu, spec.memory
        env = self.get_env()
        told = self.variables | server_variables(self.user.name, spec, self.projects, chart.networks)
        ours = server_environ(env, told, home=home, lab_bin=Path(self.root) / ".envs/lab/bin")
        return make_plan(
            chart, spec, self._names(), granted=self._granted(), home=home, grace=self.delete_grace_period,
            command=server_command(self.root, home, spec, self.get_args()),
            environ={**chart.extra_env, **{name: env[name] for name in self.environment if name in env}, **ours},
            labels=self._expand_all({**self.extra_labels, **self.common_labels}),
            annotations=self._expand_all(self.extra_annotations))

    def _names(self) -> Names:
        user, server = (safe_slug(text, is_valid=is_valid_label) for text in (self.user.name, self.name))
        return Names(self.pod_name, self.pvc_name, user, server, self.user.name, self.name)

    async def get_pod_manifest(self) -> Any:
        assert self.plan is not None
        return model("V1Pod", pod(self.plan))

    def get_pvc_manifest(self) -> Any:
        labels = {**common_labels(self.read, "singleuser-storage"), "component": "singleuser-storage",
                  "hub.jupyter.org/username": self._names().user_label}
        return model("V1PersistentVolumeClaim", claim(
            self.pvc_name, self.namespace, self.read.storage, labels, {"hub.jupyter.org/username": self.user.name}))

    async def _make_create_pod_request(self, pod: Any, request_timeout: float) -> bool:
        """As KubeSpawner's, which would write the whole pod, and in it the server's token, to the log when it fails."""
        try:
            made = await asyncio.wait_for(self.api.create_namespaced_pod(self.namespace, pod), request_timeout)
        except TimeoutError:
            return False
        except ApiException as error:
            if error.status != 409:
                raise
            await KubeSpawner.stop(self, now=True)  # left by an earlier start
            return False
        self._made = made.metadata.uid
        assert self.spec is not None
        self._report_start({"profile": self.spec.profile, "project": self.spec.project,
                            "network": network_of(self.spec.project, self.read.networks)})
        return True

    _made = ""  # uid of the pod of this start: events and sight of an earlier one of its name do not count

    async def _until_it_runs(self) -> str:
        """As KubeSpawner starts it, but given up with a sentence as soon as no waiting helps, and before the hub gives up."""
        making, listening = asyncio.ensure_future(super()._start()), asyncio.ensure_future(self._listens())
        doubts = Doubts()
        patience = self.start_timeout - min(5.0, self.start_timeout / 10)
        try:
            async with asyncio.timeout(patience):
                while not (done := await first_of(making, listening)):
                    if reason := doubts.about(*self._sight()):
                        raise self._gave_up(await self._with_claim(reason))
                return str(done.result())
        except TimeoutError:
            seen = self._sight()
            found = explain(*seen)
            found = await self._with_claim(found) if found else None
            raise self._gave_up(timed_out(found, int(patience), reached(*seen)[-1].words)) from None
        finally:
            for task in (listening, making):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    async def _listens(self) -> str:
        """Seen for ourselves: KubeSpawner looks less and less often, and the cluster calls a pod ready some time after it is."""
        while True:
            seen = self._mine()
            if seen is not None and (self.is_pod_running(seen) or await listens(seen, self._get_pod_port(seen))):
                self.pod_id = self._made
                return str(self._get_pod_url(seen))
            await asyncio.sleep(LOOK)

    async def _sweep(self) -> None:
        """A pod that ended by itself: the hub stops only what runs, and would leave it."""
        seen, _ = self._sight()
        if seen is not None and finished(seen):
            with contextlib.suppress(ApiException, ClientError, OSError):
                await KubeSpawner.stop(self, now=True)

    async def _with_claim(self, reason: Reason) -> Reason:
        """With what was said of the home's volume, where that is in the way."""
        if reason.code != "volume":
            return reason
        of_claim = f"involvedObject.kind=PersistentVolumeClaim,involvedObject.name={self.pvc_name}"
        with contextlib.suppress(ApiException, ClientError, OSError):
            events = await self._list(self.api.list_namespaced_event, namespace=self.namespace, field_selector=of_claim)
            seen, own = self._sight()
            return explain(seen, [*own, *events]) or reason
        return reason

    def _gave_up(self, reason: Reason) -> NotStarted:
        self.report(self.user.name, "server.start", self._resource, "failure", {"reason": reason.sentence})
        return NotStarted(reason.sentence, reason=reason.code, status_code=reason.status, behind=reason.behind)

    async def stop(self, now: bool = False) -> None:
        there = self._pod() is not None
        await super().stop(now)
        await self._charge(ended=True)
        if there:
            self.report(self.user.name, "server.stop", self._resource, "success", {})

    async def poll(self) -> int | None:
        code = await self._patient_poll()
        if self.facts and not self.facts["started_at"] and self.is_pod_running(self._pod()):  # its hub was killed meanwhile
            self.facts = started(self.facts, now())
            self._remember()
        await self._charge(ended=code is not None)
        return code

    async def get_url(self) -> str:
        """A hub that was killed while a server started does not know where that is, and waits for it as for any start."""
        for _ in range(self.start_timeout):
            if await self._patient_poll() is not None or self.is_pod_running(self._pod()):
                break
            await asyncio.sleep(1)
        seen = self._pod()
        return f"{self._get_pod_url(seen)}{self.server.base_url}" if self.is_pod_running(seen) else str(self.server.url)

    async def _patient_poll(self) -> int | None:
        """A cluster that does not answer says nothing of a server; a hub that starts would forget one whose look failed."""
        patience = time.monotonic() + SILENCE
        while True:
            try:
                code: int | None = await super().poll()
                return code
            except (ApiException, ClientError, OSError) as error:
                if time.monotonic() > patience:
                    raise
                self.log.warning("Whether %s runs is not known now: %s", self._log_name, error)
            await asyncio.sleep(PAUSE)

    async def _start_reflector(self, kind: str, reflector_class: Any, replace: bool = False, **more: Any) -> Any:
        """KubeSpawner keeps a view whose first look failed, or that gave up, sees no pod by it, and takes all for ended."""
        known = self.reflectors.get(self._get_reflector_key(kind))
        return await super()._start_reflector(kind, reflector_class, replace=replace or blind(known), **more)

    async def _charge(self, *, ended: bool) -> None:
        """What cannot be told now is told at the next look: the record has all since the start."""
        if self.charge is None or not self.facts.get("started_at") or self.facts["ended_at"]:
            return
        record = used(self.facts, now(), ended=ended)
        try:
            await self.charge(record)
        except Exception as error:  # whatever the hook's client raises
            self.log.warning("What %s used cannot be told to the service now: %s", self._log_name, error)
        else:
            self.facts = {**self.facts, "ended_at": record["ended_at"]}

    # what is seen

    def _pods(self) -> list[Document]:
        return list(self.pod_reflector.pods.values()) if self.pod_reflector else []

    def _pod(self) -> Document | None:
        found: Document | None = self.pod_reflector.pods.get(f"{self.namespace}/{self.pod_name}") if self.pod_reflector else None
        return found

    def _mine(self) -> Document | None:
        """The pod of this start."""
        found = self._pod()
        return found if found is not None and self._made and found["metadata"].get("uid") == self._made else None

    def _sight(self) -> tuple[Document | None, list[Document]]:
        """The pod of this start and its events, oldest first, as far as the hub has seen them."""
        events = self.event_reflector.resources.values() if self.event_reflector and self._made else []
        return self._mine(), sorted((e for e in events if e["involvedObject"].get("uid") == self._made), key=when)

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Steps in words until the pod runs; the hub itself says when JupyterLab answers."""
        teller = Teller()
        while True:
            done = self._start_future is not None and self._start_future.done()
            for told in teller.tell(*self._sight()):
                yield told
            if done:
                break
            await asyncio.sleep(1)
        if not self._start_future.cancelled() and self._start_future.exception() is None:
            for told in teller.say([ANSWERS]):
                yield told
