"""The device-type library in a folder: what is read of it, and where it is wrong."""

import os
import shutil
from pathlib import Path

import pytest

from lasercats.core.address import Address
from lasercats.core.document import dump_yaml
from lasercats.core.errors import BadInput
from lasercats.core.reading import load_yaml
from lasercats.domains.rack.device_type import DeviceType, PortType
from lasercats.domains.rack.library import DEFAULTS, write
from lasercats.racks.library import Library, read_library

SHIPPED = Path(__file__).parent / "library"
GOOD = "manufacturer: Acme\nmodel: {0}\nslug: acme-{0}\n"


def put(root: Path, name: str, text: str | bytes) -> Path:
    """Write a file of a library."""
    path = root / "device-types" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def slugs(library: Library) -> list[str]:
    """Return the slugs of what was read, in the order of reading."""
    return [address.removeprefix("rack.device_type/") for address in library.types]


def test_a_library_is_read() -> None:
    """Every file in the folders of the makers is a type."""
    library = read_library(SHIPPED)
    assert library.problems == []
    assert slugs(library) == [
        "acme-bx-8",
        "acme-bx-blade-2",
        "acme-rs-1100",
        "lattice-fc-6",
        "lattice-pp-24",
        "northwind-sw-48p",
        "northwind-tap-4",
        "voltera-pdu-24-3p",
    ]


def type_of(slug: str) -> DeviceType:
    """Return a type of the library that is shipped with the tests."""
    return read_library(SHIPPED).types[Address(f"rack.device_type/{slug}")]


def ports_of(slug: str) -> tuple[PortType, ...]:
    """Return the ports of such a type."""
    return type_of(slug).ports or ()


def test_sizes_and_weights() -> None:
    """Half units, no unit and pounds are read, as is what is not of full depth."""
    assert (type_of("northwind-tap-4").u_height, type_of("northwind-tap-4").weight) == (0.5, 0.399728)
    assert (type_of("voltera-pdu-24-3p").u_height, type_of("voltera-pdu-24-3p").is_full_depth) == (0, False)
    assert (type_of("acme-rs-1100").u_height, type_of("acme-rs-1100").weight) == (1, 17.463306)
    assert type_of("acme-bx-8").weight == 81.2


def test_ports() -> None:
    """Ports come in the order of the file, with what feeds an outlet and what else is known of them."""
    switch, pdu = ports_of("northwind-sw-48p"), ports_of("voltera-pdu-24-3p")
    copper = [port.name for port in switch if port.type == "1000base-t" and "poe_mode" in (port.more or {})]
    assert copper == [f"ge{number}" for number in range(1, 49)]
    outlet = next(port for port in pdu if port.name == "Outlet 24")
    assert outlet == PortType(
        name="Outlet 24", sort="power-outlet", type="iec-60320-c19", power_port="Inlet", feed_leg="C"
    )
    assert [port.name for port in ports_of("acme-bx-8") if port.sort == "device-bay"] == [
        f"Bay {number}" for number in range(1, 9)
    ]


@pytest.mark.parametrize("path", sorted(SHIPPED.rglob("*.y*ml")), ids=lambda path: path.stem)
def test_a_file_is_written_back(path: Path) -> None:
    """What was read is written as the file says it, and reads the same again."""
    ((address, type_),) = read_library(path).types.items()
    written = write(address.partition("/")[2], type_)
    assert written == {**DEFAULTS, **load_yaml(path.read_text(), "file")[0]}
    assert load_yaml(dump_yaml(written), "file")[0] == written


@pytest.mark.parametrize(
    "folder", [".", "device-types", "device-types/Acme", "device-types/Acme/RS-1100.yaml"]
)
def test_any_part_of_a_library_is_read(folder: str) -> None:
    """The folder may be the library, its types, one maker or one file."""
    assert "acme-rs-1100" in slugs(read_library(SHIPPED / folder))


def test_only_what_is_chosen() -> None:
    """Patterns choose by maker and slug."""
    assert slugs(read_library(SHIPPED, ["Lattice/*"])) == ["lattice-fc-6", "lattice-pp-24"]
    assert slugs(read_library(SHIPPED, ["*/*-bx-*", "Voltera/*"])) == [
        "acme-bx-8",
        "acme-bx-blade-2",
        "voltera-pdu-24-3p",
    ]
    assert slugs(read_library(SHIPPED, ["*tap*", "[AL]*/*-24"])) == ["lattice-pp-24", "northwind-tap-4"]
    assert slugs(read_library(SHIPPED / "device-types/Acme", ["Acme/*rs*"])) == ["acme-rs-1100"]


