"""images/archive.py: one archive of chart, images and checksums, and the program in it. Small images of ours; real ones are
installed from it in tests/kubernetes/test_airgapped.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.helm import CHART, LEAST, helm

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "images"))

from archive import NAME  # noqa: E402

pytestmark = pytest.mark.skipif(not shutil.which("zstd"), reason="needs zstd (tests/support/system_packages.sh)")
COMMON, OWN = b"of all images " * 5000, {"hub": b"the hub " * 900, "proxy": b"the proxy " * 800}


def layer(content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def save(folder: Path, name: str, told: bytes = b"") -> None:
    """As `podman save` does; `told` is what the image's configuration thinks of its own layer."""
    layers = [layer(COMMON), layer(OWN[name])]
    digests = [hashlib.sha256(each).hexdigest() for each in (layers[0], told or layers[1])]
    configuration = json.dumps({"architecture": "amd64", "os": "linux", "config": {"User": "1000:1000"}, "rootfs": {
        "type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]}}).encode()
    named = [f"{hashlib.sha256(each).hexdigest()}.tar" for each in layers]
    files = dict(zip(named, layers, strict=True)) | {f"{hashlib.sha256(configuration).hexdigest()}.json": configuration}
    files["manifest.json"] = json.dumps([{
        "Config": [*files][-1], "RepoTags": [f"localhost/voxelhub-{name}:0.1.0"], "Layers": named}]).encode()
    with tarfile.open(folder / f"voxelhub-{name}.tar", "w") as tar:
        for each, content in files.items():
            entry = tarfile.TarInfo(each)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    (folder / f"voxelhub-{name}.cdx.json").write_text('{"bomFormat": "CycloneDX"}\n')


def program(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(ROOT / "images" / "archive.py"), *arguments], capture_output=True, text=True,
                          env={**os.environ, **environ})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of two small images."""
    folder = tmp_path_factory.mktemp("made")
    for name in OWN:
        save(folder, name)
    done = program("hub", "proxy", "--from", str(folder), "--file", str(folder / "archive.tar"))
    assert done.returncode == 0, done.stderr
    assert f"{folder}/archive.tar" in done.stdout and "for 2 images" in done.stdout
    return folder / "archive.tar"


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """It, unpacked."""
    subprocess.run(["tar", "-xf", str(made), "-C", str(tmp_path)], check=True)
    return tmp_path / NAME


def load(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(folder / "load"), *arguments], capture_output=True, text=True, cwd="/")


def blob(folder: Path, digest: str) -> Path:
    return folder / "images/blobs/sha256" / digest.removeprefix("sha256:")


def test_a_common_layer_is_there_once_and_every_image_is_what_was_built(folder: Path) -> None:
    index = json.loads((folder / "images/index.json").read_text())
    manifests = [json.loads(blob(folder, each["digest"]).read_text()) for each in index["manifests"]]
    for name, entry, manifest in zip(OWN, index["manifests"], manifests, strict=True):
        assert entry["annotations"] == {"io.containerd.image.name": f"localhost/voxelhub-{name}:0.1.0",
                                        "org.opencontainers.image.ref.name": f"voxelhub-{name}:0.1.0"}
        plain = [subprocess.run(["zstd", "-dc", str(blob(folder, each["digest"]))], capture_output=True, check=True).stdout
                 for each in manifest["layers"]]
        assert plain == [layer(COMMON), layer(OWN[name])]
        assert json.loads(blob(folder, manifest["config"]["digest"]).read_text())["config"]["User"] == "1000:1000"
        assert f"localhost/voxelhub-{name}:0.1.0 {manifest['config']['digest']} " in (folder / "images.txt").read_text()
    assert manifests[0]["layers"][0] == manifests[1]["layers"][0]
    assert len([*folder.glob("images/blobs/sha256/*")]) == 3 + 2 * 2  # layers; configurations and manifests


def test_the_same_images_and_chart_give_the_same_archive(made: Path, tmp_path: Path) -> None:
    done = program("hub", "proxy", "--from", str(made.parent), "--file", str(tmp_path / "archive.tar"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "archive.tar").read_bytes() == made.read_bytes()
    assert subprocess.run(["sha256sum", "--check", "archive.tar.sha256"], cwd=tmp_path, capture_output=True).returncode == 0


def test_every_file_has_its_checksum_and_the_readme_names_every_file(folder: Path) -> None:
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"SHA256SUMS"}
    said = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True)
    assert said.returncode == 0 and {line.split(": ")[0] for line in said.stdout.splitlines()} == files
    readme = (folder / "README.md").read_text()
    assert [name for name in files if name.split("/")[0] not in readme and name not in {"LICENSE", "README.md"}] == []
    assert {"bills/voxelhub-hub.cdx.json", "bills/voxelhub-proxy.cdx.json"} <= files


def test_the_chart_in_it_is_that_of_the_checkout_and_helm_renders_it(folder: Path) -> None:
    (packed,) = folder.glob("*.tgz")
    with tarfile.open(packed) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            assert member.name == "voxelhub/Chart.yaml" or file.read() == (CHART.parent / member.name).read_bytes()
        assert {"voxelhub/Chart.yaml", "voxelhub/values.schema.json", "voxelhub/templates/NOTES.txt"} <= set(tar.getnames())
    done = helm("template", "voxelhub", str(packed), "--namespace", "vre", values=LEAST)
    assert done.returncode == 0, done.stderr


def test_a_whole_archive_is_called_whole(folder: Path) -> None:
    done = load(folder, "check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "load: every file is here and whole.\n", "")


@pytest.mark.parametrize("which", [
    "images/blobs/sha256/*", "images/index.json", "images.txt", "voxelhub-*.tgz", "values-pilot.yaml", "bills/*hub*"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_damaged_file_is_named_and_nothing_is_loaded(which: str, how: str, folder: Path) -> None:
    file = max(folder.glob(which))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content if how == "flipped" else content[:-1])
    if how == "gone":
        file.unlink()
    name = file.relative_to(folder)
    wrong = f"{name} is missing." if how == "gone" else f"{name} is damaged: its SHA-256 is not the one in SHA256SUMS."
    for command in (["check"], ["push", "127.0.0.1:9/vre"] if shutil.which("skopeo") else ["check"]):
        done = load(folder, *command)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines() == [
            f"load: {wrong}", "load: Nothing was loaded. Copy the archive again, and unpack it into an empty folder."]


@pytest.mark.parametrize("line", [0, 3, -1])
def test_damaged_checksums_are_noticed(line: int, folder: Path) -> None:
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    lost = [name for name in lines if "images" in name][line]
    (folder / "SHA256SUMS").write_text("\n".join(each for each in lines if each != lost) + "\n")
    done = load(folder, "check")
    assert done.returncode == 1 and f"SHA256SUMS is damaged: it does not name {lost.split()[1]}." in done.stderr


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 1])
def test_an_archive_that_ends_too_early_is_not_taken_for_whole(part: float, made: Path, tmp_path: Path) -> None:
    content = made.read_bytes()
    sums = content.rindex(f"{NAME}/SHA256SUMS".encode())
    (tmp_path / "short.tar").write_bytes(content[:int(sums * part)])
    subprocess.run(["tar", "-xf", "short.tar"], cwd=tmp_path, capture_output=True)  # says nothing where a file has just ended
    shutil.copy(ROOT / "images/parts/load.sh", tmp_path / NAME / "load")
    (tmp_path / NAME / "load").chmod(0o755)
    done = load(tmp_path / NAME, "check")
    assert (done.returncode, done.stderr) == (1, "load: SHA256SUMS is missing: the archive was not unpacked to its end.\n")


def test_load_without_a_command_says_its_commands(folder: Path) -> None:
    done = load(folder)
    assert done.returncode == 2 and not done.stdout
    assert [word for word in ("./load check", "./load containerd", "./load push REGISTRY/PATH") if word not in done.stderr] == []
    assert load(folder, "push").stderr == "load: Name the registry: ./load push registry.example.org/voxelhub\n"


def test_an_image_that_is_not_there_is_said_with_what_makes_it(made: Path, tmp_path: Path) -> None:
    done = program("hub", "service", "--from", str(made.parent), "--file", str(tmp_path / "archive.tar"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f"[images] Not in {made.parent}: service. `python3 images/build.py service --save {made.parent}` "
                           "writes them.\n")
    assert [*tmp_path.iterdir()] == []


def test_a_saved_image_that_is_damaged_makes_no_archive(tmp_path: Path) -> None:
    save(tmp_path, "hub", told=b"another layer")
    said = program("hub", "--from", str(tmp_path), "--file", str(tmp_path / "out/archive.tar")).stderr
    assert said == (f"[images] {tmp_path}/voxelhub-hub.tar is no complete archive of images: a layer of "
                    "localhost/voxelhub-hub:0.1.0 is not the one that was built. Build and save it again.\n")
    (tmp_path / "voxelhub-hub.tar").write_bytes((tmp_path / "voxelhub-hub.tar").read_bytes()[:40_000])
    said = program("hub", "--from", str(tmp_path), "--file", str(tmp_path / "out/archive.tar")).stderr
    assert said.startswith(f"[images] {tmp_path}/voxelhub-hub.tar is no complete archive of images: ")
    assert [*(tmp_path / "out").iterdir()] == []


def test_a_full_disk_leaves_no_half_archive(made: Path, tmp_path: Path) -> None:
    command = ["sh", "-c", 'ulimit -f 128; exec "$0" "$@"', sys.executable, str(ROOT / "images/archive.py"), "hub", "proxy",
               "--from", str(made.parent), "--file", str(tmp_path / "archive.tar")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"[images] {tmp_path}/archive.tar could not be written: File too large.\n"
    assert [*tmp_path.iterdir()] == []


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Debian's docker-registry, with nothing in it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (tmp_path / "registry.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\n"
        f"http: {{addr: '{address}'}}\n")
    with subprocess.Popen(["docker-registry", "serve", str(tmp_path / "registry.yml")], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError), socket.create_connection(tuple(address.split(":"))):  # type: ignore[arg-type]
                    break
                time.sleep(0.1)
            yield address
        finally:
            process.terminate()


@pytest.mark.kubernetes
@pytest.mark.skipif(not shutil.which("skopeo") or not shutil.which("docker-registry"),
                    reason="needs skopeo and docker-registry (tests/kubernetes/system_packages.sh)")
def test_a_registry_has_each_image_as_the_archive_has_it(folder: Path, registry: str) -> None:
    done = load(folder, "push", f"{registry}/vre")
    assert done.returncode == 1, "it speaks no TLS"
    assert done.stderr.splitlines()[-1] == (
        f"load: {registry}/vre did not take voxelhub-hub:0.1.0; see above. The same command goes on from there.")
    done = load(folder, "push", f"{registry}/vre", "--dest-tls-verify=false")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"load: in the chart's values: image: {{ registry: {registry}/vre }}"
    for entry in json.loads((folder / "images/index.json").read_text())["manifests"]:
        name = entry["annotations"]["org.opencontainers.image.ref.name"]
        said = subprocess.run(["skopeo", "inspect", "--tls-verify=false", f"docker://{registry}/vre/{name}"], capture_output=True,
                              text=True)
        assert said.returncode == 0, said.stderr
        assert json.loads(said.stdout)["Digest"] == entry["digest"]
