"""make bench: what we do, measured against plain counterparts and other libraries; tables go to docs/measured.

    .envs/test/bin/python tests/benchmarks/bench.py [login] [upload] [listing] [deid] [import] [audit] [clusters] [--no-write]
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import audit, clusters, deid, import_many, listing, login, upload
from benchmarks.measure import PAGE, TITLES, load, section, write_section
from support.installation import Installation

INSTALLED = {"login", "upload", "listing"}  # these need a whole installation
PAGES = {"clusters": PAGE.with_name("clusters.md")}
# An installation as it ships, not with the short times of the tests.
AS_SHIPPED = {
    "VOXELHUB_AUTH_REFRESH_AGE": "10", "VOXELHUB_TOKEN_MIN_LIFE": "30",
    "VOXELHUB_ACTIVITY_INTERVAL": "15", "VOXELHUB_OUTAGE_GRACE": "90",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"any of: {', '.join(TITLES)}; all when left out")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of each measurement instead of its own number")
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="size of the uploaded file (1024)")
    parser.add_argument("--entries", type=int, default=100_000, help="entries of the listing (100000)")
    parser.add_argument("--instances", type=int, default=10_000, help="instances of the import (10000)")
    parser.add_argument("--no-write", action="store_true", help="print only")
    wanted = parser.parse_args()
    names = wanted.what or list(TITLES)
    if unknown := set(names) - set(TITLES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    rounds = {"rounds": wanted.rounds} if wanted.rounds else {}
    with tempfile.TemporaryDirectory(prefix="voxelhub-bench-") as temporary:
        folder = Path(temporary)
        with contextlib.ExitStack() as stack:
            installation = stack.enter_context(started(folder)) if INSTALLED & set(names) else None
            for name in [known for known in TITLES if known in names]:
                print(f"{TITLES[name]} …", flush=True)
                before = load()
                text = section(name, measured(name, installation, folder, wanted, rounds), before)
                print(text, flush=True)
                if not wanted.no_write:
                    write_section(name, text, PAGES.get(name, PAGE))
    return 0


def started(folder: Path) -> Installation:
    print("Starting an installation …", flush=True)
    return Installation(folder / "state", AS_SHIPPED)


def measured(
    name: str, installation: Installation | None, folder: Path, wanted: argparse.Namespace, rounds: dict[str, int]
) -> str:
    if name == "deid":
        return deid.measure(folder / "deid", **rounds)
    if name == "audit":
        return audit.measure(folder / "audit", **rounds)
    if name == "clusters":
        return clusters.measure(folder / "clusters", **rounds)
    if name == "import":
        return import_many.measure(folder / "import", wanted.instances)
    assert installation
    if name == "login":
        return login.measure(installation, folder, **rounds)
    if name == "upload":
        return upload.measure(installation, folder, wanted.size * upload.MIB, **rounds)
    return listing.measure(installation, wanted.entries, **rounds)


if __name__ == "__main__":
    sys.exit(main())
