"""The command lines of the cluster's programs, in the order of their start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import names
from .binaries import program
from .names import CONFIGURATION, LIB, PKI


@dataclass(frozen=True)
class Plane:
    """Where the control plane runs: in the node, or alone."""

    lib: Path = LIB
    pki: Path = PKI
    bind: str = "0.0.0.0"
    advertise: str = names.NODE_IP
    api: int = 6443
    store: int = 2379
    peer: int = 2380
    controllers: int = 10257


NODE = Plane()


def etcd(plane: Plane = NODE) -> list[str]:
    clients, peers = (f"http://127.0.0.1:{port}" for port in (plane.store, plane.peer))
    return [_path("etcd"), "--data-dir", f"{plane.lib}/etcd", "--unsafe-no-fsync", "--listen-client-urls", clients,
            "--advertise-client-urls", clients, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
            "--initial-cluster", f"default={peers}", "--log-level", "warn"]


def api_server(plane: Plane = NODE) -> list[str]:
    pki = plane.pki
    return _options("kube-apiserver", {
        "etcd-servers": f"http://127.0.0.1:{plane.store}", "advertise-address": plane.advertise, "bind-address": plane.bind,
        "secure-port": plane.api, "service-cluster-ip-range": names.SERVICES, "allow-privileged": "true",
        "authorization-mode": "Node,RBAC", "enable-admission-plugins": "NodeRestriction",
        "client-ca-file": pki / "ca.crt", "tls-cert-file": pki / "apiserver.crt", "tls-private-key-file": pki / "apiserver.key",
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": pki / "service-accounts.crt",
        "service-account-signing-key-file": pki / "service-accounts.key",
        "kubelet-certificate-authority": pki / "ca.crt",
        "kubelet-client-certificate": pki / "apiserver-kubelet-client.crt",
        "kubelet-client-key": pki / "apiserver-kubelet-client.key", "kubelet-preferred-address-types": "InternalIP",
        "proxy-client-cert-file": pki / "front-proxy-client.crt", "proxy-client-key-file": pki / "front-proxy-client.key",
        "requestheader-client-ca-file": pki / "front-proxy-ca.crt", "requestheader-allowed-names": "front-proxy",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-", "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
    })


def controllers(plane: Plane = NODE) -> list[str]:
    pki = plane.pki
    return _options("kube-controller-manager", _as("kube-controller-manager", pki) | {
        "service-account-private-key-file": pki / "service-accounts.key", "root-ca-file": pki / "ca.crt",
        "use-service-account-credentials": "true", "leader-elect": "false", "bind-address": "127.0.0.1",
        "secure-port": plane.controllers,
        "allocate-node-cidrs": "true",  # kube-router asks for the node's
        "cluster-cidr": names.PODS, "service-cluster-ip-range": names.SERVICES,
        "cluster-signing-cert-file": pki / "ca.crt", "cluster-signing-key-file": pki / "ca.key",
        "flex-volume-plugin-dir": plane.lib / "kubelet/plugins-exec",  # its own choice is below /usr
    })


def control_plane() -> dict[str, list[str]]:
    """What needs no API server: its store, itself, and containers."""
    return {"etcd": etcd(), "containerd": ["containerd", "--config", f"{CONFIGURATION}/containerd.toml"],
            "kube-apiserver": api_server()}


def workers() -> dict[str, list[str]]:
    """What ends, or is refused, before the API server is ready."""
    return {
        "kube-controller-manager": controllers(),
        "kube-scheduler": _options("kube-scheduler", _as("kube-scheduler") | {
            "leader-elect": "false", "bind-address": "127.0.0.1",
        }),
        "kubelet": _options("kubelet", {
            "config": CONFIGURATION / "kubelet.yaml", "kubeconfig": PKI / "kubelet.kubeconfig", "cert-dir": LIB / "kubelet/pki",
            "hostname-override": names.NODE, "node-ip": names.NODE_IP,
            "node-labels": f"nvidia.com/gpu.product={names.GPU_PRODUCT}",
        }),
        "kube-proxy": _options("kube-proxy", {"config": CONFIGURATION / "kube-proxy.yaml"}),
    }


def kube_router() -> list[str]:
    """Network policies alone. While it is dead, nothing is refused: its health port is part of the cluster's."""
    return ["env", f"NODE_NAME={names.NODE}", *_options("kube-router", {
        "kubeconfig": PKI / "kube-router.kubeconfig", "hostname-override": names.NODE, "run-firewall": "true",
        "run-router": "false", "run-service-proxy": "false", "run-loadbalancer": "false",
        "service-cluster-ip-range": names.SERVICES, "health-port": 20244,
    })]


def _as(name: str, pki: Path = PKI) -> dict[str, object]:
    return dict.fromkeys(("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"), pki / f"{name}.kubeconfig")


def _options(name: str, options: dict[str, object]) -> list[str]:
    return [_path(name), *(f"--{key}={value}" for key, value in options.items())]


def _path(name: str) -> str:
    return str(program(name))
