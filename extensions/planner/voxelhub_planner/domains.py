"""What limits on a share say about the loads of whole trust domains: a second bound, beside the nodes' own.

No domain may see more of a slide than `max_share`. So m domains together hold at most g(m): of each slide no more than its
m · q largest fragments, q being how many fit one domain, and no more than m times the most that fits. Domains that are not among
these m take what their nodes can by the deadline. That bounds the patches on all nodes up to a price, as in `fluid`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .exact import number
from .problem import Floats, Problem

MOST_NODES = 300  # with more nodes this bound is left out: it looks at every price


@dataclass(frozen=True)
class DomainBound:
    prices: Floats  # of all nodes, ascending, each once
    reach: Floats  # prices × deadlines: patches that nodes up to the price can hold


def domain_bound(problem: Problem, usd: Floats, seconds: Floats, deadlines: Floats) -> DomainBound | None:
    """None where no share is limited, or where domains are nodes and fragments have their own: then nothing is added."""
    share = problem.limits.max_share
    if share is None or len(problem.nodes) > MOST_NODES or any(len(slide.fragments) > 16 for slide in problem.slides):
        return None
    names = sorted({node.trust_domain for node in problem.nodes if not node.trusted})
    if problem.own and len(names) == problem.untrusted_count:
        return None
    most = _held(problem, share, len(names))
    prices = np.unique(usd)
    rates = np.zeros((len(prices), len(names) + 1))  # the last column: trusted nodes
    for j, node in enumerate(problem.nodes):
        column = len(names) if node.trusted else names.index(node.trust_domain)
        rates[np.searchsorted(prices, usd[j]):, column] += 1 / seconds[j]
    slowest = np.cumsum(np.sort(rates[:, :-1], axis=1), axis=1)
    slowest = np.concatenate([np.zeros((len(prices), 1)), slowest], axis=1)  # entry n: of the n slowest domains
    left = slowest[:, ::-1]  # entry m: of all but the m fastest
    reach = (most[None, :, None] + left[:, :, None] * deadlines).min(axis=1)
    return DomainBound(prices, np.minimum(reach + rates[:, -1:] * deadlines, float(problem.patches)))


def _held(problem: Problem, share: float, domains: int) -> Floats:
    """g(m) for m from 0 to the number of domains."""
    total = np.zeros(domains + 1)
    for slide in problem.slides:
        sizes = sorted((n for n in slide.fragments if n), reverse=True)
        limit = int(number(float(share)) * sum(sizes))
        fits = int(np.searchsorted(np.cumsum(sizes[::-1]), limit, side="right"))
        sums = {0}
        for size in sizes:
            sums |= {one + size for one in sums if one + size <= limit}
        largest = np.concatenate(([0], np.cumsum(sizes)))
        counts = np.minimum(np.arange(domains + 1) * fits, len(sizes))
        total += np.minimum(largest[counts], np.arange(domains + 1) * max(sums))
    return total
