"""What the Pod Security profile *restricted* asks for, looked up in a pod's manifest; and what we ask for beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SCRATCH = {"/tmp", "/home/voxelhub"}


def breaches(pod: Mapping[str, Any]) -> list[str]:
    """Where a pod (or a pod template) is not *restricted*, one phrase for each place."""
    spec = pod["spec"]
    return [*_of_pod(spec), *(f"{c['name']}: {breach}" for c in _containers(spec) for breach in _of_container(c, spec))]


def _containers(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*spec.get("initContainers", []), *spec["containers"], *spec.get("ephemeralContainers", [])]


def _of_pod(spec: Mapping[str, Any]) -> Iterator[str]:
    yield from (name for name in ("hostNetwork", "hostPID", "hostIPC", "hostUsers") if spec.get(name))
    for volume in spec.get("volumes", []):
        if not set(volume) - {"name"} <= VOLUMES:
            yield f"the volume {volume['name']} is of a kind that restricted forbids"
    context = spec.get("securityContext", {})
    yield from (f"{name} is set" for name in ("seLinuxOptions", "windowsOptions", "appArmorProfile") if context.get(name))
    yield from (f"the sysctl {s['name']}" for s in context.get("sysctls", []))


def _of_container(container: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[str]:
    own, pods = container.get("securityContext", {}), spec.get("securityContext", {})
    both = {**pods, **own}
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may escalate"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield "keeps capabilities"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "adds capabilities"
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield "may run as root"
    if both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "has no seccomp profile"
    yield from (f"host port {port['hostPort']}" for port in container.get("ports", []) if port.get("hostPort"))


def habits(pod: Mapping[str, Any]) -> list[str]:
    """What our own pods keep beyond *restricted*: uid 1000, read-only root, no account token, requests, limits, probes."""
    spec, found = pod["spec"], []
    if spec.get("automountServiceAccountToken") is not False:
        found.append("mounts the account's token")
    init = {c["name"] for c in spec.get("initContainers", [])}
    for container in _containers(spec):
        both = {**spec.get("securityContext", {}), **container.get("securityContext", {})}
        checks = {
            "is not uid 1000": both.get("runAsUser") == 1000 and both.get("runAsGroup") == 1000,
            "has a writable root": both.get("readOnlyRootFilesystem") is True,
            "has no /tmp and HOME": {m["mountPath"] for m in container.get("volumeMounts", [])} >= SCRATCH,
            "has no requests or limits": all({"cpu", "memory"} <= set(container.get("resources", {}).get(kind, {}))
                                             for kind in ("requests", "limits")),
            "has a port and no probe": container["name"] in init or not container.get("ports")
            or {"livenessProbe", "readinessProbe"} <= set(container),
        }
        found += [f"{container['name']} {words}" for words, holds in checks.items() if not holds]
    return found
