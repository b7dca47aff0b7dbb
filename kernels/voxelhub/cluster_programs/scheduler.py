"""The scheduler of one cluster, run by its supervisor inside the sandbox. Needs `distributed` and nothing of VoxelHub.

    python -P scheduler.py '{"port": 40001, "tls": "/tls", "dashboard": 5, "resources": {…}, "threads": 1}'

Speaks with its supervisor over descriptor 0, a socket, in lines of JSON: up goes what it measured, down come names of
workers that shall leave, and why the cluster ends. Its HTTP server listens on a UNIX socket only, which it got with its
descriptor `dashboard`; its peers show certificates of this cluster.
"""

# ruff: noqa: E402
from __future__ import annotations

import gc

gc.disable()  # there is nothing to collect while hundreds of modules are imported, which takes an eighth less time so
import asyncio
import contextlib
import json
import math
import os
import re
import socket
import ssl
import sys
from itertools import islice
from typing import Any

import dask
from distributed import Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.http.routing import RoutingApplication
from distributed.http.utils import RequestHandler
from distributed.security import Security
from tornado import web
from tornado.httpserver import HTTPServer

EVERY = 0.5  # seconds between two reports
PAGES_PATIENCE = 3.0  # seconds for a first worker, before the dashboard is loaded without one
PAGES_CALM = 2.0  # seconds after it in which clients and other workers come in: what is imported meanwhile would hold them up
PAGES_LONGEST = 30.0  # seconds that a browser waits for the dashboard to be loaded
TELL = 0.5  # seconds for clients to read why the cluster ends
SAMPLE = 100  # tasks that are looked at one by one
ROUTES = ["distributed.http.scheduler.info", "distributed.http.scheduler.json", "distributed.http.health",
          "distributed.http.statics"]  # not the proxy to other addresses
FOREIGN = re.compile(rb'<link [^>]*https://cdnjs[^>]*>')  # the style of the pages about workers and tasks: elsewhere
STYLE = b"""<style>
  body { font: 14px/1.5 system-ui, sans-serif; margin: 1.5em; color: #222; background: #fff }
  .title { font-size: 1.4em; font-weight: 600; margin: .8em 0 .4em }
  .subtitle, .title.is-4 { font-size: 1.15em; font-weight: 600 }
  .button { display: inline-block; padding: .2em .9em; border: 1px solid #888; border-radius: 4px; text-decoration: none }
  a { color: #1a5fb4 } .columns { display: flex; flex-wrap: wrap; gap: 2em }
  .table { border-collapse: collapse; margin: .5em 0 1em } .table th { text-align: left; background: #f2f2f2 }
  .table th, .table td { padding: .3em .7em; border-bottom: 1px solid #ddd; vertical-align: top }
  pre { overflow: auto; background: #f6f6f6; padding: .7em }
</style>"""


class Soon(web.RequestHandler):
    """In the place of a page that is not loaded yet: the browser is sent there again when it is."""

    async def get(self) -> None:
        pages: Pages = self.application  # type: ignore[assignment]
        pages.wanted.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(pages.loaded.wait(), PAGES_LONGEST)
        self.redirect(self.request.uri) if pages.loaded.is_set() else self.send_error(503)


class Styled(web.RequestHandler):
    """Looks well with what is on this machine."""

    def render_string(self, template_name: str, **values: Any) -> bytes:
        return FOREIGN.sub(STYLE, super().render_string(template_name, **values))


class Pages(RoutingApplication):  # type: ignore[misc]
    """What the scheduler shows of itself; the part that Bokeh draws is loaded later, at once when somebody asks for it."""

    def __init__(self, routes: Any) -> None:
        self.wanted, self.loaded = asyncio.Event(), asyncio.Event()
        super().__init__([(path, type(kind.__name__, (Styled, kind), {}) if issubclass(kind, RequestHandler) else kind, values)
                          for path, kind, values in routes])

    def find_handler(self, request: Any, **options: Any) -> Any:
        handler = super().find_handler(request, **options)
        unknown = handler is None or issubclass(handler.handler_class, web.ErrorHandler)
        return self.get_handler_delegate(request, Soon) if unknown and not self.loaded.is_set() else handler


class QuietScheduler(Scheduler):  # type: ignore[misc]
    """Its HTTP server takes the socket that it is given, and no port."""

    def __init__(self, pages: socket.socket, **options: Any) -> None:
        pages.setblocking(False)  # or the second look for a connection would wait for one, and the scheduler with it
        self._pages = pages
        super().__init__(**options)

    def start_http_server(self, routes: Any, dashboard_address: Any, default_port: int = 0, ssl_options: Any = None) -> None:
        self.http_application = Pages(routes)
        self.http_server = HTTPServer(self.http_application)
        self.http_server.add_socket(self._pages)
        self.http_server.address, self.http_server.port = "", 0  # type: ignore[attr-defined]


