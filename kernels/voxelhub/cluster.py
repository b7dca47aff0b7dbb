"""voxelhub.Cluster: a Dask cluster that VoxelHub's service keeps, as `distributed` knows clusters.

The service starts scheduler and workers, follows the load between a floor and a ceiling, replaces what dies, and counts
what it costs. This object asks for all of that, and connects a `distributed.Client` to the scheduler with the cluster's
own TLS certificate. The computation runs between client, scheduler and workers: a service that is away for a moment does
not disturb it.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import weakref
from collections.abc import Callable, Generator, Mapping
from typing import Any

from distributed import Client
from distributed.core import Status, rpc
from distributed.deploy.cluster import Cluster as DaskCluster
from distributed.security import Security

from . import client
from . import cluster_calls as calls
from .cluster_calls import Groups, Until
from .cluster_keeping import Keeper
from .errors import VoxelHubError
from .progress import Progress

CLOSE_S = 20.0  # for its processes to end
_made: weakref.WeakSet[Cluster] = weakref.WeakSet()


class Cluster(DaskCluster):  # type: ignore[misc]
    """Scheduler and workers of your own, for as long as you need them. Its price is said before it starts.

        with voxelhub.Cluster(adapt=(1, 4), project="demo") as cluster:
            client = cluster.get_client()
            client.gather(client.map(measure, paths))

    `workers` is a fixed number; `adapt=(floor, ceiling)` follows the load between the two, (0, 4) where neither is given, and
    starts with `workers` where both are. `kind` is a size of worker of the price list. `groups` adds workers of another
    kind, of a fixed number: `{"large": {"kind": "large", "workers": 1, "resources": {"MEMORY": 16e9}}}`; `resources` are
    those of an ordinary worker, as Dask's tasks ask for them. `environment` is that of the workers, this kernel's own where
    nothing is said. `project` pays. It ends with `close()`, with this kernel however that ends, with your server, or
    when nothing was computed for a while. `disconnect()` lets it go on without a kernel; until `pinned_until` (a point in time,
    or a timedelta from now) it outlives kernel and server.

    With `asynchronous=True` it is for `async with` and `await`. What is refused raises VoxelHubError with the reason.
    """

    def __init__(
        self, workers: int | None = None, adapt: tuple[int, int] | None = None, environment: str | None = None,
        project: str | None = None, kind: str | None = None, groups: Groups = (), resources: Mapping[str, float] | None = None,
        name: str | None = None, pinned_until: Until = None, *, asynchronous: bool = False, loop: Any = None, quiet: bool = False,
    ) -> None:
        wish = {"workers": workers, "adapt": adapt, "environment": environment, "project": project, "kind": kind,
                "groups": groups, "resources": resources, "name": name, "pinned_until": pinned_until}
        self._set_up(lambda: self._create(wish), asynchronous, loop, quiet)

    @classmethod
    def connect(cls, id: str, *, asynchronous: bool = False, loop: Any = None, quiet: bool = False) -> Cluster:
        """One of your clusters that runs already, wherever it was made. Leaving a `with` then leaves it open.

        One that was made in a notebook goes on while any kernel lives that made it or is connected to it.
        """
        cluster = cls.__new__(cls)
        cluster._set_up(lambda: calls.get(id), asynchronous, loop, quiet)
        return cluster

    @staticmethod
    def log_of(id: str, name: str = "scheduler") -> str:
        """The end of the log of one process of a cluster, also of one that has ended."""
        return str(calls.log(id, name)["text"])

    def _set_up(self, begin: Callable[[], dict[str, Any]], asynchronous: bool, loop: Any, quiet: bool) -> None:
        super().__init__(asynchronous=asynchronous, loop=loop, quiet=quiet)
        self._begin, self._mine = begin, False
        self._keeper: Keeper | None = None
        self._item: dict[str, Any] = {}
        if not self.called_from_running_loop:
            self._follow_start()
            self._loop_runner.start()
            self.sync(self._start)

    # Its life

    def _create(self, wish: dict[str, Any]) -> dict[str, Any]:
        body = calls.wish(**wish)
        item = calls.create(body, lambda sentence: None if self.quiet else print(f"{body['title']}: {sentence}"))
        self._mine = True
        return item

    def _follow_start(self) -> None:
        """Blocks until it runs. One that was made here and is not wanted any more, or fails, is closed."""
        try:
            self._item = self._begin()
            if self._item["made_in"] == "notebook" and self._item["state"] in calls.OPEN:
                self._keeper = Keeper(self.id)
            if self.quiet:
                item = calls.wait(self._item, ("running",), calls.START_S)
            else:
                with Progress(f"Cluster {self._item['title']}") as progress:
                    item = calls.wait(self._item, ("running",), calls.START_S, lambda one: progress.update(
                        {"starting": 0.5}.get(one["state"], 1.0), one["state"]))
                    progress.finish(item["state"])
            self._item = calls.running(item)
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        self.status = Status.closed
        self._stop_keeping()
        if self._mine:
            with contextlib.suppress(VoxelHubError):
                calls.close(self._item["id"])

    async def _start(self) -> None:
        """Connect to its scheduler."""
        if not self._item:
            await asyncio.to_thread(self._follow_start)
        try:
            given = await asyncio.to_thread(client.request, "GET", f"clusters/{self.id}/credentials")
            calls.same_versions(given["versions"], self._item["environment"])
            self.security = Security(require_encryption=True, tls_ca_file=given["ca"], tls_client_cert=given["certificate"],
                                     tls_client_key=given["key"])
            self.scheduler_comm = rpc(given["address"], connection_args=self.security.get_connection_args("client"))
            self.name = self.id
            await super()._start()
        except BaseException:
            self._abandon()
            raise
        if self._mine:
            _made.add(self)

    async def _sync_cluster_info(self) -> None:
        """The service knows all of it."""

    async def _close(self) -> None:
        if self.status == Status.closed:
            return
        try:
            await self._close_clients()
            await asyncio.to_thread(self._end)
        finally:
            await self._disconnect()

    async def _close_clients(self) -> None:
        """Before their scheduler is gone: they would look for it, and say so."""
        for one in list(Client._instances):
            if one.cluster is self and one.status != "closed":
                await one._close(fast=True)

    def _end(self) -> None:
        self._item = calls.wait(calls.close(self.id), (), CLOSE_S)

    def _stop_keeping(self) -> None:
        if self._keeper is not None:
            self._keeper.stop()
            self._keeper = None

    async def _disconnect(self) -> None:
        """End this object's link; the cluster goes on."""
        _made.discard(self)
        self._stop_keeping()
        await self._close_clients()
        await super()._close()

    def disconnect(self) -> Any:
        """Let the cluster go on without a kernel, until your server ends or nothing was computed for a while.

        `Cluster.connect(id)` finds it again.
        """
        return self.sync(self._let_go)

    async def _let_go(self) -> None:
        if self._keeper is not None:
            await asyncio.to_thread(calls.let_go, self.id)
        await self._disconnect()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        await (self._close() if self._mine else self._disconnect())

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.sync(self.__aexit__, kind, error, trace)

    def __await__(self) -> Generator[Any, Any, Cluster]:
        async def started() -> Cluster:
            if self.status == Status.created:
                await self._start()
            return self

        return started().__await__()

    # What it is

    id: str = property(lambda self: self._item["id"])  # type: ignore[assignment]
    title: str = property(lambda self: self._item["title"])  # type: ignore[assignment]
    project: str = property(lambda self: self._item["project"])  # type: ignore[assignment]
    state: str = property(lambda self: self._item["state"])  # type: ignore[assignment]
    reason: str = property(lambda self: self._item["reason"])  # type: ignore[assignment]

    def refresh(self) -> Cluster:
        """Look again: state, workers, cost."""
        self._item = calls.get(self.id)
        return self

    @property
    def cost(self) -> float | None:
        """So far, in the currency of the price list; None where there is none."""
        amount: float | None = self.refresh()._item["cost"]
        return amount

    @property
    def cost_text(self) -> str:
        """So far, and an hour: "0.012 EUR so far, 0.10 EUR an hour now"."""
        item = self.refresh()._item
        so_far, hourly = (calls.money(item[name], item["currency"]) for name in ("cost", "price_per_hour"))
        return f"{so_far} so far, {hourly} an hour now" if so_far else "There is no price list here."

    @property
    def dashboard_link(self) -> str:
        """Its dashboard in your Lab, for you alone."""
        return calls.dashboard_link(self._item) if self._item else ""

    def logs(self, name: str | None = None) -> dict[str, str]:
        """The ends of the logs of its processes by their names, also of those that have ended; of the one named."""
        return calls.logs(self.id, name)

    def events(self) -> list[dict[str, Any]]:
        """What happened to it, and for each scaling the measured values that caused it; newest last."""
        return sorted(calls.log(self.id)["events"], key=lambda event: event["id"])

    # What it should be

    def scale(self, n: int) -> Any:
        """A fixed number of workers from now on. Await it in asynchronous code that wants to know that it was accepted."""
        return self._change(calls.scaling(self._item, n))

    def adapt(self, minimum: int = 0, maximum: int | None = None) -> Any:
        """Follow the load between a floor and a ceiling, from now on; the ceiling stays where none is given."""
        return self._change(calls.adapting(self._item, minimum, maximum))

    def pin(self, until: Until) -> Any:
        """Let it outlive kernel and server until then: a point in time, or a timedelta from now; None unpins it."""
        return self._change(calls.pinning(until))

    def _change(self, values: dict[str, Any]) -> Any:
        if not self.asynchronous:
            return self._apply(values)
        return asyncio.ensure_future(asyncio.to_thread(self._apply, values))

    def _apply(self, values: dict[str, Any]) -> None:
        self._item = calls.change(self.id, **values)

    # How it shows itself

    def _widget(self) -> Any:
        from .cluster_widget import panel

        if not hasattr(self, "_panel"):
            self._panel = panel(self)
        return self._panel

    def _repr_html_(self, cluster_status: Any = None) -> str:
        from .cluster_text import summary

        return summary(self._item)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Its controls; where there are no widgets, what it is."""
        bundle = dict(self._widget()._repr_mimebundle_(**options) or {})
        return bundle | {"text/plain": repr(self), "text/html": self._repr_html_()}

    def _ipython_display_(self, **options: Any) -> None:
        from IPython.display import display

        display(self._repr_mimebundle_(**options), raw=True)  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        item = self._item
        if not item:
            return "<Cluster that was not started yet>"
        workers = f"{len(item['workers'])} of {item['wanted_workers']} workers" if item["state"] in calls.OPEN else item["reason"]
        return f"<Cluster {item['title']!r}: {item['state']}, {workers}>"


def _close_all() -> None:
    """A kernel that ends takes with it what it made, but for what was pinned."""
    for cluster in list(_made):
        if cluster._item.get("pinned_until") is None:
            with contextlib.suppress(Exception):
                client.send("DELETE", f"clusters/{cluster.id}", timeout=5)
        cluster.status = Status.closed


atexit.register(_close_all)
