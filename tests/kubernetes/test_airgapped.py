"""The release is installed from the archive of images/archive.py alone, on a node that reaches nothing of the world."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import archives
import pytest
from cluster import binaries, names
from cluster.client import Failed
from cluster.images import from_scratch
from cluster.running import Cluster
from release import IMAGES, Release

pytestmark = pytest.mark.kubernetes
CABLES = {"cni0": names.NODE_PODS, "eth0": f"{names.HOST_IP.rpartition('.')[0]}.0/24", "outside": "198.51.100.0/24"}


def test_no_route_leads_from_the_node_to_the_world(node: Cluster) -> None:
    """The only way out of it ends in a namespace of ours that plays the internet, and has no other way itself."""
    routes = {(each["dst"], each["dev"]) for each in json.loads(node.inside(["ip", "-json", "route"]).stdout)}
    assert routes == {("default", "outside"), *((network, device) for device, network in CABLES.items())}
    beyond = json.loads(node.inside(["ip", "netns", "exec", "outside", "ip", "-json", "link"]).stdout)
    assert sorted(each["ifname"] for each in beyond) == ["eth0", "lo"]
    with socket.create_server(("0.0.0.0", 0)) as listening:
        port = listening.getsockname()[1]
        assert reaches(node, f"{names.HOST_IP}:{port}") == "open", "the machine's end of the cable, or nothing could be asked"
        for address in addresses_of_the_machine() - {names.HOST_IP}:
            assert reaches(node, f"{address}:{port}") != "open", address


def test_a_registry_cannot_be_reached_from_the_node(node: Cluster) -> None:
    for image in ("docker.io/library/hello-world:latest", f"{names.INTERNET_IP}/voxelhub-hub:0.1.0"):
        with pytest.raises(Failed, match=r"failed to (do request|resolve)"):
            node.inside(["ctr", "--namespace", "voxelhub-test", "images", "pull", image], timeout=120)


def test_every_container_runs_an_image_of_the_archive_and_none_was_fetched(release: Release) -> None:
    with release.session("amira", release.person("amira", "island")) as client:
        release.start(client, "amira")
        running = {status["image"].split("/voxelhub-")[1].split(":")[0]: status["imageID"]
                   for pod in release.pods() for status in (*pod["status"].get("initContainerStatuses", []),
                                                            *pod["status"]["containerStatuses"])}
        release.stop(client, "amira")
    assert running == archives.numbers(archives.unpacked())
    assert set(running) == set(IMAGES)
    fetched = release.kubectl("get", "events", "--field-selector=reason=Pulling", "--output=name")
    assert fetched == ""
    said = release.kubectl("get", "events", "--field-selector=reason=Pulled", "--output=jsonpath={.items[*].message}")
    assert said.count("already present on machine") == said.count("ontainer image") > 0


def test_a_damaged_archive_is_refused_before_anything_is_loaded(node: Cluster, tmp_path: Path) -> None:
    """A small one of an image of ours; the damage is in its last blob, when the others are good."""
    name = f"localhost/voxelhub-proxy:test-{os.getpid()}"
    from_scratch(tmp_path / "voxelhub-proxy.tar", name, binaries.program("probe"))
    (tmp_path / "voxelhub-proxy.cdx.json").write_text("{}")
    subprocess.run([sys.executable, str(archives.ROOT / "images/archive.py"), "proxy", "--from", str(tmp_path),
                    "--file", str(tmp_path / "archive.tar")], check=True)
    content = bytearray((tmp_path / "archive.tar").read_bytes())
    place = content.rindex(b"diff_ids")
    content[place + 40] ^= 1
    (tmp_path / "archive.tar").write_bytes(content)
    subprocess.run(["tar", "-xf", str(tmp_path / "archive.tar"), "-C", str(tmp_path)], check=True)
    with pytest.raises(Failed, match=r"load: images/blobs/sha256/\w+ is damaged: .*\nload: Nothing was loaded\."):
        archives.load(node, tmp_path / archives.NAME)
    assert name not in loaded(node)
    content[place + 40] ^= 1
    (tmp_path / "archive.tar").write_bytes(content)
    shutil.rmtree(tmp_path / archives.NAME)
    subprocess.run(["tar", "-xf", str(tmp_path / "archive.tar"), "-C", str(tmp_path)], check=True)
    archives.load(node, tmp_path / archives.NAME)
    assert name in loaded(node)
    node.inside(["ctr", "--namespace", "k8s.io", "images", "remove", name])


def loaded(node: Cluster) -> list[str]:
    return node.inside(["ctr", "--namespace", "k8s.io", "images", "list", "--quiet"]).stdout.split()


def reaches(node: Cluster, target: str) -> str:
    return node.inside([str(binaries.program("probe")), "connect", target], check=False).stdout.split()[1]


def addresses_of_the_machine() -> set[str]:
    links = json.loads(subprocess.run(["ip", "-json", "-4", "address"], capture_output=True, check=True).stdout)
    return {each["local"] for link in links for each in link["addr_info"] if each["scope"] == "global"}