class Arrivals(SchedulerPlugin):  # type: ignore[misc]
    """Wakes the reports when a worker comes or goes."""

    def __init__(self) -> None:
        self.wake, self.arrived = asyncio.Event(), asyncio.Event()

    def add_worker(self, *_: Any, **__: Any) -> None:
        self.arrived.set()
        self.wake.set()

    def remove_worker(self, *_: Any, **__: Any) -> None:
        self.wake.set()


class Load:
    """What is measured of a scheduler, for those of its workers that come and go; `group-…` workers have their own work."""

    def __init__(self, scheduler: Scheduler, threads: int, resources: dict[str, float]) -> None:
        """`threads` and `resources` are those of one such worker."""
        self.scheduler, self.threads, self.resources = scheduler, threads, resources
        self.target = dask.utils.parse_timedelta(dask.config.get("distributed.adaptive.target-duration"))
        self.leaving: set[str] = set()  # names of those that are being retired

    def report(self) -> dict[str, Any]:
        scheduler = self.scheduler
        coming = [ws for ws in scheduler.workers.values() if ws.name not in self.leaving and not is_of_group(ws.name)]
        closable = self._closable(coming)
        waiting = len(scheduler.queued) + len(scheduler.unrunnable)
        waiting += sum(len(ws.processing) for ws in scheduler.workers.values())
        return {
            "workers": {str(ws.name): {
                "tasks": len(ws.processing), "memory": int(ws.metrics.get("memory", 0)),
                "cpu": round(float(ws.metrics.get("cpu", 0.0)) / 100, 2), "held": int(ws.nbytes),
            } for ws in scheduler.workers.values()},
            "desired": self._desired(coming, len(closable)), "waiting": waiting,
            "unrunnable": self._why_not(), "closable": closable, "active": waiting > 0,
        }

    def _desired(self, coming: list[Any], closable: int) -> int:
        """As `Scheduler.adaptive_target` counts, without the work that only groups' workers can do."""
        scheduler = self.scheduler
        queued, count = 0.0, 0
        ours = [ts for ts in islice(scheduler.unrunnable, SAMPLE) if self._is_ours(ts)]
        stuck = len(ours) if len(scheduler.unrunnable) <= SAMPLE else len(scheduler.unrunnable) * len(ours) // SAMPLE
        for part, size in ((list(islice(scheduler.queued, SAMPLE)), len(scheduler.queued)), (ours, stuck)):
            seconds = sum(scheduler._get_prefix_duration(ts.prefix) for ts in part)
            queued += seconds * size / len(part) if part else 0.0
            count += size
        occupancy = sum(ws.occupancy for ws in coming)
        for ws in scheduler.workers.values():  # a group's worker that was given common work: others could share it
            if is_of_group(ws.name) and ws.processing:
                part = [ts for ts in islice(ws.processing, SAMPLE) if not ts.resource_restrictions]
                share = len(ws.processing) / min(SAMPLE, len(ws.processing))
                occupancy += share * sum(scheduler._get_prefix_duration(ts.prefix) for ts in part)
                count += round(share * len(part))
        cores = math.ceil((occupancy + queued) / self.target)
        ready = count + sum(len(ws.processing) for ws in coming)
        cores = min(ready, cores)  # a few long tasks ask for no more cores than there are tasks
        if count and not coming:
            cores = max(1, cores)
        threads = sum(ws.nthreads for ws in coming) or self.threads
        target = math.ceil(cores / threads * max(1, len(coming)))
        held, limit = sum(ws.nbytes for ws in coming), sum(ws.memory_limit for ws in coming)
        if limit and held > 0.6 * limit:
            target = max(target, 2 * len(coming))
        return int(max(target, len(coming) - closable))

    def _is_ours(self, ts: Any) -> bool:
        wanted = ts.resource_restrictions or {}
        return all(self.resources.get(name, 0) >= amount for name, amount in wanted.items())

    def _closable(self, coming: list[Any]) -> list[str]:
        """Idle ones, the emptiest first, as long as the others have room for twice what all hold."""
        if not coming:
            return []
        held = sum(ws.nbytes for ws in self.scheduler.workers.values())
        room = sum(ws.memory_limit for ws in self.scheduler.workers.values() if ws.name not in self.leaving)
        names = []
        for ws in sorted(coming, key=lambda ws: ws.nbytes):
            if ws.processing or ws.long_running:
                continue
            room -= ws.memory_limit
            if room < 2 * held:
                break
            names.append(str(ws.name))
        return names

    def _why_not(self) -> dict[str, int]:
        """Resources that a waiting task asks for and no worker has: name -> tasks, of those that were looked at."""
        have = {name for ws in self.scheduler.workers.values() for name in ws.resources}
        found: dict[str, int] = {}
        for ts in islice(self.scheduler.unrunnable, SAMPLE):
            for name in ts.resource_restrictions or {}:
                if name not in have:
                    found[str(name)] = found.get(str(name), 0) + 1
        return found


