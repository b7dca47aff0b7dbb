"""Plans for a few slides from each slide's own exact front: their product, slide by slide, culled to its front after each.

No proof, but a good start where there are few slides: what one slide alone would do, with all that limits and rules say of it.
"""

from __future__ import annotations

import numpy as np

from .apart import Apart, seconds_of
from .one import Places
from .problem import Floats, Problem

KEPT = 600  # combinations after each slide


def combined(apart: Apart, most: int) -> list[list[Places]]:
    """Per plan and slide: fragment → column. Empty where a slide alone is too hard, or there are too many of them."""
    problem = apart.problem
    if not apart.worth_it:
        return []
    seconds: Floats = np.zeros((1, len(problem.nodes)))
    plans: list[list[Places]] = [[]]
    for w in range(len(problem.slides)):
        patterns = apart.patterns(w, most)
        if not patterns:
            return []
        added = np.array([seconds_of(problem, w, one) for one in patterns])
        together = (seconds[:, None, :] + added[None, :, :]).reshape(-1, added.shape[1])
        kept = _culled(problem, together, most)
        seconds, plans = together[kept], [[*plans[i // len(patterns)], patterns[i % len(patterns)]] for i in kept.tolist()]
    return plans


def _culled(problem: Problem, seconds: Floats, most: int) -> np.ndarray:
    """Indices of those that none beats in untrusted nodes, cost and makespan; of many, some."""
    used = ((seconds > 0) & ~problem.trusted).sum(axis=1)
    cost = problem.bill(np.arange(seconds.shape[1]), seconds).sum(axis=1)
    spans = seconds.max(axis=1)
    order = np.lexsort((spans, cost, used))
    kept: list[int] = []
    fastest: list[tuple[float, float]] = []  # (cost, makespan) of what is kept, by cost
    for k in range(most + 1):
        of_k = [(cost[i], spans[i], int(i)) for i in order[used[order] == k]]
        best, merged, at = np.inf, [], 0
        for usd, span, i in of_k:
            while at < len(fastest) and fastest[at][0] <= usd:
                best = min(best, fastest[at][1])
                merged.append(fastest[at])
                at += 1
            if span < best:
                best = span
                kept.append(i)
                merged.append((float(usd), float(span)))
        fastest = merged + fastest[at:]
    found = np.array(kept, np.int64)
    return found if len(found) <= KEPT else found[np.linspace(0, len(found) - 1, KEPT).astype(int)]
