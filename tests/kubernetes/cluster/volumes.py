"""Makes a volume for each claim of our two storage classes, and removes it with the claim.

They are `local` volumes, not `hostPath`: the kubelet gives them the pod's fsGroup, so that a pod which forgets to ask for one
meets a folder of root here, as it would on a disk of a cloud.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from . import api, names

PROVISIONER = "voxelhub.test/volumes"
Object = dict[str, Any]


def main() -> None:
    client = api.session(names.PKI / "volumes.kubeconfig")
    threading.Thread(target=follow, args=(client, "/api/v1/persistentvolumes", removed), daemon=True).start()
    follow(client, "/api/v1/persistentvolumeclaims", made)


def follow(client: httpx.Client, path: str, act: Callable[[httpx.Client, Object], None]) -> None:
    while True:
        try:
            for item in watched(client, path):
                act(client, item)
        except httpx.HTTPError as error:
            print(error, flush=True)
            time.sleep(0.5)


def watched(client: httpx.Client, path: str) -> Iterator[Object]:
    """Each object as it is, and whenever it changes."""
    listed = client.get(path).raise_for_status().json()
    yield from listed["items"]
    parameters = {"watch": "1", "resourceVersion": listed["metadata"]["resourceVersion"], "timeoutSeconds": "300"}
    with client.stream("GET", path, params=parameters, timeout=None) as answer:
        for line in answer.raise_for_status().iter_lines():
            event = json.loads(line)
            if event["type"] == "ERROR":  # too old: from the beginning
                return
            if event["type"] != "DELETED":
                yield event["object"]


def made(client: httpx.Client, claim: Object) -> None:
    if claim["status"].get("phase") != "Pending" or claim["spec"].get("volumeName"):
        return
    found = client.get(f"/apis/storage.k8s.io/v1/storageclasses/{claim['spec'].get('storageClassName') or '-'}")
    if not found.is_success or found.json()["provisioner"] != PROVISIONER:
        return
    volume = volume_for(claim)
    folder = names.VOLUMES / volume["metadata"]["name"]
    if not folder.exists():
        folder.mkdir(mode=0o755)
        if (found.json().get("parameters") or {}).get("limited"):
            size = claim["spec"]["resources"]["requests"]["storage"]
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=755,size={in_bytes(size)}", "tmpfs", str(folder)], check=True)
    if (answer := client.post("/api/v1/persistentvolumes", json=volume)).status_code != httpx.codes.CONFLICT:
        answer.raise_for_status()


def volume_for(claim: Object) -> Object:
    """What binds to this claim and to no other."""
    about, wanted = claim["metadata"], claim["spec"]
    name = f"pvc-{about['uid']}"
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [names.NODE]}]}
    return {
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "capacity": wanted["resources"]["requests"], "accessModes": wanted["accessModes"],
            "volumeMode": "Filesystem", "storageClassName": wanted["storageClassName"],
            "persistentVolumeReclaimPolicy": "Delete", "local": {"path": str(names.VOLUMES / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": about["name"],
                         "namespace": about["namespace"], "uid": about["uid"]},
        },
    }


def removed(client: httpx.Client, volume: Object) -> None:
    ours = volume["metadata"].get("annotations", {}).get("pv.kubernetes.io/provisioned-by") == PROVISIONER
    if ours and volume["status"].get("phase") in ("Released", "Failed"):
        if volume["spec"]["persistentVolumeReclaimPolicy"] != "Delete":
            return
        folder = names.VOLUMES / volume["metadata"]["name"]
        subprocess.run(["umount", str(folder)], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)
        client.delete(f"/api/v1/persistentvolumes/{volume['metadata']['name']}")


def in_bytes(quantity: str) -> int:
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
    unit = next((unit for unit in units if quantity.endswith(unit)), "")
    return int(float(quantity.removesuffix(unit)) * units.get(unit, 1))


if __name__ == "__main__":
    main()
