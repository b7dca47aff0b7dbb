"""Makes one archive of all that a cluster without internet needs: the chart, the images, their bills of materials, and the
checksums, with a program that checks them and brings the images to the nodes or to a registry.

    python3 images/archive.py                      of the images that images/build.py has built
    python3 images/archive.py --from FOLDER        of what `images/build.py --save FOLDER` wrote
    python3 images/archive.py notebook-gpu hub …   of these images alone

Beside the archive it writes the archive's own checksum. The same images and chart give the same archive.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from string import Template

from bill import bill_of_materials
from build import STORE, chosen
from catalogue import EPOCH, ROOT, version
from layout import Layout, Writer
from machine import BuildError, Podman, sha256

NAME = f"voxelhub-{version()}-kubernetes"
PARTS = ROOT / "images" / "parts"
Source = Callable[[Layout, list[str]], None]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="images/archive.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("images", nargs="*", metavar="IMAGE", help="default: all but notebook-gpu")
    made.add_argument("--file", type=Path, default=ROOT / "dist" / f"{NAME}.tar", help=f"default: dist/{NAME}.tar")
    made.add_argument("--from", dest="saved", type=Path, metavar="FOLDER", help="take the images from this folder")
    made.add_argument("--prefix", default="localhost", help="what stands before /voxelhub-<image> (default: %(default)s)")
    made.add_argument("--store", type=Path, default=STORE, help="folder of podman's storage (default: VOXELHUB_IMAGES_DIR or "
                      "%(default)s)")
    return made


def write(target: Path, names: list[str], source: Source) -> None:
    """Under another name until it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            writer = Writer(file, NAME, EPOCH)
            name, packed = chart()
            writer.add(name, packed)
            for values in ("values-evaluation.yaml", "values-pilot.yaml"):
                writer.add(values, (ROOT / "helm" / "voxelhub" / values).read_bytes())
            for page in ("kubernetes.md", "helm-values.md"):
                writer.add(f"docs/{page}", (ROOT / "docs" / page).read_bytes())
            writer.add("LICENSE", (ROOT / "LICENSE").read_bytes())
            writer.add("README.md", Template((PARTS / "archive.md").read_text()).substitute(name=NAME, chart=name).encode())
            writer.add("load", (PARTS / "load.sh").read_bytes(), 0o755)
            layout = Layout(writer, target.parent)
            source(layout, names)
            layout.close()
            writer.add("images.txt", "".join(
                f"{image.name} {image.number} {image.size}\n" for image in sorted(layout.images)).encode())
            writer.close()
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    target.with_name(f"{target.name}.sha256").write_text(f"{sha256(target)}  {target.name}\n")
    whole = sum(image.size for image in layout.images)
    once = sum(layout.sizes.values())
    print(f"[images] {target}: {target.stat().st_size / 1e6:.0f} MB, for {len(layout.images)} images of {whole / 1e6:.0f} MB "
          f"(each common layer once: {once / 1e6:.0f} MB)", flush=True)


def chart() -> tuple[str, bytes]:
    """As `helm package` makes it, without the times at which its files were written."""
    pinned = Path(os.environ.get("VOXELHUB_ENVS_DIR", ROOT / ".envs")) / "helm" / "bin" / "helm"
    helm = str(pinned) if pinned.exists() else shutil.which("helm")
    if not helm:
        raise BuildError("helm is missing. `python3 hub_config/bootstrap.py helm` fetches it.")
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run([helm, "package", str(ROOT / "helm" / "voxelhub"), "--destination", scratch],
                              capture_output=True, text=True, env={**os.environ, "HELM_CONFIG_HOME": scratch})
        if done.returncode:
            raise BuildError(f"helm could not pack the chart: {done.stderr.strip()}")
        (packed,) = Path(scratch).glob("*.tgz")
        plain = io.BytesIO()
        with tarfile.open(packed) as given, tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as made:
            for member in sorted(given, key=lambda each: each.name):
                member.mtime, member.pax_headers = EPOCH, {}
                made.addfile(member, given.extractfile(member))
        return packed.name, gzip.compress(plain.getvalue(), mtime=0)


def of_podman(wanted: argparse.Namespace) -> Source:
    podman = Podman(wanted.store)

    def source(layout: Layout, names: list[str]) -> None:
        references = {name: f"{wanted.prefix}/voxelhub-{name}:{version()}" for name in names}
        with podman.alone():
            if absent := [name for name, reference in references.items() if not podman.exists(reference)]:
                raise BuildError(f"Not built yet: {', '.join(absent)}. `make images` builds all, "
                                 f"`python3 images/build.py {' '.join(absent)}` these.")
            for name, reference in references.items():
                with podman.mounted(reference) as root:
                    bill = bill_of_materials(root, f"voxelhub-{name}", version())
                layout.writer.add(f"bills/voxelhub-{name}.cdx.json", bill.encode())
            with podman.saving([*references.values()]) as stream:
                layout.take(stream, "What podman wrote")
    return source


def of_folder(folder: Path) -> Source:
    def source(layout: Layout, names: list[str]) -> None:
        if absent := [name for name in names if not (folder / f"voxelhub-{name}.tar").exists()
                      or not (folder / f"voxelhub-{name}.cdx.json").exists()]:
            raise BuildError(f"Not in {folder}: {', '.join(absent)}. "
                             f"`python3 images/build.py {' '.join(absent)} --save {folder}` writes them.")
        for name in names:
            layout.writer.add(f"bills/voxelhub-{name}.cdx.json", (folder / f"voxelhub-{name}.cdx.json").read_bytes())
        for name in names:
            with (folder / f"voxelhub-{name}.tar").open("rb") as archive:
                layout.take(archive, archive.name)
    return source


def main(arguments: list[str] | None = None) -> int:
    wanted = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    try:
        names = chosen(wanted.images)
        write(wanted.file.resolve(), names, of_folder(wanted.saved) if wanted.saved else of_podman(wanted))
    except BuildError as error:
        print(f"[images] {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"[images] {wanted.file} could not be written: {error.strerror}.", file=sys.stderr)
        return 1
    print(f"[images] made in {time.monotonic() - started:.0f} s. On the other side: unpack it, and read {NAME}/README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
