"""Why a server does not start, from what Kubernetes writes of its pod: one sentence, and what was said behind it. Pure.

The words looked for are those of Kubernetes 1.35 (kubelet, scheduler, admission, volume controllers) and of containerd.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .kube_objects import CONTAINER

Document = Mapping[str, Any]
TELL = "Tell an administrator."
LATER = "Try again later, or choose another profile."


@dataclass(frozen=True)
class Reason:
    """`patience`: seconds after which a start with this reason is given up, infinite where time may heal it."""

    code: str
    sentence: str
    behind: str = ""
    patience: float = math.inf
    status: int = 503


NO_GPU = "No GPU of this kind is free."
DATA_AWAY = "The part of VoxelHub that holds the data is not running now, so no server can start. Try again in a moment."
POLICY = f"A rule of the cluster refuses this server as it is set up. {TELL}"
HOME_FULL = "Your home is full, so the server cannot start. Ask an administrator for more room."


def explain(pod: Document | None, events: Sequence[Document] = ()) -> Reason | None:
    """Why this pod does not run yet, or ended; None where nothing is wrong. `events` of it and its volume, oldest first."""
    if pod is None:
        return None
    status = pod.get("status", {})
    if status.get("phase") == "Failed" and (found := _failed(status)):
        return found
    for container in status.get("containerStatuses") or []:
        if container.get("name") == CONTAINER and (found := _container(container)):
            return found
    if not pod.get("spec", {}).get("nodeName"):
        return _unscheduled(status, events)
    return _on_its_node(events)


def removed(events: Sequence[Document]) -> Reason:
    """The pod was there and is not any more."""
    for event in reversed(events):
        if event.get("reason") == "TaintManagerEviction":
            return Reason("node-lost", "The machine on which your server started went away. Start it again.", said(event), 0)
        if event.get("reason") in {"Preempted", "Evicted"}:
            return Reason("evicted", "The cluster took your server's place for something more urgent. Start it again later.",
                          said(event), 0)
    return Reason("removed", "Your server was removed from the cluster while it started. Start it again.", patience=0)


def timed_out(found: Reason | None, seconds: int, last_step: str) -> Reason:
    """At the end of the time for a start: what was in the way, else how far it came."""
    if found is not None:
        return found
    return Reason("timeout", f"The server did not start within {seconds} seconds. The last step was: {last_step} "
                             "Try again; if it happens again, tell an administrator.")


# what the API server refuses


def refusal(status: int, body: str) -> Reason:
    """Of an answer of the API server to the wish for a pod or a volume."""
    message = _message(body)
    for code, pattern, sentence, answer in REFUSALS:
        if re.search(pattern, message):
            return Reason(code, sentence.format(what=_quota_of(message)), message, 0, answer)
    if status in {401, 403}:
        return Reason("rights", f"VoxelHub may not start servers in this cluster. {TELL}", message, 0)
    if status in {400, 404, 422}:
        return Reason("setup", f"The cluster does not accept this server as it is set up. {TELL}", message, 0)
    return Reason("cluster", "The cluster does not answer as it should now. Try again in a moment.", message or str(status), 0)


REFUSALS = (
    ("quota", r"^persistentvolumeclaims? .*exceeded quota",
     "The cluster's quota for {what} is used up, so your home cannot be made. Ask an administrator.", 403),
    ("quota", r"exceeded quota",
     "The cluster's quota for {what} is used up. Stop another server, choose a smaller profile, or ask an administrator.", 403),
    ("too-large", r"(maximum|minimum) [a-z0-9./-]+ usage per (Container|Pod|PersistentVolumeClaim) is",
     "The cluster allows no server of this size. Choose another profile, or ask an administrator.", 403),
    ("policy", r"violates PodSecurity", POLICY, 403),
    ("policy", r"admission webhook \"[^\"]*\" denied the request|ValidatingAdmissionPolicy .* denied request", POLICY, 403),
    ("policy", r"failed calling webhook",
     "A check of the cluster that every server passes does not answer. Try again in a moment, or tell an administrator.", 503),
    ("setup", r"no PriorityClass with name|error looking up service account",
     f"The cluster lacks something that every server needs. {TELL}", 503),
)
QUOTA_WORDS = (("nvidia.com/", "GPUs"), ("memory", "memory"), ("cpu", "CPU"), ("storage", "storage"),
               ("persistentvolumeclaims", "volumes"), ("pods", "servers"))


def _quota_of(message: str) -> str:
    """What is used up, in words: `requested` names what of it."""
    asked = re.search(r"requested: ([^ ]*)", message)
    words = [word for key, word in QUOTA_WORDS if key in (asked[1] if asked else "")]
    return " and ".join(words[:2]) or "servers"


def _message(body: str) -> str:
    """Of a Status document; a webhook or a proxy may answer with something else."""
    try:
        document = json.loads(body)
        return str(document["message"])
    except (ValueError, KeyError, TypeError):
        return body[:500]


# before it has a node


def _unscheduled(status: Document, events: Sequence[Document]) -> Reason | None:
    condition = _condition(status, "PodScheduled")
    if condition is None or condition.get("status") != "False":
        return None
    message = str(condition.get("message", ""))
    behind = "\n".join([f"{condition.get('reason', '')}: {message}", *(said(e) for e in events if _of_claim(e))])
    needed, _, _ = message.partition("preemption:")  # what preemption could not do is not why
    if lacking := _lacking(needed):
        if lacking == ["GPU"]:
            return Reason("no-gpu", f"{NO_GPU} {LATER}", behind)
        return Reason("no-room", f"No machine in the cluster has enough {_and(lacking)} free for this profile. {LATER}", behind)
    for code, pattern, sentence in SCHEDULING:
        if re.search(pattern, needed):
            return Reason(code, sentence, behind)
    return Reason("no-node", f"The cluster has no place for this server now. {LATER}", behind)


SCHEDULING = (
    ("volume", r"unbound immediate PersistentVolumeClaims|didn't find available persistent volumes|enough free storage"
               r"|bound to non-existent pv|persistentvolumeclaim \"[^\"]*\" (not found|is being deleted)",
     f"The volume of your home cannot be made: the cluster has no storage for it now. {TELL}"),
    ("volume", r"volume node affinity conflict|PersistentVolume's node affinity|no available volume zone",
     f"The volume of your home is on a machine that cannot take this server. Choose another profile. {TELL}"),
    ("volume", r"ReadWriteOncePod access mode already in-use", "Your home is open in another server. Stop that one first."),
    ("service-away", r"didn't match pod affinity rules", DATA_AWAY),
    ("no-node", r"didn't match Pod's node affinity/selector",
     f"No machine in the cluster is of the kind that this profile needs. Choose another profile. {TELL}"),
    ("node-lost", r"node\.kubernetes\.io/(not-ready|unreachable)|no nodes available to schedule",
     f"No machine of the cluster is ready now. {TELL}"),
    ("no-node", r"untolerated taint|were unschedulable",
     "The machines of the cluster take no servers now. Try again later, or tell an administrator."),
)
RESOURCE_WORDS = (("nvidia.com/", "GPU"), ("amd.com/gpu", "GPU"), ("cpu", "CPU"), ("memory", "memory"),
                  ("ephemeral-storage", "disk"))


def _lacking(message: str) -> list[str]:
    names = re.findall(r"Insufficient ([A-Za-z0-9./-]*[A-Za-z0-9])", message)
    words = [next((w for key, w in RESOURCE_WORDS if name.startswith(key)), name) for name in names]
    return list(dict.fromkeys(words + (["room for pods"] if "Too many pods" in message else [])))


# on its node


def _failed(status: Document) -> Reason | None:
    """A pod that the kubelet ended or did not take."""
    why, message = str(status.get("reason", "")), str(status.get("message", ""))
    behind = f"{why}: {message}"
    if why == "Evicted":
        if "EmptyDir volume" in message:
            return Reason("evicted", "The server put more into /tmp or /dev/shm than it may, so it was ended. "
                                     "Keep large files in your home.", behind, 0)
        scarce = "disk" if "ephemeral-storage" in message else "memory"
        return Reason("evicted", f"The machine ran out of {scarce}, so the cluster ended your server. Start it again.", behind, 0)
    if why in {"UnexpectedAdmissionError", "OutOfExtendedResources"} or why.startswith("OutOf"):
        gpu = "nvidia.com/" in behind
        return Reason("no-gpu" if gpu else "no-room",
                      f"{NO_GPU} {LATER}" if gpu else f"The machine that was chosen has no room any more. {LATER}", behind, 0)
    if why in {"NodeShutdown", "Terminated", "NodeLost"}:
        return Reason("node-lost", "The machine on which your server was went away. Start it again.", behind, 0)
    return Reason("refused", f"The machine that was chosen does not take this server. {TELL}", behind, 0) if why else None


def _container(status: Document) -> Reason | None:
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
    ended, again = state.get("terminated") or last, int(status.get("restartCount", 0))
    waiting = state.get("waiting") or {}
    why, message = str(waiting.get("reason", "")), str(waiting.get("message", ""))
    if why in IMAGE_REASONS:
        return _image(why, message)
    if ended and (state.get("terminated") or why == "CrashLoopBackOff"):
        return _ended(ended, again)
    if why in {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}:
        return _not_made(why, message)
    return None


IMAGE_REASONS = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError",
                 "RegistryUnavailable", "SignatureValidationFailed"}


def _image(why: str, message: str) -> Reason:
    behind = f"{why}: {message}".removesuffix(": ")
    if "no space left on device" in message:
        return Reason("image", f"The disk of the machine is full, so the software image does not fit. {TELL}", behind, 60)
    if why == "SignatureValidationFailed":
        return Reason("image", f"The software image is not signed as the cluster wants it. {TELL}", behind, 0, 403)
    if why == "ErrImageNeverPull":
        return Reason("image", f"The software image is not on the machine, and must not be fetched. {TELL}", behind, 0)
    if why == "InvalidImageName" or re.search(r"not found|manifest unknown|does not exist", message):
        return Reason("image", f"The software image of this profile does not exist. {TELL}", behind, 5)
    if re.search(r"unauthorized|access denied|denied:|insufficient_scope|authorization failed|403 Forbidden", message):
        return Reason("image", f"The cluster may not fetch the software image of this profile. {TELL}", behind, 5)
    return Reason("image", f"The software image cannot be fetched: its registry does not answer. {TELL}", behind, 120)


def _ended(ended: Document, again: int) -> Reason:
    """The server itself ended while it started. `message` is the end of what it wrote."""
    message, code = str(ended.get("message", "")), ended.get("exitCode")
    behind = f"{ended.get('reason', '')}, exit code {code}\n{message}".strip()
    patience = 0 if again >= 2 else math.inf
    if ended.get("reason") == "OOMKilled":
        return Reason("memory", "The server needed more memory than its profile has. Choose a larger profile.", behind, patience)
    if re.search(r"No space left on device|Disk quota exceeded|database or disk is full", message):
        return Reason("home-full", HOME_FULL, behind, patience)
    if "Read-only file system" in message or "Permission denied" in message:
        return Reason("home", f"Your home cannot be written to. {TELL}", behind, patience)
    return Reason("crashed", f"The server ended by itself while it started. {TELL}", behind, patience)


def _not_made(why: str, message: str) -> Reason:
    behind = f"{why}: {message}"
    if "subPath" in message:
        return Reason("volume", f"The folder of one of your projects cannot be opened. {TELL}", behind, 30)
    if "no space left on device" in message:
        return Reason("node-full", f"The disk of the machine is full. {LATER}", behind, 60)
    return Reason("setup", f"The machine cannot make this server as it is set up. {TELL}", behind, 60)


def _on_its_node(events: Sequence[Document]) -> Reason | None:
    """It has a node and no container yet: the newest warning says why, unless something went on after it."""
    for event in reversed(events):
        why, message = str(event.get("reason", "")), str(event.get("message", ""))
        if why in {"Pulling", "Pulled", "Created", "Started"}:
            return None
        for reasons, pattern, code, sentence in ON_NODE:
            if why in reasons and re.search(pattern, message):
                return Reason(code, sentence, said(event))
    return None


ON_NODE = (
    ({"NodeNotReady"}, "", "node-lost", "The machine that was chosen does not answer. The server waits for it; "
                                        "if it stays so, stop the start and try again later."),
    ({"FailedAttachVolume"}, "Multi-Attach error", "volume",
     "Your home is still held by another machine. That ends within some minutes, or when your other server is stopped."),
    ({"FailedAttachVolume"}, "", "volume", f"The volume of your home cannot be brought to the machine. {TELL}"),
    ({"FailedMount", "FailedMapVolume"}, "no space left on device", "volume", f"The disk behind your volumes is full. {TELL}"),
    ({"FailedMount", "FailedMapVolume"}, "", "volume", f"A volume that this server needs cannot be opened. {TELL}"),
    ({"FailedCreatePodSandBox", "NetworkNotReady"}, "", "network", f"The machine cannot give the server a network. {TELL}"),
    ({"FailedSync", "Failed"}, "no space left on device", "node-full", f"The disk of the machine is full. {LATER}"),
)


def said(event: Document) -> str:
    return f"{event.get('reason', '')}: {event.get('message', '')}"


def _of_claim(event: Document) -> bool:
    regards = event.get("involvedObject") or {}
    return regards.get("kind") == "PersistentVolumeClaim" and event.get("reason") in {"ProvisioningFailed", "FailedBinding"}


def _condition(status: Document, kind: str) -> Document | None:
    return next((c for c in status.get("conditions") or [] if c.get("type") == kind), None)


def _and(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
