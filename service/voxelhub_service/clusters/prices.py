"""What a cluster costs an hour, of its sizes and numbers. None where a part of it has no price. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ledger.prices import SCHEDULER, Price, PriceList


def per_hour(prices: PriceList, counts: Mapping[str, int]) -> Price:
    """Of so many processes by profile; of none, no price is known."""
    total = 0.0
    if not any(counts.values()):
        return Price(None, None)
    for profile, count in counts.items():
        one = prices.of_worker(profile)
        if one.per_hour is None and count:
            return Price(None, None)
        total += (one.per_hour or 0.0) * count
    return Price(total, prices.currency, prices.date)


def counts(kind: str, workers: int, groups: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Profile -> processes of a cluster with so many workers of its first kind."""
    found = {SCHEDULER: 1, kind: workers}
    for group in groups:
        found[group["kind"]] = found.get(group["kind"], 0) + int(group["workers"])
    return found
