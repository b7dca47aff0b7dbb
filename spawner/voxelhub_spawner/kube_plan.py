"""From a person's choice to the plan of a pod: which data, which network, which nodes, how much. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from voxelhub_sandbox.profiles import ServerSpec

from .form import Choice
from .kube_chart import Chart, Network
from .mounts import server_arguments

USERS_NODES = {"key": "hub.jupyter.org/dedicated", "operator": "Equal", "value": "user", "effect": "NoSchedule"}
GPU_PRODUCT = "nvidia.com/gpu.product"
LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
# Links in the home to what lies outside it, as on one machine; what a user made of a name stays, and a full home starts too.
START = """for pair in projects:/projects examples:"$0"/notebooks; do
  link="$HOME/${pair%%:*}"; [ -e "$link" ] || [ -L "$link" ] || ln -s "${pair#*:}" "$link" || true
done
exec "$@"
"""
NO_PROJECT = "All your projects are open to read, and the server reaches nothing outside VoxelHub."
MEANING: Mapping[Network, str] = {
    "isolated": "All your projects are open to read, and the server reaches nothing outside VoxelHub.",
    "project": "Only this project and projects open to the internet can be read, "
               "and the server reaches the other servers of this project, nothing else.",
    "internet": "Only projects open to the internet can be read, and the server reaches the internet.",
}


@dataclass(frozen=True)
class Names:
    """Of one server's objects, made by KubeSpawner so that no two users' are the same, and labels of whom they are."""

    pod: str
    claim: str
    user_label: str
    server_label: str
    user: str
    server: str = ""


@dataclass(frozen=True)
class PodPlan:
    """Everything that tells one server's pod from another's."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    image: str
    pull_policy: str
    pull_secrets: tuple[str, ...]
    command: tuple[str, ...]
    environ: Mapping[str, Any] = field(repr=False)  # holds the server's token
    cpu: float
    memory: int
    asked_cpu: float
    asked_memory: int
    home_claim: str
    home: str  # where it is mounted
    state_claim: str
    projects: tuple[str, ...]
    port: int = 8888
    gpu_resource: str = ""
    gpu_count: int = 0
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    same_node_as: Mapping[str, str] = field(default_factory=dict)  # labels of a pod whose node it must be on
    priority_class: str = ""
    grace: int = 10  # seconds from asking the server to end to killing it
    patience: int = 300  # seconds until it must listen


def network_of(project: str, networks: Mapping[str, Network]) -> Network:
    """The preset of a server of this project, or of none."""
    return networks.get(project, "isolated") if project else "isolated"


def mounted(project: str, granted: Iterable[str], networks: Mapping[str, Network]) -> tuple[str, ...]:
    """The projects whose data such a server opens. One that can talk outward holds none of a project that may not."""
    network = network_of(project, networks)
    outward = {name for name in granted if network_of(name, networks) == "internet"}
    having = {"isolated": set(granted), "project": outward | ({project} & set(granted)), "internet": outward}[network]
    return tuple(sorted(having))


def choices(granted: Collection[str], personal: str, networks: Mapping[str, Network]) -> list[Choice]:
    """What the form offers: no project, or one of those that groups grant. None at all where there is nothing to choose."""
    names = sorted(set(granted) - {personal})
    return [Choice("", NO_PROJECT), *(Choice(n, MEANING[network_of(n, networks)]) for n in names)] if names else []


def make_plan(chart: Chart, spec: ServerSpec, names: Names, *, granted: Collection[str], home: str, command: Iterable[str],
              environ: Mapping[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str], grace: int) -> PodPlan:
    """`labels` and `annotations` are an administrator's own; ours stand above them, because policies go by them."""
    storage = chart.storage
    return PodPlan(
        name=names.pod, namespace=chart.namespace, labels={**labels, **our_labels(chart, spec, names)},
        annotations={**annotations, **our_annotations(spec, names)}, image=spec.image or chart.image,
        pull_policy=chart.pull_policy, pull_secrets=chart.pull_secrets, command=tuple(command), environ=environ,
        cpu=spec.cpu, memory=spec.memory, asked_cpu=spec.cpu * chart.guaranteed_cpu,
        asked_memory=int(spec.memory * chart.guaranteed_memory), home_claim=names.claim, home=home,
        state_claim=storage.state_claim, projects=mounted(spec.project, granted, chart.networks),
        gpu_resource=spec.gpu_resource if spec.gpu_count else "", gpu_count=spec.gpu_count,
        node_selector=node_selector(chart, spec), tolerations=tolerations(chart, spec),
        same_node_as=service_labels(chart) if storage.same_node else {}, priority_class=chart.priority_class, grace=grace,
        patience=chart.start_timeout,
    )


