"""Who a machine is: what it is known by, so that a look at the wrong place is noticed.

An identity is some facts that a machine tells of itself: the account and region of AWS, the machine-id and
host key of a host, the ids of an Open vSwitch, the serial number of a switch. Each is a name and a text. Two
identities are of two machines where both tell a fact and it differs; what one of them does not tell, because
it could not be asked, says nothing. So a machine may be asked in vain and is still the same.

Several facts are kept because each alone is shared or lost sometimes: machines that were made from one image
have the same machine-id, a container often has none, and the keys of a host are made anew by who sets it up.

What a machine says is data: it is kept as it is, in one line and within bounds.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, TypeAlias

from lasercats.core.errors import OtherMachine
from lasercats.core.text import clean, escape

Identity: TypeAlias = Mapping[str, str]
"""The facts by their names; none where nothing is known."""
MOST = 600
"""The most characters of a fact that are kept as they are."""
FACTS = 16
"""The most facts that are kept."""


def fact(value: Any) -> str:  # noqa: ANN401 - whatever a machine says
    """Return what a machine says as a fact: one line within bounds; nothing where it says nothing.

    Of what is longer than any name the beginning is kept, and a digest of it all.
    """
    if isinstance(value, str):
        value = clean(value).encode()
    text = escape(value.strip()) if isinstance(value, bytes) else ""
    if len(text) <= MOST:
        return text
    return f"{text[:100]}… (sha256 {hashlib.sha256(text.encode()).hexdigest()})"


def facts(**reported: Any) -> dict[str, str]:  # noqa: ANN401 - whatever a machine says
    """Return what a machine says of itself as an identity, without what it does not say."""
    found = {name.replace("_", "-"): fact(value) for name, value in reported.items()}
    return {name: value for name, value in found.items() if value}


def clash(known: Identity, found: Identity) -> list[str]:
    """Return the facts by which two identities are of two machines; none where they may be of one."""
    return [name for name in known if name in found and known[name] != found[name]]


def are_one(one: Identity, other: Identity) -> bool:
    """Tell whether two identities are of one machine, as far as they tell."""
    return bool(one.keys() & other.keys()) and not clash(one, other)


def shown(identity: Identity) -> str:
    """Return an identity as a line."""
    return ", ".join(f"{name} {value}" for name, value in identity.items())


class Who:
    """Who one machine is, and must be: it tells so each time that it connects, before it acts."""

    def __init__(self, name: str) -> None:
        """Know nothing yet of a machine of a name."""
        self.name = name
        self.known: Identity = {}
        """What is on record; it is given before the machine is used."""
        self.reported: Identity = {}
        """What it reported itself by now."""

    @property
    def must(self) -> Identity:
        """What it has to be: what is on record, and what it reported before."""
        return {**self.reported, **self.known}

    @property
    def news(self) -> Identity | None:
        """What is to be recorded, where it reported something that is not on record yet."""
        return {**self.known, **self.reported} if self.reported.keys() - self.known.keys() else None

    def meet(self, reported: Identity) -> None:
        """Take in what it tells of itself.

        Raises:
            OtherMachine: it is another one than before; it must not be used.

        """
        must = self.must
        differs = clash(must, reported)
        if differs:
            said = ", ".join(f"{name} is {reported[name]} and was {must[name]}" for name in differs)
            raise OtherMachine(self.name, said)
        self.reported = dict(
            [*self.reported.items(), *((n, t) for n, t in reported.items() if n not in self.reported)][:FACTS]
        )
