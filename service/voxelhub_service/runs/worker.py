"""The worker: `python -m voxelhub_service.runs.worker`. One at a time; a second one waits for the lease.

SIGTERM ends it between two steps and leaves supervisors alone: the next worker takes their runs up again by id. So does
the one that follows a SIGKILL.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from ..clusters.bell import Bell
from ..clusters.listening import Answers, api_answers
from ..clusters.local import LocalClusters
from ..clusters.reconciler import ClusterReconciler
from ..clusters.servers import HubServers, Servers
from ..clusters.tidying import sweep_clusters
from ..context import Context, make_context
from ..database import NoAnswer, away
from ..database_place import require_pod
from ..datasets.demo import ensure_demo
from ..datasets.derived import sweep_derived
from ..datasets.quarantine import sweep_quarantine
from ..datasets.trash import purge_trash
from ..datasets.uploads import expire_uploads
from ..executors.local import LocalExecutor
from ..keeping import keeper
from ..ledger.prices import PricesError, known_prices
from ..secrets import read_secret
from ..settings import SettingsError, load_settings
from .lease import RENEW, LeaseLost, WorkerLease
from .reconciler import Reconciler

log = logging.getLogger("voxelhub.worker")
BUSY, IDLE = 0.1, 0.4  # seconds between two looks
CLUSTERS = 0.2
STOP_PATIENCE = 5.0  # seconds for work of our own that is under way; it is safe to cut
# What is done beside the loop, and seconds between two times (0: once, at the start).
CHORES: tuple[tuple[Callable[[Context], object], float], ...] = (
    (ensure_demo, 0), (expire_uploads, 60), (sweep_quarantine, 60), (purge_trash, 600), (sweep_derived, 600),
    (sweep_clusters, 3600),
)


class Worker:
    def __init__(self, context: Context, servers: Servers | None = None, answers: Answers = lambda: True) -> None:
        """`servers`: who knows which notebook servers live; without one, no cluster ends with its server. `answers`: whether
        the API does."""
        self.context = context
        self.lease = WorkerLease(context)
        self.executor = LocalExecutor(context.settings.runs_dir)
        self.reconciler = Reconciler(context, self.executor, self.lease)
        self.cluster_driver = LocalClusters(context.settings.clusters_dir)
        self.clusters = ClusterReconciler(context, self.cluster_driver, self.lease, servers, answers)
        self.keeper = keeper.Keeper(context, self.executor, self.lease)
        self.stopping, self.lost = threading.Event(), threading.Event()

    def run(self) -> int:
        """Until asked to stop (0), or until the lease is lost (1)."""
        while not self._take():
            if self.stopping.wait(0.5):
                return 0
        log.info("works from now on")
        threading.Thread(target=self._keep_lease, daemon=True, name="lease").start()
        try:
            while not self._close_ended():
                if self.stopping.wait(1):
                    return 0
            threading.Thread(target=self._chores, daemon=True, name="chores").start()
            threading.Thread(target=self._keep_ledger, daemon=True, name="ledger").start()
            keeps_clusters = threading.Thread(target=self._keep_clusters, daemon=True, name="clusters")
            keeps_clusters.start()
            while not self.stopping.is_set() and not self.lost.is_set():
                self.stopping.wait(BUSY if self._look() else IDLE)
        except LeaseLost:
            self.lost.set()
        if self.lost.is_set():
            log.error("another worker took the lease")
            return 1
        deadline = time.monotonic() + STOP_PATIENCE
        while self.reconciler.tasks.busy() and time.monotonic() < deadline:
            time.sleep(0.05)
        keeps_clusters.join(max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(*NoAnswer):  # then it expires
            self.lease.release()
        return 0

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        self.stopping.set()

    def _take(self) -> bool:
        try:
            return self.lease.take()
        except NoAnswer as error:
            _say(error)
            return False

    def _close_ended(self) -> bool:
        try:
            self.reconciler.close_ended()
        except NoAnswer as error:
            _say(error)
            return False
        return True

    def _look(self) -> int:
        try:
            return self.reconciler.look()
        except NoAnswer as error:
            _say(error)
            return 0

    def _keep_lease(self) -> None:
        while not self.stopping.wait(RENEW):
            try:
                self.lease.renew()
            except LeaseLost:
                self.lost.set()
                return
            except NoAnswer:
                log.warning("the lease could not be renewed; trying again")

    def _keep_ledger(self) -> None:
        while not self.stopping.is_set() and not self.lost.is_set():
            try:
                self.keeper.look()
            except LeaseLost:
                self.lost.set()
            except Exception as error:  # counters only grow: the next look counts what this one did not
                _say(error) if away(error) else log.exception("the ledger")
            self.stopping.wait(keeper.EVERY)

    def _keep_clusters(self) -> None:
        """A loop of its own: clusters start while a run is staged, and runs while the hub is asked about servers."""
        swept, bell = False, Bell(self.context.settings.clusters_dir)
        while not self.stopping.is_set() and not self.lost.is_set():
            try:
                if not swept:
                    self.clusters.sweep()
                    swept = True
                self.clusters.look()
            except LeaseLost:
                self.lost.set()
            except Exception as error:
                _say(error) if away(error) else log.exception("clusters")
                self.clusters.hold_all()
            bell.wait(CLUSTERS)
        bell.close()

    def _chores(self) -> None:
        """Housekeeping beside the loop: none of it may hold up a run."""
        due = dict.fromkeys(CHORES, 0.0)
        while not self.stopping.is_set() and not self.lost.is_set():
            for chore, every in CHORES:
                if time.monotonic() < due[chore, every]:
                    continue
                due[chore, every] = time.monotonic() + every if every else float("inf")
                try:
                    chore(self.context)
                except Exception as error:
                    _say(error) if away(error) else log.exception("%s", getattr(chore, "__name__", chore))
                    due[chore, every] = time.monotonic() + max(every, 60)
            self.stopping.wait(1)


def _say(error: Exception) -> None:
    log.warning("the database does not answer: %s", type(getattr(error, "orig", error)).__name__)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = load_settings()
        require_pod(settings)
        known_prices(settings)
    except (SettingsError, PricesError) as error:  # with wrong prices nothing would be charged
        print(f"voxelhub worker: {error}", file=sys.stderr)
        return 1
    servers = HubServers(settings.hub_api_url, read_secret(settings.secrets_dir, "service-hub-token"))
    worker = Worker(make_context(settings), servers, api_answers(settings.service_url))
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    return worker.run()


if __name__ == "__main__":
    sys.exit(main())
