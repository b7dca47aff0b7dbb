"""The decision table of runs: every state × what the executor sees × what is wanted × what the worker itself is doing."""

from itertools import product

import pytest
from voxelhub_service.executors.base import Observation
from voxelhub_service.models import TERMINAL_STATES
from voxelhub_service.runs.next_step import LOST, MAX_ATTEMPTS, RunView, Seen, Step, next_step

STATES = ("queued", "staging_in", "running", "staging_out", *sorted(TERMINAL_STATES))
PROCESSES = {
    "absent": Observation("absent"),
    "starting": Observation("starting", attempts=1),
    "running": Observation("running", attempts=1),
    "ok": Observation("ended", "ok", attempts=1),
    "failed": Observation("ended", "failed", "It broke.", attempts=1),
    "crashed": Observation("ended", "failed", "It was ended by SIGKILL.", crashed=True, attempts=1),
    "crashed often": Observation("ended", "failed", "It was ended by SIGKILL.", crashed=True, attempts=MAX_ATTEMPTS),
    "cancelled": Observation("ended", "cancelled", attempts=1),
    "lost": Observation("lost", attempts=1),
    "lost often": Observation("lost", attempts=MAX_ATTEMPTS),
}
# (state, wanted) -> process -> step of a tool run, when the worker has no task of its own and the inputs are staged.
# Each is "action", "action:state" as it reads.
TABLE = {
    ("queued", "run"): dict.fromkeys(PROCESSES, "move:staging_in"),
    ("queued", "cancel"): dict.fromkeys(PROCESSES, "finish:cancelled"),
    ("staging_in", "run"): dict.fromkeys(PROCESSES, "move:running") | {"absent": "submit:running"},
    ("staging_in", "cancel"): dict.fromkeys(PROCESSES, "finish:cancelled") | {"starting": "cancel", "running": "cancel"},
    ("running", "run"): {
        "absent": "submit:running", "starting": "wait", "running": "wait", "ok": "move:staging_out", "failed": "finish:failed",
        "crashed": "finish:failed", "crashed often": "finish:failed", "cancelled": "finish:cancelled",
        "lost": "finish:failed", "lost often": "finish:failed",
    },
    ("running", "cancel"): dict.fromkeys(PROCESSES, "finish:cancelled") | {"starting": "cancel", "running": "cancel"},
    ("staging_out", "run"): dict.fromkeys(PROCESSES, "publish"),
    ("staging_out", "cancel"): dict.fromkeys(PROCESSES, "finish:cancelled"),
    **{(state, wanted): dict.fromkeys(PROCESSES, "wait") for state in TERMINAL_STATES for wanted in ("run", "cancel")},
}


def text(step: Step) -> str:
    return f"{step.action}:{step.state}" if step.state else step.action


@pytest.mark.parametrize(("state", "wanted", "process"), list(product(STATES, ("run", "cancel"), PROCESSES)))
def test_every_cell(state, wanted, process):
    seen = Seen(PROCESSES[process], staged=True)
    assert text(next_step(RunView(state, "tool", wanted), seen)) == TABLE[state, wanted][process]


@pytest.mark.parametrize("process", PROCESSES)
def test_at_its_budget_a_tool_may_finish_with_what_it_has_and_nothing_else_changes(process):
    for state in ("running", "staging_out"):
        expected = "hurry" if (state, process) == ("running", "running") else TABLE[state, "run"][process]
        assert text(next_step(RunView(state, "tool", "finish"), Seen(PROCESSES[process], staged=True))) == expected


@pytest.mark.parametrize("process", PROCESSES)
def test_an_import_may_be_begun_anew_and_differs_in_nothing_else(process):
    for state, wanted in product(STATES, ("run", "cancel")):
        seen = Seen(PROCESSES[process], staged=True)
        tool, imported, joined = (next_step(RunView(state, kind, wanted), seen) for kind in ("tool", "import", "join"))
        assert joined == imported, "the table of a batch, too"
        if (state, wanted) == ("running", "run") and process in ("lost", "crashed"):
            assert (text(tool), text(imported)) == ("finish:failed", "retry")
            assert tool.reason == (LOST if process == "lost" else PROCESSES[process].reason)
        else:
            assert imported == tool


@pytest.mark.parametrize(("state", "wanted", "process", "task", "expected"), [
    ("staging_in", "run", "absent", "busy", "wait"),
    ("staging_in", "run", "absent", "failed", "finish:failed"),
    ("staging_in", "cancel", "absent", "busy", "wait"),
    ("staging_in", "cancel", "absent", "failed", "finish:cancelled"),
    ("staging_out", "run", "ok", "busy", "wait"),
    ("staging_out", "run", "ok", "failed", "finish:failed"),
    ("staging_out", "cancel", "ok", "busy", "wait"),
    ("staging_out", "cancel", "ok", "failed", "finish:cancelled"),
])
def test_work_of_the_worker_itself(state, wanted, process, task, expected):
    step = next_step(RunView(state, "tool", wanted), Seen(PROCESSES[process], task, "It broke."))
    assert text(step) == expected
    assert step.reason == "It broke." or expected != "finish:failed"


def test_inputs_are_staged_before_anything_is_submitted():
    assert next_step(RunView("staging_in", "tool", "run"), Seen(PROCESSES["absent"])).action == "stage_in"


def test_a_run_waits_for_a_slot_and_can_be_cancelled_meanwhile():
    full = Seen(PROCESSES["absent"], slot=False)
    assert next_step(RunView("queued", "tool", "run"), full).action == "wait"
    assert text(next_step(RunView("queued", "tool", "cancel"), full)) == "finish:cancelled"


@pytest.mark.parametrize("wanted", ["run", "cancel"])
def test_what_is_published_has_succeeded_whatever_was_wanted_too_late(wanted):
    assert text(next_step(RunView("staging_out", "tool", wanted), Seen(PROCESSES["ok"], published=True))) == "finish:succeeded"


@pytest.mark.parametrize(("state", "wanted", "process", "kind", "task", "staged", "slot"), list(product(
    STATES, ("run", "cancel"), PROCESSES, ("tool", "import", "join"), ("none", "busy", "failed"), (True, False), (True, False))))
def test_each_end_but_success_has_a_reason_and_no_step_leads_back(state, wanted, process, kind, task, staged, slot):
    step = next_step(RunView(state, kind, wanted), Seen(PROCESSES[process], task, "It broke.", staged, slot))
    if step.action == "finish":
        assert step.state in TERMINAL_STATES and (step.reason.endswith(".") or step.state == "succeeded")
    if step.action in ("move", "submit"):
        assert STATES.index(step.state) >= STATES.index(state)
    if state in TERMINAL_STATES:
        assert step.action == "wait"
