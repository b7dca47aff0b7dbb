"""Runs `make up` as a newcomer does, signs in as they would, starts a notebook server, presses Ctrl-C, looks for leftovers.

The standard library alone, on the system's Python; the sign-in runs on the environment that `make up` made.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIGN_IN = """
import sys, time
sys.path.insert(0, "tests")
from support.installation import browser, login, xsrf
url, name, password = sys.argv[1:]
client = browser()
page = login(client, url, name, password)
assert page.status_code == 200 and "/hub/" in str(page.url), (page.status_code, str(page.url), page.text[:400])
answer = client.post(f"{url}/hub/api/users/{name}/server", headers=xsrf(client), json={})
assert answer.status_code in (201, 202), (answer.status_code, answer.text)
deadline = time.monotonic() + 120
while not client.get(f"{url}/hub/api/users/{name}", headers=xsrf(client)).json().get("server"):
    assert time.monotonic() < deadline, "the server did not start"
    time.sleep(1)
page = client.get(f"{url}/user/{name}/lab")  # signs in to the server, as the browser does
assert page.status_code == 200 and str(page.url).startswith(f"{url}/user/{name}/lab"), (page.status_code, str(page.url))
status = client.get(f"{url}/user/{name}/api/status")
assert status.status_code == 200, (status.status_code, status.text[:400])
specs = client.get(f"{url}/user/{name}/api/kernelspecs").json()
assert "imaging" in specs["kernelspecs"], specs
print("signed in as", name, "and a notebook server answers with the kernel imaging")
"""


def main() -> int:
    started = time.monotonic()
    process = subprocess.Popen(["make", "up"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               start_new_session=True)
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        seen += line
        if "Ctrl-C ends everything" in line:
            break
    else:
        print("`make up` ended before it was ready")
        return 1
    print(f"ready after {time.monotonic() - started:.0f} s")
    address = re.search(r"ready:\s+(\S+)", seen)
    password = re.search(r"\bada\s+([a-z0-9-]{23})\s", seen)
    assert address and password, "no address or password was printed"
    done = subprocess.run([str(ROOT / ".envs/core/bin/python"), "-c", SIGN_IN, address[1], "ada", password[1]], cwd=ROOT)
    os.killpg(process.pid, signal.SIGINT)
    code = process.wait(90)
    time.sleep(1)
    left = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdecimal() and _is_ours(entry)]
    print(f"Ctrl-C: ended, {len(left)} processes left")
    return 1 if done.returncode or left or code not in (0, 2, 130, -signal.SIGINT) else 0


def _is_ours(entry: Path) -> bool:
    try:
        return b"VOXELHUB_INSTALLATION=" in (entry / "environ").read_bytes()
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
