"""The certificates of one cluster: an authority of its own that signs three, for scheduler, workers and client, and is forgotten.

The authority's key never reaches a file, so that nobody can add a fourth. X.509 (RFC 5280), keys on NIST P-256.
"""

from __future__ import annotations

import os
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..models import utcnow

ROLES = ("scheduler", "worker", "client")
LIFE = timedelta(days=366)  # longer than any cluster
SKEW = timedelta(days=1)  # of a clock that is wrong or is set back


def write_certificates(folder: Path, cluster_id: str) -> None:
    """`<role>/{ca,cert,key}.pem` for each role, mode 0600; those that exist stay."""
    if all((folder / role / "key.pem").exists() for role in ROLES):
        return
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(key, cluster_id)
    for role in ROLES:
        own = ec.generate_private_key(ec.SECP256R1())
        signed = _signed(own, role, cluster_id, key, authority)
        (folder / role).mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(folder / role / "ca.pem", _pem(authority))
        _write(folder / role / "cert.pem", _pem(signed))
        _write(folder / role / "key.pem", own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def _authority(key: ec.EllipticCurvePrivateKey, cluster_id: str) -> x509.Certificate:
    name = _name(f"cluster {cluster_id}")
    usage = x509.KeyUsage(digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
                          key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False)
    return _builder(name, name, key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True).add_extension(
        usage, critical=True).add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False).sign(key, hashes.SHA256())


def _signed(
    own: ec.EllipticCurvePrivateKey, role: str, cluster_id: str, key: ec.EllipticCurvePrivateKey, authority: x509.Certificate,
) -> x509.Certificate:
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")])
    purposes = x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if role != "client" else [])])
    return _builder(_name(f"{role} of {cluster_id}"), authority.subject, own.public_key()).add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True).add_extension(
        names, critical=False).add_extension(purposes, critical=False).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False).sign(key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key).serial_number(
        x509.random_serial_number()).not_valid_before(utcnow() - SKEW).not_valid_after(utcnow() + LIFE)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
