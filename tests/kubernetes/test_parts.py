"""The parts of the cluster that need no cluster."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import tarfile
from pathlib import Path
from string import Template

import pytest
import yaml
from cluster import api, binaries, client, images, names, pki, requirements, volumes

CLAIM = {
    "metadata": {"name": "home-ada", "namespace": "lab", "uid": "7"},
    "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "local", "resources": {"requests": {"storage": "1Gi"}}},
}


def test_a_volume_binds_to_its_claim_and_to_no_other() -> None:
    assert volumes.volume_for(CLAIM) == {
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": "pvc-7", "annotations": {"pv.kubernetes.io/provisioned-by": "voxelhub.test/volumes"}},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem",
            "storageClassName": "local", "persistentVolumeReclaimPolicy": "Delete", "local": {"path": "/var/lib/volumes/pvc-7"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node1"]}]}]}},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": "home-ada", "namespace": "lab", "uid": "7"},
        },
    }


def test_quantities() -> None:
    sizes = {"8Mi": 8 << 20, "1.5Gi": 3 << 29, "2G": 2 * 10**9, "512k": 512000, "7": 7}
    assert {quantity: volumes.in_bytes(quantity) for quantity in sizes} == sizes


def test_an_image_of_a_program_is_the_same_each_time_and_holds_it_alone(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_bytes(b"\x7fELF")
    first, second = (images.from_scratch(tmp_path / f"{n}.tar", "localhost/tool:1", program, ["pause"]) for n in "ab")
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]  # type: ignore[arg-type]
        assert manifest["RepoTags"] == ["localhost/tool:1"]
        configuration = json.load(tar.extractfile(manifest["Config"]))  # type: ignore[arg-type]
        assert configuration["config"]["Entrypoint"] == ["/tool", "pause"]
        with tarfile.open(fileobj=tar.extractfile("layer.tar")) as layer:
            assert [(member.name, oct(member.mode)) for member in layer] == [("tool", "0o755")]


def test_certificates_are_of_their_authority_and_say_who(tmp_path: Path) -> None:
    pki.write(tmp_path)
    authorities = {"ca": ["apiserver", "kubelet", "apiserver-kubelet-client"], "front-proxy-ca": ["front-proxy-client"]}
    for authority, issued in authorities.items():
        for name in issued:
            subprocess.run(["openssl", "verify", "-CAfile", f"{authority}.crt", f"{name}.crt"], cwd=tmp_path, check=True,
                           capture_output=True)
    apiserver = ssl._ssl._test_decode_cert(str(tmp_path / "apiserver.crt"))  # type: ignore[attr-defined]
    assert {("IP Address", names.NODE_IP), ("IP Address", names.API_SERVICE_IP), ("DNS", "kubernetes.default.svc")} <= set(
        apiserver["subjectAltName"])
    assert str(api.session(tmp_path / "admin.kubeconfig").base_url) == f"{names.SERVER}"
    assert {path.stat().st_mode & 0o777 for path in [*tmp_path.glob("*.key"), *tmp_path.glob("*.kubeconfig")]} == {0o600}


def test_every_file_of_the_configuration_is_complete() -> None:
    values = {key.lower(): value for key, value in vars(names).items() if key.isupper()}
    files = [path for path in (names.HERE / "configuration").rglob("*") if path.is_file()]
    assert len(files) >= 6
    for path in files:
        text = Template(path.read_text()).substitute(values)  # a name that is not there raises
        if path.suffix in {".yaml", ".conflist"}:
            assert all(document is not None for document in yaml.safe_load_all(text)), path


def test_a_program_is_built_again_when_its_module_or_flags_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "MODULES", tmp_path)
    (tmp_path / "probe").mkdir()
    source = tmp_path / "probe/main.go"
    source.write_text("package main")
    keys = [binaries.Module("probe", {"probe": "."}).key, binaries.Module("probe", {"probe": "."}).key]
    keys.append(binaries.Module("probe", {"probe": "."}, "-s").key)
    source.write_text("package main\n")
    keys.append(binaries.Module("probe", {"probe": "."}).key)
    assert keys[0] == keys[1] and len(set(keys)) == 3


def test_the_modules_are_pinned_and_of_the_version_that_the_api_server_says() -> None:
    for module in binaries.ALL:
        text = (binaries.MODULES / module.name / "go.mod").read_text()
        assert re.match(rf"module voxelhub\.test/{module.name}\n", text)
        assert "=> ../" not in text and "replace github.com" not in text
    kubernetes = (binaries.MODULES / "kubernetes/go.mod").read_text()
    assert f"k8s.io/kubernetes v{names.KUBERNETES} // indirect\n" in kubernetes


def test_where_no_kubelet_can_run_the_reason_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VOXELHUB_KUBERNETES_SKIP", raising=False)
    monkeypatch.setattr(requirements.os, "getuid", lambda: 1000)
    assert "needs root" in requirements.unavailable()
    monkeypatch.setattr(requirements.os, "getuid", lambda: 0)
    monkeypatch.setattr(requirements, "_capabilities", lambda: requirements.CAP_SYS_ADMIN)
    monkeypatch.setattr(requirements, "_controllers", lambda: {"cpu"})
    assert "lacks memory, pids" in requirements.unavailable() or "writable" in requirements.unavailable()
    monkeypatch.setattr(requirements.os, "access", lambda *_: True)
    monkeypatch.setattr(requirements, "_controllers", lambda: requirements.CONTROLLERS)
    assert "would not see /var/lib/somewhere" in requirements.unavailable(Path("/var/lib/somewhere"))
    monkeypatch.setattr(requirements, "search_path", lambda: str(tmp_path))
    assert "system_packages.sh installs them" in requirements.unavailable(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(requirements, "machine", lambda *_: "")
    monkeypatch.setattr(requirements, "PROGRAMS", {})
    monkeypatch.setattr(requirements, "CNI", tmp_path)
    monkeypatch.setattr(names, "TOOLS", tmp_path)
    assert "kubectl and helm are not here" in requirements.unavailable()
    (tmp_path / "kubectl").touch()
    monkeypatch.setattr(names, "CACHE", tmp_path)
    assert "not built: kubernetes, etcd" in requirements.unavailable()


def test_a_failing_kubectl_says_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").write_text("#!/bin/sh\necho \"$KUBECONFIG: $*\" >&2\nexit 1\n")
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setattr(names, "TOOLS", tmp_path)
    one = client.Client(tmp_path / "config", tmp_path)
    with pytest.raises(client.Failed, match=r"kubectl get pods: .*/config: get pods"):
        one.kubectl("get", "pods")
    assert "config: get pods" in one.kubectl("get", "pods", check=False)
