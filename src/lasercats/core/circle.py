"""Circles: the fewest of what waits for each other that must give way, so that all can go.

It is the smallest feedback vertex set of a directed graph. Finding it is NP-hard (Karp 1972), but what is
asked here is small: a rack has some 48 units. It is searched for exactly, by branching on the shortest circle
left, as long as that takes few steps; beyond that the busiest gives way.
"""

from collections import deque
from collections.abc import Collection, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
STEPS = 20_000
"""Branches that are tried before the search is given up for a quick answer."""


def fewest(waits: Mapping[K, Collection[K]], cost: Mapping[K, float]) -> list[K] | None:
    """Return as few as can be of those that have a cost, such that without them nothing waits in a circle.

    Those that cost nothing do not count, and are taken only where they are needed. Among equally few, those
    that cost little in sum are taken where that is found on the way. None where there is a circle of which no
    one has a cost.
    """
    free = {key for key in waits if cost.get(key) == 0}
    rest = {key: others for key, others in waits.items() if key not in free}
    chosen: list[K] = []
    for graph, costs in ((rest, cost), (waits, dict.fromkeys(free, 1.0))):
        left = {key: {*others} - {*chosen} for key, others in graph.items() if key not in chosen}
        for part in _knots(left):
            found = _Search(costs).run(part)
            if found is None:
                return None
            chosen += found
    return chosen


class _Search(Generic[K]):
    """The search in one knot."""

    def __init__(self, cost: Mapping[K, float]) -> None:
        self._cost, self._left = cost, STEPS

    def run(self, graph: dict[K, set[K]]) -> list[K] | None:
        for most in range(1, len(graph) + 1):
            found = self._within(graph, most)
            if found is not None:
                return found
            if self._left <= 0:
                return self._quick(graph)
        return None

    def _within(self, graph: dict[K, set[K]], most: int) -> list[K] | None:
        """Return at most so many whose leaving opens all circles; None where there are none such."""
        graph = trimmed(graph)
        if not graph:
            return []
        if not most or self._left <= 0:
            return None
        self._left -= 1
        best: list[K] | None = None
        for key in sorted((k for k in _shortest(graph) if k in self._cost), key=lambda k: self._cost[k]):
            more = self._within(_without(graph, key), most - 1)
            if more is not None and (best is None or self._sum([key, *more]) < self._sum(best)):
                best = [key, *more]
                if most == 1:
                    break
        return best

    def _sum(self, keys: list[K]) -> tuple[int, float]:
        return len(keys), sum(self._cost[key] for key in keys)

    def _quick(self, graph: dict[K, set[K]]) -> list[K] | None:
        chosen: list[K] = []
        while graph := trimmed(graph):
            waited = {key: sum(key in others for others in graph.values()) for key in graph}
            free = [key for key in graph if key in self._cost]
            if not free:
                return None
            busiest = max(free, key=lambda key: (waited[key] * len(graph[key]), -self._cost[key]))
            chosen.append(busiest)
            graph = _without(graph, busiest)
        return chosen


def trimmed(waits: Mapping[K, Collection[K]]) -> dict[K, set[K]]:
    """Return a graph without what is in no circle and on no way between two."""
    graph = {key: {other for other in others if other in waits} for key, others in waits.items()}
    while True:
        waited = {other for others in graph.values() for other in others}
        kept = {key for key, others in graph.items() if others and key in waited}
        if len(kept) == len(graph):
            return graph
        graph = {key: graph[key] & kept for key in kept}


def _without(graph: dict[K, set[K]], gone: K) -> dict[K, set[K]]:
    return {key: others - {gone} for key, others in graph.items() if key != gone}


def _shortest(graph: dict[K, set[K]]) -> list[K]:
    """Return a shortest circle of a graph that has one."""
    return min(filter(None, (_circle(graph, start) for start in graph)), key=len)


def _circle(graph: dict[K, set[K]], start: K) -> list[K]:
    """Return a shortest circle through one that waits, its end first; nothing where it is in none."""
    seen, queue = {start}, deque([[start]])
    while queue:
        way = queue.popleft()
        if start in graph[way[0]]:
            return way
        for other in graph[way[0]] - seen:
            seen.add(other)
            queue.append([other, *way])
    return []


def _knots(waits: Mapping[K, Collection[K]]) -> list[dict[K, set[K]]]:
    """Return the strongly connected parts of a graph that have a circle."""
    graph: dict[K, set[K]] = trimmed(waits)
    found: list[dict[K, set[K]]] = []
    while graph:
        start = next(iter(graph))
        turned: dict[K, set[K]] = _reversed(graph)
        ahead, behind = _reached(graph, start), _reached(turned, start)
        knot = ahead & behind
        if len(knot) > 1 or start in graph[start]:
            found.append({key: graph[key] & knot for key in graph if key in knot})
        left: dict[K, set[K]] = {key: others - knot for key, others in graph.items() if key not in knot}
        graph = trimmed(left)
    return found


def _reached(graph: dict[K, set[K]], start: K) -> set[K]:
    seen, queue = {start}, [start]
    while queue:
        new = graph[queue.pop()] - seen
        seen |= new
        queue += new
    return seen


def _reversed(graph: dict[K, set[K]]) -> dict[K, set[K]]:
    turned: dict[K, set[K]] = {key: set() for key in graph}
    for key, others in graph.items():
        for other in others:
            turned[other].add(key)
    return turned
