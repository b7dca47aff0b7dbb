"""The command lines of the node's programs, in the order of their start."""

from __future__ import annotations

from . import names
from .binaries import program
from .names import CONFIGURATION, LIB, PKI

ETCD = "http://127.0.0.1:2379"


def control_plane() -> dict[str, list[str]]:
    """What needs no API server: its store, itself, and containers."""
    peer = "http://127.0.0.1:2380"
    return {
        "etcd": [_path("etcd"), "--data-dir", f"{LIB}/etcd", "--unsafe-no-fsync", "--listen-client-urls", ETCD,
                 "--advertise-client-urls", ETCD, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                 "--initial-cluster", f"default={peer}", "--log-level", "warn"],
        "containerd": ["containerd", "--config", f"{CONFIGURATION}/containerd.toml"],
        "kube-apiserver": _options("kube-apiserver", {
            "etcd-servers": ETCD, "advertise-address": names.NODE_IP, "bind-address": "0.0.0.0", "secure-port": 6443,
            "service-cluster-ip-range": names.SERVICES, "allow-privileged": "true",
            "authorization-mode": "Node,RBAC", "enable-admission-plugins": "NodeRestriction",
            "client-ca-file": PKI / "ca.crt", "tls-cert-file": PKI / "apiserver.crt",
            "tls-private-key-file": PKI / "apiserver.key",
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": PKI / "service-accounts.crt",
            "service-account-signing-key-file": PKI / "service-accounts.key",
            "kubelet-certificate-authority": PKI / "ca.crt",
            "kubelet-client-certificate": PKI / "apiserver-kubelet-client.crt",
            "kubelet-client-key": PKI / "apiserver-kubelet-client.key", "kubelet-preferred-address-types": "InternalIP",
            "proxy-client-cert-file": PKI / "front-proxy-client.crt", "proxy-client-key-file": PKI / "front-proxy-client.key",
            "requestheader-client-ca-file": PKI / "front-proxy-ca.crt", "requestheader-allowed-names": "front-proxy",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-", "requestheader-group-headers": "X-Remote-Group",
            "requestheader-username-headers": "X-Remote-User",
        }),
    }


def workers() -> dict[str, list[str]]:
    """What ends, or is refused, before the API server is ready."""
    return {
        "kube-controller-manager": _options("kube-controller-manager", _as("kube-controller-manager") | {
            "service-account-private-key-file": PKI / "service-accounts.key", "root-ca-file": PKI / "ca.crt",
            "use-service-account-credentials": "true", "leader-elect": "false", "bind-address": "127.0.0.1",
            "allocate-node-cidrs": "true",  # kube-router asks for the node's
            "cluster-cidr": names.PODS, "service-cluster-ip-range": names.SERVICES,
            "cluster-signing-cert-file": PKI / "ca.crt", "cluster-signing-key-file": PKI / "ca.key",
            "flex-volume-plugin-dir": LIB / "kubelet/plugins-exec",  # its own choice is below /usr
        }),
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


def _as(name: str) -> dict[str, object]:
    return dict.fromkeys(("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"), PKI / f"{name}.kubeconfig")


def _options(name: str, options: dict[str, object]) -> list[str]:
    return [_path(name), *(f"--{key}={value}" for key, value in options.items())]


def _path(name: str) -> str:
    return str(program(name))
