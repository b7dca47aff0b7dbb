"""The one profile resolver: groups, options and limits to a server specification. Pure, and the same for every spawner."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SHIPPED = Path(__file__).with_name("profiles.yaml")
UNITS = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
DEFAULT_KERNELS = ("imaging", "imaging-torch")
GPU_RESOURCE = "nvidia.com/gpu"  # as NVIDIA's device plugin advertises whole cards


class ProfilesError(ValueError):
    """The profiles file is wrong; the sentence says where and what would be right."""


class Refused(ValueError):
    """This user may not have this server; a sentence for the user."""


@dataclass(frozen=True)
class Profile:
    """A size of server. `memory` in bytes, `price_per_hour` in the file's currency; no `allowed_groups` means everyone.

    `gpu_resource`, `image` and `node_selector` are for Kubernetes alone.
    """

    name: str
    title: str
    cpu: float
    memory: int
    description: str = ""
    price_per_hour: float = 0.0
    currency: str = "EUR"
    gpu_kind: str = ""
    gpu_count: int = 0
    kernels: tuple[str, ...] = DEFAULT_KERNELS
    allowed_groups: frozenset[str] = frozenset()
    default: bool = False
    gpu_resource: str = GPU_RESOURCE
    image: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)

    def allows(self, groups: Iterable[str]) -> bool:
        return not self.allowed_groups or bool(self.allowed_groups & set(groups))


@dataclass(frozen=True)
class Limits:
    """What one server may get at most here: the machine's cores, bytes of memory, and GPUs by model."""

    cpu: float
    memory: int
    gpus: Mapping[str, int] = field(default_factory=dict)

    def lacks(self, profile: Profile) -> str:
        """Why the profile cannot be had here, or an empty string."""
        if profile.cpu > self.cpu:
            return f"it needs {profile.cpu:g} CPU cores and this machine gives {self.cpu:g}"
        if profile.memory > self.memory:
            return f"it needs {gib(profile.memory)} of memory and this machine gives {gib(self.memory)}"
        having = sum(count for kind, count in self.gpus.items() if kind.startswith(profile.gpu_kind))
        if profile.gpu_count > having:
            return f"it needs {profile.gpu_count} GPU of the kind {profile.gpu_kind or 'any'} and this machine has {having}"
        return ""


@dataclass(frozen=True)
class ServerSpec:
    """What a spawner makes true, whatever it starts: a sandbox here, a pod there."""

    profile: str
    title: str
    cpu: float
    memory: int
    gpu_kind: str
    gpu_count: int
    price_per_hour: float
    currency: str
    kernels: tuple[str, ...]
    gpu_resource: str = GPU_RESOURCE
    image: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    project: str = ""  # whose data it opens and whose network it has, where a server can be of one


def visible_profiles(groups: Iterable[str], profiles: Sequence[Profile], limits: Limits | None = None) -> list[Profile]:
    """Those a member of `groups` may choose, in the file's order; the ones that cannot be had here are left out."""
    held = frozenset(groups)
    return [p for p in profiles if p.allows(held) and (limits is None or not limits.lacks(p))]


def default_profile(visible: Sequence[Profile]) -> Profile | None:
    """The one marked as default, else the first."""
    return next((p for p in visible if p.default), visible[0] if visible else None)


def resolve(groups: Iterable[str], options: Mapping[str, Any], profiles: Sequence[Profile], limits: Limits | None,
            projects: Collection[str] | None = None) -> ServerSpec:
    """The specification for these options; Refused with a sentence.

    A profile of another group is refused with the words for one that does not exist, whoever asks and by which door; so is a
    project. `projects` are those that a server may be of, None where it has no such option; `limits` None is a cluster, whose
    size is not known here.
    """
    _refuse_options(options, projects)
    held = frozenset(groups)
    visible = visible_profiles(held, profiles, limits)
    wanted = options.get("profile")
    if wanted is None or wanted == "":
        profile = default_profile(visible)
        if profile is None:
            raise Refused("There is no server profile that you may use here. Ask an administrator for one.")
    else:
        profile = next((p for p in profiles if p.name == wanted and p.allows(held)), None)
        names = ", ".join(p.name for p in visible) or "none"
        if profile is None:
            raise Refused(f"There is no server profile of that name for you. Yours are: {names}.")
        if limits is not None and (lack := limits.lacks(profile)):
            raise Refused(f"The profile {profile.name} cannot start here: {lack}. You can start: {names}.")
    return ServerSpec(profile.name, profile.title, profile.cpu, profile.memory, profile.gpu_kind, profile.gpu_count,
                      profile.price_per_hour, profile.currency, profile.kernels, profile.gpu_resource, profile.image,
                      profile.node_selector, options.get("project") or "")


def _refuse_options(options: Mapping[str, Any], projects: Collection[str] | None) -> None:
    known = ["profile"] if projects is None else ["profile", "project"]
    if unknown := sorted(set(options) - set(known)):
        these = "The only one is `profile`." if projects is None else "There are `profile` and `project`."
        raise Refused(f"A server has no option {', '.join(unknown)}. {these}")
    project = options.get("project")
    if project and not (isinstance(project, str) and project in (projects or ())):
        raise Refused(f"There is no project of that name for you. Yours are: {', '.join(sorted(projects or ())) or 'none'}.")


