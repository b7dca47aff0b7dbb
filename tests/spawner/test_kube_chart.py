"""The chart's document: what is read, what is left out, and what a wrong one is told."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from support.chart import chart_document
from voxelhub_sandbox.profiles import parse_profiles
from voxelhub_spawner.kube_chart import Chart, ChartError, KubeLimits, Storage, read_chart

LEAST = {"release": {"name": "vh", "namespace": "n"}, "singleuser": {"image": {"name": "i", "tag": "1"}},
         "profiles": {"profiles": [{"name": "a", "cpu": 1, "memory": "1 GiB"}]}}


def test_the_least() -> None:
    assert read_chart(LEAST) == Chart("vh", "n", "i:1", tuple(parse_profiles(LEAST["profiles"])))


def test_the_whole() -> None:
    document = chart_document(limits={"serversPerUser": 2, "gpusPerUser": 4, "gpusPerProject": 8}, gpus={"show": False})
    document["singleuser"]["storage"] = {"capacity": "5Gi", "storageClass": "fast", "accessModes": ["ReadWriteMany"],
                                         "state": {"claim": "shared", "nodeAffinity": False}}
    chart = read_chart(document)
    assert chart.networks == {"lung": "project", "open": "internet", "heart": "isolated"}
    assert chart.limits == KubeLimits(2, 4, 8) and not chart.show_gpus
    assert chart.storage == Storage("5Gi", "fast", ("ReadWriteMany",), "shared", False)
    assert [p.gpu_resource for p in chart.profiles] == ["nvidia.com/gpu", "nvidia.com/gpu", "nvidia.com/mig-1g.5gb"]


@pytest.mark.parametrize(("path", "value", "sentence"), [
    ("release.namespace", None, "chart.yaml: release needs the text `namespace`."),
    ("release.name", 7, "chart.yaml: release needs the text `name`."),
    ("release", "vh", "chart.yaml: release is a mapping."),
    ("singleuser.image.tag", "", "chart.yaml: singleuser.image needs the text `tag`."),
    ("singleuser.image.pullSecrets", "secret", "chart.yaml: singleuser.image.pullSecrets is a list of names of Secrets."),
    ("singleuser.image.pullSecrets", [{"nam": "x"}], "chart.yaml: singleuser.image.pullSecrets is a list of names of Secrets."),
    ("singleuser.startTimeout", 5, "chart.yaml: singleuser.startTimeout is a whole number of at least 10."),
    ("singleuser.extraEnv", {"A": [1]}, "chart.yaml: singleuser.extraEnv.A is a text, or a mapping with valueFrom."),
    ("singleuser.nodeSelector", {"gpu": True}, "chart.yaml: singleuser.nodeSelector maps names to texts."),
    ("singleuser.extraTolerations", {"key": "x"}, "chart.yaml: singleuser.extraTolerations is a list of mappings."),
    ("singleuser.storage.accessModes", [1], "chart.yaml: singleuser.storage.accessModes is a list of texts."),
    ("singleuser.storage.state", {"nodeAffinity": "yes"}, "chart.yaml: singleuser.storage.state.nodeAffinity is true or false."),
    ("singleuser.guarantee", {"cpu": 0}, "chart.yaml: singleuser.guarantee.cpu is the part of a profile's limit that is asked "
                                         "for, "
                                         "above 0 and at most 1."),
    ("profiles", {"profiles": []}, "chart.yaml: profiles: The profiles file needs a list `profiles` with at least one profile."),
    ("projects", {"lung": {"network": "open"}},
     "chart.yaml: projects.lung.network is 'open'; it is one of isolated, project, internet."),
    ("projects", {"lung": "internet"}, "chart.yaml: projects.lung is a mapping."),
    ("gpus", {"show": 1}, "chart.yaml: gpus.show is true or false."),
    ("limits", {"serversPerUser": -1}, "chart.yaml: limits.serversPerUser is a whole number of at least 0."),
    ("limits", {"gpusPerUser": True}, "chart.yaml: limits.gpusPerUser is a whole number of at least 0."),
])
def test_a_wrong_document_is_told_where(path: str, value: Any, sentence: str) -> None:
    document = copy.deepcopy(chart_document())
    *parents, last = path.split(".")
    place = document
    for key in parents:
        place = place[key]
    place[last] = value
    with pytest.raises(ChartError) as error:
        read_chart(document)
    assert str(error.value) == sentence


@pytest.mark.parametrize("document", [None, [], "x"])
def test_what_is_no_document_is_a_sentence(document: Any) -> None:
    with pytest.raises(ChartError, match=r"chart\.yaml"):
        read_chart(document)
