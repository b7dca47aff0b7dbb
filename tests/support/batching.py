"""A batch from the client's first request to its second table, whatever is killed meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from support.fleet import Fleet
from support.journeys import Journey
from support.world import until, versions_of
from voxelhub_service.database import reading
from voxelhub_service.fsck.registry import checks
from voxelhub_service.models import Batch, Dataset, Run

ITEMS = ("first.csv", "second.csv", "third.csv")
ENTRIES = {name: ("table", "table", "csv", {name: b"broken" if name == ITEMS[1] else name.encode()}) for name in ITEMS}
SCRIPT = "if 'broken' in open(inputs[0]).read(): sys.exit(1)"


@dataclass
class BatchJourney(Journey):
    """Three items, of which the second breaks each time; when its table is there, what failed is tried again.

    Every item has one result or a reason, and there is one table for each time that all had ended.
    """

    batch: str = ""

    def walk(self) -> Run:
        items = [{"label": name, "inputs": {"volume": [self.fleet.entries[name]]}} for name in ITEMS]
        body = {"tool": "probe", "project": "alpha", "title": self.name, "items": items,
                "arguments": {"sleep": self.sleep, "script": SCRIPT}}
        self.batch = self._ask("POST", "/batches", json=body, headers={"Idempotency-Key": self.name}).json()["id"]
        self._over(1)
        self._ask("POST", f"/batches/{self.batch}/retry", headers={"Idempotency-Key": f"{self.name} again"})
        self._over(2)
        return self.runs("join")[-1]

    def _over(self, joins: int) -> None:
        until(lambda: len(self.runs("join")) >= joins and self.told()["state"] == "failed", 240, step=0.2)
        until(lambda: not list(self.fleet.settings.runs_dir.glob("*/open")))

    def told(self) -> dict[str, Any]:
        return dict(self._ask("GET", f"/batches/{self.batch}").json())

    def runs(self, kind: str) -> list[Run]:
        with reading(self.fleet.context.engine) as session:
            return list(session.scalars(select(Run).where(Run.batch_id == self.batch, Run.kind == kind).order_by(Run.number)))

    def check(self, run: Run, expected: str | None) -> None:
        told, items, joins = self.told(), self.runs("tool"), self.runs("join")
        assert [one["state"] for one in told["items"]] == ["succeeded", "failed", "succeeded"]
        assert [join.state for join in joins] == ["succeeded", "succeeded"], "one table for each time that all had ended"
        for one in (*items, *joins):
            assert len(versions_of(self.fleet.context, one.id)) == (one.state == "succeeded"), one.title
            assert one.state == "succeeded" or one.reason.endswith("."), one.reason
        assert all(len(list((self.fleet.settings.runs_dir / one.id).glob("claim-*"))) <= 1 for one in items), "a tool ran twice"
        with reading(self.fleet.context.engine) as session:
            batches = session.scalars(select(Batch).where(Batch.title.startswith(self.name))).all()
            titles = sorted(session.scalars(select(Dataset.title).where(Dataset.title.startswith(self.name))))
        assert [one.joined for one in batches] == [2]
        assert titles == sorted(f"{self.name} · {name}" for name in (ITEMS[0], ITEMS[2], "joined table"))
        page = self._ask("GET", f"/batches/{self.batch}/table").json()
        assert [row[3] for row in page["rows"]] == ["succeeded", "failed", "succeeded"]
        findings = [finding.sentence for check in checks() for finding in check.run(self.fleet.context, True)]
        assert findings == []


def journey_of(fleet: Fleet, kind: str, name: str, sleep: float) -> Journey:
    return BatchJourney(fleet, kind, name, min(sleep, 0.3)) if kind == "batch" else Journey(fleet, kind, name, sleep)
