"""A month of spend as the service would have counted it, for pages that show it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from voxelhub_service.context import Context
from voxelhub_service.database import writing
from voxelhub_service.models import LedgerEntry, Project, new_id

PRICES = """
currency: EUR
date: 2026-11-01
scheduler_per_hour: 0.02
kinds:
  - {name: small, title: Small, cpu: 1, memory: 1 GiB, price_per_hour: 0.04, default: true}
  - {name: medium, title: Medium, cpu: 2, memory: 4 GiB, price_per_hour: 0.10}
runs: {core_hour: 0.03, gib_hour: 0.005}
"""
BUDGETS = """
currency: EUR
people:
  alice: {money: 40}
  bob: {money: 1}
projects:
  demo: {money: 50}
"""
SIZES = {"server": ("medium", 0.08), "cluster": ("small", 0.04), "run": ("1 core, 0.5 GiB", 0.0325)}


def add_entry(
    context: Context, owner: str, kind: str, day: str, hours: float, *, project: str | None = "demo", title: str = "",
    tool: str = "", running: bool = False,
) -> None:
    """One row. `hours` are those it ran; a core each."""
    profile, price = SIZES[kind]
    began = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(hours=8)
    with writing(context.engine) as session:
        found = session.scalars(select(Project.id).where(Project.name == project)).first()
        session.add(LedgerEntry(
            id=new_id(), kind=kind, subject=new_id(), title=title or f"A {kind}", owner=owner, project_id=found, profile=profile,
            tool=tool, day=day, started_at=began, ended_at=None if running else began + timedelta(hours=hours),
            seconds=hours * 3600, core_seconds=hours * 3600, used_cpu_seconds=hours * 1800, peak_memory=300 * 1024**2,
            price_per_hour=price, currency="EUR", price_date="2026-11-01"))
