"""python -m cluster            starts a cluster, says its KUBECONFIG, and ends it on Ctrl-C
python -m cluster build      only builds what is missing
python -m cluster images     builds the images and the archive for its tests, where it can run
python -m cluster status     says which cluster runs, and how it is
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import binaries, names, requirements
from .client import Failed
from .running import Cluster, attached, running_folder


def main(command: str = "run") -> None:
    if command == "build":
        if os.environ.get("KUBECONFIG"):
            print("[voxelhub] Nothing is built: the cluster of KUBECONFIG is used.")
        elif reason := requirements.skipped():
            print(f"[voxelhub] No cluster is built: {reason}.")
        elif reason := requirements.machine():
            print(f"[voxelhub] Only an API server can run here: {reason}.")
            binaries.build(requirements.CONTROL_PLANE)
        else:
            binaries.build()
    elif command == "images":
        if reason := requirements.unavailable():
            print(f"[voxelhub] No images are built, for no cluster can run here: {reason}.")
        else:
            for program in ("build.py", "archive.py"):
                if code := subprocess.run([sys.executable, names.ROOT / "images" / program]).returncode:
                    sys.exit(code)
    elif command == "status":
        status()
    elif command == "run":
        run()
    else:
        raise SystemExit(__doc__)


def run() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that puts us in the background has it ignored
    started = time.monotonic()
    try:
        with Cluster() as cluster:
            print(f"[voxelhub] Kubernetes {names.KUBERNETES} is ready after {time.monotonic() - started:.0f} s, at "
                  f"{names.SERVER} and node address {cluster.node_ip}. Ctrl-C ends it.\n"
                  f"export KUBECONFIG={cluster.kubeconfig} PATH={names.TOOLS}:$PATH", flush=True)
            while cluster.process and cluster.process.poll() is None:
                time.sleep(0.5)
            raise Failed(f"the node ended.\n{cluster.logs()}")
    except KeyboardInterrupt:
        print("\n[voxelhub] ended; nothing of it is left.")
    except Failed as failed:
        raise SystemExit(f"[voxelhub] {failed}") from None


def status() -> None:
    if not (folder := running_folder()):
        raise SystemExit("[voxelhub] No cluster of the tests runs here.")
    cluster = attached(Path(folder) / "kubeconfig")
    assert isinstance(cluster, Cluster)
    state = "ready" if cluster.ready() else "not ready"
    print(f"[voxelhub] {state}: KUBECONFIG={cluster.kubeconfig}")
    for name, code in cluster.node["ended"]:
        print(f"[voxelhub] {name} ended with code {code} and was started again; {folder}/log/{name}.log says why")


if __name__ == "__main__":
    main(*sys.argv[1:])
