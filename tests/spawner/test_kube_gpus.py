"""GPUs by kind from nodes and pods: what there is, what is free, and what a card of the form says of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.chart import chart_document
from support.kube_documents import holder, node
from voxelhub_spawner.form import Note, options_form
from voxelhub_spawner.kube_chart import KubeLimits, read_chart
from voxelhub_spawner.kube_gpus import FRESH, Count, GpuView, count, note, selector_of
from voxelhub_spawner.kube_limits import Held, Starting, exceeded, held_by

GPU, SLICE = "nvidia.com/gpu", "nvidia.com/mig-1g.5gb"
A100 = {"nvidia.com/gpu.product": "A100"}
NODES = [
    node("a", gpus=4, labels=A100), node("b", gpus=2, labels=A100), node("c", gpus=8, labels={"nvidia.com/gpu.product": "T4"}),
    node("plain"), node("slices", gpus=7, resource=SLICE, labels=A100),
    node("dead", gpus=4, labels=A100, ready="Unknown"), node("away", gpus=4, labels=A100, cordoned=True),
]


@pytest.mark.parametrize(("pods", "resource", "selector", "expected"), [
    ([], GPU, A100, Count(6, 6, 4, 2)),
    ([], GPU, {}, Count(14, 14, 8, 3)),
    ([], SLICE, {}, Count(7, 7, 7, 1)),
    ([], GPU, {"nvidia.com/gpu.product": "H100"}, Count(0, 0, 0, 0)),
    ([holder("x", 3, node="a"), holder("y", 1, node="c")], GPU, A100, Count(6, 3, 2, 2)),
    ([holder("x", 3, node="a", phase="Succeeded"), holder("y", 1, node="b", phase="Failed")], GPU, A100, Count(6, 6, 4, 2)),
    ([holder("x", 3, node="a", deleting=True)], GPU, A100, Count(6, 3, 2, 2)),  # held until it is gone
    ([holder("x", 2, phase="Pending", selector=A100)], GPU, A100, Count(6, 4, 4, 2)),  # waits: will have them somewhere
    ([holder("x", 2, phase="Pending", selector={"nvidia.com/gpu.product": "T4"})], GPU, A100, Count(6, 6, 4, 2)),
    ([holder("x", 9, phase="Pending")], GPU, A100, Count(6, 0, 0, 2)),
    ([holder("x", 3, node="slices", resource=SLICE)], SLICE, A100, Count(7, 4, 4, 1)),
    ([holder("x", 3, node="slices", resource=SLICE)], GPU, A100, Count(6, 6, 4, 2)),
    ([holder("x", 2, node="dead"), holder("y", 0, node="a")], GPU, A100, Count(6, 6, 4, 2)),
    ([holder("x", 6, node="a")], GPU, A100, Count(6, 2, 2, 2)),  # a node that lost cards while they were held
])
def test_count(pods: list[dict[str, Any]], resource: str, selector: dict[str, str], expected: Count) -> None:
    assert count(NODES, pods, resource, selector) == expected


def test_an_init_container_asks_before_the_others_and_not_beside_them() -> None:
    pod = holder("x", 1, node="a")
    pod["spec"]["initContainers"] = [{"name": "first", "resources": {"limits": {GPU: "3"}}}]
    assert count(NODES, [pod], GPU, A100).free == 3


CHART = read_chart(chart_document())
SMALL, CARD, PART = CHART.profiles  # none, two A100 by their whole name, one slice


def test_the_nodes_of_a_profile() -> None:
    assert selector_of(CHART, CARD) == {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB", "disk": "fast"}
    assert selector_of(CHART, PART) == {}


@pytest.mark.parametrize(("found", "expected"), [
    (None, Note()),
    (Count(4, 2, 2, 2), Note("2 of 4")),
    (Count(0, 0, 0, 0), Note("0 of 0", "No machine with a NVIDIA-A100-SXM4-40GB GPU is in the cluster now. "
                                       "A start waits up to 5 minutes for one.")),
    (Count(4, 0, 0, 2), Note("0 of 4", "Cannot start at once: all 4 NVIDIA-A100-SXM4-40GB GPU are in use. "
                                       "A start waits up to 5 minutes for one to become free.")),
    (Count(1, 0, 0, 1), Note("0 of 1", "Cannot start at once: the only NVIDIA-A100-SXM4-40GB GPU is in use. "
                                       "A start waits up to 5 minutes for one to become free.")),
    (Count(4, 1, 1, 2), Note("1 of 4", "Cannot start at once: only 1 NVIDIA-A100-SXM4-40GB GPU is free. "
                                       "A start waits up to 5 minutes for one to become free.")),
    (Count(4, 2, 1, 2), Note("2 of 4", "Cannot start at once: 2 are needed on one machine, and no machine has more than 1 free. "
                                       "A start waits up to 5 minutes for them.")),
])
def test_what_a_card_says(found: Count | None, expected: Note) -> None:
    assert note(CARD, found, 300) == expected
    assert note(SMALL, found, 300) == Note()


def test_a_slice_is_called_by_its_size() -> None:
    assert note(PART, Count(7, 0, 0, 1), 60).why == (
        "Cannot start at once: all 7 GPU (1g.5gb) are in use. A start waits up to 60 seconds for one to become free.")


def test_the_form_shows_it() -> None:
    notes = {"gpu": Note("0 of 4", "Cannot start at once: all 4 are in use."), "slice": Note(why="You may have 1 "
                                                                                                 "GPU.", blocked=True)}
    page = options_form(CHART.profiles, "slice", notes=notes)
    assert "<dt>Free now</dt><dd>0 of 4</dd>" in page and "Cannot start at once: all 4 are in use." in page
    assert 'value="slice" disabled' in page and 'value="small" checked' in page, "what would be refused is not chosen"
    assert 'value="gpu">' in page, "what only has to wait can be chosen"
    assert "1 × any (1g.5gb)" in page and "2.40 EUR an hour" in page


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_one_look_serves_all_pages_for_a_while() -> None:
    looks = 0

    async def look() -> tuple[list[Any], list[Any]]:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.01)
        return NODES, []

    clock = Clock()
    view = GpuView(clock)
    assert await asyncio.gather(*(view.see(look) for _ in range(5))) == [(NODES, [])] * 5
    assert looks == 1
    clock.now = FRESH - 0.1
    await view.see(look)
    assert looks == 1
    clock.now = FRESH
    await view.see(look)
    assert looks == 2


async def test_a_cluster_that_does_not_let_us_look_costs_the_page_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused() -> tuple[list[Any], list[Any]]:
        raise PermissionError("nodes is forbidden")

    async def silent() -> tuple[list[Any], list[Any]]:
        await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setattr("voxelhub_spawner.kube_gpus.PATIENCE", 0.05)
    assert await GpuView().see(refused) is None
    assert await GpuView().see(silent) is None


NOBODY = KubeLimits(servers_per_user=0)


@pytest.mark.parametrize(("limits", "wish", "others", "sentence"), [
    (KubeLimits(1), Held("ada", "", 0), [Held("ben", "", 1)], ""),
    (KubeLimits(1), Held("ada", "", 0), [Held("ada", "", 0)], "You may have 1 server at the same time, and have 1. Stop one "
                                                              "first."),
    (KubeLimits(2), Held("ada", "", 0), [Held("ada", "", 0)], ""),
    (NOBODY, Held("ada", "", 0), [Held("ada", "", 0)] * 9, ""),
    (KubeLimits(0, gpus_per_user=2), Held("ada", "", 1), [Held("ada", "", 1), Held("ben", "", 4)], ""),
    (KubeLimits(0, gpus_per_user=2), Held("ada", "", 1), [Held("ada", "", 2)],
     "You may have 2 GPUs at the same time, and have 2. Stop a server that has one, or choose a profile without."),
    (KubeLimits(0, gpus_per_user=2), Held("ada", "", 0), [Held("ada", "", 2)], ""),
    (KubeLimits(0, gpus_per_user=1), Held("ada", "", 2), [],
     "You may have 1 GPU at the same time, and this profile has 2. Choose another profile."),
    (KubeLimits(0, gpus_per_project=4), Held("ada", "lung", 2), [Held("ben", "lung", 3), Held("ben", "heart", 9)],
     "The project lung may have 4 GPUs at the same time, and has 3. Stop a server that has one, or choose a profile without."),
    (KubeLimits(0, gpus_per_project=1), Held("ada", "", 2), [Held("ben", "", 3)], ""),  # of no project: of no project's limit
])
def test_limits(limits: KubeLimits, wish: Held, others: list[Held], sentence: str) -> None:
    assert exceeded(limits, wish, others) == sentence


def test_what_is_held_is_of_living_pods_and_of_starts_that_have_none_yet() -> None:
    pods = [holder("jupyter-ada", 1, user="ada", project="lung", node="a"), holder("jupyter-ben", 2, user="ben", phase="Failed"),
            holder("jupyter-eve", 1, user="eve", resource=SLICE)]
    assert held_by(pods[0], {GPU, SLICE}) == Held("ada", "lung", 1)
    starting = Starting()
    starting.held["jupyter-kim"] = Held("kim", "lung", 2)
    starting.held["jupyter-eve"] = Held("eve", "lung", 1)  # and its pod is seen already: counted once
    found = starting.with_pods(pods, {GPU, SLICE}, without="jupyter-ada")
    assert sorted(found, key=lambda one: one.user) == [Held("eve", "lung", 1), Held("kim", "lung", 2)]
