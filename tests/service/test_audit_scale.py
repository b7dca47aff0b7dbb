"""Soak: 100,000 records verify in a time that is printed and in memory that does not grow with them."""

from __future__ import annotations

import pytest
from benchmarks.audit import fill, verified
from support.audit_log import append, checkpoint
from support.service import make_test_context
from voxelhub_service.audit.proof import prove


@pytest.mark.slow
def test_a_hundred_thousand_records(tmp_path):
    small, large = make_test_context(tmp_path / "small"), make_test_context(tmp_path / "large")
    fill(small, 2000)
    fill(large, 100_000)
    for context in (small, large):
        checkpoint(context)
        append(context)
        checkpoint(context)
    (_, little, _), (seconds, much, cpu) = verified(tmp_path / "small"), verified(tmp_path / "large")
    print(f"\n100,001 records verified in {seconds:.1f} s ({cpu:.1f} s of CPU), {much / 1024:.0f} MiB above the idle process; "
          f"2,001 records: {little / 1024:.0f} MiB")
    assert much < little + 24 * 1024, "memory does not grow with the log"
    assert len(prove(large.audit, large.engine, 77_777)["inclusion"]) == 17
