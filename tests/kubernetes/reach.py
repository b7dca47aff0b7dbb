"""Connections tried from inside pods, whatever is in their image: bash, or the probe of the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cluster import binaries, names
from release import Release

# Each try by itself and all at once, so that the slow ones take their time together.
TRY = """
tried() {
  timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "${1%:*}" "${1##*:}" 2>/dev/null
  case $? in 0) echo "$1 open";; 124) echo "$1 silent";; *) echo "$1 refused";; esac
}
for each in "$@"; do tried "$each" & done
wait
"""
PATIENCE = 4  # tries of what stays silent: on a busy machine an answer takes its time


def from_pod(release: Release, pod: Mapping[str, Any], container: str, addresses: list[str]) -> dict[str, bool]:
    """Which of these `host:port` open a connection from there."""
    meta, image = pod["metadata"], pod["spec"]["containers"][0]["image"]
    command = ["/probe", "connect"] if image == names.PROBE_IMAGE else ["bash", "-c", TRY, "bash"]
    into = ["--namespace", meta["namespace"], "exec", meta["name"], "--container", container, "--", *command]
    return patiently(lambda some: release.node.kubectl(*into, *some, check=False), addresses)


def from_node(release: Release, addresses: list[str]) -> dict[str, bool]:
    """No policy holds for the node itself, so that it reaches whatever listens."""
    command = [str(binaries.program("probe")), "connect"]
    return patiently(lambda some: release.node.inside([*command, *some], check=False).stdout, addresses)


def patiently(ask: Callable[[list[str]], str], addresses: list[str]) -> dict[str, bool]:
    found: dict[str, str] = {}
    for _ in range(PATIENCE):
        left = [address for address in addresses if found.get(address, "silent") == "silent"]
        if not left:
            break
        said = ask(left)
        found |= dict(line.split() for line in said.splitlines() if line.partition(" ")[0] in left)
        assert set(found) == set(addresses), said
    return {address: found[address] == "open" for address in addresses}


def table(said: Mapping[str, Mapping[str, bool | None]]) -> str:
    """Targets down, sources across; a pod does not try itself."""
    width = max(map(len, said)) + 2
    words = {True: "open", False: "-", None: ""}
    lines = ["".join([f"{'to  from':20}", *(f"{source:>{width}}" for source in said)])]
    for target in next(iter(said.values())):
        lines.append("".join([f"{target:20}", *(f"{words[answers[target]]:>{width}}" for answers in said.values())]))
    return "\n".join(lines)
