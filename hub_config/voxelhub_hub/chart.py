"""What the Helm chart hands to the hub: /etc/voxelhub/chart.yaml, its parts `hub` and `cull`. The spawner reads the others.

    hub: {config: {Class: {trait: value}}, extraConfig: {"00-name": "python"}, concurrentSpawnLimit: 64, activeServerLimit: 0}
    cull: {enabled: true, timeout: 3600, every: 60}

As in zero-to-jupyterhub, `hub.config` and then `hub.extraConfig` in the order of its names have the last word: whoever
installs the chart is the administrator of this hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from voxelhub_service.settings import Settings

from .refusal import Refusal

ADDED = ("services", "load_roles")  # lists of JupyterHub: a site's come to ours, and do not replace them


class ChartError(Refusal):
    """The chart's file is missing or wrong; the text names the key."""


def read(settings: Settings) -> dict[str, Any]:
    if not settings.chart_file:
        raise ChartError("VOXELHUB_CHART_FILE is empty. On Kubernetes the chart mounts it at /etc/voxelhub/chart.yaml.")
    try:
        document = yaml.safe_load(Path(settings.chart_file).read_text())
    except OSError as error:
        raise ChartError(f"The chart's file {settings.chart_file} cannot be read ({error.strerror}).") from None
    except yaml.YAMLError as error:
        raise ChartError(f"The chart's file {settings.chart_file} is not YAML: {str(error).splitlines()[0]}.") from None
    if not isinstance(document, dict):
        raise ChartError(f"The chart's file {settings.chart_file} holds no mapping.")
    return document


def part(document: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """The mapping at these keys; an absent or empty one is {}."""
    found: Mapping[str, Any] = document
    for key in keys:
        found = found.get(key) or {}
        if not isinstance(found, Mapping):
            raise ChartError(f"{'.'.join(keys)} of the chart is no mapping.")
    return found


def number(document: Mapping[str, Any], section: str, key: str, default: int) -> int:
    value = part(document, section).get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ChartError(f"{section}.{key} of the chart is {value!r}; write a whole number.")
    return value


def pass_through(c: Any, document: Mapping[str, Any]) -> None:
    """`hub.config`, then `hub.extraConfig`."""
    for name in part(document, "hub", "config"):
        if not (isinstance(name, str) and name[:1].isupper()):
            raise ChartError(
                f"hub.config.{name} of the chart is no class of JupyterHub, whose names begin with a capital letter.")
        for trait, value in part(document, "hub", "config", name).items():
            section = c[name]
            if name == "JupyterHub" and trait in ADDED:
                section[trait] = [*section.get(trait, []), *_list(f"hub.config.{name}.{trait}", value)]
            else:
                section[trait] = value
    extra = part(document, "hub", "extraConfig")
    for name in sorted(extra):
        try:
            exec(compile(str(extra[name]), f"hub.extraConfig.{name}", "exec"), {"c": c})  # noqa: S102 - the administrator's own
        except Exception as error:
            raise ChartError(f"hub.extraConfig.{name} of the chart failed: {type(error).__name__}: {error}") from error


def _list(where: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ChartError(f"{where} of the chart is no list.")
    return value
