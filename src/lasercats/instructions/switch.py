"""Instructions for switches, whoever made them: look at ports, VLANs and LAGs, and configure them.

They are vendor-neutral. A machine puts them into its own protocol: OVSDB, NETCONF, or the lines of a vendor.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, get_args

import msgspec
from msgspec.structs import replace

from lasercats.core.instruction import Failure, Instruction
from lasercats.core.loose import ODD, Fault

What = Literal["port", "vlan", "lag"]
SORTS: tuple[What, ...] = get_args(What)
SWITCHING = ("mode", "vlan", "native", "allowed")
"""What says in which VLANs a port or a LAG is."""
COMPUTED_FIELDS = ("link", "mac", "lag", "other")
"""What a switch reports and nobody sets."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a port, a VLAN or a LAG is set to; None is what is not asked for, or what there is not."""

    name: str | None = None
    """Of a VLAN."""
    description: str | None = None
    """"" is none."""
    enabled: bool | None = None
    mode: str | None = None
    """`access`, `trunk`, or another word of the switch."""
    vlan: int | None = None
    """The VLAN of an access port; kept while the port is a trunk."""
    native: int | None = None
    """The VLAN of untagged frames on a trunk, 0 for none; kept while the port is an access port."""
    allowed: str | None = None
    """The VLANs of a trunk, as `lasercats.instructions.vlans` writes them; kept likewise.

    Where 0 is among them, frames without a tag are carried, too, when they are in no other VLAN."""
    speed: str | None = None
    """`auto`, `100M`, `1G`, `2.5G`, `10G` and so on."""
    mtu: int | None = None
    """Bytes."""
    type: str | None = None
    """What a virtual port is made as: `internal`; "" for a device of the system."""
    members: tuple[str, ...] | None = None
    """The ports of a LAG, sorted."""
    lacp: str | None = None
    """Of a LAG: `active`, `passive`, `off`, or another word of the switch."""
    link: str | None = None
    """Computed: `up` or `down`."""
    mac: str | None = None
    """Computed: the hardware address, in lower case with colons."""
    lag: str | None = None
    """Computed: the LAG that a port is a member of."""
    other: str | None = None
    """Computed: what else it is set to that is not managed, and goes when it is removed."""

    def __repr__(self) -> str:
        """Show what is given."""
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in values_of(self).items())})"


class Seen(msgspec.Struct, frozen=True):
    """What there is, None for nothing."""

    settings: Settings | None = None
    looked: bool = True
    """False where nobody looked: this is a prediction, and all is as expected."""
    problem: str | None = None
    """What the switch says is wrong with it, although it is configured so."""


class Surveyed(msgspec.Struct, frozen=True):
    """All there is on a switch, by name; a VLAN by its number."""

    ports: dict[str, Settings] = {}
    vlans: dict[str, Settings] = {}
    lags: dict[str, Settings] = {}
    strange: dict[str, str] = {}
    """What is there and cannot be understood, as `port eth1`, each with the reason."""

    def of(self, what: What) -> dict[str, Settings]:
        """Return all things of one sort, by name."""
        return {"port": self.ports, "vlan": self.vlans, "lag": self.lags}[what]


class Look(Instruction, frozen=True, tag="switch.look"):
    """Look at one thing; all looks of a batch are one read of the switch."""

    looks: ClassVar[bool] = True
    answer: ClassVar[Any] = Seen

    what: What
    name: str

    def line(self) -> str:
        """Return it in words."""
        return f"show {self.what} {self.name}"

    def predict(self) -> Seen:
        """Expect what is expected: nobody looks."""
        return Seen(looked=False)


class Survey(Instruction, frozen=True, tag="switch.survey"):
    """Look at all that is on a switch."""

    looks: ClassVar[bool] = True
    answer: ClassVar[Any] = Surveyed

    def line(self) -> str:
        """Return it in words."""
        return "show all"


class Configure(Instruction, frozen=True, tag="switch.configure"):
    """Make, change or remove one thing; all that a batch configures takes effect together or not at all.

    Where `before` is None it is made, where `after` is None it is removed. Else only the fields that are not
    None in `after` are changed, from what they are in `before`: what has changed since is not overwritten.
    """

    answer: ClassVar[Any] = Seen

    what: What
    name: str
    before: Settings | None = None
    after: Settings | None = None
    rest: Settings | None = None
    """What else is decided and stays, where it is changed, and the LAG it is in: not checked or written."""

    def line(self) -> str:
        """Return it in words; a machine prints it in its own."""
        if self.after is None:
            return f"no {self.what} {self.name}"
        values = " ".join(f"{name}={value!r}" for name, value in values_of(self.after).items())
        return f"{self.what} {self.name} {values}".rstrip()

    def predict(self) -> Seen:
        """Expect it to be as asked."""
        return Seen(whole(self), looked=False)


def whole(configure: Configure) -> Settings | None:
    """Return all that something is to be set to, as far as that is decided."""
    if configure.after is None:
        return None
    return replace(configure.rest or Settings(), **values_of(configure.after))


def values_of(settings: Settings | None) -> dict[str, Any]:
    """Return the fields of settings that are not None, by name."""
    if settings is None:
        return {}
    values = ((name, getattr(settings, name)) for name in Settings.__struct_fields__)
    return {name: value for name, value in values if value is not None}


def understood(surveyed: Surveyed, what: What, name: str, make: Callable[[], Settings]) -> None:
    """Put one thing into what was read, or the reason why it cannot be understood: others still can."""
    try:
        surveyed.of(what)[name] = msgspec.convert(msgspec.to_builtins(make()), Settings)
    except ODD as error:
        fault = Fault(str(error) or type(error).__name__)
        fact = f"{fault.path}: {fault.fact[:1].lower()}{fault.fact[1:]}" if fault.path else fault.fact
        surveyed.strange[f"{what} {name}"] = f"what the switch tells of it makes no sense: {fact[:200]}"


def seen(surveyed: Surveyed, what: What, name: str) -> Seen | Failure:
    """Return what there is of one thing in what was read."""
    reason = surveyed.strange.get(f"{what} {name}")
    if reason is not None:
        return Failure(reason=f"{what} {name}: {reason}")
    return Seen(surveyed.of(what).get(name))


VOCABULARY: tuple[type[Instruction], ...] = (Look, Survey, Configure)
