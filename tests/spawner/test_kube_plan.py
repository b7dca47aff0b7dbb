"""Which data a server opens and which network it has, as tables: what can talk outward holds no data that may not."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest
from support.chart import chart_document
from voxelhub_sandbox.profiles import Refused, resolve
from voxelhub_spawner.form import options_form
from voxelhub_spawner.kube_chart import read_chart
from voxelhub_spawner.kube_plan import (
    MEANING,
    NO_PROJECT,
    Names,
    choices,
    mounted,
    network_of,
    our_labels,
    server_command,
    server_variables,
)

CHART = read_chart(chart_document())
NETWORKS = CHART.networks
ALL = ["heart", "home-ada", "lung", "open"]


@pytest.mark.parametrize(("project", "granted", "network", "seen"), [
    ("", ALL, "isolated", ("heart", "home-ada", "lung", "open")),
    ("heart", ALL, "isolated", ("heart", "home-ada", "lung", "open")),
    ("unlisted", [*ALL, "unlisted"], "isolated", ("heart", "home-ada", "lung", "open", "unlisted")),
    ("lung", ALL, "project", ("lung", "open")),
    ("lung", ["home-ada", "lung"], "project", ("lung",)),
    ("open", ALL, "internet", ("open",)),
    ("lung", ["home-ada", "heart"], "project", ()),  # not granted: never mounted, whatever was asked
    ("open", ["home-ada"], "internet", ()),
])
def test_the_mount_rule(project: str, granted: list[str], network: str, seen: tuple[str, ...]) -> None:
    assert network_of(project, NETWORKS) == network
    assert mounted(project, granted, NETWORKS) == seen


def test_no_server_that_talks_outward_holds_data_of_a_project_that_may_not() -> None:
    """All sets of granted projects, all choices."""
    for size, granted in ((n, g) for n in range(len(ALL) + 1) for g in itertools.combinations(ALL, n)):
        for project in ["", *granted]:
            seen, network = set(mounted(project, granted, NETWORKS)), network_of(project, NETWORKS)
            assert seen <= set(granted), size
            presets = {network_of(one, NETWORKS) for one in seen}
            if network == "internet":
                assert presets <= {"internet"}
            if network == "project":
                assert {one for one in seen if network_of(one, NETWORKS) != "internet"} == {project}


def test_the_form_says_what_each_network_means() -> None:
    offered = choices(ALL, "home-ada", NETWORKS)
    assert [(one.name, one.meaning) for one in offered] == [
        ("", NO_PROJECT), ("heart", MEANING["isolated"]), ("lung", MEANING["project"]), ("open", MEANING["internet"])]
    page = options_form(CHART.profiles, projects=offered, project="lung")
    assert page.count('name="project"') == 4 and 'value="lung" checked' in page and page.count("checked") == 3  # one of STYLE
    assert 'name="project" value="" checked' in options_form(CHART.profiles, projects=offered, project="left-it")
    assert choices(["home-ada"], "home-ada", NETWORKS) == [], "nothing to choose, no question"


@pytest.mark.parametrize(("options", "sentence"), [
    ({"project": "heart"}, ""),
    ({"project": ""}, ""),
    ({"project": "secret"}, "There is no project of that name for you. Yours are: heart, lung."),
    ({"project": ["lung"]}, "There is no project of that name for you. Yours are: heart, lung."),
    ({"image": "evil"}, "A server has no option image. There are `profile` and `project`."),
])
def test_a_project_is_one_of_ones_own(options: dict[str, object], sentence: str) -> None:
    if not sentence:
        assert resolve([], options, CHART.profiles, None, ["lung", "heart"]).project == options["project"]
        return
    with pytest.raises(Refused) as refusal:
        resolve([], options, CHART.profiles, None, ["lung", "heart"])
    assert str(refusal.value) == sentence


def test_on_one_machine_a_server_is_of_no_project() -> None:
    with pytest.raises(Refused, match=r"no option project\. The only one is `profile`\."):
        resolve([], {"project": "lung"}, CHART.profiles, None)


@pytest.mark.parametrize(("project", "label"), [("lung", "lung"), ("", None), ("ends-", None), ("a" * 64, None)])
def test_a_name_that_is_no_label_opens_nothing(project: str, label: str | None) -> None:
    """The policy of a project goes by the label; without one the pod stays behind the default deny."""
    spec = resolve([], {"project": project}, CHART.profiles, None, [project])
    assert our_labels(CHART, spec, Names("p", "c", "u", "", "u")).get("voxelhub/project") == label


def test_what_a_server_is_told() -> None:
    gpu = resolve(["/voxelhub-gpu"], {"profile": "gpu", "project": "open"}, CHART.profiles, None, ["open"])
    assert server_variables("ada@x", gpu, ["open"], NETWORKS) == {
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility", "USER": "ada@x", "LOGNAME": "ada@x", "VOXELHUB_PROJECTS": "open",
        "VOXELHUB_PROFILE": "gpu", "VOXELHUB_ISOLATION": "true", "VOXELHUB_PROJECTS_DIR": "/projects", "VOXELHUB_PROJECT": "open",
        "VOXELHUB_NETWORK": "internet", "OMP_NUM_THREADS": "4"}
    small = server_variables("ada", resolve([], {}, CHART.profiles, None), [], NETWORKS)
    assert small["NVIDIA_VISIBLE_DEVICES"] == "void", "an image for GPUs shows none to a server without"
    slice_ = resolve(["/voxelhub-gpu"], {"profile": "slice"}, CHART.profiles, None)
    assert server_variables("ada", slice_, [], NETWORKS)["OMP_NUM_THREADS"] == "1"


def start(home: Path, root: str) -> subprocess.CompletedProcess[str]:
    """The start of a server with `env` in its place."""
    spec = resolve([], {}, CHART.profiles, None)
    command = server_command(root, "/home/ada", spec, ["--x=1"])
    at = command.index(f"{root}/.envs/lab/bin/jupyterhub-singleuser")
    return subprocess.run([*command[:at], "/bin/echo", *command[at + 1:]], env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
                          capture_output=True, text=True, timeout=20)


def test_the_start_links_the_home_to_what_lies_outside(tmp_path: Path) -> None:
    done = start(tmp_path, "/opt/voxelhub")
    assert (tmp_path / "projects").readlink() == Path("/projects")
    assert (tmp_path / "examples").readlink() == Path("/opt/voxelhub/notebooks")
    assert done.returncode == 0 and "--ServerApp.root_dir=/home/ada" in done.stdout and done.stdout.strip().endswith("--x=1")


def test_the_start_leaves_what_a_user_made_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "projects").symlink_to("/nowhere")
    assert start(tmp_path, "/opt/voxelhub").returncode == 0
    assert (tmp_path / "examples").is_dir() and not list((tmp_path / "examples").iterdir())
    assert (tmp_path / "projects").readlink() == Path("/nowhere")


def test_a_home_that_takes_nothing_more_starts_too(tmp_path: Path) -> None:
    done = start(tmp_path / "absent", "/opt/voxelhub")
    assert done.returncode == 0 and "--x=1" in done.stdout
