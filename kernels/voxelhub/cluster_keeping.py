"""While this kernel lives, its clusters do: `python cluster_keeping.py <cluster> <kernel's pid>` says so every ten seconds.

A process of its own, as no thread of the kernel speaks while a function in C holds Python's lock for minutes. It needs Python's
own library only, ends within a second of the kernel, however that ends, and outlasts a service that is away.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException

EVERY_S = 10.0
RETRY_S = 2.0  # after a service that did not answer
LOOK_S = 0.5  # between two looks at whether the kernel lives
TIMEOUT_S = 20.0
OVER = frozenset({403, 404, 409, 422})  # answers after which there is nothing to keep


class Keeper:
    """Of one cluster of this kernel, from now on."""

    def __init__(self, cluster_id: str) -> None:
        environ = {name: os.environ.get(name, "") for name in ("VOXELHUB_API_URL", "JUPYTERHUB_API_TOKEN")}
        command = [sys.executable, "-I", "-S", __file__, cluster_id, str(os.getpid())]
        # In a session of its own, as an interrupt of the kernel goes to all of its group.
        self.process = subprocess.Popen(command, env=environ, start_new_session=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        threading.Thread(target=self.process.wait, daemon=True, name=f"keeper of {cluster_id}").start()  # leaves no zombie

    def stop(self) -> None:
        """Says nothing more; the cluster ends by that, unless it was let go or another kernel keeps it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def keep(cluster_id: str, kernel: int) -> None:
    """Until the kernel has ended, or there is nothing to keep."""
    due = 0.0
    while os.getppid() == kernel:
        if time.monotonic() >= due:
            kept = say(cluster_id)
            if kept is False:
                return
            due = time.monotonic() + (EVERY_S if kept else RETRY_S)
        time.sleep(LOOK_S)


def say(cluster_id: str) -> bool | None:
    """Whether it is kept now; None where nobody could say."""
    url = os.environ["VOXELHUB_API_URL"].rstrip("/") + f"/clusters/{cluster_id}/keep"
    headers = {"Authorization": f"Bearer {os.environ['JUPYTERHUB_API_TOKEN']}"}
    request = urllib.request.Request(url, method="POST", headers=headers)  # noqa: S310 - the kernel's own service
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return bool(json.load(answer)["kept"])
    except urllib.error.HTTPError as error:
        return False if error.code in OVER else None
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None


if __name__ == "__main__":
    keep(sys.argv[1], int(sys.argv[2]))
