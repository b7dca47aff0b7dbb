"""What who waits is told: the steps as they happen, once each, and never backwards."""

from __future__ import annotations

import itertools
from typing import Any

from support.kube_documents import NODE, condition, kubelet_event, pod, scheduler_event
from voxelhub_spawner.kube_progress import ANSWERS, ASKED, MOUNTED, PLACED, PULLED, PULLING, STARTED, STEPS, Teller, reached

CREATING = {"waiting": {"reason": "ContainerCreating"}}
PENDING = pod()
BUSY = pod(condition("PodScheduled", "False", "Unschedulable", "0/1 nodes are available: 1 Insufficient nvidia.com/gpu. "
                                                               "preemption: x"))
SCHEDULED = pod(condition("PodScheduled", "True"), condition("PodReadyToStartContainers", "False"), node=NODE, state=CREATING)
SANDBOX = pod(condition("PodScheduled", "True"), condition("PodReadyToStartContainers", "True"), node=NODE, state=CREATING)
RUNNING = pod(condition("PodScheduled", "True"), condition("PodReadyToStartContainers", "True"), node=NODE, phase="Running",
              state={"running": {"startedAt": "2026-11-30T13:00:09Z"}})
PULL = kubelet_event("Pulling", 'Pulling image "localhost/voxelhub-notebook:0.1.0"', "Normal", 4)
HERE = kubelet_event("Pulled", "Successfully pulled image in 9.1s (9.1s including waiting). Image size: 1 bytes.", "Normal", 8)


def test_the_steps_come_from_what_the_cluster_says() -> None:
    assert reached(None, []) == reached(PENDING, []) == reached(BUSY, [scheduler_event("0/1 nodes are available: x")]) == [ASKED]
    assert reached(SCHEDULED, []) == [ASKED, PLACED]
    assert reached(SANDBOX, []) == [ASKED, PLACED, MOUNTED]
    assert reached(SANDBOX, [PULL]) == [ASKED, PLACED, MOUNTED, PULLING]
    assert reached(SANDBOX, [PULL, HERE]) == [ASKED, PLACED, MOUNTED, PULLING, PULLED]
    assert reached(RUNNING, [PULL, HERE]) == [ASKED, PLACED, MOUNTED, PULLING, PULLED, STARTED]
    assert reached(RUNNING, []) == [ASKED, PLACED, MOUNTED, PULLED, STARTED], "an image that was there is not fetched"


def test_the_bar_only_grows() -> None:
    assert [step.percent for step in STEPS] == sorted({step.percent for step in STEPS}) and STEPS[-1].percent < 100


def told(looks: list[tuple[dict[str, Any] | None, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    teller = Teller()
    return [said for look in looks for said in teller.tell(*look)] + list(teller.say([ANSWERS]))


def test_a_start_in_whole() -> None:
    looks = [(None, []), (PENDING, []), (SCHEDULED, []), (SANDBOX, [PULL]), (SANDBOX, [PULL]), (RUNNING, [PULL, HERE])]
    assert told(looks) == [{"progress": step.percent, "message": step.words}
                           for step in (ASKED, PLACED, MOUNTED, PULLING, PULLED, STARTED, ANSWERS)]


def test_what_holds_it_up_is_said_once_when_it_lasts() -> None:
    waiting = "Still waiting: No GPU of this kind is free. Try again later, or choose another profile."
    assert [s["message"] for s in told([(BUSY, [])] * 2 + [(SCHEDULED, [])])] == [ASKED.words, PLACED.words, ANSWERS.words]
    said = told([(BUSY, [])] * 9 + [(SCHEDULED, [])])
    assert [s["message"] for s in said] == [ASKED.words, waiting, PLACED.words, ANSWERS.words]
    assert said[1]["progress"] == ASKED.percent


def test_events_may_come_in_any_order_and_late() -> None:
    """The two watches of the hub do not run in step."""
    looks = [(PENDING, []), (SCHEDULED, []), (SANDBOX, [PULL]), (RUNNING, [PULL, HERE]), (RUNNING, []), (SANDBOX, [PULL, HERE])]
    for order in itertools.permutations(looks):
        percents = [s["progress"] for s in told(list(order))]
        assert percents == sorted(percents)