def is_of_group(name: object) -> bool:
    return str(name).startswith("group-")


class Line:
    """The socket to the supervisor; its end is the end of this process."""

    def __init__(self, scheduler: Scheduler, load: Load) -> None:
        self.scheduler, self.load, self.arrivals = scheduler, load, Arrivals()
        self.tasks: set[asyncio.Task[None]] = set()
        self.reason = ""  # of the cluster's end

    async def run(self) -> None:
        reader, self.writer = await asyncio.open_connection(sock=socket.socket(fileno=os.dup(0)))
        self.scheduler.add_plugin(self.arrivals, name="voxelhub-arrivals")
        listening = asyncio.create_task(self._listen(reader))
        while not listening.done():
            self.say(self.load.report())
            with contextlib.suppress(TimeoutError, ConnectionError):
                await self.writer.drain()
                await asyncio.wait_for(self.arrivals.wake.wait(), EVERY)
            self.arrivals.wake.clear()

    def say(self, message: dict[str, Any]) -> None:
        self.writer.write(json.dumps(message).encode() + b"\n")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                order = json.loads(line)
                self.reason = order.get("close", "")
                for name in order.get("retire", ()):
                    task = asyncio.create_task(self._retire(name))
                    self.tasks.add(task)
                    task.add_done_callback(self.tasks.discard)
                self.arrivals.wake.set()

    async def tell_clients(self) -> None:
        """Why they get no result: else they would take it for a broken connection."""
        waiting = {name: [ts.key for ts in client.wants_what] for name, client in self.scheduler.clients.items()}
        for name, keys in waiting.items():
            self.scheduler.report({"op": "cancelled-keys", "keys": keys, "reason": "the cluster was closed", "msg": self.reason},
                                  client=name)
        if any(waiting.values()):  # a connection that ends at once would take the reason's place
            await asyncio.sleep(TELL)

    async def _retire(self, name: str) -> None:
        """Its results move to others, then it ends by itself. Where they cannot, it stays."""
        self.load.leaving.add(name)
        try:
            gone = await self.scheduler.retire_workers(names=[name], close_workers=True)
        except Exception as error:
            print(f"{name} could not be retired: {type(error).__name__}: {error}", flush=True)
            gone = {}
        self.load.leaving.discard(name)
        self.say({"retired": name, "gone": bool(gone)})


async def show_dashboard(scheduler: QuietScheduler, arrived: asyncio.Event) -> None:
    """Bokeh, which draws them, is imported when nobody is held up by that, or as soon as somebody asks for a page."""
    pages: Pages = scheduler.http_application
    calm = asyncio.create_task(_calm(arrived))
    wanted = asyncio.create_task(pages.wanted.wait())
    await asyncio.wait({calm, wanted}, return_when=asyncio.FIRST_COMPLETED)
    calm.cancel()
    wanted.cancel()
    try:
        bokeh = await asyncio.to_thread(__import__, "distributed.dashboard.scheduler", fromlist=["connect"])
        bokeh.connect(pages, scheduler.http_server, scheduler, prefix="")
    except ImportError:
        print("There is no dashboard: bokeh is not installed in this environment.", flush=True)
    pages.loaded.set()


async def _calm(arrived: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(arrived.wait(), PAGES_PATIENCE)
    await asyncio.sleep(PAGES_CALM)


async def main(orders: dict[str, Any]) -> None:
    tls = orders["tls"]
    security = Security(
        require_encryption=True, tls_ca_file=f"{tls}/ca.pem", tls_scheduler_cert=f"{tls}/cert.pem",
        tls_scheduler_key=f"{tls}/key.pem", tls_min_version=ssl.TLSVersion.TLSv1_3)
    with dask.config.set({"distributed.scheduler.http.routes": ROUTES}):
        scheduler = QuietScheduler(
            socket.socket(fileno=orders["dashboard"]), host="127.0.0.1", port=orders["port"], protocol="tls://",
            security=security, dashboard=False)
        await scheduler
    line = Line(scheduler, Load(scheduler, orders["threads"], orders["resources"]))
    pages = asyncio.create_task(show_dashboard(scheduler, line.arrivals.arrived))
    ends = asyncio.create_task(line.run())
    await asyncio.wait({ends, asyncio.create_task(scheduler.finished())}, return_when=asyncio.FIRST_COMPLETED)
    pages.cancel()
    with contextlib.suppress(Exception):
        await line.tell_clients()
    with contextlib.suppress(Exception):
        await asyncio.wait_for(scheduler.close(reason="the cluster was closed"), 2)


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    asyncio.run(main(json.loads(sys.argv[1])))
    os._exit(0)
