"""Shares out kinds of entries to inputs with least and greatest counts: an assignment, or the cut that forbids one.

The least counts are filled first, the rest is placed up to the greatest ones. An augmenting path never takes from an input
without giving to it, so filled inputs stay filled. Where no path is left, the inputs that the search reached are a cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Shortage:
    """too_few: no kinds but `kinds` fit one of `inputs`, and they are fewer than `bound`, the sum of what these need.
    Otherwise: `kinds` fit no inputs but these, and they are more than `bound`, the sum of what these take."""

    too_few: bool
    inputs: tuple[int, ...]
    kinds: tuple[int, ...]
    bound: int


def assign(
    supply: Sequence[int], takes: Sequence[Sequence[int]], counts: Sequence[tuple[int, int]]
) -> list[dict[int, int]] | Shortage:
    """For each kind, how many of it go to which input. `takes` are the inputs of each kind, `counts` (least, greatest)."""
    flow: list[dict[int, int]] = [{} for _ in supply]
    free, held = list(supply), [0] * len(counts)
    fitting: list[list[int]] = [[] for _ in counts]
    for k, some in enumerate(takes):
        for i in some:
            fitting[i].append(k)
    for i, (least, _) in enumerate(counts):
        while held[i] < least:
            reached = _fill(i, least - held[i], flow, free, held, fitting)
            if reached:
                kinds = {k for j in reached for k in fitting[j]}
                return Shortage(True, tuple(sorted(reached)), tuple(sorted(kinds)), sum(counts[j][0] for j in reached))
    for k in range(len(supply)):
        while free[k]:
            full = _place(k, flow, free, held, takes, counts)
            if full is not None:
                kinds = {k} | {one for one, shares in enumerate(flow) if any(shares.get(i) for i in full)}
                return Shortage(False, tuple(sorted(full)), tuple(sorted(kinds)), sum(counts[i][1] for i in full))
    return [{i: share for i, share in sorted(shares.items()) if share} for shares in flow]


def _fill(
    target: int, need: int, flow: list[dict[int, int]], free: list[int], held: list[int], fitting: Sequence[Sequence[int]]
) -> set[int]:
    """Some more for `target`: free ones, or ones whose present input gets free ones instead. Else the inputs reached."""
    came: dict[int, tuple[int, int]] = {}  # input -> (the one that takes from it, what kind)
    queue, seen = [target], {target}
    for i in queue:
        for k in fitting[i]:
            if free[k]:
                _along(i, k, target, need, came, flow, free)
                held[target] = sum(shares.get(target, 0) for shares in flow)
                return set()
            for j, share in flow[k].items():
                if share and j not in seen:
                    seen.add(j)
                    came[j] = (i, k)
                    queue.append(j)
    return seen


def _along(
    i: int, k: int, target: int, need: int, came: dict[int, tuple[int, int]], flow: list[dict[int, int]], free: list[int]
) -> None:
    amount, at = min(need, free[k]), i
    while at != target:
        taker, taken = came[at]
        amount, at = min(amount, flow[taken][at]), taker
    free[k] -= amount
    flow[k][i] = flow[k].get(i, 0) + amount
    while i != target:
        taker, taken = came[i]
        flow[taken][i] -= amount
        flow[taken][taker] = flow[taken].get(taker, 0) + amount
        i = taker


def _place(
    kind: int, flow: list[dict[int, int]], free: list[int], held: list[int], takes: Sequence[Sequence[int]],
    counts: Sequence[tuple[int, int]],
) -> set[int] | None:
    """Some of a free kind into inputs with room, where others move on to make it. Else the full inputs that were reached."""
    came: dict[int, tuple[int, int]] = {}  # input -> (input that a kind leaves for it, -1 for the free ones; that kind)
    queue: list[int] = []
    for i in takes[kind]:
        came[i] = (-1, kind)
        queue.append(i)
    for i in queue:
        room = counts[i][1] - held[i]
        if room > 0:
            amount, at = min(room, free[kind]), i
            while came[at][0] != -1:
                left, moved = came[at]
                amount, at = min(amount, flow[moved][left]), left
            held[i] += amount
            free[kind] -= amount
            while True:
                left, moved = came[i]
                flow[moved][i] = flow[moved].get(i, 0) + amount
                if left == -1:
                    return None
                flow[moved][left] -= amount
                i = left
        for k, shares in enumerate(flow):
            if shares.get(i):
                for j in takes[k]:
                    if j not in came:
                        came[j] = (i, k)
                        queue.append(j)
    return set(queue)
