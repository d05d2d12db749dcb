"""Whatever a switch says is recorded as it is, and can be gone back to."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasercats.core import address as addresses
from lasercats.core.change import Change
from lasercats.core.command import Command, Forget
from lasercats.core.errors import BadInput, Refused
from lasercats.core.kind import Kind
from lasercats.core.registry import Kinds
from lasercats.core.resource import decisions
from lasercats.core.state import State
from lasercats.domains.switch import DOMAIN, lag, port, settings, vlan
from lasercats.instructions.switch import Settings, values_of

KINDS = Kinds([DOMAIN])
TEXTS = st.text(max_size=30) | st.sampled_from(
    [
        "two\nlines",
        "web servers/DMZ",
        "x" * 5000,
        "a\0b",
        "vm1-2",
        "a,b",
        "9-1",
        "\x1b[31m",
        r"a\x0ab",
        "native-tagged",
    ]
)
NUMBERS = st.integers() | st.sampled_from([0, 4095, 65535, 2**70, -1])
VALUES: Mapping[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: NUMBERS,
    bool: st.booleans(),
    tuple: st.lists(TEXTS, max_size=4).map(tuple),
}
TYPES = {"enabled": bool, "vlan": int, "native": int, "mtu": int, "members": tuple}


def values(kind: Kind[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return any value of the right type for any of the fields."""
    names = (name for name in kind.resource.__struct_fields__ if name != "protect")
    parts = {name: VALUES[TYPES.get(name, str)] for name in names}
    return st.fixed_dictionaries({}, optional=parts)


@pytest.mark.parametrize("kind", [port.KIND, vlan.KIND, lag.KIND], ids=lambda kind: kind.name)
def test_any_value_is_recorded_and_gone_back_to(kind: Kind[Any]) -> None:
    """Any value is built, comes back from a log equal, and commands lead from any to any other."""
    name = "sw1:20" if kind is vlan.KIND else "sw1:eth1"
    address = addresses.make(kind.name, name)

    @given(values(kind), values(kind))
    def law(one: dict[str, Any], other: dict[str, Any]) -> None:
        before, after = kind.resource(**one), kind.resource(**other)
        for made in (before, after):
            raw = msgspec.json.encode(made)
            assert KINDS.decode_resource(address, raw) == made
            assert kind.resource(**{f: getattr(made, f) for f in kind.resource.__struct_fields__}) == made
            list(kind.needs(address, made))
            list(kind.holds(made))
        state = State.of({address: before})
        for command in kind.converge(address, Change(before, after)):
            again = KINDS.decode_command(msgspec.json.encode(command))
            assert again == command
            list(kind.concerns(address, command))
            decided: Any = None
            try:
                decided = command.decide(address, state)
            except Refused:
                break
            state = State.of({address: decided})
        else:
            found = state.get(address)
            assert {**decisions(before), **decisions(after)} == decisions(found)

    law()


@pytest.mark.parametrize(
    "name", ["vm1-2", "a,b", "9-1", "eth1", "switch.port/x", "two\nlines", "7,8-9", ",", "x-1-2"]
)
def test_a_member_keeps_its_name(name: str) -> None:
    """A port whose name looks like a range is a member by that name, as read, as recorded and as written."""
    read = lag.KIND.read(Settings(members=(name, "z1")))
    assert isinstance(read, lag.Lag)
    written = settings.settings(
        KINDS.decode_resource(addresses.make("switch.lag", "m:b"), msgspec.json.encode(read))
    )
    assert written is not None
    assert values_of(written)["members"] == tuple(sorted((name, "z1")))
    command = lag.SetMembers(on=(addresses.make("switch.lag", "m:b"),), members=read.members or ())
    assert settings.ports(command.members) == tuple(sorted((name, "z1")))


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_any_name_of_a_port_has_an_address(name: str) -> None:
    """What a switch calls a port stands in an address that can be typed, and means that port again."""
    address = settings.named("sw1", "switch.port", name)
    assert settings.at(address) == ("sw1", name)
    assert KINDS.address(address) == address
    assert address.isascii() or address.encode()


@pytest.mark.parametrize("name", ["sw1:", "sw1", r"sw1:a\x00"])
def test_what_names_no_port(name: str) -> None:
    """A name is refused that no switch can hold: none at all, or one with NUL."""
    with pytest.raises(BadInput):
        KINDS.address(f"switch.port/{name}")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (
            "switch.configure",
            {"description": "two\nlines", "mode": "native-tagged", "mtu": 65535, "vlan": 4095},
        ),
        ("switch.rename_vlan", {"name": "web servers/DMZ"}),
        ("switch.set_members", {"members": ["switch.port/vm1-2"]}),
        ("switch.create_lag", {"members": []}),
    ],
)
def test_what_a_document_prints_may_be_given(text: str, fields: dict[str, Any]) -> None:
    """What a switch can hold is accepted as input."""
    kind = KINDS.kinds_for(KINDS.commands[text])[0]
    on = "sw1:20" if kind is vlan.KIND else "sw1:b"
    command = KINDS.command({"command": text, "on": on, **fields})
    assert isinstance(command, Command)
    assert not isinstance(command, Forget)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("switch.describe", {"description": "a\0b"}),
        ("switch.rename_vlan", {"name": ""}),
        ("switch.configure", {"mtu": 65536}),
        ("switch.configure", {"allowed": "20-x"}),
        ("switch.access", {"vlan": 4095}),
        ("switch.set_members", {"members": ["eth9-1"]}),
    ],
)
def test_what_no_switch_can_hold_is_refused(text: str, fields: dict[str, Any]) -> None:
    """Input is refused that no machinery could be given."""
    kind = KINDS.kinds_for(KINDS.commands[text])[0]
    on = "sw1:20" if kind is vlan.KIND else "sw1:b"
    with pytest.raises(BadInput):
        KINDS.command({"command": text, "on": on, **fields})


@pytest.mark.parametrize(
    ("there", "native", "verb", "these", "then"),
    [
        ("all", 0, "disallow", "30", "0-29,31-4094"),
        ("all", 20, "disallow", "30", "1-29,31-4094"),
        ("0,10", 0, "allow", "40", "0,10,40"),
        ("0,10", 0, "disallow", "10", "0"),
        ("10", 0, "allow", "0", "0,10"),
        ("0-29,31-4094", 0, "allow", "30", "all"),
        ("all", 0, "disallow", "all", "none"),
        ("all", 0, "disallow", "0", None),
        ("garbage", 0, "allow", "10", None),
    ],
)
def test_untagged_frames_are_what_they_were(
    there: str, native: int, verb: str, these: str, then: str | None
) -> None:
    """VLAN 0 is carried as before when others come or go; what cannot be said is refused."""
    address = addresses.make("switch.port", "m:e1")
    state = State.of({address: port.Port(mode="trunk", native=native, allowed=there)})
    command = KINDS.command({"command": f"switch.{verb}", "on": address, "vlans": these})
    if then is None:
        with pytest.raises(Refused):
            command.decide(address, state)
    else:
        found: Any = command.decide(address, state)
        assert found.allowed == then
