"""The cluster's certificates, and a kubeconfig for each that speaks to the API server."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import names

MASTERS = "system:masters"
# Who speaks to the API server: common name, organization.
CLIENTS = {
    "admin": ("admin", MASTERS), "kube-router": ("kube-router", MASTERS), "volumes": ("volumes", MASTERS),
    "kube-controller-manager": ("system:kube-controller-manager", ""), "kube-scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""), "kubelet": (f"system:node:{names.NODE}", "system:nodes"),
}
API_NAMES = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]


@dataclass(frozen=True)
class Authority:
    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def issue(self, common: str, organization: str = "", server: list[str] | None = None) -> tuple[bytes, bytes]:
        """Certificate and key: for the addresses `server`, or else for a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        built = _builder(_name(common, organization), self.name, key)
        built = built.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if server:
            built = built.add_extension(x509.SubjectAlternativeName([_address(each) for each in server]), critical=False)
        return _pem(built.sign(self.key, hashes.SHA256())), _private(key)


def write(folder: Path, server: str = names.SERVER) -> None:
    """Everything, into an empty folder, for an API server at that address. It meets kubelets as a master, and extensions through
    an authority apart."""
    authority, front = _authority("voxelhub-test"), _authority("voxelhub-test-front-proxy")
    accounts = ec.generate_private_key(ec.SECP256R1())
    pairs = {
        "apiserver": authority.issue("kube-apiserver", server=[*API_NAMES, names.NODE_IP, names.API_SERVICE_IP, "127.0.0.1"]),
        "apiserver-kubelet-client": authority.issue("kube-apiserver-kubelet-client", MASTERS),
        "front-proxy-client": front.issue("front-proxy"),
        "kubelet": authority.issue(f"system:node:{names.NODE}", server=[names.NODE, names.NODE_IP]),
        "ca": (_pem(authority.certificate), _private(authority.key)),
        "front-proxy-ca": (_pem(front.certificate), _private(front.key)),
        "service-accounts": (_public(accounts), _private(accounts)),
    }
    for name, (certificate, key) in pairs.items():
        (folder / f"{name}.crt").write_bytes(certificate)
        _secret(folder / f"{name}.key", key)
    for name, (common, organization) in CLIENTS.items():
        pair = authority.issue(common, organization)
        _secret(folder / f"{name}.kubeconfig", _kubeconfig(server, _pem(authority.certificate), *pair))


def _authority(common: str) -> Authority:
    key, name = ec.generate_private_key(ec.SECP256R1()), _name(common)
    built = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Authority(name, key, built.sign(key, hashes.SHA256()))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=30)))


def _kubeconfig(server: str, authority: bytes, certificate: bytes, key: bytes) -> bytes:
    def text(content: bytes) -> str:
        return base64.b64encode(content).decode()

    name = "voxelhub-test"
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": text(authority)}}],
        "users": [{"name": name, "user": {"client-certificate-data": text(certificate), "client-key-data": text(key)}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }, indent=1).encode()


def _name(common: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _address(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                             serialization.NoEncryption())


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _secret(path: Path, content: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(content)
