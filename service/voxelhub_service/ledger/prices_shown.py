"""The price list as it crosses the wire. Pure."""

from __future__ import annotations

from datetime import date

from ..wire_spend import PriceOut, Prices
from .prices import SCHEDULER, PriceList


def show(prices: PriceList, today: date) -> Prices:
    """What has a price; `source` and age tell people how much to trust it."""
    servers = [PriceOut(name=one.name, title=one.title, kind="server", price_per_hour=one.price_per_hour)
               for one in prices.servers if one.price_per_hour]
    workers = [PriceOut(name=one.name, title=one.title, kind="cluster", price_per_hour=one.price_per_hour)
               for one in prices.kinds if one.price_per_hour is not None]
    if prices.scheduler_per_hour is not None:
        scheduler = PriceOut(name=SCHEDULER, title="Scheduler", kind="cluster", price_per_hour=prices.scheduler_per_hour)
        workers.insert(0, scheduler)
    return Prices(
        currency=prices.currency, date=prices.date, source=prices.source, age_days=prices.age_days(today),
        items=[*servers, *workers],
        run_core_hour=prices.runs.core_hour, run_gib_hour=prices.runs.gib_hour, run_gpu_hour=prices.runs.gpu_hour)
