"""One worker of a cluster, run by its supervisor inside the sandbox. Needs `distributed` and nothing of VoxelHub.

    python -P worker.py '{"scheduler": "tls://127.0.0.1:40001", "name": "worker-1", "tls": "/tls", "threads": 1,
                          "memory": 1073741824, "scratch": "/scratch", "resources": {}}'

It has no HTTP server. It ends when its scheduler retires it or is gone; its supervisor stands in for Dask's nanny.
"""

# ruff: noqa: E402
from __future__ import annotations

import gc

gc.disable()  # there is nothing to collect while hundreds of modules are imported, which takes an eighth less time so
import asyncio
import json
import os
import ssl
import sys
from typing import Any

import dask
from distributed import Worker
from distributed.http.routing import RoutingApplication
from distributed.security import Security


class QuietWorker(Worker):  # type: ignore[misc]
    """Listens for its cluster's peers only."""

    def start_http_server(self, routes: Any, dashboard_address: Any, default_port: int = 0, ssl_options: Any = None) -> None:
        self.http_application = RoutingApplication([])


async def main(orders: dict[str, Any]) -> None:
    tls = orders["tls"]
    security = Security(
        require_encryption=True, tls_ca_file=f"{tls}/ca.pem", tls_worker_cert=f"{tls}/cert.pem",
        tls_worker_key=f"{tls}/key.pem", tls_min_version=ssl.TLSVersion.TLSv1_3)
    with dask.config.set({"distributed.worker.http.routes": []}):
        worker = QuietWorker(
            orders["scheduler"], name=orders["name"], host="127.0.0.1", protocol="tls://", security=security,
            nthreads=orders["threads"], memory_limit=orders["memory"], local_directory=orders["scratch"],
            resources=orders["resources"] or None, dashboard=False, death_timeout=60)
        await worker
    await worker.finished()


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    asyncio.run(main(json.loads(sys.argv[1])))
    os._exit(0)  # threads of a computation that nobody waits for do not hold it up
