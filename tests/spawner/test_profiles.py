"""The profile resolver: tables of who may have what, and what a wrong file is told."""

from __future__ import annotations

from typing import Any

import pytest
from voxelhub_sandbox.profiles import (
    Limits,
    Profile,
    ProfilesError,
    Refused,
    ServerSpec,
    load_profiles,
    parse_profiles,
    resolve,
    visible_profiles,
)
from voxelhub_spawner.form import options_form

GIB = 1024**3
SMALL = Profile("small", "Small", cpu=1, memory=2 * GIB, price_per_hour=0.02)
MIDDLE = Profile("middle", "Middle", cpu=2, memory=4 * GIB, default=True)
HUGE = Profile("huge", "Huge", cpu=512, memory=4 * GIB)
SECRET = Profile("secret", "Secret", cpu=1, memory=GIB, allowed_groups=frozenset({"/projects/oncology"}))
GPU = Profile("gpu", "GPU", cpu=1, memory=GIB, gpu_kind="nvidia", gpu_count=2, kernels=("imaging",),
              allowed_groups=frozenset({"/gpu"}))
ALL = [SMALL, MIDDLE, HUGE, SECRET, GPU]
MACHINE = Limits(cpu=4, memory=8 * GIB, gpus={"nvidia-a100": 2, "amd-mi300": 8})


@pytest.mark.parametrize(("groups", "options", "profile"), [
    ([], {}, "middle"),
    ([], {"profile": ""}, "middle"),
    ([], {"profile": "small"}, "small"),
    (["/projects/oncology"], {"profile": "secret"}, "secret"),
    (["/gpu"], {"profile": "gpu"}, "gpu"),
])
def test_given(groups: list[str], options: dict[str, Any], profile: str) -> None:
    assert resolve(groups, options, ALL, MACHINE).profile == profile


@pytest.mark.parametrize(("groups", "options", "sentence"), [
    ([], {"profile": "secret"}, "There is no server profile of that name for you. Yours are: small, middle."),
    ([], {"profile": "none-such"}, "There is no server profile of that name for you. Yours are: small, middle."),
    (["projects/oncology"], {"profile": "secret"}, "There is no server profile of that name for you. Yours are: small, middle."),
    ([], {"profile": "huge"}, "The profile huge cannot start here: it needs 512 CPU cores and this machine gives 4."),
    ([], {"profile": ["small"]}, "There is no server profile of that name for you."),
    ([], {"profile": "small", "cpu": 64}, "A server has no option cpu."),
    ([], {"environ": {"A": "b"}}, "A server has no option environ."),
])
def test_refused(groups: list[str], options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused) as refusal:
        resolve(groups, options, ALL, MACHINE)
    assert str(refusal.value).startswith(sentence)


def test_the_whole_specification() -> None:
    assert resolve(["/gpu"], {"profile": "gpu"}, ALL, MACHINE) == ServerSpec(
        profile="gpu", title="GPU", cpu=1, memory=GIB, gpu_kind="nvidia", gpu_count=2, price_per_hour=0.0, currency="EUR",
        kernels=("imaging",))


def test_gpus_of_another_kind_do_not_count() -> None:
    with pytest.raises(Refused, match="2 GPU of the kind nvidia and this machine has 1"):
        resolve(["/gpu"], {"profile": "gpu"}, ALL, Limits(4, 8 * GIB, {"nvidia-a100": 1, "amd-mi300": 8}))


def test_nothing_to_choose_is_a_sentence() -> None:
    with pytest.raises(Refused, match="no server profile that you may use"):
        resolve([], {}, [SECRET], MACHINE)
    assert "Ask an administrator" in options_form([])


def test_the_form_shows_only_what_one_may_choose() -> None:
    page = options_form(visible_profiles(["/gpu"], ALL, MACHINE), chosen="gpu")
    assert [name in page for name in ('value="small"', 'value="middle"', 'value="gpu"')] == [True] * 3
    assert "secret" not in page and "huge" not in page
    assert page.count("checked>") == 1 and 'value="gpu" checked' in page
    assert "2 × nvidia" in page and "0.02 EUR an hour" in page and "<script" not in page


def test_the_form_escapes_what_a_file_says() -> None:
    page = options_form([Profile("p", "<b>x</b>", 1, GIB, description='"><script>')])
    assert "<b>x" not in page and "<script" not in page


def test_a_choice_that_is_no_longer_offered_falls_back_to_the_default() -> None:
    assert 'value="middle" checked' in options_form([SMALL, MIDDLE], chosen="secret")


def test_the_shipped_profiles_are_valid_and_fit_a_laptop() -> None:
    profiles = load_profiles()
    assert [p.name for p in visible_profiles([], profiles, Limits(2, 8 * GIB))] == ["small", "standard"]
    assert {p.name for p in profiles if p.allowed_groups} == {"gpu"}