def load_profiles(path: Path | None = None) -> list[Profile]:
    """The profiles of a YAML file, or the ones that ship; ProfilesError with a sentence."""
    path = path or SHIPPED
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ProfilesError(f"The profiles file {path.name} does not exist.") from None
    except yaml.YAMLError as error:
        raise ProfilesError(f"{path.name} is not YAML: {str(error).splitlines()[0]}.") from None
    return parse_profiles(document)


def parse_profiles(document: Any) -> list[Profile]:
    if not isinstance(document, dict) or not isinstance(document.get("profiles"), list) or not document["profiles"]:
        raise ProfilesError("The profiles file needs a list `profiles` with at least one profile.")
    _refuse_unknown("The profiles file", document, {"currency", "profiles"})
    currency = _text("The profiles file", document, "currency", "EUR")
    profiles = [_profile(entry, number, currency) for number, entry in enumerate(document["profiles"], 1)]
    names = [p.name for p in profiles]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ProfilesError(f"The profile {twice[0]} is there twice; names are unique.")
    if sum(p.default for p in profiles) > 1:
        raise ProfilesError("More than one profile is the default; mark one.")
    return profiles


def _profile(entry: Any, number: int, currency: str) -> Profile:
    where = f"Profile {number}"
    if not isinstance(entry, dict):
        raise ProfilesError(f"{where} is not a mapping with a name, cpu and memory.")
    name = _text(where, entry, "name")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", name):
        raise ProfilesError(f"{where} is called {name!r}; write lower-case letters, digits and hyphens.")
    where = f"Profile {name}"
    _refuse_unknown(where, entry, {"name", "title", "description", "cpu", "memory", "gpu", "price_per_hour", "kernels",
                                   "allowed_groups", "default", "image", "node_selector"})
    gpu = entry.get("gpu") or {}
    if not isinstance(gpu, dict):
        raise ProfilesError(f"{where}: gpu is a mapping such as {{ kind: nvidia, count: 1 }}.")
    _refuse_unknown(f"{where}: gpu", gpu, {"kind", "count", "resource"})
    count = gpu.get("count", 1 if gpu else 0)
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ProfilesError(f"{where}: gpu.count is a whole number.")
    default = entry.get("default", False)
    if not isinstance(default, bool):
        raise ProfilesError(f"{where}: default is true or false.")
    return Profile(
        name=name, title=_text(where, entry, "title", name), description=_text(where, entry, "description", ""),
        cpu=_number(where, entry, "cpu"), memory=_bytes(where, entry.get("memory")),
        price_per_hour=_number(where, entry, "price_per_hour", 0.0), currency=currency,
        gpu_kind=_text(f"{where}: gpu", gpu, "kind", ""), gpu_count=count,
        kernels=tuple(_names(where, entry, "kernels", DEFAULT_KERNELS)),
        allowed_groups=frozenset("/" + g.strip("/") for g in _names(where, entry, "allowed_groups", ())), default=default,
        gpu_resource=_resource(where, gpu), image=_image(where, entry), node_selector=_selector(where, entry),
    )


def _refuse_unknown(where: str, entry: Mapping[Any, Any], known: set[str]) -> None:
    if unknown := sorted(map(str, set(entry) - known)):
        raise ProfilesError(f"{where} has the unknown key {unknown[0]}; known are {', '.join(sorted(known))}.")


def _text(where: str, entry: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = entry.get(key, default)
    if not isinstance(value, str):
        raise ProfilesError(f"{where} needs the text `{key}`.")
    return value


def _number(where: str, entry: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = entry.get(key, default)
    least = 0 if default is not None else 0.01
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value < least:
        raise ProfilesError(f"{where} needs `{key}`, a number of at least {least}.")
    return float(value)


def _bytes(where: str, value: Any) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]iB|)", str(value))
    if isinstance(value, bool) or not match or float(match[1]) <= 0:
        raise ProfilesError(f"{where} needs `memory` in bytes or as in `2 GiB`.")
    return int(float(match[1]) * UNITS[match[2]])


def _names(where: str, entry: Mapping[str, Any], key: str, default: Sequence[str]) -> Sequence[str]:
    value = entry.get(key, default)
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) and v for v in value):
        raise ProfilesError(f"{where}: {key} is a list of names.")
    return value


def _resource(where: str, gpu: Mapping[str, Any]) -> str:
    value = _text(f"{where}: gpu", gpu, "resource", GPU_RESOURCE)
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", value):
        raise ProfilesError(f"{where}: gpu.resource is what nodes advertise, as nvidia.com/gpu or nvidia.com/mig-1g.5gb.")
    return value


def _image(where: str, entry: Mapping[str, Any]) -> str:
    value = _text(where, entry, "image", "")
    if value and not re.fullmatch(r"[a-z0-9][A-Za-z0-9._:/-]*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|@sha256:[0-9a-f]{64})", value):
        raise ProfilesError(f"{where}: image is a name with a tag or a digest, as registry.example/voxelhub-notebook-gpu:1.0.")
    return value


def _selector(where: str, entry: Mapping[str, Any]) -> dict[str, str]:
    value = entry.get("node_selector", {})
    if not isinstance(value, dict) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        raise ProfilesError(f"{where}: node_selector maps labels of nodes to texts, as {{ disk: fast, gpu: \"true\" }}.")
    return dict(value)


def gib(size: int) -> str:
    """Bytes as people read them, 1024-based."""
    return f"{size / UNITS['GiB']:.3g} GiB"
