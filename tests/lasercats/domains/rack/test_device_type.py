"""Types of devices: the laws, what a type may be, and defining and removing one."""

from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command, decide
from lasercats.core.document import plain
from lasercats.core.errors import BadInput
from lasercats.core.program import drive, generator
from lasercats.core.registry import Domain, Kinds
from lasercats.core.state import State
from lasercats.domains.rack import device_type
from lasercats.domains.rack.device import Stock
from lasercats.domains.rack.device_type import Define, DeviceType, PortType, RemoveType
from lasercats.testing.laws import KindLaws, run
from lasercats.testing.strategies import Fields

KINDS = Kinds([Domain("rack", kinds=(device_type.KIND,), instructions=())])
A, B = Address("rack.device_type/acme-a"), Address("rack.device_type/acme-b")
PORTS = (
    PortType(name="PSU1", sort="power-port", type="iec-60320-c14", maximum_draw=750, allocated_draw=12.5),
    PortType(name="1", sort="power-outlet", power_port="PSU1", feed_leg="B"),
    PortType(name="1", sort="interface", type="1000base-t", more={"mgmt_only": True, "label": "x"}),
    PortType(name="2", sort="interface"),
)
LINES = st.sampled_from(["Acme", "Größe 1U", "a'b\"c: #d"])
FIELDS: Fields = {
    "manufacturer": LINES,
    "model": LINES,
    "u_height": st.sampled_from([0, 0.5, 1, 1.0, 2.5, 42]),
    "is_full_depth": st.booleans(),
    "weight": st.sampled_from([0, 0.25, 17.690101, 1000]),
    "ports": st.lists(st.sampled_from(PORTS[2:]), unique_by=lambda p: p.name).map(tuple)
    | st.sampled_from([PORTS, ()]),
    "more": st.dictionaries(
        st.sampled_from(["comments", "airflow", "tags", "ports"]),
        st.sampled_from(["two\nlines\n", "", 1, 2.5, None, True, ["a", {"b": []}], {}]),
        max_size=3,
    ),
}


class TestDeviceType(KindLaws):
    """Types of devices."""

    kinds = KINDS
    kind = device_type.KIND
    names: ClassVar = ("acme-a", "acme-b", "acme_c-1")
    fields = FIELDS


def test_a_new_type_has_the_defaults_of_netbox() -> None:
    """A type of which only maker and model are told is 1 unit high and takes the full depth."""
    made = run([Define(on=(A,), manufacturer="Acme", model="A")], State()).get(A)
    assert made == DeviceType(manufacturer="Acme", model="A", u_height=1, is_full_depth=True)


def test_what_is_not_given_stays() -> None:
    """Defining a type anew changes only the fields that are given."""
    first = Define(on=(A,), manufacturer="Acme", model="A", u_height=2, is_full_depth=False, ports=PORTS)
    state = run([first, Define(on=(A,), weight=5.5, ports=PORTS[:1])], State())
    assert state.get(A) == DeviceType(
        manufacturer="Acme", model="A", u_height=2, is_full_depth=False, weight=5.5, ports=PORTS[:1]
    )


@pytest.mark.parametrize("given", [{}, {"model": "A"}, {"manufacturer": "Acme"}])
def test_a_new_type_needs_maker_and_model(given: dict[str, Any]) -> None:
    """What is no type yet cannot be defined without its maker and its model."""
    refusals = decide(Define(on=(A,), **given), State()).refusals
    assert refusals == {A: "a new type needs a manufacturer and a model; give both"}


def test_a_removed_type_is_gone() -> None:
    """Removing a type leaves the others."""
    define = Define(on=(A, B), manufacturer="Acme", model="A")
    state = run([define, RemoveType(on=(A,))], State())
    assert [address for address, _ in state.items()] == [B]


def test_a_used_type_stays() -> None:
    """A type that something is of cannot be removed; the first of those that are is named."""
    used = Stock(on=(Address("rack.device/dc2:db1"), Address("rack.device/dc2:db0")), type="acme-a")
    state = run([Define(on=(A,), manufacturer="Acme", model="A"), used], State())
    refusals = decide(RemoveType(on=(A,)), state).refusals
    assert refusals == {A: "rack.device/dc2:db0 is of this type; remove that first"}


@pytest.mark.parametrize(("given", "kept"), [(1, "1"), (1.0, "1"), (0.0, "0"), (0.5, "0.5"), (42, "42")])
def test_a_height_has_one_form(given: float, kept: str) -> None:
    """A whole height is kept as a whole number, however it was written."""
    assert msgspec.json.encode(DeviceType(u_height=given)).decode() == f'{{"u_height":{kept}}}'


