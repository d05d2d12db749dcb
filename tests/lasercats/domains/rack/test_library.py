"""The files of the device-type library: read, written back, and refused where they are wrong."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasercats.domains.rack.device_type import DeviceType, PortType
from lasercats.domains.rack.library import DEFAULTS, KEYS, Flaw, Path, read, write

BASE = {"manufacturer": "Acme", "model": "A 1", "slug": "acme-a-1"}

lines = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=4), part, max_size=3),
    max_leaves=5,
).filter(lambda value: "inf" not in str(value))
watts = st.integers(1, 5000) | st.floats(0, 5000)
extra = st.dictionaries(
    lines.map(lambda text: f"x-{text}") | st.sampled_from(["sort", "more"]), plain, max_size=2
)


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the data of a good file, with keys that nobody knows and in any order."""
    data: dict[str, Any] = {"manufacturer": draw(lines), "model": draw(lines)}
    data["slug"] = draw(st.from_regex(r"[a-z0-9_-]{1,20}", fullmatch=True))
    for key in draw(st.lists(st.sampled_from(list(KEYS)), unique=True)):
        data[key] = draw(listed(key))
    rear = [port["name"] for port in data.get("rear-ports", ())]
    feeds = [port["name"] for port in data.get("power-ports", ())]
    for port in data.get("front-ports", ()) if rear else ():
        port |= {"rear_port": draw(st.sampled_from(rear)), "rear_port_position": 1}
    for port in data.get("power-outlets", ()) if feeds else ():
        port |= {"power_port": draw(st.sampled_from(feeds)), "feed_leg": draw(st.sampled_from("ABC"))}
    if data.get("device-bays"):
        data["subdevice_role"] = "parent"
    if draw(st.booleans()):
        data["weight"] = draw(st.integers(0, 1000) | st.floats(0, 1000))
        data["weight_unit"] = draw(st.sampled_from(["kg", "g", "lb", "oz"]))
    known: dict[str, st.SearchStrategy[Any]] = {
        "u_height": st.integers(0, 60).map(lambda n: n / 2),
        "is_full_depth": st.booleans(),
    }
    known |= {"part_number": lines, "airflow": st.just("passive"), "comments": st.text()}
    data |= draw(st.fixed_dictionaries({}, optional=known)) | draw(extra)
    data |= draw(st.dictionaries(st.sampled_from(["ports", "", "is_powered"]), plain, max_size=1))
    return dict(draw(st.permutations(list(data.items()))))


