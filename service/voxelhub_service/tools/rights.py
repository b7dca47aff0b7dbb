"""What a tool asks for beyond the ordinary, a sentence each: what a reviewer reads first."""

from __future__ import annotations

from .manifest import Manifest

GIB = 1024**3
MUCH_MEMORY, MANY_CORES, LONG = 8 * GIB, 4, 86400  # bytes, cores, seconds: above these a reviewer wants to know


def rights(manifest: Manifest) -> list[str]:
    asked = manifest.resources
    said = []
    if manifest.network:
        said.append("Network: it gets this machine's network, services on the machine itself included.")
    if manifest.security is not None:
        said.append(f"It says that it reaches {', '.join(manifest.security.reaches)} and sends: {manifest.security.sends}")
    if manifest.account:
        said.append(f"Who answers and pays for that: {manifest.account}")
    if asked.gpu:
        said.append(f"GPU: it wants {asked.gpu}.")
    if asked.memory >= MUCH_MEMORY:
        said.append(f"Much memory: {asked.memory / GIB:.0f} GiB.")
    if asked.cpu > MANY_CORES:
        said.append(f"Many cores: {asked.cpu:g}.")
    if asked.time >= LONG:
        said.append(f"Much time: up to {asked.time / LONG:.1f} days.")
    if manifest.lock:
        said.append("An environment of its own: an administrator installs the packages that its lock pins.")
    if manifest.pre_start:
        said.append(f"{len(manifest.pre_start)} further commands run before its program, behind the same walls.")
    if any(("*", "*") in one.accepts for one in manifest.inputs):
        said.append("Any data: one of its inputs takes every type and format.")
    return said
