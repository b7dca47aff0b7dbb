"""(a) From sending the login form to the first output of a kernel: VoxelHub against a bare JupyterHub.

Both run at the same time and take turns, so that a change of the machine's load meets both. Each round is a new browser
session and a new server; the first round of each is not counted.
"""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

from benchmarks.bare_hub import PASSWORD, bare_hub
from benchmarks.measure import median, table
from benchmarks.visitor import STEPS, Visitor
from support.installation import Installation, xsrf

AIM = 1.15


def measure(installation: Installation, folder: Path, rounds: int = 7) -> str:
    ours: list[dict[str, float]] = []
    bare: list[dict[str, float]] = []
    with bare_hub(folder / "bare") as url:
        for number in range(rounds + 1):
            for name, found, visit in (("bare", bare, lambda: visit_bare(url)), ("ours", ours, lambda: visit_ours(installation))):
                times = visit()
                print(f"  round {number} {name}: " + ", ".join(f"{step} {times[step]:.2f} s" for step in STEPS), flush=True)
                if number:
                    found.append(times)
    return report(ours, bare)


def visit_bare(url: str) -> dict[str, float]:
    visitor = Visitor(url, "bench")
    visitor.client.get(f"{url}/hub/login")
    # Without a form of options the hub starts the server at once and shows its waiting page.
    visitor.sign_in(f"{url}/hub/login", {"username": "bench", "password": PASSWORD, "_xsrf": visitor.cookie("/hub/")})
    return finish(visitor)


def visit_ours(installation: Installation) -> dict[str, float]:
    url, name = installation.url, "ada"
    visitor = Visitor(url, name)
    page = visitor.client.get(f"{url}/hub/oauth_login")
    action = re.search(r'<form[^>]*id="kc-form-login"[^>]*action="([^"]+)"', page.text)
    assert action, page.url
    form = visitor.sign_in(urljoin(str(page.url), unescape(action[1])), {"username": name, "password": installation.users[name]})
    assert 'name="profile"' in form.text, form.url
    answer = visitor.client.post(f"{url}/hub/spawn/{name}", params={"_xsrf": xsrf(visitor.client)["X-XSRFToken"]},
                                 data={"profile": "standard"})
    assert answer.status_code == 200, answer.text
    return finish(visitor)


def finish(visitor: Visitor) -> dict[str, float]:
    visitor.wait_ready()
    visitor.first_output()
    visitor.stop_server()
    return visitor.times


def report(ours: list[dict[str, float]], bare: list[dict[str, float]]) -> str:
    rows = []
    for step in STEPS:
        a, b = median([t[step] for t in ours]), median([t[step] for t in bare])
        rows.append([f"form sent → {step}", f"{b:.2f} s", f"{a:.2f} s", f"{a / b:.2f}"])
    ratio = float(rows[-1][3])
    totals = {"bare": [t[STEPS[-1]] for t in bare], "VoxelHub": [t[STEPS[-1]] for t in ours]}
    spread = " · ".join(f"{name} {min(times):.2f}–{max(times):.2f} s" for name, times in totals.items())
    return (
        f"Medians of {len(ours)} rounds each, taking turns. VoxelHub: Keycloak, profile form, bubblewrap, our extension. Bare: "
        f"dummy authenticator, SimpleLocalProcessSpawner, no sandbox, the same JupyterLab and kernel.\n\n"
        f"{table(['step', 'bare JupyterHub', 'VoxelHub', 'ratio'], rows)}\n\n"
        f"Spread of the last line: {spread}. Aim: at most {AIM} times; {'met' if ratio <= AIM else 'NOT met'}."
    )