BASE = {"name": "a", "cpu": 1, "memory": "1 GiB"}


@pytest.mark.parametrize(("document", "sentence"), [
    (None, "The profiles file needs a list `profiles`"),
    ({"profiles": []}, "The profiles file needs a list `profiles`"),
    ({"profile": [BASE]}, "The profiles file needs a list `profiles`"),
    ({"profiles": [BASE], "curency": "EUR"}, "The profiles file has the unknown key curency"),
    ({"profiles": ["a"]}, "Profile 1 is not a mapping"),
    ({"profiles": [{}]}, "Profile 1 needs the text `name`"),
    ({"profiles": [{**BASE, "name": "A b"}]}, "Profile 1 is called 'A b'"),
    ({"profiles": [BASE, BASE]}, "The profile a is there twice"),
    ({"profiles": [{**BASE, "cpu": "2"}]}, "Profile a needs `cpu`, a number"),
    ({"profiles": [{**BASE, "cpu": True}]}, "Profile a needs `cpu`, a number"),
    ({"profiles": [{**BASE, "cpu": 0}]}, "Profile a needs `cpu`, a number"),
    ({"profiles": [{**BASE, "memory": "2 GB"}]}, "Profile a needs `memory` in bytes"),
    ({"profiles": [{**BASE, "memory": 0}]}, "Profile a needs `memory` in bytes"),
    ({"profiles": [{**BASE, "price_per_hour": -1}]}, "Profile a needs `price_per_hour`"),
    ({"profiles": [{**BASE, "mem": 1}]}, "Profile a has the unknown key mem"),
    ({"profiles": [{**BASE, "gpu": 1}]}, "Profile a: gpu is a mapping"),
    ({"profiles": [{**BASE, "gpu": {"count": 1.5}}]}, "Profile a: gpu.count is a whole number"),
    ({"profiles": [{**BASE, "gpu": {"resource": "gpu"}}]}, "Profile a: gpu.resource is what nodes advertise, as nvidia.com/gpu"),
    ({"profiles": [{**BASE, "gpu": {"resource": 1}}]}, "Profile a: gpu needs the text `resource`"),
    ({"profiles": [{**BASE, "gpu": {"type": "T4"}}]}, "Profile a: gpu has the unknown key type; known are count, kind, "
                                                      "resource."),
    ({"profiles": [{**BASE, "image": "voxelhub-notebook"}]}, "Profile a: image is a name with a tag or a digest"),
    ({"profiles": [{**BASE, "image": "a b:1"}]}, "Profile a: image is a name with a tag or a digest"),
    ({"profiles": [{**BASE, "node_selector": {"gpu": True}}]}, "Profile a: node_selector maps labels of nodes to texts"),
    ({"profiles": [{**BASE, "node_selector": ["gpu"]}]}, "Profile a: node_selector maps labels of nodes to texts"),
    ({"profiles": [{**BASE, "allowed_groups": "/x"}]}, "Profile a: allowed_groups is a list of names"),
    ({"profiles": [{**BASE, "default": True}, {**BASE, "name": "b", "default": True}]}, "More than one profile is the default"),
])
def test_a_wrong_file_is_told_where(document: Any, sentence: str) -> None:
    with pytest.raises(ProfilesError) as error:
        parse_profiles(document)
    assert str(error.value).startswith(sentence)


def test_what_is_for_kubernetes_alone() -> None:
    entry = {**BASE, "gpu": {"kind": "A100", "resource": "nvidia.com/mig-1g.5gb"}, "node_selector": {"disk": "fast"},
             "image": "registry.example:5000/voxelhub-notebook-gpu@sha256:" + "0" * 64}
    profile = parse_profiles({"profiles": [entry]})[0]
    assert (profile.gpu_resource, profile.gpu_count, profile.node_selector) == ("nvidia.com/mig-1g.5gb", 1, {"disk": "fast"})
    spec = resolve([], {}, [profile], None)
    assert (spec.image, spec.gpu_resource, spec.node_selector) == (entry["image"], "nvidia.com/mig-1g.5gb", {"disk": "fast"})
    plain = parse_profiles({"profiles": [{**BASE, "image": "localhost/voxelhub-notebook:0.1.0"}]})[0]
    assert (plain.gpu_resource, plain.node_selector) == ("nvidia.com/gpu", {})


@pytest.mark.parametrize(("text", "size"), [("1024", 1024), (1024, 1024), ("1.5 GiB", 3 * GIB // 2), ("512MiB", 512 * 1024**2)])
def test_memory(text: Any, size: int) -> None:
    assert parse_profiles({"profiles": [{**BASE, "memory": text}]})[0].memory == size


def test_groups_are_paths_with_or_without_a_slash() -> None:
    assert parse_profiles({"profiles": [{**BASE, "allowed_groups": ["gpu"]}]})[0].allowed_groups == {"/gpu"}
