"""The faceplate of a switch as it is drawn, with the VLANs of its ports as colours and their links as lights.

A VLAN has the same colour in every picture, and its number always stands beside it, so that nobody needs to
tell colours apart.
"""

import colorsys
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lasercats.core.address import Address
from lasercats.core.resource import Resource
from lasercats.core.visible import visible
from lasercats.domains.switch.lag import Lag
from lasercats.domains.switch.port import Port
from lasercats.domains.switch.settings import Switched, at
from lasercats.domains.switch.settings import ports as ports_of
from lasercats.domains.switch.vlan import Vlan
from lasercats.instructions.switch_model import TRUNKS, untagged

DEFAULT = 1
GOLDEN = 137.508
"""Degrees: neighbours in number get hues that are far apart."""


@dataclass(frozen=True)
class Jack:
    """A port as it is drawn; of a member of a LAG, what the LAG is set to counts."""

    name: str
    label: str
    set_to: Switched
    port: Port
    lag: str | None

    @property
    def enabled(self) -> bool:
        """False where it is shut down."""
        return self.port.enabled is not False and self.set_to.enabled is not False

    @property
    def up(self) -> bool:
        """Whether it has a link."""
        return self.port.link == "up"

    @property
    def trunk(self) -> bool:
        """Whether it carries many VLANs."""
        return self.set_to.mode in TRUNKS

    @property
    def vlan(self) -> int | None:
        """The VLAN of its untagged frames; None where it has none, or that is not known."""
        return untagged(self.set_to) or None

    @property
    def caption(self) -> str:
        """All of it in a line."""
        parts = [
            self.name,
            "enabled" if self.enabled else "disabled",
            f"link {self.port.link or 'not known'}",
        ]
        if self.trunk:
            parts.append(
                f"{self.set_to.mode}, native {self.set_to.native or 'none'}, allowed {self.set_to.allowed}"
            )
        else:
            parts.append(f"{self.set_to.mode or 'access'} VLAN {self.set_to.vlan}")
        parts += [f"in {self.lag}"] if self.lag else []
        parts += [self.port.description] if self.port.description else []
        return visible("; ".join(parts))


class Faceplate:
    """What is drawn of a switch."""

    def __init__(self, machine: str, resources: Mapping[Address, Resource]) -> None:
        """Take what is on the switch."""
        named = [(at(address).name, resource) for address, resource in resources.items()]
        self.name = machine
        self.lags = {name: one for name, one in sorted(named, key=_natural) if isinstance(one, Lag)}
        self.vlans = {int(name): visible(one.name or "") for name, one in named if isinstance(one, Vlan)}
        ports = {name: one for name, one in sorted(named, key=_natural) if isinstance(one, Port)}
        held = {member: lag for lag, one in self.lags.items() for member in ports_of(one.members)}
        labels = short(list(ports))
        self.jacks = [
            Jack(name, visible(label), self.lags.get(held.get(name, ""), port), port, held.get(name))
            for (name, port), label in zip(ports.items(), labels, strict=True)
        ]

    @cached_property
    def about(self) -> str:
        """What it is in a line."""
        up, off = sum(jack.up for jack in self.jacks), sum(not jack.enabled for jack in self.jacks)
        return f"{len(self.jacks)} ports, {up} up, {off} disabled"

    @cached_property
    def used(self) -> dict[int, int]:
        """The VLANs that there are or that are used, each with how many ports are in it untagged."""
        counts = Counter(jack.vlan for jack in self.jacks if jack.vlan is not None)
        return {vlan: counts.get(vlan, 0) for vlan in sorted({*counts, *self.vlans})}

    def vlan_label(self, vlan: int) -> str:
        """Return a VLAN in words: `20 servers: 12 ports`."""
        count = self.used[vlan]
        name = self.vlans.get(vlan, "default" if vlan == DEFAULT else "")
        return visible(f"{vlan} {name}".rstrip()) + f": {count} port{'' if count == 1 else 's'}"

    def lag_label(self, name: str) -> str:
        """Return a LAG in words."""
        lag = self.lags[name]
        mode = (
            f"{lag.mode} {lag.allowed}" if lag.mode in TRUNKS else f"{lag.mode or 'access'} VLAN {lag.vlan}"
        )
        return visible(f"{name}: {', '.join(ports_of(lag.members))}; LACP {lag.lacp}; {mode}")


def _natural(item: tuple[str, object]) -> list[tuple[bool, int, str]]:
    """Return by what names are sorted, so that `eth2` comes before `eth10`."""
    parts = re.split(r"([0-9]{1,18})", item[0])
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def short(names: Sequence[str]) -> list[str]:
    """Return names as short as they can be told apart: the number, where most share what is before it."""
    stems = Counter(re.sub(r"\d+$", "", name) for name in names)
    common = next((stem for stem, count in stems.most_common(1) if count > 1), None)
    if common is None:
        return list(names)
    return [
        name.removeprefix(common) if re.fullmatch(rf"{re.escape(common)}\d+", name) else name
        for name in names
    ]


def rgb(vlan: int | None) -> tuple[int, int, int]:
    """Return the colour of a VLAN, always the same; grey for the first and for none."""
    if vlan is None:
        return (70, 78, 90)
    if vlan == DEFAULT:
        return (154, 164, 178)
    hue, light = (vlan % 4096 * GOLDEN % 360) / 360, 0.45 + 0.2 * (vlan // 5 % 2)
    red, green, blue = colorsys.hls_to_rgb(hue, light, 0.62)
    return (round(red * 255), round(green * 255), round(blue * 255))


def ink(color: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return black or white, whichever is read better on a colour (WCAG 2.2, relative luminance)."""

    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004

    red, green, blue = (linear(part) for part in color)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)  # noqa: PLR2004 - equal contrast to both
