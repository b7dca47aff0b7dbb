"""`StudyView`: the planner's views as a widget of Jupyter, in step with Python both ways."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from .built import module
from .page import as_json, checked, write_page

LIMITS = ("max_nodes", "budget_usd", "deadline_s", "max_share", "max_pair_leak")


class StudyView(anywidget.AnyWidget):
    """Shows a study (`voxelhub-study/1`, as `voxelhub_planner.study` makes it).

    `selected`: index of the chosen plan, None without any plan. `limits`: those of the sliders, by the names of `Limits`;
    plans that break one are greyed. `show_prices`: whether the price list is unfolded. All follow the screen and lead it.
    """

    _esm = module()
    study = traitlets.Dict()
    _study = traitlets.Unicode().tag(sync=True)  # as JSON: widgets take seconds to look through thousands of plans
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)
    limits = traitlets.Dict().tag(sync=True)
    show_prices = traitlets.Bool(False).tag(sync=True)

    def __init__(self, study: Mapping[str, Any], **traits: Any) -> None:
        traits.setdefault("selected", balanced(checked(study)["front"]["plans"]))
        super().__init__(study=dict(study), _study=as_json(study), **traits)
        self.observe(self._renewed, "study")

    @classmethod
    def read(cls, path: Path | str, **traits: Any) -> StudyView:
        """Of a file `study.json`."""
        return cls(json.loads(Path(path).read_text("utf-8")), **traits)

    @property
    def plan(self) -> dict[str, Any] | None:
        """The chosen plan as in `study["front"]["plans"]`: assignment, nodes, cost_usd, makespan_s, lower_bound_usd, …"""
        found: dict[str, Any] | None = None if self.selected is None else self.study["front"]["plans"][self.selected]
        return found

    def to_html(self, path: Path | str, title: str = "Plans") -> Path:
        """One file that shows the same without Python and without network. It holds small pictures of the slides: keep it so."""
        return write_page(self.study, path, title)

    def _renewed(self, change: Any) -> None:
        """Another study has other plans: its balanced one is chosen."""
        self._study = as_json(change["new"])
        self.selected = balanced(change["new"]["front"]["plans"])

    @traitlets.validate("study")  # type: ignore[untyped-decorator]
    def _a_study(self, proposal: Any) -> Any:
        return checked(proposal["value"])

    @traitlets.validate("selected")  # type: ignore[untyped-decorator]
    def _a_plan(self, proposal: Any) -> Any:
        plans, value = len(self.study["front"]["plans"]), proposal["value"]
        if value is not None and not 0 <= value < plans:
            raise traitlets.TraitError(f"`selected` is the index of one of {plans} plans; this is {value}.")
        return value

    @traitlets.validate("limits")  # type: ignore[untyped-decorator]
    def _known_limits(self, proposal: Any) -> Any:
        for key, limit in proposal["value"].items():
            if key not in LIMITS:
                raise traitlets.TraitError(f"`limits` has no {key!r}. Known are: {', '.join(LIMITS)}.")
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit < math.inf):
                raise traitlets.TraitError(f"`{key}` must be a number, 0 or more, or None; this is {limit!r}.")
        return proposal["value"]


def balanced(plans: list[dict[str, Any]]) -> int | None:
    """The plan nearest to the best of both cost and time, each scaled to its range; what the screen would choose, too."""
    if not plans:
        return None
    costs, times = [plan["cost_usd"] for plan in plans], [plan["makespan_s"] for plan in plans]
    cheap, fast = min(costs), min(times)
    more, longer = max(max(costs) - cheap, 1e-12), max(max(times) - fast, 1e-12)
    return min(range(len(plans)), key=lambda n: math.hypot((costs[n] - cheap) / more, (times[n] - fast) / longer))
