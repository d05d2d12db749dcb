"""The fewest that must give way, against trying all of them."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from lasercats.core.circle import _Search, fewest, trimmed

GRAPHS = st.dictionaries(st.integers(0, 7), st.sets(st.integers(0, 7), max_size=3), max_size=8)


def opens(graph: dict[int, set[int]], gone: tuple[int, ...]) -> bool:
    """Tell whether nothing waits in a circle when some are gone."""
    return not trimmed({key: others - {*gone} for key, others in graph.items() if key not in gone})


def by_trying(graph: dict[int, set[int]], free: list[int]) -> int | None:
    """Return how many must go at least, by trying all."""
    sizes = (len(gone) for n in range(len(free) + 1) for gone in combinations(free, n) if opens(graph, gone))
    return next(sizes, None)


@given(GRAPHS, st.sets(st.integers(0, 7)))
def test_no_fewer_would_do(graph: dict[int, set[int]], fixed: set[int]) -> None:
    """What is found opens all circles, and no smaller choice does; none is found just where there is none."""
    free = [key for key in graph if key not in fixed]
    found = fewest(graph, dict.fromkeys(free, 1))
    assert (None if found is None else len(found)) == by_trying(graph, free)
    assert found is None or opens(graph, tuple(found))


@given(GRAPHS)
def test_the_quick_answer_opens_all_circles_too(graph: dict[int, set[int]]) -> None:
    """Where the search is given up, what is chosen still opens every circle."""
    found = _Search[int](dict.fromkeys(graph, 1))._quick(graph)
    assert found is not None
    assert opens(graph, tuple(found))


def test_a_large_ring_needs_one() -> None:
    """A rotation of 48 is opened by the cheapest one of them."""
    ring = {n: {(n + 1) % 48} for n in range(48)}
    assert fewest(ring, {n: 1 if n == 17 else 2 for n in ring}) == [17]


def test_many_swaps_need_one_each() -> None:
    """24 pairs that swap are opened by one of each."""
    pairs = {n: {n ^ 1} for n in range(48)}
    found = fewest(pairs, dict.fromkeys(pairs, 1))
    assert found is not None
    assert len({n // 2 for n in found}) == len(found) == 24
