"""Every pod of the chart is *restricted* as Pod Security has it, and keeps our own habits beside."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from support.helm import EVALUATION, LEAST, PILOT, pods, render
from support.pod_security import breaches, habits

HERE = Path(__file__).parent
PUBLIC = {"publicUrl": "https://vre.example.org"}
SHAPES: list[tuple[Any, list[Path]]] = [
    (LEAST, []), (None, [HERE / "everything.yaml"]), (None, [HERE / "nothing.yaml"]), (PUBLIC, [EVALUATION]),
    (PUBLIC, [EVALUATION, PILOT])]


@pytest.mark.parametrize(("values", "files"), SHAPES, ids=["least", "everything", "nothing", "evaluation", "pilot"])
def test_every_pod_is_restricted(values: Any, files: list[Path]) -> None:
    found = pods(render(values, files=files))
    assert set(found) >= {"hub", "proxy", "voxelhub-service"}
    assert {name: [*breaches(pod), *habits(pod)] for name, pod in found.items()} == {name: [] for name in found}


# What the checker itself must see: a change of a good pod, and what it says.
SPOILED: list[tuple[list[Any], Any, str]] = [
    (["spec", "hostNetwork"], True, "hostNetwork"),
    (["spec", "securityContext", "runAsNonRoot"], False, "hub: may run as root"),
    (["spec", "securityContext", "runAsUser"], 0, "hub: may run as root"),
    (["spec", "securityContext", "seccompProfile"], {"type": "Unconfined"}, "hub: has no seccomp profile"),
    (["spec", "securityContext", "sysctls"], [{"name": "kernel.msgmax", "value": "1"}], "the sysctl kernel.msgmax"),
    (["spec", "containers", 0, "securityContext", "allowPrivilegeEscalation"], True, "hub: may escalate"),
    (["spec", "containers", 0, "securityContext", "privileged"], True, "hub: privileged"),
    (["spec", "containers", 0, "securityContext", "capabilities"], {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
     "hub: adds capabilities"),
    (["spec", "containers", 0, "securityContext", "capabilities"], {}, "hub: keeps capabilities"),
    (["spec", "containers", 0, "securityContext", "readOnlyRootFilesystem"], False, "hub has a writable root"),
    (["spec", "containers", 0, "ports", 0, "hostPort"], 8081, "hub: host port 8081"),
    (["spec", "containers", 0, "resources", "limits"], {"cpu": 1}, "hub has no requests or limits"),
    (["spec", "volumes", 0], {"name": "state", "hostPath": {"path": "/"}},
     "the volume state is of a kind that restricted forbids"),
    (["spec", "automountServiceAccountToken"], True, "mounts the account's token"),
]


@pytest.mark.parametrize(("path", "value", "words"), SPOILED, ids=[words for *_, words in SPOILED])
def test_the_checker_sees_what_is_wrong(path: list[Any], value: Any, words: str) -> None:
    pod = copy.deepcopy(pods(render(LEAST))["hub"])
    place: Any = pod
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert words in [*breaches(pod), *habits(pod)]