def our_labels(chart: Chart, spec: ServerSpec, names: Names) -> dict[str, str]:
    """Network policies and the hub find the pod by these. A project whose name is no label has none, and so no way out."""
    labels = {
        **common_labels(chart, "singleuser-server"), "component": "singleuser-server",
        "hub.jupyter.org/username": names.user_label, "hub.jupyter.org/servername": names.server_label,
        "hub.jupyter.org/network-access-hub": "true", "voxelhub/network-access-service": "true",
        "voxelhub/profile": spec.profile, "voxelhub/network": network_of(spec.project, chart.networks),
    }
    return labels | ({"voxelhub/project": spec.project} if LABEL.fullmatch(spec.project) else {})


def common_labels(chart: Chart, component: str) -> dict[str, str]:
    labels = {
        "app.kubernetes.io/name": "voxelhub", "app.kubernetes.io/instance": chart.release,
        "app.kubernetes.io/component": component, "app.kubernetes.io/managed-by": "kubespawner",
        "app.kubernetes.io/part-of": "voxelhub", "app.kubernetes.io/version": chart.version, "helm.sh/chart": chart.chart,
    }
    return {name: value for name, value in labels.items() if value}


def service_labels(chart: Chart) -> dict[str, str]:
    return {"app.kubernetes.io/name": "voxelhub", "app.kubernetes.io/instance": chart.release,
            "app.kubernetes.io/component": "service"}


def our_annotations(spec: ServerSpec, names: Names) -> dict[str, str]:
    found = {"hub.jupyter.org/username": names.user, "hub.jupyter.org/servername": names.server,
             "voxelhub/project": spec.project}
    return {name: value for name, value in found.items() if value}


def node_selector(chart: Chart, spec: ServerSpec) -> dict[str, str]:
    kind = {GPU_PRODUCT: spec.gpu_kind} if spec.gpu_count and spec.gpu_kind else {}
    return {**chart.node_selector, **kind, **spec.node_selector}


def tolerations(chart: Chart, spec: ServerSpec) -> tuple[Mapping[str, Any], ...]:
    """Nodes kept for users, and nodes kept for GPUs where one is asked for."""
    cards: tuple[Mapping[str, Any], ...] = (
        ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},) if spec.gpu_count else ())
    return (USERS_NODES, *cards, *chart.tolerations)


def server_command(root: str, home: str, spec: ServerSpec, arguments: Iterable[str]) -> list[str]:
    """What runs in the container. `root` is where the image has our code and environments."""
    program = f"{root}/.envs/lab/bin/jupyterhub-singleuser"
    return ["/bin/sh", "-c", START, root, program, *server_arguments(home, spec.kernels), *arguments]


def server_variables(user: str, spec: ServerSpec, projects: Iterable[str], networks: Mapping[str, Network]) -> dict[str, str]:
    """What a server is told of itself, as on one machine and beyond."""
    cards = {"NVIDIA_DRIVER_CAPABILITIES": "compute,utility"} if spec.gpu_count else {"NVIDIA_VISIBLE_DEVICES": "void"}
    return {
        **cards, "USER": user, "LOGNAME": user, "VOXELHUB_PROJECTS": ",".join(projects), "VOXELHUB_PROFILE": spec.profile,
        "VOXELHUB_ISOLATION": "true", "VOXELHUB_PROJECTS_DIR": "/projects", "VOXELHUB_PROJECT": spec.project,
        "VOXELHUB_NETWORK": network_of(spec.project, networks), "OMP_NUM_THREADS": str(max(1, int(spec.cpu))),
    }
