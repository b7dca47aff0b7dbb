"""make bench: login, upload and listing, measured against their plain counterparts; tables go to docs/measured/bench.md.

    .envs/test/bin/python tests/benchmarks/bench.py [login] [upload] [listing] [--no-write]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import listing, login, upload
from benchmarks.measure import TITLES, load, section, write_section
from support.installation import Installation

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
    parser.add_argument("--no-write", action="store_true", help="print only")
    wanted = parser.parse_args()
    names = wanted.what or list(TITLES)
    if unknown := set(names) - set(TITLES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    rounds = {"rounds": wanted.rounds} if wanted.rounds else {}
    with tempfile.TemporaryDirectory(prefix="voxelhub-bench-") as temporary:
        folder = Path(temporary)
        print("Starting an installation …", flush=True)
        with Installation(folder / "state", AS_SHIPPED) as installation:
            for name in [known for known in TITLES if known in names]:
                print(f"{TITLES[name]} …", flush=True)
                before = load()
                if name == "login":
                    body = login.measure(installation, folder, **rounds)
                elif name == "upload":
                    body = upload.measure(installation, folder, wanted.size * upload.MIB, **rounds)
                else:
                    body = listing.measure(installation, wanted.entries, **rounds)
                text = section(name, body, before)
                print(text, flush=True)
                if not wanted.no_write:
                    write_section(name, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
