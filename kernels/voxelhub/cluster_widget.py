"""The controls of a cluster in a notebook: the same as those of the panel Clusters."""

from __future__ import annotations

import asyncio
import contextlib
import html
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from . import cluster_calls as calls
from .cluster_text import summary
from .errors import VoxelHubError

if TYPE_CHECKING:
    from .cluster import Cluster

EVERY_S = 2.0
HOURS = (1, 2, 4, 8, 24)
AWAY = "VoxelHub's service does not answer at the moment. The cluster goes on, and so does what it computes."
SURE = "Really close?"


class Controls:
    """`box` is the widget. What a button does runs in the kernel, between its cells."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.away = False  # the service, when it was asked last
        item = cluster._item
        self.facts = widgets.HTML()
        self.said = widgets.HTML(layout={"min_height": "1.6em"})
        self.workers = _number(max(item["wanted_workers"], 1), "Number of workers")
        self.floor, self.ceiling = _number(item["minimum"], "Floor"), _number(item["maximum"], "Ceiling")
        self.hours = widgets.Dropdown(
            options=[(f"{n} hour{'s' if n > 1 else ''}", n) for n in HOURS], value=4, layout={"width": "8em"}, tooltip="Pin for")
        self.dashboard = widgets.HTML()
        self.buttons = {
            "scale": _button("Scale", "Keep this number of workers", self._do(self._scale)),
            "adapt": _button("Adapt", "Follow the load between floor and ceiling", self._do(self._adapt)),
            "pin": _button("Pin", "Let it outlive this kernel and your server", self._do(self._pin)),
            "unpin": _button("Unpin", "Let it end with your server again", self._do(self._unpin)),
            "close": _button("Close", "End it and all of its processes", self._close),
        }
        rows = [
            [widgets.Label("Workers"), self.workers, self.buttons["scale"]],
            [widgets.Label("Load"), self.floor, widgets.Label("to"), self.ceiling, self.buttons["adapt"]],
            [widgets.Label("Keep for"), self.hours, self.buttons["pin"], self.buttons["unpin"]],
            [self.buttons["close"], self.dashboard],
        ]
        self.controls = widgets.VBox([_row(row) for row in rows])
        self.box = widgets.VBox([self.facts, self.controls, self.said], layout={"padding": "4px 0"})
        self.show()

    def show(self) -> None:
        """As the cluster was when it was looked at last."""
        item = self.cluster._item
        self.facts.value = summary(item)
        open_ = item["state"] in ("starting", "running")
        for name, button in self.buttons.items():
            button.disabled = not open_ or (name == "unpin" and not item["pinned_until"])
        link = html.escape(self.cluster.dashboard_link, quote=True)
        self.dashboard.value = (
            f"<a href='{link}' target='_blank' rel='noopener' style='color:var(--jp-content-link-color);"
            "text-decoration:underline'>Dashboard: tasks, workers, memory</a>" if link and open_ else "")
        if not open_:
            self.controls.layout.display = "none"

    def say(self, text: str, *, trouble: bool = False) -> None:
        """Below the controls; read out by a screen reader."""
        colour = "var(--jp-error-color0,#b3261e)" if trouble else "inherit"
        self.said.value = f"<span role='status' style='color:{colour}'>{html.escape(text)}</span>" if text else ""

    async def follow(self) -> None:
        """Look every two seconds until it has ended."""
        while self.cluster._item["state"] in calls.OPEN:
            await asyncio.sleep(EVERY_S)
            await self.look()

    async def look(self) -> None:
        try:
            self.cluster._item = await asyncio.to_thread(calls.get, self.cluster.id)
            if self.away:
                self.away = False
                self.say("")
        except VoxelHubError as error:
            self.away = error.code == "unavailable"
            self.say(AWAY if self.away else str(error), trouble=True)
        self.show()

    def _do(self, action: Callable[[], Any]) -> Callable[[], None]:
        def act() -> None:
            try:
                action()
                self.say("")
            except VoxelHubError as error:
                self.away = error.code == "unavailable"
                self.say(str(error), trouble=True)
            self.show()

        return act

    def _scale(self) -> None:
        self.cluster._apply(calls.scaling(self.cluster._item, self.workers.value))

    def _adapt(self) -> None:
        self.cluster._apply(calls.adapting(self.cluster._item, self.floor.value, self.ceiling.value))

    def _pin(self) -> None:
        self.cluster._apply(calls.pinning(timedelta(hours=self.hours.value)))

    def _unpin(self) -> None:
        self.cluster._apply(calls.pinning(None))

    def _close(self) -> None:
        """Asks once: what it computes is lost."""
        button = self.buttons["close"]
        if button.description != SURE:
            button.description = SURE
            self.say("What it computes, and results that are still on it, would be lost. Press again to close it.")
            return
        button.description = "Close"
        self._do(lambda: setattr(self.cluster, "_item", calls.close(self.cluster.id)))()


def panel(cluster: Cluster) -> widgets.VBox:
    """The controls, which follow the cluster by themselves."""
    controls = Controls(cluster)

    async def follow() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await controls.follow()

    loop = cluster.loop
    if loop is not None:
        loop.add_callback(follow)
    controls.box.controls = controls  # for whoever holds the widget
    return controls.box


def _number(value: int, name: str) -> widgets.BoundedIntText:
    return widgets.BoundedIntText(value, min=0, max=1000, layout={"width": "5.5em"}, tooltip=name)


def _button(text: str, tooltip: str, action: Callable[[], None]) -> widgets.Button:
    button = widgets.Button(description=text, tooltip=tooltip, layout={"width": "auto", "min_width": "6em"})
    button.on_click(lambda _: action())
    return button


def _row(children: list[Any]) -> widgets.HBox:
    if isinstance(children[0], widgets.Label):
        children[0].layout.width = "5em"
    return widgets.HBox(children, layout={"align_items": "center", "flex_flow": "row wrap"})
