"""What the chart hands to the spawner, read once: a document (see docs/architecture.md) to values, or a sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from voxelhub_sandbox.profiles import Profile, ProfilesError, parse_profiles

Network = Literal["isolated", "project", "internet"]


class ChartError(ValueError):
    """The document is wrong; the sentence says where and what would be right."""


@dataclass(frozen=True)
class Storage:
    """Of homes, and of the service's state volume: where one node alone can mount it, servers go to that node (`same_node`)."""

    capacity: str = "10Gi"
    storage_class: str = ""  # empty: the cluster's default
    access_modes: tuple[str, ...] = ("ReadWriteOnce",)
    state_claim: str = "voxelhub-state"
    same_node: bool = True


@dataclass(frozen=True)
class KubeLimits:
    """Of servers and GPUs at the same time; 0 is no limit."""

    servers_per_user: int = 1
    gpus_per_user: int = 0
    gpus_per_project: int = 0


@dataclass(frozen=True)
class Chart:
    release: str
    namespace: str
    image: str  # with its tag
    profiles: tuple[Profile, ...]
    version: str = ""
    chart: str = ""  # name and version, for the label helm.sh/chart
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    start_timeout: int = 300
    extra_env: Mapping[str, Any] = field(default_factory=dict)  # name -> text, or valueFrom
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    priority_class: str = ""
    storage: Storage = Storage()
    guaranteed_cpu: float = 0.25  # part of a profile's limit that is asked for
    guaranteed_memory: float = 0.5
    networks: Mapping[str, Network] = field(default_factory=dict)  # project -> preset
    show_gpus: bool = True
    limits: KubeLimits = KubeLimits()


def read_chart(document: Any) -> Chart:
    """ChartError for a document that cannot be kept; what it does not say is as the chart's own values have it."""
    whole = _Section("chart.yaml", document)
    release, server = whole.section("release"), whole.section("singleuser")
    image, guarantee = server.section("image"), server.section("guarantee")
    gpus, limits = whole.section("gpus"), whole.section("limits")
    return Chart(
        release=release.text("name"), namespace=release.text("namespace"), version=release.text("version", ""),
        chart=release.text("chart", ""), image=f"{image.text('name')}:{image.text('tag')}", profiles=_profiles(whole),
        pull_policy=image.text("pullPolicy", "IfNotPresent"), pull_secrets=_secrets(image),
        start_timeout=server.number("startTimeout", 300, least=10), extra_env=_environ(server),
        node_selector=server.texts("nodeSelector"), tolerations=tuple(server.mappings("extraTolerations")),
        priority_class=server.text("podPriorityClassName", ""), storage=_storage(server.section("storage")),
        guaranteed_cpu=guarantee.part("cpu", 0.25), guaranteed_memory=guarantee.part("memory", 0.5), networks=_networks(whole),
        show_gpus=gpus.switch("show", True), limits=KubeLimits(
            limits.number("serversPerUser", 1), limits.number("gpusPerUser", 0), limits.number("gpusPerProject", 0)),
    )


def _profiles(whole: _Section) -> tuple[Profile, ...]:
    try:
        return tuple(parse_profiles(whole.get("profiles", {})))
    except ProfilesError as error:
        raise ChartError(f"chart.yaml: profiles: {error}") from None


def _networks(whole: _Section) -> dict[str, Network]:
    projects = whole.section("projects")
    found = {}
    for name in projects.names():
        preset = projects.section(name).text("network", "isolated")
        if preset not in get_args(Network):
            raise ChartError(f"{projects.where}.{name}.network is {preset!r}; it is one of {', '.join(get_args(Network))}.")
        found[name] = cast(Network, preset)
    return found


def _storage(storage: _Section) -> Storage:
    state = storage.section("state")
    return Storage(
        storage.text("capacity", "10Gi"), storage.text("storageClass", ""),
        tuple(storage.list_of_texts("accessModes", ["ReadWriteOnce"])), state.text("claim", "voxelhub-state"),
        state.switch("nodeAffinity", True))


def _secrets(image: _Section) -> tuple[str, ...]:
    """Names, written as texts or as Kubernetes writes them."""
    entries = image.get("pullSecrets", [])
    names = [e.get("name") if isinstance(e, Mapping) else e for e in entries] if isinstance(entries, list) else [None]
    if not all(isinstance(name, str) and name for name in names):
        raise ChartError(f"{image.where}.pullSecrets is a list of names of Secrets.")
    return tuple(cast(list[str], names))


def _environ(server: _Section) -> dict[str, Any]:
    found = server.section("extraEnv")
    for name in found.names():
        if isinstance(found.get(name, None), (list, type(None))):
            raise ChartError(f"{found.where}.{name} is a text, or a mapping with valueFrom.")
    return {name: v if isinstance(v := found.get(name, ""), Mapping) else str(v) for name in found.names()}


class _Section:
    """A mapping of the document and where it is, for sentences."""

    def __init__(self, where: str, value: Any) -> None:
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise ChartError(f"{where} is a mapping.")
        self.where, self._value = where, value

    def get(self, key: str, default: Any) -> Any:
        value = self._value.get(key, default)
        return default if value is None else value

    def names(self) -> list[str]:
        return sorted(map(str, self._value))

    def section(self, key: str) -> _Section:
        return _Section(f"{self.where}: {key}" if self.where == "chart.yaml" else f"{self.where}.{key}", self._value.get(key))

    def text(self, key: str, default: str | None = None) -> str:
        value = self.get(key, default)
        if not isinstance(value, str) or (default is None and not value):
            raise ChartError(f"{self.where} needs the text `{key}`.")
        return value

    def number(self, key: str, default: int, least: int = 0) -> int:
        value = self.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ChartError(f"{self.where}.{key} is a whole number of at least {least}.")
        return value

    def part(self, key: str, default: float) -> float:
        value = self.get(key, default)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= 1:
            raise ChartError(f"{self.where}.{key} is the part of a profile's limit that is asked for, above 0 and at most 1.")
        return float(value)

    def switch(self, key: str, default: bool) -> bool:
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise ChartError(f"{self.where}.{key} is true or false.")
        return value

    def list_of_texts(self, key: str, default: list[str]) -> list[str]:
        value = self.get(key, default)
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise ChartError(f"{self.where}.{key} is a list of texts.")
        return value

    def mappings(self, key: str) -> list[Mapping[str, Any]]:
        value = self.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            raise ChartError(f"{self.where}.{key} is a list of mappings.")
        return value

    def texts(self, key: str) -> dict[str, str]:
        value = self.get(key, {})
        if not isinstance(value, Mapping) or not all(isinstance(text, str) for pair in value.items() for text in pair):
            raise ChartError(f"{self.where}.{key} maps names to texts.")
        return dict(value)
