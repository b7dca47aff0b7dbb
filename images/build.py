"""Builds VoxelHub's container images, with podman alone, from the files of this checkout that git tracks.

    python3 images/build.py                        the images that an installation needs, without the GPU one
    python3 images/build.py hub service            some of them
    python3 images/build.py --save FOLDER          and their archives, with SHA-256 sums, for machines without a registry

The base image is --base, or else a Debian that mmdebstrap makes here (as root), or else debian:bookworm-slim from a
registry. Containers and settings of podman on this machine stay as they are: storage and settings of the build are in
a folder of its own, and the build uses the machine's network, so that podman makes no bridge, no firewall rule and
switches no forwarding on. What the machine has of certificates and settings for apt, pip, uv and npm is used in the
build and is in no image.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from bill import bill_of_materials
from catalogue import IMAGES, ROOT, USUAL, context, left_out, revision, version
from machine import BuildError, Podman, site_folder, write_sums

BASE = "debian:bookworm-slim"
STORE = Path(os.environ.get("VOXELHUB_IMAGES_DIR", "/var/tmp/voxelhub-images"))  # noqa: S108 - a default that can be changed


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="images/build.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="images:\n" + "\n".join(f"  {name:14} {image.what}" for name, image in IMAGES.items()))
    made.add_argument("images", nargs="*", metavar="IMAGE", help="default: all but notebook-gpu")
    made.add_argument("--base", default="", help=f"base image, Debian 12 or an image of Python on it (default: {BASE})")
    made.add_argument("--new-base", action="store_true", help="make or pull the base again, for Debian's newest corrections")
    made.add_argument("--tag", default=version(), help="default: %(default)s")
    made.add_argument("--prefix", default="localhost", help="what stands before /voxelhub-<image> (default: %(default)s)")
    made.add_argument("--store", type=Path, default=STORE, help="folder of podman's storage and the package cache, 15 GB "
                      "(default: VOXELHUB_IMAGES_DIR or %(default)s)")
    made.add_argument("--save", type=Path, metavar="FOLDER", help="write each image as docker-archive, its bill of materials, "
                      "and SHA256SUMS")
    made.add_argument("--sizes", action="store_true", help="build nothing; print the sizes of what is built")
    return made


def chosen(names: list[str]) -> list[str]:
    unknown = [name for name in names if name not in IMAGES]
    if unknown:
        raise BuildError(f"There is no image called {', '.join(unknown)}. The images are: {', '.join(IMAGES)}.")
    return names or list(USUAL)


def build(podman: Podman, names: list[str], wanted: argparse.Namespace) -> None:
    """Each with its bill of materials and its archive, before the next: who waits for one need not wait for all."""
    if strays := left_out():
        print(f"[images] not tracked by git, so in no image: {', '.join(strays)}", flush=True)
    base = podman.base(wanted.base or BASE, given=bool(wanted.base), again=wanted.new_base)
    with context() as sources, site_folder(podman.folder) as (site, cache):
        for name in names:
            image, started = IMAGES[name], time.monotonic()
            reference = f"{wanted.prefix}/voxelhub-{name}:{wanted.tag}"
            print(f"[images] building {reference}", flush=True)
            podman.build(sources, ROOT / "images" / image.file, name, reference, base, mounts=(site, cache), labels={
                "org.opencontainers.image.version": wanted.tag, "org.opencontainers.image.revision": revision(),
                "org.opencontainers.image.base.name": base})
            print(f"[images] {reference}: {podman.size(reference) / 1e6:.0f} MB, {time.monotonic() - started:.0f} s", flush=True)
            folder = wanted.save or podman.folder / "bills"
            folder.mkdir(parents=True, exist_ok=True)
            with podman.mounted(reference) as root:
                (folder / f"voxelhub-{name}.cdx.json").write_text(bill_of_materials(root, f"voxelhub-{name}", wanted.tag))
            if wanted.save:
                podman.save(reference, wanted.save / f"voxelhub-{name}.tar")
    if wanted.save:
        write_sums(wanted.save)


def sizes(podman: Podman, names: list[str], wanted: argparse.Namespace) -> None:
    for name in names:
        reference = f"{wanted.prefix}/voxelhub-{name}:{wanted.tag}"
        size = f"{podman.size(reference) / 1e6:6.0f} MB" if podman.exists(reference) else "not built"
        print(f"{reference:50} {size}")


def main(arguments: list[str] | None = None) -> int:
    wanted = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends podman, and takes the site's settings away
    try:
        names = chosen(wanted.images)
        podman = Podman(wanted.store)
        if wanted.sizes:
            sizes(podman, names, wanted)
            return 0
        with podman.alone():
            build(podman, names, wanted)
        sizes(podman, names, wanted)
    except BuildError as error:
        print(f"[images] {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
