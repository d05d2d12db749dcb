"""What a domain adds to the work orders of those who do its steps; a door for plugins."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from lasercats.operate import plugins

if TYPE_CHECKING:
    from lasercats.operate.project import Project
    from lasercats.operate.work import WorkOrder


class Lines(Protocol):
    """Draws lines for a terminal."""

    def __call__(self, width: int, *, color: bool) -> str:
        """Return lines of at most so many columns."""
        ...


class Draws(Protocol):
    """Draws for a page."""

    def __call__(self) -> str:
        """Return an SVG document."""
        ...


class Figure(NamedTuple):
    """A picture of what a work order changes."""

    title: str
    """`Rack r1, front`."""
    sides: Mapping[str, Lines]
    """What it shows, each with its caption: `before`, `after`."""
    svg: Draws
    """All of it on a page."""


class Orders(Protocol):
    """What a domain adds to work orders; found by the entry points `lasercats.orders`, as a class."""

    def notes(self, project: "Project", order: "WorkOrder") -> Mapping[int, Sequence[str]]:
        """Return what is to be minded at steps, by their numbers."""
        ...

    def figures(self, order: "WorkOrder") -> Iterable[Figure]:
        """Return pictures of what the order changes."""
        ...


def installed() -> Iterator[Orders]:
    """Iterate over what adds to work orders."""
    for name in plugins.names("orders"):
        made: Orders = plugins.load("orders", name, "part of work orders")()
        yield made


def notes(project: "Project", order: "WorkOrder") -> dict[int, tuple[str, ...]]:
    """Return what is to be minded at steps, by their numbers, as all domains say."""
    found: dict[int, tuple[str, ...]] = {}
    for one in installed():
        for number, lines in one.notes(project, order).items():
            found[number] = (*found.get(number, ()), *lines)
    return found


def figures(order: "WorkOrder") -> list[Figure]:
    """Return the pictures of what a work order changes, as all domains draw them."""
    return [figure for one in installed() for figure in one.figures(order)]
