"""A cluster in words and HTML: plain, readable without a widget, and by a screen reader."""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .cluster_calls import ENDED, money
from .progress import size_text

STATES = {"starting": "starting", "running": "running", "closing": "closing", "closed": "closed", "failed": "failed"}


def facts(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what one wants to know, in the order of importance."""
    if item["state"] in ENDED:
        spent = money(item["cost"], item["currency"])
        return [*([("Reason", item["reason"])] if item["reason"] else []), *([("Cost", spent)] if spent else [])]
    found = [("Workers", _workers(item)), ("Memory", f"{size_text(item['memory'])} of {size_text(item['memory_limit'])} used")]
    if item["tasks_waiting"]:
        found.append(("To do", f"{item['tasks_waiting']} tasks"))
    hourly, so_far = money(item["price_per_hour"], item["currency"]), money(item["cost"], item["currency"])
    most = money(item["price_per_hour_maximum"], item["currency"])
    if hourly:
        found.append(("Cost", f"{so_far} so far · {hourly} an hour now, {most} with all workers"))
    found.append(("Ends", ends(item)))
    return found


def ends(item: Mapping[str, Any]) -> str:
    """When it ends by itself."""
    if item["pinned_until"]:
        return f"pinned until {clock(item['pinned_until'])}"
    owner = "notebook's kernel or your server" if item["made_in"] == "notebook" else "server"
    if item["closes_at"]:
        return f"at {clock(item['closes_at'])} for want of work, or with your {owner}"
    return f"with your {owner}, or after a time without work"


def clock(moment: str) -> str:
    """14:05 today, else with the date; in the kernel's own zone."""
    when = datetime.fromisoformat(moment).astimezone()
    return f"{when:%H:%M}" if when.date() == datetime.now().astimezone().date() else f"{when:%d %B, %H:%M}"


def summary(item: Mapping[str, Any]) -> str:
    """Title, state and facts. Colours are those of the page around it."""
    if not item:
        return "<p>A cluster that was not started yet.</p>"
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in facts(item))
    return (f"<div class='voxelhub-cluster'>{STYLE}<p><b>{html.escape(item['title'])}</b> "
            f"<span class='state {item['state']}'>{STATES.get(item['state'], item['state'])}</span></p><dl>{rows}</dl></div>")


def _workers(item: Mapping[str, Any]) -> str:
    now, wanted = len(item["workers"]), item["wanted_workers"]
    several = f"{now} of {wanted}" if now != wanted else str(now)
    threads = item["threads"]
    mode = f"follows the load, {item['minimum']} to {item['maximum']}" if item["adaptive"] else "a fixed number"
    return f"{several} · {threads} thread{'' if threads == 1 else 's'} · {mode}"


STYLE = """<style>
.voxelhub-cluster{line-height:1.5;max-width:46em}
.voxelhub-cluster p{margin:0 0 .4em}
.voxelhub-cluster .state{border:1px solid currentColor;border-radius:1em;font-size:.85em;margin-left:.4em;padding:.05em .6em}
.voxelhub-cluster .running{color:var(--jp-success-color0,#1b7a33)}
.voxelhub-cluster .failed{color:var(--jp-error-color0,#b3261e)}
.voxelhub-cluster dl{display:grid;gap:.1em 1em;grid-template-columns:max-content 1fr;margin:0}
.voxelhub-cluster dt{font-weight:normal;opacity:.75}
.voxelhub-cluster dd{margin:0}
</style>"""