def test_what_is_not_chosen_is_not_read(tmp_path: Path) -> None:
    """Bad files of other makers or with other slugs are not told of; where no slug is read, they are."""
    put(tmp_path, "Acme/a.yaml", GOOD.format("a"))
    put(tmp_path, "Acme/b.yaml", GOOD.format("b") + "u_height: 0.7\n")
    lost = put(tmp_path, "Acme/c.yaml", "manufacturer: [\n")
    put(tmp_path, "Other/d.yaml", "manufacturer: [\n")
    library = read_library(tmp_path, ["Acme/acme-a"])
    assert slugs(library) == ["acme-a"]
    assert [place for place, _ in library.problems] == [f"{lost}:2:1"]


BAD: dict[str, tuple[str | bytes, str, str]] = {
    "malformed": ("manufacturer: Acme\nmodel: [a\nslug: x\n", ":3:5", "malformed YAML: "),
    "twice": (GOOD.format("x") + "model: y\n", ":4:1", "the key 'model' stands twice"),
    "twice in a port": (
        GOOD.format("x") + "interfaces:\n  - name: a\n  - name: b\n    name: c\n",
        ":7:5",
        "the key 'name' stands twice",
    ),
    "not UTF-8": (b"manufacturer: Acm\xe9\n", "", "this is not UTF-8 text"),
    "control": (b"manufacturer: Ac\x01me\n", "", "malformed YAML: "),
    "empty": ("# nothing\n", "", "this is no device type"),
    "text": ("hello\n", ":1:1", "this is no device type"),
    "list": ("---\n- manufacturer: Acme\n", ":2:1", "this is no device type"),
    "no slug": ("---\nmanufacturer: Acme\nmodel: A\n", ":2:1", "'slug' is missing"),
    "no text": ("---\nmanufacturer: Acme\nmodel: 850\nslug: acme-850\n", ":3:1", "write it in quotes"),
    "height": (GOOD.format("x") + "\nu_height: 1.3\n", ":5:1", "multiple of 0.5"),
    "flow": ("{manufacturer: A,\n model: B, slug: c,\n weight: 7}\n", ":3:2", "without 'weight_unit'"),
    "port": (GOOD.format("x") + "interfaces:\n  - name: a\n  - eth1\n", ":6:5", "'eth1' stands among"),
    "no name": (GOOD.format("x") + "interfaces:\n  - type: virtual\n", ":5:5", "field `name`"),
    "twins": (
        GOOD.format("x") + "interfaces:\n  - name: a\n  - type: virtual\n    name: a\n",
        ":7:5",
        "two of the interfaces are called 'a'",
    ),
    "outlet": (
        GOOD.format("x") + "power-outlets:\n  - name: '1'\n    power_port: PSU\n",
        ":6:5",
        "'power_port' is 'PSU', which is none of the power-ports",
    ),
    "bays": (GOOD.format("x") + "device-bays:\n  - name: '1'\n", ":4:1", "subdevice_role: parent"),
    "tag": (GOOD.format("x") + "x: !!bool maybe\n", "", "a value in it cannot be read"),
    "date": (GOOD.format("x") + "x: !!timestamp 2020-01-01\n", ":4:1", "this cannot be kept"),
    "digits": (GOOD.format("x") + f"x: {'7' * 5000}\n", "", "a value in it cannot be read"),
    "loop": (GOOD.format("x") + "x: &a\n  - *a\n", ":4:4", "this cannot be kept"),
    "key": (GOOD.format("x") + "7: x\n", ":4:1", "this cannot be kept"),
    "object": (
        GOOD.format("x") + "x: !!python/name:os.system\n",
        ":4:4",
        "could not determine a constructor",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_told_of_with_its_line(case: str, tmp_path: Path) -> None:
    """A bad file is told of with the line of the culprit, and the others are read."""
    text, place, fact = BAD[case]
    bad = put(tmp_path, "Acme/b.yaml", text)
    put(tmp_path, "Acme/a.yaml", GOOD.format("a"))
    put(tmp_path, "Acme/c.yml", GOOD.format("c"))
    library = read_library(tmp_path)
    assert slugs(library) == ["acme-a", "acme-c"]
    ((where, reason),) = library.problems
    assert where == f"{bad}{place}"
    assert fact in reason


def test_a_slug_names_one_file(tmp_path: Path) -> None:
    """Of two files with one slug, the first is read and the second told of."""
    first = put(tmp_path, "Acme/1.yaml", GOOD.format("x"))
    second = put(tmp_path, "Beta/2.yaml", "manufacturer: Beta\nslug: acme-x\nmodel: y\n")
    library = read_library(tmp_path)
    assert [found.manufacturer for found in library.types.values()] == ["Acme"]
    fact = f"the slug 'acme-x' is that of {first} too; give one of them another"
    assert library.problems == [(f"{second}:2:1", fact)]


def test_a_bad_file_takes_no_slug(tmp_path: Path) -> None:
    """A file that is left out does not keep another from its slug."""
    put(tmp_path, "Acme/1.yaml", GOOD.format("x") + "u_height: -1\n")
    put(tmp_path, "Acme/2.yaml", GOOD.format("x"))
    library = read_library(tmp_path)
    assert (slugs(library), len(library.problems)) == (["acme-x"], 1)


def test_what_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    """A link that leads nowhere does not end the reading."""
    put(tmp_path, "Acme/a.yaml", GOOD.format("a"))
    link = tmp_path / "device-types/Acme/b.yaml"
    link.symlink_to(tmp_path / "nowhere")
    assert read_library(tmp_path).problems == [(str(link), "cannot be read: No such file or directory")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told_of(tmp_path: Path) -> None:
    """A file or folder without permission does not end the reading."""
    put(tmp_path, "Acme/a.yaml", GOOD.format("a"))
    put(tmp_path, "Acme/b.yaml", GOOD.format("b")).chmod(0)
    put(tmp_path, "Beta/c.yaml", GOOD.format("c")).parent.chmod(0)
    library = read_library(tmp_path)
    (tmp_path / "device-types/Beta").chmod(0o755)
    assert slugs(library) == ["acme-a"]
    assert [fact for _, fact in library.problems] == ["cannot be read: Permission denied"] * 2


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """Pictures, notes and hidden folders are no types, nor are the modules beside the types."""
    put(tmp_path, "Acme/a.yaml", GOOD.format("a"))
    put(tmp_path, "Acme/a.front.png", b"\x89PNG")
    put(tmp_path, "README.md", "x")
    put(tmp_path, ".github/x.yaml", "x: [")
    put(tmp_path, "../module-types/Acme/m.yaml", "x: [")
    (tmp_path / "device-types/Acme/folder.yaml").mkdir()
    assert read_library(tmp_path) == read_library(tmp_path / "device-types")
    assert (slugs(read_library(tmp_path)), read_library(tmp_path).problems) == (["acme-a"], [])


def test_marks_and_newlines_of_other_systems_are_read(tmp_path: Path) -> None:
    """A byte order mark and CRLF change nothing."""
    put(tmp_path, "Acme/a.yaml", b"\xef\xbb\xbf" + GOOD.format("a").replace("\n", "\r\n").encode())
    assert (slugs(read_library(tmp_path)), read_library(tmp_path).problems) == (["acme-a"], [])


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    """A folder without a type, a path that is not there or patterns that fit nothing are refused."""
    with pytest.raises(BadInput, match=r"there is no device type in .*give the folder that holds"):
        read_library(tmp_path)
    with pytest.raises(BadInput, match="nowhere is not there; give the folder of a device-type library"):
        read_library(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"Acme/none, B fits nothing in .*a pattern is MAKER/SLUG"):
        read_library(SHIPPED, ["Acme/none", "B"])


def test_the_maker_is_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns go by the name of the folder, from wherever the library is read."""
    shutil.copytree(SHIPPED / "device-types/Acme", tmp_path / "Maker")
    monkeypatch.chdir(tmp_path / "Maker")
    assert slugs(read_library(Path(), ["Maker/*rs*"])) == ["acme-rs-1100"]
    assert slugs(read_library(Path("RS-1100.yaml"), ["Maker/*"])) == ["acme-rs-1100"]
