"""podman with storage and settings of its own, and what a build takes along of this machine's registries."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

LOCAL_BASE = "localhost/debian:bookworm-slim"
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
# Settings of the machine's tools that a site's registries may need; the ones that name a file of certificates apart.
KEPT = re.compile(r"PIP_(INDEX_URL|EXTRA_INDEX_URL|DEFAULT_TIMEOUT|TRUSTED_HOST)|UV_(INDEX_URL|DEFAULT_INDEX|INDEX|HTTP_TIMEOUT)"
                  r"|npm_config_(?!cache|userconfig|globalconfig|prefix)[a-z_]+|https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY")
CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "npm_config_cafile")


class BuildError(Exception):
    """A sentence for the person at the terminal."""


class Podman:
    """podman whose storage, settings and run-time files are in one folder, of which nothing else on the machine knows."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("podman"):
            raise BuildError("podman is missing. On Debian: apt-get install podman runc mmdebstrap")
        self.folder = folder.resolve()
        settings = self.folder / "settings"
        settings.mkdir(parents=True, exist_ok=True)
        (settings / "containers.conf").write_text(containers_conf())
        (settings / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{self.folder}/storage"\nrunroot = "{self.folder}/run"\n')
        (settings / "registries.conf").write_text('unqualified-search-registries = ["docker.io"]\n')
        (settings / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}\n')
        self.environ = {**os.environ, "CONTAINERS_CONF": str(settings / "containers.conf"),
                        "CONTAINERS_STORAGE_CONF": str(settings / "storage.conf"),
                        "CONTAINERS_REGISTRIES_CONF": str(settings / "registries.conf"), "TMPDIR": str(self.folder)}
        self.policy = f"--signature-policy={settings / 'policy.json'}"

    def run(self, *arguments: str) -> None:
        done = subprocess.run(["podman", *arguments], env=self.environ, stdout=subprocess.DEVNULL)
        if done.returncode:
            raise BuildError(f"`podman {arguments[0]}` ended with code {done.returncode}; its message is above.")

    def ask(self, *arguments: str) -> str:
        done = subprocess.run(["podman", *arguments], env=self.environ, capture_output=True, text=True)
        if done.returncode:
            raise BuildError(f"`podman {' '.join(arguments[:3])}` failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def exists(self, reference: str) -> bool:
        return subprocess.run(["podman", "image", "exists", reference], env=self.environ).returncode == 0

    def size(self, reference: str) -> int:
        return int(json.loads(self.ask("image", "inspect", reference))[0]["Size"])

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One build at a time in this folder; the site's settings that a killed one left behind are taken away."""
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("[images] another build is at work here; waiting for it", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            for stale in self.folder.glob(".site-*"):
                shutil.rmtree(stale, ignore_errors=True)
            yield

    def base(self, reference: str, *, given: bool, again: bool) -> str:
        """The name of a base image that is here: found, made, or pulled."""
        local = LOCAL_BASE if not given and os.getuid() == 0 and shutil.which("mmdebstrap") else ""
        name = local or reference
        if self.exists(name) and not again:
            return name
        if local:
            self._bootstrap(local)
        else:
            print(f"[images] fetching {reference}", flush=True)
            if subprocess.run(["podman", "pull", "-q", self.policy, reference], env=self.environ).returncode:
                raise BuildError(f"The base image {reference} is not here and cannot be fetched. Name another with --base, or "
                                 "run this as root with mmdebstrap installed, which makes one from Debian's packages.")
        return name

    def _bootstrap(self, name: str) -> None:
        """The smallest Debian 12 that apt calls a system, without manuals and translations, from this machine's mirror."""
        print("[images] making a base image with mmdebstrap", flush=True)
        without = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "locale", "doc")]
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            archive = Path(scratch) / "base.tar"
            done = subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", *without,
                                   "--dpkgopt=path-include=/usr/share/doc/*/copyright", "--include=ca-certificates",
                                   "bookworm", str(archive), *debian_sources()])
            if done.returncode:
                raise BuildError("mmdebstrap could not make the base image; its message is above. Name another with --base.")
            self.run("import", "-q", "--change", 'CMD ["/bin/bash"]', str(archive), name)

    def build(self, sources: Path, file: Path, target: str, reference: str, base: str, *, mounts: tuple[Path, Path],
              labels: Mapping[str, str]) -> None:
        site, cache = mounts
        command = [
            "podman", "build", self.policy, "--network=host", "--pull=never", "--format=oci", "--layers", f"--file={file}",
            f"--target={target}", f"--build-arg=BASE={base}", f"--volume={site}:/mnt:ro", f"--volume={cache}:/media:rw",
            *(f"--label={key}={value}" for key, value in labels.items()), f"--tag={reference}", str(sources)]
        log = self.folder / "logs" / f"{target}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("w") as output:
            done = subprocess.run(command, env=self.environ, stdout=output, stderr=subprocess.STDOUT)
        if done.returncode:
            end = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise BuildError(f"{reference} could not be built. The end of {log}:\n{end}")

    @contextlib.contextmanager
    def mounted(self, reference: str) -> Iterator[Path]:
        """The image's files, to look at."""
        folder = self.ask("image", "mount", reference)
        try:
            yield Path(folder)
        finally:
            self.ask("image", "unmount", reference)

    def save(self, reference: str, archive: Path) -> None:
        """As docker-archive, which `ctr images import`, `podman load` and `skopeo copy` read."""
        part = archive.with_name(f".{archive.name}.part")
        part.unlink(missing_ok=True)
        self.run("save", "-q", "--format=docker-archive", f"--output={part}", reference)
        part.replace(archive)
        print(f"[images] {archive}: {archive.stat().st_size / 1e6:.0f} MB", flush=True)

    @contextlib.contextmanager
    def saving(self, references: list[str]) -> Iterator[IO[bytes]]:
        """All of them as one docker-archive, as it is written."""
        command = ["podman", "save", "-q", "--multi-image-archive", "--format=docker-archive", *references]
        with subprocess.Popen(command, env=self.environ, stdout=subprocess.PIPE) as process:
            assert process.stdout
            yield process.stdout
        if process.returncode:
            raise BuildError(f"`podman save` ended with code {process.returncode}; its message is above.")


