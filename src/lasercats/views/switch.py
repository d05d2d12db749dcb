"""`switch show`: the faceplate of a switch, as SVG and for a terminal."""

from collections.abc import Mapping

from lasercats.core.address import Address
from lasercats.core.resource import Resource
from lasercats.views import switch_svg, switch_terminal
from lasercats.views.faceplate import Faceplate


class SwitchPicture:
    """The faceplate, as SVG and for a terminal."""

    def __init__(self, machine: str, resources: Mapping[Address, Resource]) -> None:
        """Take what is on the switch."""
        self._face = Faceplate(machine, resources)

    def svg(self) -> str:
        """Return a whole SVG document."""
        return switch_svg.draw(self._face)

    def terminal(self, width: int, *, color: bool) -> str:
        """Return lines for a terminal of some columns."""
        return switch_terminal.draw(self._face, width, color=color)
