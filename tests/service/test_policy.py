"""The one authorisation as a table: who may what, and as whom a stranger is answered."""

from __future__ import annotations

import pytest
from support.service import ADMIN, ALICE, BOB, MALLORY, OFFICER, OUTSIDER
from voxelhub_service.errors import Problem
from voxelhub_service.identity.actor import SYSTEM, USERS_GROUP, Actor, personal_project
from voxelhub_service.models import Project
from voxelhub_service.policy.authorize import RULES, decide, require

ALPHA = Project(name="alpha", kind="shared", open=False, quota_bytes=1)
DEMO = Project(name="demo", kind="shared", open=True, quota_bytes=1)
HOME = Project(name="home-alice", kind="personal", owner="alice", open=False, quota_bytes=1)
STEWARD = Actor("stella", frozenset({USERS_GROUP, "/projects/alpha/stewards"}))
INTRUDER = Actor("ivan", frozenset({USERS_GROUP, "/projects/home-alice", "/projects/home-alice/owners"}))

CASES = [
    (ALICE, "dataset.read", ALPHA, 200),
    (BOB, "dataset.read", ALPHA, 404),
    (MALLORY, "dataset.read", DEMO, 404),
    (BOB, "dataset.write", DEMO, 200),
    (BOB, "run.cancel_others", DEMO, 403),
    (BOB, "run.prioritise", DEMO, 403),
    (ALICE, "run.prioritise", ALPHA, 200),
    (STEWARD, "run.cancel_others", ALPHA, 200),
    (ALICE, "run.cancel_others", ALPHA, 200),  # an owner is more than a steward
    (ALICE, "dataset.read", HOME, 200),
    (BOB, "dataset.read", HOME, 404),
    (INTRUDER, "dataset.read", HOME, 404),
    (INTRUDER, "project.read", HOME, 404),
    (ADMIN, "dataset.read", HOME, 404),
    (ADMIN, "dataset.read", ALPHA, 404),  # an administrator configures, and reads no data
    (ADMIN, "project.read", HOME, 200),
    (ADMIN, "project.configure", ALPHA, 200),
    (ALICE, "project.configure", ALPHA, 403),
    (MALLORY, "project.configure", ALPHA, 404),
    (ALICE, "file.download", ALPHA, 403),
    (ALICE, "file.download", DEMO, 200),
    (MALLORY, "file.download", DEMO, 404),
    (BOB, "quarantine.read", DEMO, 200),  # of what they brought in themselves
    (BOB, "quarantine.read_others", DEMO, 403),
    (BOB, "quarantine.decide", DEMO, 403),
    (STEWARD, "quarantine.decide", ALPHA, 200),
    (ADMIN, "quarantine.read", ALPHA, 404),
    (OFFICER, "quarantine.read", ALPHA, 404),
    (ADMIN, "audit.read", None, 200),
    (OFFICER, "audit.read", None, 200),
    (ALICE, "audit.read", None, 403),
    (ALICE, "tool.submit", None, 200),
    (ADMIN, "tool.submit", None, 200),
    (BOB, "tool.submit", None, 403),
    (ADMIN, "tool.review", None, 200),
    (ALICE, "tool.review", None, 403),
    (OFFICER, "tool.review", None, 403),
    (ALICE, "self.read", None, 200),
    (OUTSIDER, "self.read", None, 403),
    (OUTSIDER, "dataset.read", DEMO, 403),
    (ALICE, "dataset.read", None, 404),
    (ADMIN, "project.read", None, 404),
    (ALICE, "no.such.action", ALPHA, 403),
    (SYSTEM, "dataset.write", ALPHA, 200),
]


@pytest.mark.parametrize(
    ("actor", "action", "project", "status"),
    CASES,
    ids=[f"{a.name} {action} {p.name if p else '-'}" for a, action, p, _ in CASES],
)
def test_who_may_what(actor, action, project, status):
    decision = decide(actor, action, project)
    assert decision.allowed == (status == 200)
    assert status == (decision.problem.status if decision.problem else 200)


def test_every_action_refuses_who_is_in_no_group():
    for action in RULES:
        for project in (ALPHA, DEMO, HOME, None):
            assert not decide(OUTSIDER, action, project).allowed


def test_a_strangers_answer_is_the_one_for_what_does_not_exist():
    answers = []
    for project in (ALPHA, None):
        with pytest.raises(Problem) as refused:
            require(MALLORY, "dataset.read", project)
        answers.append((refused.value.status, refused.value.code, refused.value.detail, refused.value.fix))
    assert answers[0] == answers[1]


def test_a_refusal_says_what_the_audit_log_shall_hold():
    with pytest.raises(Problem) as refused:
        require(BOB, "run.cancel_others", DEMO)
    assert refused.value.denied == ("run.cancel_others", "project:demo")


def test_personal_projects_have_legal_names_that_no_two_users_share():
    users = [
        "alice",
        "Alice",
        "a.b",
        "a-b",
        "a_b",
        "a b",
        "",
        "é",
        "-",
        "--",
        "x" * 40,
        "x" * 41,
        "x" * 80,
        "a--b",
        "home-alice",
        personal_project("a.b").removeprefix("home-"),
    ]
    names = [personal_project(user) for user in users]
    assert len(set(names)) == len(users)
    for name in names:
        assert Actor("x", frozenset({f"/projects/{name}"})).project_roles.keys() == {"home-x"}
        assert len(name) <= 63


@pytest.mark.parametrize(
    "group",
    [
        "/projects/Demo",
        "/projects/",
        "/projects/a/b",
        "/projects/demo/owners/x",
        "projects/demo",
        "/projects/../x",
        "/projects/demo\n",
        "/other/demo",
        "/projects/-x",
        "role:projects/demo",
    ],
)
def test_groups_that_name_no_project(group):
    assert Actor("x", frozenset({group})).project_roles.keys() == {"home-x"}


def test_the_strongest_role_counts_whatever_the_order():
    groups = frozenset({"/projects/p", "/projects/p/owners", "/projects/p/stewards"})
    assert Actor("x", groups).project_roles["p"] == "owner"
    assert Actor("x", groups - {"/projects/p/owners"}).project_roles["p"] == "steward"
