"""The files of the NetBox community device-type library, read and written; pure.

What is known of them is from its schema (github.com/netbox-community/devicetype-library, `schema/`). A front
port names its rear port (until NetBox 4.4) or is joined to it under `port-mappings` (since). What is not
known is kept as it is.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lasercats.core.loose import Fault, strict
from lasercats.domains.rack.device_type import SORTS, DeviceType, PortType, is_kept, is_slug, one_height

Path = tuple[str | int, ...]
"""The keys and indices that lead to a value: `("interfaces", 3, "type")`."""

KEYS = {f"{sort}s": sort for sort in SORTS}
"""The keys of a file that list ports, and the sort of each."""
KILOGRAMS = {"kg": 1.0, "g": 0.001, "lb": 0.45359237, "oz": 0.028349523125}
"""How many kilograms a unit is; pound and ounce are the international avoirdupois ones of 1959."""
DEFAULTS = {"u_height": 1, "is_full_depth": True}
"""What a file means that says nothing of them, as NetBox documents it."""

_NO_TEXT = [
    f"Expected `{text}`, got `{other}`"
    for text in ("str", "str | null")
    for other in ("int", "float", "bool")
]
_NEEDED = ("manufacturer", "model", "slug")
_PORT = tuple(name for name in PortType.__struct_fields__ if name not in ("sort", "more"))
_ORDER = (
    *_NEEDED,
    "part_number",
    "u_height",
    "is_full_depth",
    "airflow",
    "weight",
    "weight_unit",
    "subdevice_role",
    "is_powered",
    "front_image",
    "rear_image",
    "description",
    "comments",
)


class Flaw(ValueError):
    """What is wrong with a file, and where in it."""

    def __init__(self, path: Path, fact: str) -> None:
        """Tell the `fact` about what the `path` leads to."""
        super().__init__(fact)
        self.path = path
        self.fact = fact


def read(data: Mapping[str, Any]) -> tuple[str, DeviceType]:
    """Return the slug and the type that the data of a file tell of.

    `write` gives the data back; only the DEFAULTS are then written, where they were left out.

    Raises:
        Flaw: it is not of the published form, or contradicts itself.

    """
    _check_plain(data)
    for name in _NEEDED:
        if data.get(name) is None:
            where = (name,) if name in data else ()
            raise Flaw(where, f"{name!r} is missing; a device type has a manufacturer, a model and a slug")
    slug = data["slug"]
    if not isinstance(slug, str) or not is_slug(slug):
        raise Flaw(("slug",), f"{slug!r} is no slug; it is at most 100 of a-z, 0-9, '-' and '_'")
    ports = tuple(_ports(data))
    _check_joints(data)
    kept = {n: v for n, v in data.items() if n not in (*_NEEDED, *DEFAULTS) and not (n in KEYS and v)}
    values = {"manufacturer": data["manufacturer"], "model": data["model"], "ports": ports}
    values |= _measures(data, kept)
    return slug, _converted({**values, "more": kept}, DeviceType, ())


def write(slug: str, type_: DeviceType) -> dict[str, Any]:
    """Return the data of a file for a type: the keys that everybody knows, then its ports."""
    data = {**(type_.more or {}), "slug": slug}
    for name in ("manufacturer", "model", "u_height", "is_full_depth"):
        data[name] = getattr(type_, name)
    if type_.weight is None or _kilograms(data) != type_.weight:
        data |= {"weight": type_.weight, "weight_unit": None if type_.weight is None else "kg"}
    names = ("manufacturer", "model", "u_height", "is_full_depth", "weight", "weight_unit")
    data = {name: value for name, value in data.items() if name not in names or value is not None}
    for key, sort in KEYS.items():
        listed = [_item(port) for port in type_.ports or () if port.sort == sort]
        if listed:
            data[key] = listed
    order = {name: place for place, name in enumerate((*_ORDER, "", *KEYS))}
    return dict(sorted(data.items(), key=lambda pair: order.get(pair[0], order[""])))


def _item(port: PortType) -> dict[str, Any]:
    known = {name: getattr(port, name) for name in _PORT}
    return {name: value for name, value in known.items() if value is not None} | (port.more or {})


def _check_plain(data: object) -> None:
    """Refuse what is no mapping, or holds what JSON has no word for: a date, a key that is a number."""
    if not isinstance(data, dict):
        raise Flaw((), "this is no device type; it has keys, as manufacturer, model and slug")
    if is_kept(data):
        return
    for key, value in data.items():
        if not is_kept({key: value}):
            items = enumerate(value) if isinstance(value, list) else ()
            path = next(((key, index) for index, item in items if not is_kept(item)), (key,))
            raise Flaw(path, "this cannot be kept; use text, numbers, true, false, lists and maps")


def _measures(data: Mapping[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """Return height, depth and weight; a weight in kilograms needs not be kept as it was."""
    measures = {**DEFAULTS, **{name: data[name] for name in DEFAULTS if name in data}}
    height, deep = measures["u_height"], measures["is_full_depth"]
    if not isinstance(deep, bool):
        raise Flaw(("is_full_depth",), f"'is_full_depth' is true or false, and not {deep!r}")
    if isinstance(height, bool) or not isinstance(height, int | float):
        raise Flaw(("u_height",), f"'u_height' is a number, and not {height!r}")
    try:
        one_height(height)
    except ValueError as error:
        raise Flaw(("u_height",), str(error)) from None
    if "weight" in data or "weight_unit" in data:
        measures["weight"] = _weight(data)
        if data["weight_unit"] == "kg":
            del kept["weight"], kept["weight_unit"]
    return measures


def _weight(data: Mapping[str, Any]) -> float:
    for name, other in (("weight", "weight_unit"), ("weight_unit", "weight")):
        if other not in data:
            raise Flaw((name,), f"{name!r} is given without {other!r}; give both or neither")
    weight, unit = data["weight"], data["weight_unit"]
    if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
        raise Flaw(("weight",), f"'weight' is a number from 0, and not {weight!r}")
    kilograms = _kilograms(data)
    if kilograms is None:
        raise Flaw(("weight_unit",), f"{unit!r} is no unit of weight; use kg, g, lb or oz")
    return kilograms


def _kilograms(data: Mapping[str, Any]) -> float | None:
    """Return the weight that a file tells, in kilograms to the milligram; None where it tells none."""
    weight, unit = data.get("weight"), data.get("weight_unit")
    if not isinstance(weight, int | float) or not isinstance(unit, str) or unit not in KILOGRAMS:
        return None
    return float(weight) if unit == "kg" else round(weight * KILOGRAMS[unit], 6)


def _ports(data: Mapping[str, Any]) -> Iterator[PortType]:
    for key, sort in KEYS.items():
        seen = set[str]()
        for index, item in _items(data, key):
            known = {name: item[name] for name in _PORT if name in item}
            for name, value in known.items():
                if value is None:
                    raise Flaw((key, index, name), f"{name!r} holds nothing; give a value or leave it out")
            more = {name: value for name, value in item.items() if name not in known}
            port = _converted({**known, "sort": sort, "more": more or None}, PortType, (key, index))
            if port.name in seen:
                raise Flaw((key, index, "name"), f"two of the {key} are called {port.name!r}; rename one")
            seen.add(port.name)
            yield port


def _check_joints(data: Mapping[str, Any]) -> None:
    """Refuse a port that refers to one that is not there, and bays for devices in what holds none."""
    for key, name, target in (
        ("power-outlets", "power_port", "power-ports"),
        ("front-ports", "rear_port", "rear-ports"),
        ("port-mappings", "rear_port", "rear-ports"),
        ("port-mappings", "front_port", "front-ports"),
    ):
        there = {item["name"] for _, item in _items(data, target)}
        for index, item in _items(data, key):
            named = item.get(name, "")
            if name in item and not (isinstance(named, str) and named in there):
                raise Flaw((key, index, name), f"{name!r} is {named!r}, which is none of the {target}")
    if data.get("device-bays") and data.get("subdevice_role") != "parent":
        raise Flaw(("device-bays",), "it has device-bays and is no parent; add 'subdevice_role: parent'")


def _items(data: Mapping[str, Any], key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Iterate over what a key lists, with the index of each."""
    listed = data.get(key, [])
    if not isinstance(listed, list):
        raise Flaw((key,), f"{key!r} is a list, each item of which has keys")
    for index, item in enumerate(listed):
        if not isinstance(item, dict):
            raise Flaw((key, index), f"{item!r} stands among the {key} and has no keys; give it a name")
        yield index, item


def _converted(values: dict[str, Any], type_: type[Any], path: Path) -> Any:  # noqa: ANN401
    """Build a struct; what is of the wrong type is told with the path to it."""
    try:
        return strict(values, type_)
    except Fault as fault:
        fact, name = fault.fact, fault.path.partition("[")[0].partition(".")[0]
        text = fact[:1].lower() + fact[1:]
        if fact in _NO_TEXT:
            text += "; write it in quotes"
        if "matching regex" in fact:
            text = f"{values[name]!r} holds a control character"
        raise Flaw((*path, name) if name in values else path, f"{name!r}: {text}" if name else text) from None