def listed(key: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return a strategy for the ports under a key."""
    fields: dict[str, st.SearchStrategy[Any]] = {"type": st.text(max_size=8), "label": lines}
    if key == "power-ports":
        fields |= {"maximum_draw": watts, "allocated_draw": watts}
    port = st.fixed_dictionaries({"name": lines}, optional=fields)
    ports = st.tuples(port, extra).map(lambda pair: {**pair[1], **pair[0]})
    return st.lists(ports, max_size=4, unique_by=lambda port: str(port["name"]))


@given(files())
def test_a_file_comes_back(data: dict[str, Any]) -> None:
    """What is written of a type that was read is the file, with the defaults where it left them out."""
    slug, type_ = read(data)
    assert write(slug, type_) == {**DEFAULTS, **data}
    assert read(write(slug, type_)) == (slug, type_)


def test_what_a_file_tells() -> None:
    """Sizes, weight and ports have fields of their own; the rest is kept as it is."""
    slug, type_ = read(
        {
            **BASE,
            "u_height": 2.0,
            "weight": 10,
            "weight_unit": "lb",
            "airflow": "passive",
            "power-ports": [{"name": "PSU", "type": "iec-60320-c14", "maximum_draw": 750, "label": "left"}],
            "power-outlets": [{"name": "1", "power_port": "PSU", "feed_leg": "C"}],
            "interfaces": [],
        }
    )
    assert slug == "acme-a-1"
    assert type_ == DeviceType(
        manufacturer="Acme",
        model="A 1",
        u_height=2,
        is_full_depth=True,
        weight=4.535924,
        ports=(
            PortType(
                name="PSU", sort="power-port", type="iec-60320-c14", maximum_draw=750, more={"label": "left"}
            ),
            PortType(name="1", sort="power-outlet", power_port="PSU", feed_leg="C"),
        ),
        more={"weight": 10, "weight_unit": "lb", "airflow": "passive", "interfaces": []},
    )


@pytest.mark.parametrize(
    ("weight", "unit", "kilograms"),
    [(5, "kg", 5.0), (4800, "g", 4.8), (10, "lb", 4.535924), (16, "oz", 0.453592), (0, "oz", 0.0)],
)
def test_a_weight_is_in_kilograms(weight: float, unit: str, kilograms: float) -> None:
    """A weight is turned into kilograms, to the milligram."""
    assert read({**BASE, "weight": weight, "weight_unit": unit})[1].weight == kilograms


def test_another_weight_is_written_in_kilograms() -> None:
    """Once the weight of a type is decided anew, what its file said of it is not written any more."""
    slug, type_ = read({**BASE, "weight": 10, "weight_unit": "lb"})
    changed = DeviceType(manufacturer="Acme", model="A 1", weight=7.5, more=type_.more)
    assert write(slug, changed) == {**BASE, "weight": 7.5, "weight_unit": "kg"}
    unknown = DeviceType(manufacturer="Acme", model="A 1", more=type_.more)
    assert write(slug, unknown) == BASE


def test_keys_are_written_in_order() -> None:
    """A file begins with who makes it, tells what is known and unknown of it, and ends with its ports."""
    data = {"interfaces": [{"x": 1, "type": "virtual", "name": "a"}], "x": 1, "comments": "c", "u_height": 1}
    written = write(*read({**data, **BASE}))
    assert list(written) == [
        "manufacturer",
        "model",
        "slug",
        "u_height",
        "is_full_depth",
        "comments",
        "x",
        "interfaces",
    ]
    assert list(written["interfaces"][0]) == ["name", "type", "x"]


def test_a_type_that_is_no_file_is_written() -> None:
    """What nobody decided of a type is left out."""
    assert write("a", DeviceType(model="A")) == {"model": "A", "slug": "a"}


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("change", "path", "fact"),
    [
        ({"manufacturer": ...}, (), "'manufacturer' is missing"),
        ({"model": ...}, (), "'model' is missing"),
        ({"slug": ...}, (), "'slug' is missing"),
        ({"manufacturer": None}, ("manufacturer",), "'manufacturer' is missing"),
        ({"model": 850}, ("model",), "got `int`; write it in quotes"),
        ({"model": "a\tb"}, ("model",), "'a\\tb' holds a control character"),
        ({"model": "x" * 101}, ("model",), "of length <= 100"),
        ({"slug": "Acme A"}, ("slug",), "'Acme A' is no slug"),
        ({"slug": 12}, ("slug",), "12 is no slug"),
        ({"u_height": 0.7}, ("u_height",), "a multiple of 0.5 from 0 to 1000 units, and not 0.7"),
        ({"u_height": -1}, ("u_height",), "and not -1"),
        ({"u_height": "1"}, ("u_height",), "'u_height' is a number, and not '1'"),
        ({"u_height": True}, ("u_height",), "'u_height' is a number, and not True"),
        ({"u_height": None}, ("u_height",), "'u_height' is a number, and not None"),
        ({"u_height": float("inf")}, ("u_height",), "this cannot be kept"),
        ({"is_full_depth": "yes"}, ("is_full_depth",), "'is_full_depth' is true or false, and not 'yes'"),
        ({"weight": 3}, ("weight",), "'weight' is given without 'weight_unit'"),
        ({"weight_unit": "kg"}, ("weight_unit",), "'weight_unit' is given without 'weight'"),
        ({"weight": 3, "weight_unit": "st"}, ("weight_unit",), "'st' is no unit of weight"),
        ({"weight": 3, "weight_unit": None}, ("weight_unit",), "None is no unit of weight"),
        ({"weight": "3", "weight_unit": "kg"}, ("weight",), "'weight' is a number from 0, and not '3'"),
        ({"weight": 10**8, "weight_unit": "kg"}, ("weight",), "expected `float` <= 1000000.0"),
        ({"weight": -3, "weight_unit": "kg"}, ("weight",), "and not -3"),
        ({"interfaces": None}, ("interfaces",), "'interfaces' is a list"),
        ({"interfaces": {"name": "a"}}, ("interfaces",), "'interfaces' is a list"),
        ({"interfaces": ["eth0"]}, ("interfaces", 0), "'eth0' stands among the interfaces and has no keys"),
        ({"interfaces": [{"type": "virtual"}]}, ("interfaces", 0), "missing required field `name`"),
        ({"interfaces": [{"name": 1}]}, ("interfaces", 0, "name"), "got `int`; write it in quotes"),
        ({"interfaces": [{"name": ""}]}, ("interfaces", 0, "name"), "of length >= 1"),
        ({"interfaces": [{"name": "a", "type": 4}]}, ("interfaces", 0, "type"), "write it in quotes"),
        ({"interfaces": [{"name": "a", "type": None}]}, ("interfaces", 0, "type"), "'type' holds nothing"),
        (
            {"interfaces": [{"name": "a"}, {"name": "b"}, {"name": "a"}]},
            ("interfaces", 2, "name"),
            "two of the interfaces are called 'a'",
        ),
        (
            {"power-ports": [{"name": "a", "maximum_draw": "750 W"}]},
            ("power-ports", 0, "maximum_draw"),
            "'maximum_draw': expected `int | float | null`, got `str`",
        ),
        (
            {"power-ports": [{"name": "a"}], "power-outlets": [{"name": "1", "power_port": "b"}]},
            ("power-outlets", 0, "power_port"),
            "'power_port' is 'b', which is none of the power-ports",
        ),
        ({"power-outlets": [{"name": "1", "feed_leg": "D"}]}, ("power-outlets", 0, "feed_leg"), "'D'"),
        (
            {"front-ports": [{"name": "1", "rear_port": "r"}]},
            ("front-ports", 0, "rear_port"),
            "'rear_port' is 'r', which is none of the rear-ports",
        ),
        ({"front-ports": [{"name": "1", "rear_port": []}]}, ("front-ports", 0, "rear_port"), "is []"),
        (
            {"rear-ports": [{"name": "r"}], "port-mappings": [{"front_port": "f", "rear_port": "r"}]},
            ("port-mappings", 0, "front_port"),
            "'front_port' is 'f', which is none of the front-ports",
        ),
        ({"port-mappings": 7}, ("port-mappings",), "'port-mappings' is a list"),
        ({"device-bays": [{"name": "1"}]}, ("device-bays",), "add 'subdevice_role: parent'"),
        (
            {"device-bays": [{"name": "1"}], "subdevice_role": "child"},
            ("device-bays",),
            "it has device-bays and is no parent",
        ),
        ({"x": {"when": b"2020"}}, ("x",), "this cannot be kept"),
        ({1: "x"}, (1,), "this cannot be kept"),
        ({"x": LOOP}, ("x", 0), "this cannot be kept"),
        ({"interfaces": [{"name": "a"}, {"name": "b", 7: 8}]}, ("interfaces", 1), "this cannot be kept"),
        ({"comments": "\ud800"}, ("comments",), "this cannot be kept"),
    ],
)
def test_a_bad_file_is_told_of(change: dict[Any, Any], path: Path, fact: str) -> None:
    """What is wrong with a file is told with the keys that lead to it."""
    data = {key: value for key, value in {**BASE, **change}.items() if value is not ...}
    with pytest.raises(Flaw) as flaw:
        read(data)
    assert (flaw.value.path, fact in flaw.value.fact) == (path, True), flaw.value.fact


@pytest.mark.parametrize("data", [None, [], "text", 7, ["manufacturer"]])
def test_what_is_no_mapping_is_no_type(data: Any) -> None:  # noqa: ANN401 - that is the point
    """A file that is empty, or a list, or text is no type."""
    with pytest.raises(Flaw, match="this is no device type"):
        read(data)
