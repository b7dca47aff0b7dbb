"""Addresses, folders and versions. Fixed addresses: one cluster at a time on a machine."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
ENVS = Path(os.environ.get("VOXELHUB_ENVS_DIR", ROOT / ".envs")).resolve()
CACHE = Path(os.environ.get("VOXELHUB_KUBERNETES_CACHE", ENVS / "kubernetes")).resolve()
TOOLS = ENVS / "helm" / "bin"  # kubectl and helm: hub_config/bootstrap.py helm

KUBERNETES = "1.35.4"
NODE = "node1"
LINK = "voxelhub-k8s"  # the machine's end of the cable; there is one cluster while it exists, and its alias says which
HOST_IP, NODE_IP = "10.250.0.1", "10.250.0.2"
PODS, SERVICES = "10.244.0.0/16", "10.96.0.0/16"
NODE_PODS = "10.244.0.0/24"
API_SERVICE_IP, DNS_IP = "10.96.0.1", "10.96.0.10"
SERVER = f"https://{NODE_IP}:6443"

# Beyond the node there is a place that answers at every address, port 80 and 443: it plays the internet, and the metadata
# address of a cloud. The machine's own network is not reachable from inside.
ROUTER_IP, OUTSIDE_IP = "198.51.100.1", "198.51.100.2"
INTERNET_IP, INTERNET_NAME, METADATA_IP = "203.0.113.1", "internet.example", "169.254.169.254"

GPUS = {"nvidia.com/gpu": 2, "nvidia.com/mig-1g.5gb": 2}
GPU_PRODUCT = "NVIDIA-A100-SXM4-80GB"

PAUSE_IMAGE, DNS_IMAGE, PROBE_IMAGE = "localhost/pause:1", "localhost/coredns:1", "localhost/voxelhub-probe:1"

# In the node's own mount namespace, where a folder of ours lies over /var/lib.
LIB = Path("/var/lib")
PKI, CONFIGURATION, VOLUMES = LIB / "kubernetes/pki", LIB / "kubernetes/configuration", LIB / "volumes"
