"""Why a server does not start: for each cause the documents as Kubernetes 1.35 writes them, and the one sentence of it."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from support.kube_documents import NODE, claim_event, condition, kubelet_event, pod, scheduler_event, status_document
from voxelhub_spawner import kube_reasons
from voxelhub_spawner.kube_reasons import Reason, explain, refusal, removed, timed_out

IMAGE = "localhost/voxelhub-notebook:0.1.0"
NO_VICTIMS = "no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
NO_HELP = "no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."


def unscheduled(message: str) -> dict[str, Any]:
    return pod(condition("PodScheduled", "False", "Unschedulable", message))


def placed(*, state: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return pod(condition("PodScheduled", "True"), condition("PodReadyToStartContainers", "True" if state else "False"), node=NODE,
               state=state or {"waiting": {"reason": "ContainerCreating"}}, **more)


def waiting(reason: str, message: str, **more: Any) -> dict[str, Any]:
    return placed(state={"waiting": {"reason": reason, "message": message}}, **more)


def ended(reason: str, code: int, message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": "2026-11-30T13:00:03Z",
                           "finishedAt": "2026-11-30T13:00:05Z", "containerID": "containerd://ab"} | (
                               {"message": message} if message else {})}


def crashing(reason: str, code: int, message: str = "", restarts: int = 3) -> dict[str, Any]:
    """Between two of its lives."""
    back_off = ("back-off 20s restarting failed container=notebook "
                "pod=jupyter-ada_voxelhub(6f1d3a52-9c0e-4a57-8a4e-2f6f0f3b7f11)")
    return waiting("CrashLoopBackOff", back_off, last=ended(reason, code, message), restarts=restarts, phase="Running")


@pytest.mark.parametrize(("message", "code", "sentence"), [
    (f"0/1 nodes are available: 1 Insufficient nvidia.com/gpu. {NO_VICTIMS}", "no-gpu",
     "No GPU of this kind is free. Try again later, or choose another profile."),
    ("0/3 nodes are available: 1 Insufficient nvidia.com/mig-1g.5gb, 2 node(s) didn't match Pod's node affinity/selector. "
     "no new claims to deallocate, preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, "
     "2 Preemption is not helpful for scheduling.", "no-gpu",
     "No GPU of this kind is free. Try again later, or choose another profile."),
    (f"0/1 nodes are available: 1 Insufficient memory. {NO_VICTIMS}", "no-room",
     "No machine in the cluster has enough memory free for this profile. Try again later, or choose another profile."),
    (f"0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. {NO_VICTIMS}", "no-room",
     "No machine in the cluster has enough CPU and memory free for this profile. Try again later, or choose another profile."),
    (f"0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient nvidia.com/gpu. {NO_VICTIMS}", "no-room",
     "No machine in the cluster has enough CPU and GPU free for this profile. Try again later, or choose another profile."),
    (f"0/1 nodes are available: 1 Too many pods. {NO_VICTIMS}", "no-room",
     "No machine in the cluster has enough room for pods free for this profile. Try again later, or choose another profile."),
    (f"0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. {NO_HELP}", "no-node",
     "No machine in the cluster is of the kind that this profile needs. Choose another profile. Tell an administrator."),
    (f"0/1 nodes are available: 1 node(s) had untolerated taint(s). {NO_HELP}", "no-node",
     "The machines of the cluster take no servers now. Try again later, or tell an administrator."),
    ("0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }. preemption: 0/1 nodes are "
     "available: 1 Preemption is not helpful for scheduling.", "node-lost",  # as 1.33 and 1.34 write it
     "No machine of the cluster is ready now. Tell an administrator."),
    ("no nodes available to schedule pods", "node-lost", "No machine of the cluster is ready now. Tell an administrator."),
    (f"0/1 nodes are available: 1 node(s) didn't match pod affinity rules. {NO_HELP}", "service-away",
     "The part of VoxelHub that holds the data is not running now, so no server can start. Try again in a moment."),
    ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found", "volume",
     "The volume of your home cannot be made: the cluster has no storage for it now. Tell an administrator."),
    ('0/1 nodes are available: persistentvolumeclaim "home-ada" not found. not found', "volume",
     "The volume of your home cannot be made: the cluster has no storage for it now. Tell an administrator."),
    (f"0/2 nodes are available: 2 node(s) did not have enough free storage. {NO_HELP}", "volume",
     "The volume of your home cannot be made: the cluster has no storage for it now. Tell an administrator."),
    (f"0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match PersistentVolume's node affinity. "
     f"{NO_HELP}", "no-room",
     "No machine in the cluster has enough CPU free for this profile. Try again later, or choose another profile."),
    (f"0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity. {NO_HELP}", "volume",
     "The volume of your home is on a machine that cannot take this server. Choose another profile. Tell an administrator."),
    (f"0/1 nodes are available: 1 node(s) had unknown conditions. {NO_HELP}", "no-node",
     "The cluster has no place for this server now. Try again later, or choose another profile."),
])
def test_no_place(message: str, code: str, sentence: str) -> None:
    found = explain(unscheduled(message), [scheduler_event(message)])
    assert found == Reason(code, sentence, f"Unschedulable: {message}", math.inf, 503)


def test_what_preemption_could_not_do_is_not_why() -> None:
    message = ("0/2 nodes are available: 2 node(s) had untolerated taint(s). no new claims to deallocate, preemption: 0/2 nodes "
               "are available: 1 Insufficient cpu, 1 Preemption is not helpful for scheduling.")
    assert getattr(explain(unscheduled(message)), "code", "") == "no-node"


def test_why_a_volume_is_not_made_is_behind_it() -> None:
    message = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    found = explain(unscheduled(message), [claim_event("ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found')])
    assert found and found.behind.splitlines()[1] == 'ProvisioningFailed: storageclass.storage.k8s.io "fast" not found'


BACK_OFF = f'Back-off pulling image "{IMAGE}": ErrImagePull: '
NOT_FOUND = (f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": {IMAGE}: not found')
PULL = "The software image cannot be fetched: its registry does not answer. Tell an administrator."


@pytest.mark.parametrize(("reason", "message", "sentence", "patience"), [
    ("ErrImagePull", f'rpc error: code = NotFound desc = {NOT_FOUND}',
     "The software image of this profile does not exist. Tell an administrator.", 5),
    ("ImagePullBackOff", f"{BACK_OFF}rpc error: code = NotFound desc = {NOT_FOUND}",
     "The software image of this profile does not exist. Tell an administrator.", 5),
    ("ImagePullBackOff", f"{BACK_OFF}failed to pull and unpack image: pull access denied, repository does not exist or may "
                         f"require "
     "authorization: server message: insufficient_scope: authorization failed",
     "The software image of this profile does not exist. Tell an administrator.", 5),  # registries do not tell the two apart
    ("ErrImagePull", "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized: unauthorized",
     "The cluster may not fetch the software image of this profile. Tell an administrator.", 5),
    ("ImagePullBackOff", f'{BACK_OFF}failed to do request: Head "https://localhost/v2/": dial tcp 127.0.0.1:443: connect: '
     "connection refused", PULL, 120),
    ("RegistryUnavailable", f"image pull failed for {IMAGE} because the registry is unavailable", PULL, 120),
    ("ErrImagePull", "failed to extract layer: write /var/lib/containerd/x: no space left on device",
     "The disk of the machine is full, so the software image does not fit. Tell an administrator.", 60),
    ("ErrImageNeverPull", f'Container image "{IMAGE}" is not present with pull policy of Never',
     "The software image is not on the machine, and must not be fetched. Tell an administrator.", 0),
    ("InvalidImageName", 'Failed to apply default image tag "A B": couldn\'t parse image name "A B": invalid reference format',
     "The software image of this profile does not exist. Tell an administrator.", 5),
])
def test_image(reason: str, message: str, sentence: str, patience: float) -> None:
    assert explain(waiting(reason, message)) == Reason("image", sentence, f"{reason}: {message}", patience)


def test_an_unsigned_image_is_refused() -> None:
    message = f"image pull failed for {IMAGE} because the signature validation failed: no key"
    found = explain(waiting("SignatureValidationFailed", message))
    assert found and found.status == 403 and "not signed as the cluster wants it" in found.sentence


@pytest.mark.parametrize(("event", "code", "sentence"), [
    (kubelet_event("FailedMount", 'MountVolume.SetUp failed for volume "pv-home-ada" : hostPath type check failed: /data/ada '
                                  'is not '
                                  "a directory"), "volume",
     "A volume that this server needs cannot be opened. Tell an administrator."),
    (kubelet_event("FailedMount", 'MountVolume.MountDevice failed for volume "pvc-1" : rpc error: code = Internal desc = '
                                  'mkdir: no '
                                  "space left on device"), "volume",
     "The disk behind your volumes is full. Tell an administrator."),
    (kubelet_event("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) jupyter-ada--b'),
     "volume",
     "Your home is still held by another machine. That ends within some minutes, or when your other server is stopped."),
    (kubelet_event("FailedAttachVolume", 'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = NotFound'), "volume",
     "The volume of your home cannot be brought to the machine. Tell an administrator."),
    (kubelet_event("FailedCreatePodSandBox", "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
                                             "network "
                                             'for sandbox "ab": plugin type="bridge" failed (add): no IP addresses available'),
     "network", "The machine cannot give the server a network. Tell an administrator."),
    (kubelet_event("NodeNotReady", "Node is not ready") | {"reportingComponent": "node-controller"}, "node-lost",
     "The machine that was chosen does not answer. The server waits for it; if it stays so, stop the start and try again later."),
])
def test_on_its_node(event: dict[str, Any], code: str, sentence: str) -> None:
    told = [scheduler_event("0/1 nodes are available: 1 Insufficient memory. preemption: none", 1), event]
    assert explain(placed(), told) == Reason(code, sentence, f"{event['reason']}: {event['message']}")


def test_what_healed_is_no_reason() -> None:
    failed = kubelet_event("FailedMount", 'MountVolume.SetUp failed for volume "home" : timed out', second=3)
    assert explain(placed(), [failed, kubelet_event("Pulled", "Container image already present", "Normal", 6)]) is None
    assert explain(placed(), []) is None and explain(None) is None
    assert explain(placed(state={"running": {"startedAt": "2026-11-30T13:00:05Z"}}, phase="Running"), [failed, kubelet_event(
        "Started", "Container started", "Normal", 6), kubelet_event("Unhealthy", "Startup probe failed: dial "
                                                                                 "tcp", second=7)]) is None


@pytest.mark.parametrize(("found", "code", "sentence", "patience"), [
    (crashing("OOMKilled", 137), "memory", "The server needed more memory than its profile has. Choose a larger profile.", 0),
    (crashing("OOMKilled", 137, restarts=1), "memory",
     "The server needed more memory than its profile has. Choose a larger profile.", math.inf),
    (crashing("Error", 1, "OSError: [Errno 28] No space left on device: '/home/ada/.jupyter'\n"), "home-full",
     "Your home is full, so the server cannot start. Ask an administrator for more room.", 0),
    (crashing("Error", 1, "OSError: [Errno 122] Disk quota exceeded\n"), "home-full",
     "Your home is full, so the server cannot start. Ask an administrator for more room.", 0),
    (crashing("Error", 1, "PermissionError: [Errno 13] Permission denied: '/home/ada/.local'\n"), "home",
     "Your home cannot be written to. Tell an administrator.", 0),
    (crashing("Error", 127, "exec: /opt/voxelhub/.envs/lab/bin/jupyterhub-singleuser: not found\n"), "crashed",
     "The server ended by itself while it started. Tell an administrator.", 0),
    (placed(state=ended("Error", 1, "bad option"), phase="Running"), "crashed",
     "The server ended by itself while it started. Tell an administrator.", math.inf),
])
def test_ended_by_itself(found: dict[str, Any], code: str, sentence: str, patience: float) -> None:
    reason = explain(found)
    assert reason and (reason.code, reason.sentence, reason.patience) == (code, sentence, patience)


def test_the_end_of_the_log_is_behind_the_sentence() -> None:
    found = explain(crashing("Error", 1, "line 1\nbad option\n"))
    assert found and found.behind == "Error, exit code 1\nline 1\nbad option"


@pytest.mark.parametrize(("reason", "message", "code", "sentence", "patience"), [
    ("CreateContainerConfigError", 'failed to create subPath directory for volumeMount "projects" of container '
                                   '"notebook"', "volume",
     "The folder of one of your projects cannot be opened. Tell an administrator.", 30),
    ("CreateContainerConfigError", 'secret "site" not found', "setup",
     "The machine cannot make this server as it is set up. Tell an administrator.", 60),
    ("CreateContainerError", 'failed to create containerd container: mkdir /var/lib/containerd/x: no space left on device',
     "node-full", "The disk of the machine is full. Try again later, or choose another profile.", 60),
    ("RunContainerError", "failed to create shim task: OCI runtime create failed: exec: \"/bin/sh\": stat /bin/sh: no such file",
     "setup", "The machine cannot make this server as it is set up. Tell an administrator.", 60),
])
def test_not_made(reason: str, message: str, code: str, sentence: str, patience: float) -> None:
    assert explain(waiting(reason, message)) == Reason(code, sentence, f"{reason}: {message}", patience)


@pytest.mark.parametrize(("reason", "message", "code", "sentence"), [
    ("Evicted", "The node was low on resource: memory. Threshold quantity: 100Mi, available: 88Mi. Container notebook was using "
     "5Gi, request is 3Gi, has larger consumption of memory. ", "evicted",
     "The machine ran out of memory, so the cluster ended your server. Start it again."),
    ("Evicted", "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 900Mi. ", "evicted",
     "The machine ran out of disk, so the cluster ended your server. Start it again."),
    ("Evicted", 'Usage of EmptyDir volume "tmp" exceeds the limit "10Gi". ', "evicted",
     "The server put more into /tmp or /dev/shm than it may, so it was ended. Keep large files in your home."),
    ("UnexpectedAdmissionError", "Pod was rejected: Allocate failed due to requested number of devices unavailable for "
     "nvidia.com/gpu. Requested: 1, Available: 0, which is unexpected", "no-gpu",
     "No GPU of this kind is free. Try again later, or choose another profile."),
    ("OutOfmemory", "Pod was rejected: Node didn't have enough resource: memory, requested: 3221225472, used: 8, capacity: 8",
     "no-room", "The machine that was chosen has no room any more. Try again later, or choose another profile."),
    ("NodeShutdown", "Pod was rejected as the node is shutting down.", "node-lost",
     "The machine on which your server was went away. Start it again."),
    ("NodeAffinity", "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node "
                     "affinity/selector", "refused",
     "The machine that was chosen does not take this server. Tell an administrator."),
])
def test_failed(reason: str, message: str, code: str, sentence: str) -> None:
    found = explain(pod(node=NODE, phase="Failed", reason=reason, message=message))
    assert found == Reason(code, sentence, f"{reason}: {message}", 0)


HELD = "The cluster's quota for {} is used up. Stop another server, choose a smaller profile, or ask an administrator."


@pytest.mark.parametrize(("status", "reason", "message", "code", "sentence", "answer"), [
    (403, "Forbidden", 'pods "jupyter-ada" is forbidden: exceeded quota: team, requested: limits.memory=6Gi, used: '
                       'limits.memory=6Gi,'
     " limited: limits.memory=8Gi", "quota", HELD.format("memory"), 403),
    (403, "Forbidden", 'pods "jupyter-ada" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: '
     "requests.nvidia.com/gpu=2, limited: requests.nvidia.com/gpu=2", "quota", HELD.format("GPUs"), 403),
    (403, "Forbidden", 'pods "jupyter-ada" is forbidden: exceeded quota: team, requested: pods=1, used: pods=30, limited: '
                       'pods=30',
     "quota", HELD.format("servers"), 403),
    (403, "Forbidden", 'pods "jupyter-ada" is forbidden: exceeded quota: team, requested: limits.cpu=8,limits.memory=32Gi, used: '
     "limits.cpu=2,limits.memory=6Gi, limited: limits.cpu=8,limits.memory=32Gi", "quota", HELD.format("memory and CPU"), 403),
    (403, "Forbidden", 'persistentvolumeclaims "home-ada" is forbidden: exceeded quota: team, requested: '
                       'requests.storage=10Gi, used:'
     " requests.storage=95Gi, limited: requests.storage=100Gi", "quota",
     "The cluster's quota for storage is used up, so your home cannot be made. Ask an administrator.", 403),
    (403, "Forbidden", 'pods "jupyter-ada" is forbidden: maximum memory usage per Container is 1Gi, but limit is '
                       '6Gi', "too-large",
     "The cluster allows no server of this size. Choose another profile, or ask an administrator.", 403),
    (403, "Forbidden", 'pods "jupyter-ada" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation '
                       '!= false '
     '(container "notebook" must set securityContext.allowPrivilegeEscalation=false)', "policy",
     "A rule of the cluster refuses this server as it is set up. Tell an administrator.", 403),
    (400, "BadRequest", 'admission webhook "validate.kyverno.svc-fail" denied the request: require a team label', "policy",
     "A rule of the cluster refuses this server as it is set up. Tell an administrator.", 403),
    (422, "Invalid", "pods \"jupyter-ada\" is forbidden: ValidatingAdmissionPolicy 'no-latest' with binding 'no-latest' denied "
     "request: images need a version", "policy", "A rule of the cluster refuses this server as it is set up. Tell an "
                                                 "administrator.",
     403),
    (500, "InternalError", 'Internal error occurred: failed calling webhook "validate.kyverno.svc-fail": failed to call '
                           'webhook: Post '
     '"https://kyverno": context deadline exceeded', "policy",
     "A check of the cluster that every server passes does not answer. Try again in a moment, or tell an administrator.", 503),
    (403, "Forbidden", 'pods "jupyter-ada" is forbidden: no PriorityClass with name users was found', "setup",
     "The cluster lacks something that every server needs. Tell an administrator.", 503),
    (403, "Forbidden", 'pods is forbidden: User "system:serviceaccount:voxelhub:hub" cannot create resource "pods" in API '
                       'group "" in '
     'the namespace "voxelhub"', "rights", "VoxelHub may not start servers in this cluster. Tell an administrator.", 503),
    (422, "Invalid", 'Pod "jupyter-ada" is invalid: spec.containers[0].resources.requests: Invalid value: "9": must be less '
                     'than or '
     "equal to cpu limit of 8", "setup", "The cluster does not accept this server as it is set up. Tell an administrator.", 503),
    (429, "TooManyRequests", "Too many requests, please try again later.", "cluster",
     "The cluster does not answer as it should now. Try again in a moment.", 503),
])
def test_refused_by_the_api_server(status: int, reason: str, message: str, code: str, sentence: str, answer: int) -> None:
    assert refusal(status, status_document(status, reason, message)) == Reason(code, sentence, message, 0, answer)


def test_an_answer_that_is_not_of_kubernetes_is_a_sentence_too() -> None:
    assert refusal(502, "<html>Bad gateway</html>").behind == "<html>Bad gateway</html>"
    assert refusal(0, "").sentence == "The cluster does not answer as it should now. Try again in a moment."


@pytest.mark.parametrize(("events", "code"), [
    ([kubelet_event("TaintManagerEviction", "Marking for deletion Pod voxelhub/jupyter-ada", "Normal")], "node-lost"),
    ([kubelet_event("Preempted", "Preempted by pod 7c on node node1", "Normal")], "evicted"),
    ([], "removed"),
])
def test_a_pod_that_is_gone(events: list[dict[str, Any]], code: str) -> None:
    found = removed(events)
    assert found.code == code and found.patience == 0


def test_the_end_of_patience() -> None:
    known = Reason("no-gpu", "No GPU of this kind is free.")
    assert timed_out(known, 300, "x") == known
    assert timed_out(None, 300, "A place was found.").sentence == (
        "The server did not start within 300 seconds. The last step was: A place was found. "
        "Try again; if it happens again, tell an administrator.")


def test_no_sentence_speaks_of_kubernetes() -> None:
    sentences = [one[-1] for one in (*kube_reasons.SCHEDULING, *kube_reasons.ON_NODE)] + [one[2] for one in kube_reasons.REFUSALS]
    assert len(sentences) > 20
    for sentence in sentences:
        assert sentence.endswith(".")
        assert not {"pod", "pods", "pvc", "claim", "node", "kubelet", "namespace"} & set(re.findall(r"[a-z]+", sentence.lower()))
