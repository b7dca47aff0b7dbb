"""The worker: `python -m voxelhub_service.runs.worker`. One at a time; a second one waits for the lease.

SIGTERM ends it between two steps and leaves supervisors alone: the next worker takes their runs up again by id. So does
the one that follows a SIGKILL.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from sqlalchemy.exc import OperationalError

from ..context import Context, make_context
from ..datasets.demo import ensure_demo
from ..datasets.derived import sweep_derived
from ..datasets.quarantine import sweep_quarantine
from ..datasets.trash import purge_trash
from ..datasets.uploads import expire_uploads
from ..executors.local import LocalExecutor
from ..settings import load_settings
from ..tools.registry import registry
from .lease import RENEW, LeaseLost, WorkerLease
from .reconciler import Reconciler

log = logging.getLogger("voxelhub.worker")
BUSY, IDLE = 0.1, 0.4  # seconds between two looks
STOP_PATIENCE = 5.0  # seconds for work of our own that is under way; it is safe to cut
# What is done beside the loop, and seconds between two times (0: once, at the start).
CHORES: tuple[tuple[Callable[[Context], object], float], ...] = (
    (ensure_demo, 0), (expire_uploads, 60), (sweep_quarantine, 60), (purge_trash, 600), (sweep_derived, 600),
)


class Worker:
    def __init__(self, context: Context) -> None:
        self.context = context
        self.lease = WorkerLease(context)
        self.executor = LocalExecutor(context.settings.runs_dir)
        self.reconciler = Reconciler(context, self.executor, registry(context.settings), self.lease)
        self.stopping, self.lost = threading.Event(), threading.Event()

    def run(self) -> int:
        """Until asked to stop (0), or until the lease is lost (1)."""
        while not self.lease.take():
            if self.stopping.wait(0.5):
                return 0
        log.info("works from now on")
        threading.Thread(target=self._keep_lease, daemon=True, name="lease").start()
        try:
            self.reconciler.close_ended()
            threading.Thread(target=self._chores, daemon=True, name="chores").start()
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
        self.lease.release()
        return 0

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        self.stopping.set()

    def _look(self) -> int:
        try:
            return self.reconciler.look()
        except OperationalError as error:
            log.warning("the database does not answer: %s", type(error.orig).__name__)
            return 0

    def _keep_lease(self) -> None:
        while not self.stopping.wait(RENEW):
            try:
                self.lease.renew()
            except LeaseLost:
                self.lost.set()
                return
            except OperationalError:
                log.warning("the lease could not be renewed; trying again")

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
                except Exception:
                    log.exception("%s", getattr(chore, "__name__", chore))
                    due[chore, every] = time.monotonic() + max(every, 60)
            self.stopping.wait(1)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    worker = Worker(make_context(load_settings()))
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    return worker.run()


if __name__ == "__main__":
    sys.exit(main())