@pytest.mark.parametrize("height", [0.7, -1, -0.5, 1000.5, float("inf"), float("nan"), 10**400])
def test_a_height_is_a_multiple_of_half_a_unit(height: float) -> None:
    """A height is a multiple of 0.5 from 0 to 1000."""
    with pytest.raises(ValueError, match=r"a height is a multiple of 0.5 from 0 to 1000 units, and not"):
        DeviceType(u_height=height).check()


@pytest.mark.parametrize(
    ("fields", "fact"),
    [
        ({"u_height": 0.7}, "field 'u_height': expected `float` that's a multiple of 0.5"),
        ({"u_height": 10**400}, "field 'u_height': expected `int` <= 1000"),
        ({"u_height": "2"}, "field 'u_height': expected `int | float | null`, got `str`"),
        ({"weight": -1}, "field 'weight': expected `float` >= 0.0"),
        ({"manufacturer": ""}, "field 'manufacturer': expected `str` of length >= 1"),
        ({"manufacturer": "x" * 101}, "field 'manufacturer': expected `str` of length <= 100"),
        ({"model": "a\n"}, "field 'model': 'a\\n' is not of the form"),
        ({"model": "a\x00b"}, "field 'model': 'a\\x00b' is not of the form"),
        ({"ports": [{"name": "1", "sort": "port"}]}, "field 'ports[0].sort': invalid enum value 'port'"),
        ({"ports": [{"name": "1"}]}, "field 'ports[0]': object missing required field `sort`"),
        (
            {"ports": [{"name": "1", "sort": "interface"}, {"name": "1", "sort": "interface"}]},
            "two ports of sort interface are called '1'; rename one",
        ),
        (
            {"ports": [{"name": "1", "sort": "power-outlet", "power_port": "PSU9"}]},
            "outlet '1' names power port 'PSU9', which is not there",
        ),
        ({"more": {"a": {"b": float("nan")}}}, "'a' holds what cannot be kept"),
    ],
)
def test_what_no_type_can_be_is_refused(fields: dict[str, Any], fact: str) -> None:
    """A command with a value that no type can have is refused, and the field is named."""
    data = {"command": "rack.define_type", "on": ["acme-a"], "manufacturer": "Acme", "model": "A"}
    with pytest.raises(BadInput) as error:
        KINDS.command({**data, **fields})
    assert fact in str(error.value)


def test_a_name_may_stand_in_two_sorts() -> None:
    """An outlet and an interface may have the same name, as may a power port."""
    sorts: tuple[device_type.Sort, ...] = ("power-port", "power-outlet", "interface")
    assert DeviceType(ports=tuple(PortType(name="1", sort=sort) for sort in sorts)).ports is not None


@pytest.mark.parametrize("slug", ["acme-rs-1100", "a", "0_1-", "x" * 100])
def test_a_slug_is_an_address(slug: str) -> None:
    """A slug of the library names a type, on no machine."""
    address = KINDS.address(slug, device_type.KIND)
    assert address == f"rack.device_type/{slug}"
    assert KINDS.machine_of(address) is None


@pytest.mark.parametrize("slug", ["Acme", "a b", "a.b", "é", "r1:a", "a/b", "a\n", "x" * 101])
def test_what_is_no_slug_is_refused(slug: str) -> None:
    """Anything but lower-case letters, digits, dashes and underscores is no slug."""
    with pytest.raises(BadInput):
        KINDS.address(slug, device_type.KIND)


def test_no_machine_is_touched() -> None:
    """The program of a change asks nothing and results in what was decided."""
    made = DeviceType(manufacturer="Acme", model="A")
    program = generator(device_type.KIND.act(A, Change(None, made), lambda _: None))
    assert drive(program, lambda instruction: pytest.fail(str(instruction))) is made


def test_only_what_differs_is_said() -> None:
    """Converging from one type to another says what differs and no more."""
    before = DeviceType(manufacturer="Acme", model="A", u_height=1, weight=2)
    after = DeviceType(manufacturer="Acme", model="A", u_height=2)
    assert said(Change(before, after)) == [Define(on=(A,), u_height=2)]
    assert said(Change(before, DeviceType(manufacturer="Acme"))) == []
    assert said(Change(before, None)) == [RemoveType(on=(A,))]


def test_a_type_is_a_document() -> None:
    """In a document, ports are mappings of what is told of them."""
    assert plain(DeviceType(u_height=0.5, ports=PORTS[2:])) == {
        "u_height": 0.5,
        "ports": (
            {
                "name": "1",
                "sort": "interface",
                "type": "1000base-t",
                "more": {"mgmt_only": True, "label": "x"},
            },
            {"name": "2", "sort": "interface"},
        ),
    }


def said(change: Change[DeviceType]) -> list[Command]:
    """Return the commands of a change."""
    return list(device_type.KIND.converge(A, change))
