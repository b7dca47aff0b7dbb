"""docs/kubernetes.md shows values that the chart takes, and commands on things that the chart makes."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from support.helm import EVALUATION, LEAST, Manifest, containers, helm, pods, render
from support.installation import ROOT

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
VALUES = re.findall(r"```yaml\n(?!apiVersion)(.*?)```", PAGE, re.S)  # the others are objects to apply
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
NAMED = r"(deployment|statefulset)/([a-z-]+)(?:.*?(?: --container| -c) ([a-z]+))?"


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    return {**under, **{key: merged(under[key], value) if isinstance(value, dict) and isinstance(under.get(key), dict) else value
                        for key, value in over.items()}}


@pytest.mark.parametrize("text", VALUES, ids=[text.split(":")[0] for text in VALUES])
def test_every_block_of_values_is_taken(text: str) -> None:
    assert render(merged(LEAST, yaml.safe_load(text)))


def test_the_values_for_work_are_enough() -> None:
    least = next(yaml.safe_load(text) for text in VALUES if "publicUrl" in text)
    assert len(least) == 3 and render(least)
    assert helm("lint", "--strict", str(ROOT / "helm" / "voxelhub"), values=least).returncode == 0


@pytest.fixture(scope="module")
def evaluation() -> list[Manifest]:
    return render({"publicUrl": "https://vre.example.org:30443"}, files=[EVALUATION])


def test_every_command_is_on_a_pod_of_the_chart(evaluation: list[Manifest]) -> None:
    made = {name: {each["name"] for each in containers(pod)} for name, pod in pods(evaluation).items()}
    named = [found for line in (*"\n".join(COMMANDS).splitlines(), *PAGE.splitlines()) for found in re.findall(NAMED, line)]
    assert len(named) > 5
    wrong = [(name, part) for _, name, part in named if name not in made or (part and part not in made[name])]
    assert wrong == []
