"""What racks add to work orders: what is to be minded at a step, and elevations before and after."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from lasercats.operate.order import Figure
from lasercats.operate.project import Project
from lasercats.operate.work import WorkOrder
from lasercats.racks import elevation
from lasercats.racks.notes import notes
from lasercats.views.elevation import Elevation

STILL = ("mounted", "stays")
"""How boxes are marked of which nothing changes."""


class RackOrders:
    """Found by the entry point `rack` of `lasercats.orders`."""

    def notes(self, project: Project, order: WorkOrder) -> Mapping[int, Sequence[str]]:
        """Return what is to be minded at steps, by their numbers: cables that come along, and power."""
        return notes(project, order)

    def figures(self, order: WorkOrder) -> Iterator[Figure]:
        """Iterate over the racks of an order, before and after, from each face that something changes on."""
        for before, after in elevation.around(order):
            sides = (before, after)
            changed = {box.face for side in sides for box in side.boxes if box.mark not in STILL}
            for face in [face for face in ("front", "rear") if face in changed] or ["front"]:
                yield Figure(
                    f"Rack {before.name}, {face}",
                    {side.caption: partial(_lines, side, face) for side in sides},
                    partial(elevation.svg, sides, face),
                )


def _lines(side: Elevation, face: str, width: int, *, color: bool) -> str:
    return elevation.terminal(side, face, width, color=color)
