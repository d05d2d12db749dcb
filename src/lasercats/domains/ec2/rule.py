"""The rules of security groups: one form for each, and what EC2 calls permissions."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from lasercats.core.loose import ODD, Forms, Part
from lasercats.core.reference import refers
from lasercats.domains.ec2 import account

ABOUT = r"^[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]*$"
"""The characters that EC2 takes in a description (API reference, CreateSecurityGroup)."""
FORM = "as protocol:tcp,ports:443,peer:0.0.0.0/0"
_ICMP = ("icmp", "icmpv6")
_MOST = 255
"""The greatest number of a protocol, and of a type or code of ICMP."""
_NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "-1": "all"}
_PEER = r"^(ec2[.]security_group/.+|([0-9]+/)?sg-[0-9a-z]+|pl-[0-9a-z]+|[0-9a-fA-F.:]+/[0-9]+)$"
_OTHERS = re.compile(r"(?!ec2[.])([^/]+)/((?=.*[^0-9]).+)")
"""A group of another account, by its id or, where EC2 tells none, by its name."""


def _protocol(text: str) -> str:
    """Return the one form of a protocol: its name where it has one, else its number."""
    number = str(int(text)) if text.isdecimal() else text
    if number.isdecimal() and int(number) > _MOST:
        raise ValueError(f"protocol {number} is out of bounds; the most is {_MOST}")
    return _NUMBERS.get(number, number)


def _peer(text: str) -> str:
    """Return the one form of a peer: of a range, the one that EC2 tells."""
    if text.startswith(("ec2.", "sg-", "pl-")) or _OTHERS.fullmatch(text):
        return text
    return account.network(text)


def _ports(protocol: str, ports: str | None) -> str | None:
    """Return the one form of the ports of a protocol; TCP and UDP have all where none are given."""
    if ports is None:
        return "0-65535" if protocol in ("tcp", "udp") else None
    if protocol not in ("tcp", "udp", *_ICMP):
        raise ValueError(f"protocol {protocol} has no ports; leave them out")
    return _bounds(ports, icmp=protocol in _ICMP)


class Rule(Part, frozen=True, forbid_unknown_fields=True):
    """Traffic that is let through."""

    peer: Annotated[
        str,
        refers(
            "ec2.security_group",
            loose=True,
            pattern=_PEER,
            description="with whom: a range as 10.0.0.0/8, ec2.security_group/NAME, an id, or ACCOUNT/sg-ID",
        ),
    ]
    protocol: Annotated[
        str,
        Meta(pattern="^(tcp|udp|icmp|icmpv6|all|[0-9]{1,3})$", description="tcp, udp, icmp, icmpv6 or all"),
    ] = "all"
    forms: ClassVar[Forms] = {
        "protocol": _protocol,
        "peer": _peer,
        "description": lambda about: about or None,
    }

    ports: (
        Annotated[
            str,
            Meta(
                pattern="^[0-9]{1,5}(-[0-9]{1,5})?$",
                description="22, or 8000-8080; of icmp TYPE, or TYPE-CODE",
            ),
        ]
        | None
    ) = None
    description: Annotated[str, Meta(max_length=255, pattern=ABOUT, description="what it is for")] | None = (
        None
    )

    def __post_init__(self) -> None:
        """Bring range, protocol and ports to their one form."""
        super().__post_init__()
        with suppress(*ODD):
            self._set("ports", _ports(self.protocol, self.ports))

    def check(self) -> None:
        """Check what an operator gave.

        Raises:
            ValueError: ports of a protocol that has none, or out of bounds; a bad protocol, or a bad range.

        """
        super().check()
        _ports(self.protocol, self.ports)

    @property
    def key(self) -> tuple[str, str, str]:
        """By what EC2 tells rules apart."""
        return self.protocol, self.ports or "", self.peer


def _bounds(ports: str, *, icmp: bool) -> str:
    """Return the one form of ports, or of a type of ICMP and its code, which are no range."""
    first, dash, last = ports.partition("-")
    most = _MOST if icmp else 65535
    if int(first) > most or int(last or 0) > most:
        raise ValueError(f"{ports} is out of bounds; the most is {most}")
    if not icmp and dash and int(first) > int(last):
        raise ValueError(f"{ports} ends before it begins")
    return f"{int(first)}-{int(last)}" if dash and (icmp or int(first) != int(last)) else str(int(first))


Rules = tuple[Rule, ...]
DEFAULT = (Rule(peer="0.0.0.0/0"),)
"""What EC2 lets leave an instance of a new group."""


def ordered(rules: Iterable[Rule]) -> Rules:
    """Return rules in their one order.

    Raises:
        ValueError: two of them differ only in what they are for.

    """
    distinct = dict.fromkeys(rules)
    by_key = {rule.key: rule for rule in distinct}
    if len(by_key) < len(distinct):
        twice = next(r for r in distinct if by_key[r.key] is not r)
        raise ValueError(
            f"the rule for {' '.join(filter(None, twice.key))} is given twice, for different reasons"
        )
    return tuple(by_key[key] for key in sorted(by_key))


def merged(rules: Iterable[Rule] | None, more: Iterable[Rule]) -> Rules:
    """Return rules with more of them; one that is there is replaced."""
    ordered(more)
    return tuple({rule.key: rule for rule in (*(rules or ()), *more)}.values())


def without(rules: Iterable[Rule] | None, gone: Iterable[Rule]) -> Rules:
    """Return rules without some, whatever they are for."""
    keys = {rule.key for rule in gone}
    return tuple(rule for rule in rules or () if rule.key not in keys)


def changes(before: Sequence[Rule], after: Sequence[Rule]) -> tuple[Rules, Rules, Rules]:
    """Return the rules that are no more, those that are new, and those that are for something else now."""
    old, new = {rule.key: rule for rule in before}, {rule.key: rule for rule in after}
    gone = tuple(rule for key, rule in old.items() if key not in new)
    added = tuple(rule for key, rule in new.items() if key not in old)
    described = tuple(rule for key, rule in new.items() if key in old and old[key] != rule)
    return gone, added, described


def permissions(
    rules: Sequence[Rule], id_of: Callable[[str], str], *, described: bool
) -> list[dict[str, Any]]:
    """Return rules as the API wants them; with what they are for, where `described`."""
    return [_permission(rule, id_of, described=described) for rule in rules]


def _permission(rule: Rule, id_of: Callable[[str], str], *, described: bool) -> dict[str, Any]:
    permission: dict[str, Any] = {"IpProtocol": "-1" if rule.protocol == "all" else rule.protocol}
    if rule.protocol in _ICMP:
        first, _, last = (rule.ports or "").partition("-")
        permission |= {"FromPort": int(first or -1), "ToPort": int(last or -1)}
    elif rule.ports is not None:
        first, _, last = rule.ports.partition("-")
        permission |= {"FromPort": int(first), "ToPort": int(last or first)}
    about = {"Description": rule.description or ""} if described and rule.description is not None else {}
    for ranges, member, fits in _PEERS:
        if fits(rule.peer):
            peer = _pair(rule.peer, id_of) if ranges == "UserIdGroupPairs" else {member: rule.peer}
            permission[ranges] = [{**peer, **about}]
            break
    return permission


def _pair(peer: str, id_of: Callable[[str], str]) -> dict[str, str]:
    """Return a group as the API wants it, with the account where that is another."""
    others = _OTHERS.fullmatch(peer)
    if others is None:
        return {"GroupId": id_of(peer)}
    return {"UserId": others[1], "GroupId" if others[2].startswith("sg-") else "GroupName": others[2]}


_PEERS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    (
        "UserIdGroupPairs",
        "GroupId",
        lambda peer: peer.startswith(("ec2.", "sg-")) or bool(_OTHERS.fullmatch(peer)),
    ),
    ("PrefixListIds", "PrefixListId", lambda peer: peer.startswith("pl-")),
    ("Ipv6Ranges", "CidrIpv6", lambda peer: ":" in peer),
    ("IpRanges", "CidrIp", lambda _: True),
)
"""The members of a permission for each sort of peer."""


def read(groups: Iterable[Mapping[str, Any]], owner: str | None) -> Rules:
    """Return the rules that EC2 tells as permissions of a group of an account."""
    return tuple(
        Rule(
            peer=_read_peer(peer, member, owner),
            protocol=_NUMBERS.get(str(permission["IpProtocol"]), str(permission["IpProtocol"])),
            ports=_read_ports(permission),
            description=peer.get("Description") or None,
        )
        for permission in groups
        for ranges, member, _ in _PEERS
        for peer in permission.get(ranges, ())
    )


def _read_peer(peer: Mapping[str, Any], member: str, owner: str | None) -> str:
    """Return with whom a rule is, a group of another account with that."""
    if member != "GroupId":
        return str(peer[member])
    group, account_ = peer.get(member) or peer["GroupName"], peer.get("UserId")
    return f"{account_}/{group}" if account_ and owner and account_ != owner else str(group)


def _read_ports(permission: Mapping[str, Any]) -> str | None:
    first, last = permission.get("FromPort"), permission.get("ToPort")
    protocol = _NUMBERS.get(str(permission["IpProtocol"]), permission["IpProtocol"])
    if first is None or first < 0 or protocol not in ("tcp", "udp", *_ICMP):
        return None
    if last is None or last < 0:
        return str(first)
    return f"{first}-{last}"
