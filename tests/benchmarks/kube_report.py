"""The page docs/measured/kubernetes.md, from what was seen. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks import kube_pilot
from benchmarks.kube_memory import MIB, Memory
from benchmarks.kube_steps import STEPS, lengths
from benchmarks.measure import median, table

AIM = 1.2
KINDS = ("plain", "ours")
INTRODUCTION = """# Measured: make bench-kubernetes

Written by `tests/benchmarks/kubernetes.py` (`make bench-kubernetes`): one node of the tests' own cluster, on which everything
runs, the browser's part too. Figures of different days are not to be compared with each other, those of one table are.
"""
Moments = Mapping[str, float]


@dataclass
class Crowd:
    """Some who start at once: their moments, why others failed, and the memory then."""

    people: int
    wanted: int
    times: Sequence[Moments]
    failures: Sequence[str]
    memory: Memory | None = None


@dataclass
class Seen:
    """All that was measured; what is empty was not. `little`: less was reserved for the parts than the chart reserves."""

    little: bool = False
    installs: list[float] = field(default_factory=list)
    spawns: dict[str, list[Moments]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    idle: Memory | None = None
    crowds: list[Crowd] = field(default_factory=list)


def page(seen: Seen, when: str) -> str:
    sections = [INTRODUCTION + "\n" + when.strip()]
    if seen.little:
        sections.append("Less was reserved for VoxelHub's own pods than the chart reserves: the node held others too.")
    for title, text in (("From `helm install` to ready", installs(seen)), ("A server beside plain KubeSpawner", spawns(seen)),
                        ("Many at once", crowds(seen)), ("Memory", memory(seen)), ("What fits the pilot", pilot(seen))):
        if text:
            sections.append(f"## {title}\n\n{text}")
    return "\n\n".join(sections) + "\n"


def installs(seen: Seen) -> str:
    if not seen.installs:
        return ""
    each = ", ".join(f"{one:.0f} s" for one in seen.installs)
    return (f"**{median(seen.installs):.0f} s**, the median of {len(seen.installs)} ({each}): hub, proxy, service, PostgreSQL "
            "and Keycloak in an empty namespace, until every pod is ready. The images are on the node.")


def spawns(seen: Seen) -> str:
    plain, ours = (seen.spawns[kind] for kind in KINDS)
    if not plain or not ours:
        return ""
    rows = [[words, *both(middle(plain, name), middle(ours, name))]
            for name, words in (("answers", "asked → the server answers"), ("output", "asked → first output of a kernel"))]
    ratio = middle(ours, "answers") / middle(plain, "answers")
    spread = " · ".join(f"{kind} {min(times):.1f}–{max(times):.1f} s" for kind, times in (
        ("KubeSpawner", [since(one, "answers") for one in plain]), ("VoxelHub", [since(one, "answers") for one in ours])))
    steps = [[words, *both(step(plain, name), step(ours, name))[:2]] for name, words in STEPS]
    return (
        f"Medians of {len(ours)} rounds, in turn, after one of each that is not counted. The same image and sizes. Plain: dummy "
        "authenticator, no volume, none of our extensions. VoxelHub: rights asked of Keycloak, budgets, "
        "limits, a home, a read-only root, network policies, TLS 1.3.\n\n"
        f"{table(['', 'KubeSpawner', 'VoxelHub', 'ratio'], rows)}\n\n"
        f"Spread of the first line: {spread}. Aim: at most {AIM} times; {'met' if ratio <= AIM else 'NOT met'}.\n\n"
        f"Where the time goes, medians of each step by itself:\n\n{table(['', 'KubeSpawner', 'VoxelHub'], steps)}")


def both(plain: float, ours: float) -> list[str]:
    return [f"{plain:.2f} s", f"{ours:.2f} s", f"{ours / plain:.2f}" if plain else "–"]


def since(moments: Moments, name: str) -> float:
    return moments[name] - moments["asked"]


def middle(rounds: Sequence[Moments], name: str) -> float:
    return median([since(one, name) for one in rounds])


def step(rounds: Sequence[Moments], name: str) -> float:
    return median([lengths(one)[name] for one in rounds])


def crowds(seen: Seen) -> str:
    if not seen.crowds:
        return ""
    rows = []
    for crowd in seen.crowds:
        for name, words in (("answers", "the server answers"), ("output", "first output")):
            times = sorted(since(one, name) for one in crowd.times)
            found = [f"{times[0]:.1f} s", f"{median(times):.1f} s", f"{times[-1]:.1f} s"] if times else ["–"] * 3
            rows.append([f"{crowd.people} people: {words}", *found, str(len(crowd.failures))])
    lines = ["All ask at the same moment and open a kernel as soon as their server answers. Whoever has no home gets one then.",
             table(["", "first", "median", "last", "failures"], rows)]
    lines += [f"Asked for were {crowd.wanted} people, and the machine's memory was enough for {crowd.people}."
              for crowd in seen.crowds if crowd.people < crowd.wanted]
    lines += [f"Failed with {crowd.people}: {reason}" for crowd in seen.crowds for reason in sorted(set(crowd.failures))]
    return "\n\n".join(lines)


def memory(seen: Seen) -> str:
    looks = [("nobody", seen.idle), *((f"{crowd.people} people", crowd.memory) for crowd in seen.crowds)]
    known = [(title, look) for title, look in looks if look]
    if not known:
        return ""
    names = list(dict.fromkeys(name for _, look in known for name in look.parts))
    rows = [[name, *(size(look.parts.get(name)) for _, look in known)] for name in names]
    rows.append(["**all parts**", *(size(sum(look.parts.values())) for _, look in known)])
    rows.append(["a person's server, median", *(size(median(look.servers) if look.servers else None) for _, look in known)])
    rows.append(["a person's server, largest", *(size(max(look.servers, default=None)) for _, look in known)])
    rows.append(["**parts and servers**", *(size(look.total) for _, look in known)])
    return (f"MiB of each container, as the kubelet counts it (working set). A server holds JupyterLab and one kernel.\n\n"
            f"{table(['', *(title for title, _ in known)], rows)}")


def size(count: float | None) -> str:
    return "–" if count is None else f"{count / MIB:.0f}"


def pilot(seen: Seen) -> str:
    looks = [crowd.memory for crowd in seen.crowds if crowd.memory and crowd.memory.servers]
    return kube_pilot.report(looks[-1] if looks else None) if seen.idle or looks else ""
