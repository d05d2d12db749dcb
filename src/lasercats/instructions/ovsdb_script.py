"""The lines of ovs-vsctl(8) that do what instructions for a switch say."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lasercats.core.instruction import Instruction
from lasercats.core.text import identifier
from lasercats.core.visible import visible_json
from lasercats.instructions.ovsdb import BY_SOURCE, HASHED, KEPT, OWN, VLAN_KEY, all_kept, bond_mode, columns
from lasercats.instructions.switch import Configure, Settings, values_of, whole

Words = list[str]
CALL = "LC_CALL"
"""Stands for how ovs-vsctl is called."""


class _Raw(str):
    """A word that the shell is to read as it is."""

    __slots__ = ()


def transaction(instructions: Sequence[Instruction], bridge: str) -> list[Words]:
    """Return the commands of the one transaction that does all: ports of a LAG never stand alone between."""
    return [
        list(map(_quoted, words))
        for number, configure in enumerate(instructions)
        if isinstance(configure, Configure)
        for words in _commands(configure, bridge, number)
    ]


def _quoted(word: str) -> str:
    return word if isinstance(word, _Raw) else shlex.quote(word)


def _commands(configure: Configure, bridge: str, number: int) -> Iterable[Words]:
    if configure.what == "vlan":
        return _vlan(configure, bridge)
    return _port(configure, bridge) if configure.what == "port" else _lag(configure, bridge, f"{number}-")


def _vlan(configure: Configure, bridge: str) -> Iterator[Words]:
    key = f"{VLAN_KEY}{configure.name}"
    if configure.after is None:
        yield ["remove", "Bridge", bridge, "external_ids", key]
    else:
        yield ["set", "Bridge", bridge, f"external_ids:{key}={_text(configure.after.name or '')}"]


def _port(configure: Configure, bridge: str) -> Iterator[Words]:
    name, after, desired = configure.name, configure.after, whole(configure)
    if after is None or desired is None:
        yield ["del-port", bridge, name]
        return
    if configure.before is None:
        kind = [] if not after.type else ["--", "set", "Interface", name, f"type={_word(after.type)}"]
        yield ["add-port", bridge, name, *kind]
    if configure.before is not None and desired.lag is not None:  # then it has no Port of its own
        yield from _kept("Interface", name, all_kept(desired) if set(values_of(after)) & set(KEPT) else None)
    elif configure.before is None or set(values_of(after)) & set(KEPT):
        yield from _switching("Interface", name, desired)
    if after.mtu is not None:
        yield ["set", "Interface", name, f"mtu_request={after.mtu}"]
    if after.description is not None:
        yield _description("Interface", name, after.description)


def _lag(configure: Configure, bridge: str, own: str) -> Iterator[Words]:
    """Iterate over the commands for a LAG; `own` is what names of rows begin with, as no two may be alike."""
    name, after, desired = configure.name, configure.after, whole(configure)
    before = () if configure.before is None else configure.before.members or ()
    if after is None or desired is None:
        for port in before:
            yield from _freed(port, bridge, own)
        yield ["del-port", bridge, name]
        return
    members = desired.members or ()
    if after.members is not None:
        for port in sorted(set(before) - set(members)):
            yield from _freed(port, bridge, own)
        for port in members:
            yield [f"--id=@i-{own}{_id(port)}", "get", "Interface", port]
        for port in sorted(set(members) - set(before)):
            yield [f"--id=@p-{own}{_id(port)}", "get", "Port", port]
            yield ["remove", "Bridge", bridge, "ports", f"@p-{own}{_id(port)}"]
        held = ",".join(f"@i-{own}{_id(port)}" for port in members)
        if configure.before is None:
            yield [
                f"--id=@lag-{own}",
                "create",
                "Port",
                f"name={_word(name)}",
                f"interfaces={held}",
                *_columns(desired),
            ]
            yield ["add", "Bridge", bridge, "ports", f"@lag-{own}"]
            return
        yield ["set", "Port", name, f"interfaces={held}"]
    if after.lacp is not None:
        yield ["set", "Port", name, f"lacp={after.lacp}", *_spreading(name, after.lacp)]
    if set(values_of(after)) & set(KEPT):
        yield from _switching("Port", name, desired)
    if after.description is not None:
        yield _description("Port", name, after.description)


def _columns(desired: Settings) -> Iterator[str]:
    """Iterate over the columns of a LAG that is made."""
    yield from (
        f"lacp={desired.lacp or 'off'}",
        f"bond_mode={bond_mode(desired.lacp or 'off')}",
        *_vlans(desired),
    )
    kept = {**columns(desired).kept, **({"description": desired.description} if desired.description else {})}
    yield from (f"external_ids:{key}={_text(text)}" for key, text in kept.items())


def _freed(port: str, bridge: str, own: str) -> Iterator[Words]:
    """Give a member of a LAG a Port of its own."""
    yield [f"--id=@i-{own}{_id(port)}", "get", "Interface", port]
    yield [
        f"--id=@p-{own}{_id(port)}",
        "create",
        "Port",
        f"name={_word(port)}",
        f"interfaces=@i-{own}{_id(port)}",
    ]
    yield ["add", "Bridge", bridge, "ports", f"@p-{own}{_id(port)}"]


def _spreading(name: str, lacp: str) -> Iterator[str]:
    """Iterate over what keeps a LAG going without LACP; how it spreads frames stays otherwise."""
    if lacp == "off":
        asked = f"{CALL} get Port {shlex.quote(name)} bond_mode"
        yield _Raw(f'bond_mode="$({asked} | sed s/{HASHED}/{BY_SOURCE}/)"')


def _vlans(desired: Settings) -> Iterator[str]:
    """Iterate over the columns of VLANs."""
    full = columns(desired)
    yield f"vlan_mode={full.vlan_mode}"
    yield f"tag={'[]' if full.tag is None else full.tag}"
    yield f"trunks={','.join(map(str, full.trunks)) or '[]'}"


def _switching(table: str, name: str, desired: Settings) -> Iterator[Words]:
    yield ["set", "Port", name, *_vlans(desired)]
    yield from _kept(table, name, columns(desired).kept)


def _kept(table: str, name: str, kept: Mapping[str, str] | None) -> Iterator[Words]:
    """Iterate over what writes what is kept beside the columns; None leaves it."""
    if kept is None:
        return
    gone = [f"{OWN}{field}" for field in KEPT if f"{OWN}{field}" not in kept]
    if gone:
        yield ["remove", table, name, "external_ids", *gone]
    for key, text in kept.items():
        yield ["set", table, name, f"external_ids:{key}={_text(text)}"]


def _description(table: str, name: str, description: str) -> Words:
    if not description:
        return ["remove", table, name, "external_ids", "description"]
    return ["set", table, name, f"external_ids:description={_text(description)}"]


def _id(port: str) -> str:
    return identifier(port, "-.")


def _word(text: str) -> str:
    """Return text as ovs-vsctl reads it, as it is where that may be."""
    return text if re.fullmatch("[A-Za-z_][A-Za-z0-9_.-]*", text) else _text(text)


def _text(text: str) -> str:
    """Return text as ovs-vsctl reads it: in double quotes, by the rules of JSON."""
    return visible_json(json.dumps(text, ensure_ascii=False))
