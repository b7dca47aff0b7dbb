"""What a slide's patterns (fragment → node) must keep to besides distinct nodes: regions, shares, what parties see together."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from .exact import number
from .model import Limits, Node, Slide
from .problem import Problem
from .views import largest_share, worst_pair


def parties_of(nodes: tuple[Node, ...], slide: Slide, places: Mapping[int, int]) -> list[str | None]:
    """Per fragment the untrusted domain that sees it."""
    found: list[str | None] = [None] * len(slide.fragments)
    for fragment, column in places.items():
        if not nodes[column].trusted:
            found[fragment] = nodes[column].trust_domain
    return found


def keeps(problem: Problem, w: int, places: Mapping[int, int]) -> bool:
    """Whether this part of slide `w`'s pattern breaks no rule yet. What it shows can only grow with what is added."""
    slide, limits = problem.slides[w], problem.limits
    if slide.regions and any(problem.nodes[column].region not in slide.regions for column in places.values()):
        return False
    return shows_little(slide, parties_of(problem.nodes, slide, places), limits)


def shows_little(slide: Slide, parties: list[str | None], limits: Limits) -> bool:
    if limits.max_share is not None and largest_share(slide, parties) > number(limits.max_share):
        return False
    return limits.max_pair_leak is None or worst_pair(slide, parties) <= number(limits.max_pair_leak)


class Spread:
    """All ways to spread one slide's fragments over trust domains, whatever their nodes cost: what is the least that is shown?

    Domains differ here only in how many nodes they have, so the search takes one representative of each kind: exact.
    """

    def __init__(self, problem: Problem, w: int, most_nodes: int) -> None:
        self.problem, self.slide, self.most = problem, problem.slides[w], most_nodes
        self.order = sorted((i for i, n in enumerate(self.slide.fragments) if n), key=lambda i: -self.slide.fragments[i])
        usable = [n for n in problem.nodes if not self.slide.regions or n.region in self.slide.regions]
        self.trusted = sum(node.trusted for node in usable)
        domains: dict[str, int] = {}
        for node in usable:
            if not node.trusted:
                domains[node.trust_domain] = domains.get(node.trust_domain, 0) + 1
        self.rooms = sorted(domains.values(), reverse=True)

    def least(self, what: str) -> Fraction | None:
        """The least `max_share` or `max_pair_leak` that some pattern keeps, the other limit kept too; None: there is none."""
        measure = largest_share if what == "max_share" else worst_pair
        limits = self.problem.limits
        others = Limits(max_pair_leak=limits.max_pair_leak) if what == "max_share" else Limits(max_share=limits.max_share)
        best: Fraction | None = None
        steps = 0

        def go(depth: int, parties: list[str | None], used: list[int], kept: int) -> None:
            nonlocal best, steps
            steps += 1
            if steps > 300_000:
                raise TimeoutError
            found = measure(self.slide, parties)
            if (best is not None and found >= best) or not self._fits(used, kept):
                return
            if not shows_little(self.slide, parties, others):
                return
            if depth == len(self.order):
                best = found
                return
            i = self.order[depth]
            if self.trusted:
                go(depth + 1, parties, used, kept + 1)
            for party in range(len(used) + 1):
                more = [n + (p == party) for p, n in enumerate(used)] if party < len(used) else [*used, 1]
                parties[i] = f"{party:03}"
                go(depth + 1, parties, more, kept)
                parties[i] = None

        go(0, [None] * len(self.slide.fragments), [], 0)
        return best

    def _fits(self, used: list[int], kept: int) -> bool:
        if not self.problem.own:
            return len(used) <= min(self.most, len(self.rooms))
        rooms = all(wanted <= room for wanted, room in zip(sorted(used, reverse=True), self.rooms, strict=False))
        return rooms and len(used) <= len(self.rooms) and sum(used) <= self.most and kept <= self.trusted