def containers_conf() -> str:
    """Limits that this process may set: a container's may not be higher, even for a root without CAP_SYS_RESOURCE."""
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 1024**2)
    most = int(Path("/proc/sys/kernel/pid_max").read_text())
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    processes = most if hard == resource.RLIM_INFINITY else min(hard, most)
    runtime = next((name for name in ("runc", "crun") if shutil.which(name)), "runc")
    limits = f'"nofile={files}:{files}", "nproc={processes}:{processes}"'
    return (f'[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "{runtime}"\n'
            f'[containers]\nlog_driver = "k8s-file"\ndefault_ulimits = [{limits}]\n')


def debian_sources() -> list[str]:
    """The machine's own lists of Debian, where it is the same release; else mmdebstrap's."""
    system = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
    if "VERSION_CODENAME=bookworm" not in system or "ID=debian" not in system.split():
        return []
    lists = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*debian*.sources"))]
    return [str(path) for path in lists if path.exists() and path.stat().st_size]


@contextlib.contextmanager
def site_folder(folder: Path) -> Iterator[tuple[Path, Path]]:
    """What RUN finds at /mnt and /media: this machine's settings for registries, and a cache of packages."""
    cache = folder / "cache"
    for part in ("uv", "npm", "pip"):
        (cache / part).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".site-", dir=folder) as scratch:
        site = Path(scratch)
        variables = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
        variables |= {"UV_CACHE_DIR": "/media/uv", "npm_config_cache": "/media/npm", "PIP_CACHE_DIR": "/media/pip",
                      "UV_LINK_MODE": "copy", "PIP_ROOT_USER_ACTION": "ignore"}
        bundle = Path(os.environ.get("SSL_CERT_FILE") or BUNDLE)
        if bundle.is_file():
            shutil.copyfile(bundle, site / "certificates")
            variables |= dict.fromkeys(CERTIFICATES, "/mnt/certificates")
        home = Path.home()
        for name, variable, places in (
            ("pip.conf", "PIP_CONFIG_FILE", (home / ".config/pip/pip.conf", Path("/etc/pip.conf"))),
            ("uv.toml", "UV_CONFIG_FILE", (home / ".config/uv/uv.toml", Path("/etc/uv/uv.toml"))),
            ("npmrc", "npm_config_userconfig", (home / ".npmrc",)),
            ("npmrc-of-all", "npm_config_globalconfig", (Path("/etc/npmrc"),)),
        ):
            if found := next((place for place in places if place.is_file()), None):
                shutil.copyfile(found, site / name)
                variables[variable] = f"/mnt/{name}"
        (site / "environment").write_text("".join(f"export {key}={shlex.quote(value)}\n" for key, value in variables.items()))
        yield site, cache


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> None:
    """Of everything that is in it: `sha256sum --check SHA256SUMS`."""
    files = sorted([*folder.glob("*.tar"), *folder.glob("*.cdx.json")])
    (folder / "SHA256SUMS").write_text("".join(f"{sha256(path)}  {path.name}\n" for path in files))
