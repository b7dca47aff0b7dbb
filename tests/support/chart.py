"""The document that the chart hands to the hub, for tests of the spawner."""

from __future__ import annotations

from typing import Any


def chart_document(**over: Any) -> dict[str, Any]:
    """With three projects of three presets, a profile for everyone, one with a GPU and one with a slice of one."""
    return {
        "release": {"name": "vh", "namespace": "voxelhub"},
        "singleuser": {
            "image": {"name": "localhost/voxelhub-notebook", "tag": "0.1.0", "pullPolicy": "IfNotPresent", "pullSecrets": []},
            "startTimeout": 300, "extraEnv": {}, "nodeSelector": {}, "extraTolerations": [], "podPriorityClassName": "",
            "storage": {"capacity": "10Gi", "storageClass": "", "accessModes": ["ReadWriteOnce"],
                        "state": {"claim": "voxelhub-state", "nodeAffinity": True}},
        },
        "profiles": {"currency": "EUR", "profiles": [
            {"name": "small", "title": "Small", "cpu": 1, "memory": "2 GiB", "price_per_hour": 0.02, "default": True},
            {"name": "gpu", "title": "GPU", "cpu": 4, "memory": "32 GiB", "gpu": {"kind": "NVIDIA-A100-SXM4-40GB", "count": 2},
             "price_per_hour": 2.4, "image": "localhost/voxelhub-notebook-gpu:0.1.0", "node_selector": {"disk": "fast"},
             "allowed_groups": ["/voxelhub-gpu"]},
            {"name": "slice", "title": "Slice", "cpu": 0.5, "memory": "1536 MiB", "gpu": {"resource": "nvidia.com/mig-1g.5gb"},
             "allowed_groups": ["/voxelhub-gpu"]},
        ]},
        "projects": {"lung": {"network": "project"}, "open": {"network": "internet"}, "heart": {"network": "isolated"}},
        "gpus": {"show": True},
        "limits": {"serversPerUser": 1, "gpusPerUser": 0, "gpusPerProject": 0},
        "hub": {"config": {}, "extraConfig": {}, "concurrentSpawnLimit": 64, "activeServerLimit": 0},
        "cull": {"enabled": True, "timeout": 3600, "every": 60},
        **over,
    }
