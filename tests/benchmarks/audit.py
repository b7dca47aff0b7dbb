"""(f) The audit log: appends a second with and without signatures, a checkpoint, and the whole verified, in time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

from benchmarks.measure import median, table
from support.audit_log import SCRIPT
from support.service import make_test_context
from voxelhub_service.audit.checkpoint import make
from voxelhub_service.audit.export import export
from voxelhub_service.audit.keys import SigningKeys
from voxelhub_service.audit.proof import prove
from voxelhub_service.context import Context
from voxelhub_service.database import writing

ROUND = 300  # appends of one measurement, a transaction each, as a request makes them
FILL = 1000  # records of one transaction while the log is filled
MEASURED = """
import resource, sys, time
from pathlib import Path
from support.service import make_test_context
from voxelhub_service.audit.verify import verify
from voxelhub_service.database import reading
context = make_test_context(Path(sys.argv[1]))
before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
with reading(context.engine) as session:
    findings = verify(session, context.audit)
assert findings == [], findings[:3]
spent = time.process_time()
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, spent)
"""


def measure(folder: Path, records: int = 100_000, rounds: int = 5) -> str:
    context = make_test_context(folder)
    each: dict[str, list[tuple[float, float]]] = {"signed": [], "not signed": []}
    for _ in range(rounds):
        each["signed"].append(_appends(context))
        with patch.object(SigningKeys, "sign", lambda *_: "00" * 64):  # what a record would cost without its signature
            each["not signed"].append(_appends(make_test_context(folder / f"unsigned-{len(each['not signed'])}")))
    fill(context, records)
    started = time.perf_counter()
    make(context.audit, context.engine)
    first = time.perf_counter() - started
    _appends(context)
    started = time.perf_counter()
    make(context.audit, context.engine)
    next_one = time.perf_counter() - started
    proofs = [_timed(lambda seq=seq: prove(context.audit, context.engine, seq)) for seq in range(1, records, records // 20)]
    seconds, kib, cpu = verified(folder)
    target = folder / "log.zip"
    exporting = _timed(lambda: export(context.audit, context.engine, target))
    checking = _timed(lambda: subprocess.run([sys.executable, "-I", str(SCRIPT), str(target)], check=True, capture_output=True))
    rows = [
        ["append, a transaction each, signed", *_columns(each["signed"])],
        ["the same without the signature", *_columns(each["not signed"])],
        [f"first checkpoint, over {records:,} records, all checked", "", f"{first:.1f} s"],
        [f"next checkpoint, {ROUND} records later", "", f"{1e3 * next_one:.0f} ms"],
        ["proof of one record", "", f"{1e3 * median(proofs):.0f} ms"],
        ["`voxelhub audit verify`", f"{records / seconds:,.0f} records a second", f"{seconds:.1f} s"],
        ["`voxelhub audit export`", f"{target.stat().st_size / 2**20:.0f} MiB", f"{exporting:.1f} s"],
        ["`docs/verify_audit.py` on the export", "", f"{checking:.1f} s"],
    ]
    needed = f"{kib / 1024:.0f} MiB more memory than the process needed to start, and {cpu:.1f} s of CPU time"
    return (
        f"SQLite on disk, one process, {records:,} records; appends are medians of {rounds} rounds of {ROUND}.\n\n"
        f"{table(['', 'rate', 'time'], rows)}\n\nVerifying took {needed}.")


def fill(context: Context, records: int) -> None:
    for start in range(0, records, FILL):
        with writing(context.engine) as session:
            for number in range(start, min(start + FILL, records)):
                _append(context, session, number)


def verified(folder: Path) -> tuple[float, int, float]:
    """Seconds, KiB of memory above the idle process, and CPU seconds, in a process of its own."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    done = subprocess.run([sys.executable, "-c", MEASURED, str(folder)], env={**os.environ, "PYTHONPATH": path}, check=True,
                          capture_output=True, text=True)
    seconds, kib, cpu = map(float, done.stdout.split())
    return seconds, int(kib), cpu


def _appends(context: Context) -> tuple[float, float]:
    """How many a second, and CPU seconds of each."""
    started, spent = time.perf_counter(), time.process_time()
    for number in range(ROUND):
        with writing(context.engine) as session:
            _append(context, session, number)
    return ROUND / (time.perf_counter() - started), (time.process_time() - spent) / ROUND


def _columns(rounds: list[tuple[float, float]]) -> list[str]:
    rate, cpu = median([rate for rate, _ in rounds]), median([cpu for _, cpu in rounds])
    return [f"{rate:,.0f} a second", f"{1e3 / rate:.2f} ms, {1e3 * cpu:.2f} ms of CPU"]


def _append(context: Context, session: object, number: int) -> None:
    context.audit.append(  # as a download writes it
        session, f"user{number % 40}", "file.download", f"file:{number:032x}",  # type: ignore[arg-type]
        detail={"project": "demo", "sha256": f"{number:064x}", "bytes": number})


def _timed(what: object) -> float:
    started = time.perf_counter()
    what()  # type: ignore[operator]
    return time.perf_counter() - started
