"""(c) The workspace table at 100,000 entries: every sort with every filter at random offsets, through proxy and directly."""

from __future__ import annotations

import random
import time
from typing import Any, get_args

import httpx
import psutil
from benchmarks.measure import percentile, table
from benchmarks.seeding import seed
from support.installation import Installation
from voxelhub_service.context import make_context
from voxelhub_service.wire_datasets import Sort

AIM_MS = 100
PAGE = 100  # rows that the panel asks for at a time
FILTERS: dict[str, dict[str, str]] = {
    "none": {},
    "name": {"q": "thorax-12"},
    "name, most rows": {"q": "nii"},
    "data type": {"data_type": "ct-image"},
    "format": {"file_format": "dicom"},
    "project": {"project": "demo"},
    "execution": {"execution": "run1000000"},
    "type and format": {"data_type": "ct-image", "file_format": "nifti"},
    "all of them": {"q": "thorax", "data_type": "ct-image", "file_format": "nifti", "project": "demo"},
}


def measure(installation: Installation, entries: int = 100_000, rounds: int = 5) -> str:
    started = time.perf_counter()
    seed(make_context(installation.settings), entries)
    print(f"  {entries} entries written in {time.perf_counter() - started:.0f} s", flush=True)
    headers = {"Authorization": f"Bearer {installation.hub_token('ada')}"}
    found = {}
    service = psutil.Process(installation.pid("service"))
    before = sum(service.cpu_times()[:2])
    for way, api in (("through the proxy", installation.api), ("at the service", f"{installation.settings.service_url}/api/v1")):
        with httpx.Client(base_url=api, headers=headers, timeout=60, trust_env=False) as client:
            found[way] = ask(client, rounds)
    requests = sum(len(values) for times in found.values() for values in times.values())
    cpu_ms = 1000 * (sum(service.cpu_times()[:2]) - before) / requests
    return report(found, entries) + (
        f" The service spent {cpu_ms:.0f} ms of CPU time a request, whatever else the machine did: where the load average "
        "is above the number of cores, most of the time above is waiting for a core.")


def ask(client: httpx.Client, rounds: int) -> dict[tuple[str, str], list[float]]:
    """Milliseconds of each request by (filter, sort). Offsets are random over all rows that the filter leaves."""
    random_ = random.Random(11)
    totals = {name: page(client, limit=1, **wanted)["total"] for name, wanted in FILTERS.items()}
    assert all(totals.values()), f"a filter leaves nothing to list: {totals}"
    questions = [(name, sort) for name in FILTERS for sort in get_args(Sort)] * rounds
    random_.shuffle(questions)
    times: dict[tuple[str, str], list[float]] = {}
    for name, sort in questions:
        offset = random_.randrange(max(1, totals[name] - PAGE))
        before = time.perf_counter()
        got = page(client, sort=sort, limit=PAGE, offset=offset, **FILTERS[name])
        times.setdefault((name, sort), []).append(1000 * (time.perf_counter() - before))
        assert got["total"] == totals[name] and len(got["items"]) == min(PAGE, totals[name] - offset)
    return times


def page(client: httpx.Client, **params: Any) -> dict[str, Any]:
    answer = client.get("/entries", params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def report(found: dict[str, dict[tuple[str, str], list[float]]], entries: int) -> str:
    rows = []
    for way, times in found.items():
        every = [value for values in times.values() for value in values]
        rows.append([f"**all, {way}**", str(len(every)), *_columns(every)])
        for name in FILTERS:
            values = [value for (filter_, _), part in times.items() if filter_ == name for value in part]
            rows.append([f"filter: {name}", str(len(values)), *_columns(values)])
        if way == next(iter(found)):
            for sort in get_args(Sort):
                values = [value for (_, sort_), part in times.items() if sort_ == sort for value in part]
                rows.append([f"sort: {sort}", str(len(values)), *_columns(values)])
    proxied = [value for values in found["through the proxy"].values() for value in values]
    verdict = "met" if percentile(proxied, 0.95) < AIM_MS else "NOT met"
    return (
        f"{entries:,} entries in one project, {PAGE} rows a page, every sort with every filter at a random offset, one request "
        "at a time with a hub token. Milliseconds.\n\n"
        f"{table(['', 'requests', 'p50', 'p95', 'largest'], rows)}\n\nAim: p95 through the proxy below {AIM_MS} ms; {verdict}."
    )


def _columns(values: list[float]) -> list[str]:
    return [f"{percentile(values, 0.5):.0f}", f"{percentile(values, 0.95):.0f}", f"{max(values):.0f}"]
