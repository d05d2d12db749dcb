"""Rack elevations: each device in its place, to scale, its words inside of it, on paper and in a terminal."""

import re
import shutil
import struct
import subprocess
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lasercats.testing import peers
from lasercats.views import elevation_svg, elevation_terminal
from lasercats.views.elevation import Box, Elevation

SVG = "{http://www.w3.org/2000/svg}"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
EVIL = "<script>alert('x')</script>&amp;\"'"
NASTY = [
    "W" * 64,
    "storage-array-primary-eu-central-1a-production-shelf-0001-AVAVAV",
    "数据库服务器一号机架生产环境主节点备份用途甲乙丙丁" * 2,
    "🐱🐶👩‍👩‍👧‍👦🏳️‍🌈" * 8,
    "ЩЫЮЖ" * 12 + "щыюж" * 4,
    "é̂̃̄̅" * 30,
    "﷽" * 9,
    "W" * 9 + "\u202e" + "@" * 40,
    EVIL * 2,
]
MARKS = ("mounted", "planned", "leaving", "added", "gone", "stays")


def box(name: str, unit: float, height: float = 1, mark: str = "mounted", **more: str) -> Box:
    """Return a device on the front, of full depth where no other face is given."""
    face = more.pop("face", "deep")
    return Box(name, unit, height, face.replace("deep", "front"), face == "deep", mark, **more)


def rack(*boxes: Box, height: int = 10, from_above: bool = False, **more: tuple[str, ...]) -> Elevation:
    """Return a rack with such devices."""
    return Elevation("r1", height, from_above, boxes, **more)  # type: ignore[arg-type]


def crowded(names: list[str], mark: str) -> Elevation:
    """Return a rack with names that are hard to fit: whole units, two in one place, halves, tall ones."""
    heights = [(1, 0.5, 2)[n % 3] for n in range(len(names))]
    at = [(1 + sum(heights[:n]), height) for n, height in enumerate(heights)]
    boxes = [box(name, *place, mark, label=name) for name, place in zip(names, at, strict=True)]
    other = zip(names[1::2], at[1::2], strict=True)
    return rack(*boxes, *(box(name[::-1], *place, "planned", label=name) for name, place in other), height=12)


def drawn(elevation: Elevation, face: str = "front") -> ElementTree.Element:
    """Return the document of a rack."""
    return ElementTree.fromstring(elevation_svg.draw([elevation], face))  # noqa: S314 - our own


def devices(root: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """Iterate over the groups of the devices."""
    return (group for group in root.iter(f"{SVG}g") if group.get("class") == "device")


def area(element: ElementTree.Element) -> tuple[float, float, float, float]:
    """Return left, top, width and height."""
    return tuple(float(element.get(key, "nan")) for key in ("x", "y", "width", "height"))  # type: ignore[return-value]


def places(elevation: Elevation, face: str = "front") -> dict[str, tuple[float, float]]:
    """Return of each device how many units its upper and lower edge are below the top of the frame."""
    root = drawn(elevation, face)
    (frame,) = (area(rect) for rect in root.iter(f"{SVG}rect") if rect.get("class") == "frame")
    unit, found = frame[3] / elevation.height, {}
    for group in devices(root):
        _, y, _, high = area(next(group.iter(f"{SVG}rect")))
        found[f"{group.findtext(f'{SVG}title')}"] = ((y - frame[1]) / unit, (y + high - frame[1]) / unit)
    assert len(found) == len([*devices(root)]), "one is drawn twice"
    return found


def in_terminal(elevation: Elevation, face: str = "front", width: int = 60) -> list[str]:
    """Return the lines in a terminal."""
    return elevation_terminal.draw(elevation, face, width, color=False).splitlines()


def columns(text: str) -> int:
    """Return how many columns a line takes."""
    seen = [c for c in text if unicodedata.category(c) not in ("Mn", "Me")]
    return len(seen) + sum(unicodedata.east_asian_width(c) in ("W", "F") for c in seen)


@pytest.mark.parametrize("from_above", [False, True])
def test_a_device_is_drawn_once_in_its_units_and_to_scale(from_above: bool) -> None:
    """A device is as high as its units and in them, counted from the floor or from above; halves too."""
    units = {"a": (1, 1), "b": (2, 4), "c": (6, 0.5), "d": (6.5, 0.5), "e": (8, 2.5)}
    elevation = rack(*(box(n, *at) for n, at in units.items()), from_above=from_above)
    assert sorted(found := places(elevation)) == sorted(units)
    for name, (unit, height) in units.items():
        edges = (unit - 1, unit - 1 + height) if from_above else (11 - unit - height, 11 - unit)
        assert found[name] == pytest.approx(edges, abs=0.05), name


def test_a_panel_has_the_proportions_of_nineteen_inches() -> None:
    """A frame is as wide to its units as 482.6 mm are to 44.45 mm."""
    (frame,) = (area(rect) for rect in drawn(rack()).iter(f"{SVG}rect") if rect.get("class") == "frame")
    assert frame[2] / (frame[3] / 10) == pytest.approx(482.6 / 44.45, rel=1e-3)


@pytest.mark.parametrize(("from_above", "expected"), [(False, range(10, 0, -1)), (True, range(1, 11))])
def test_units_are_numbered_on_both_sides_as_they_are_on_the_posts(from_above: bool, expected: range) -> None:
    """The numbers run from the floor or from above, on the left and on the right, in both forms."""
    root = drawn(rack(from_above=from_above))
    texts = [text for text in root.iter(f"{SVG}text") if text.get("class") == "unit"]
    for anchor in ("end", "start"):
        side = [text for text in texts if text.get("text-anchor") == anchor]
        assert [int(text.text or "") for text in side] == [*expected]
        assert all(float(a.get("y", "")) < float(b.get("y", "")) for a, b in pairwise(side))
    rows = [line.split() for line in in_terminal(rack(from_above=from_above)) if "│" in line]
    assert [(int(row[0]), int(row[-1])) for row in rows] == [(n, n) for n in expected]


def test_each_face_shows_what_is_seen_on_it() -> None:
    """A device of half depth is seen on its own face only, one of full depth from its back on the other."""
    elevation = rack(box("deep", 1), box("panel", 3, face="front"), box("switch", 3, face="rear"))
    assert sorted(places(elevation, "front")) == ["deep", "panel"]
    assert sorted(places(elevation, "rear")) == ["deep", "switch"]
    backs = [g for g in devices(drawn(elevation, "rear")) if "back" in [t.text for t in g.iter(f"{SVG}text")]]
    assert [g.findtext(f"{SVG}title") for g in backs] == ["deep"]
    rear = [
        line.split()[1:4] for line in in_terminal(elevation, "rear") if re.search("deep|switch|panel", line)
    ]
    assert rear == [["│■", "switch", "│"], ["│▒", "deep", "back│"]]


def test_what_is_not_in_the_frame_is_listed_under_it() -> None:
    """Devices without units or outside of the frame are lines, each once, in both forms and on both faces."""
    elevation = rack(
        box("pdu1", 0, 0, face="rear", label="AP8853"),
        box("pdu2", 0, 0, "planned", face="rear"),
        box("high", 10, 2),
        beside=("pdu1: given", "shelf: in the back room"),
    )
    listed = ["pdu1: given", "shelf: in the back room", "pdu2: rear, planned"]
    listed.append("high: front, unit 10, outside of the frame")
    for face in ("front", "rear"):
        assert places(elevation, face) == {}
        texts = [text.text for text in drawn(elevation, face).iter(f"{SVG}text")]
        assert texts[texts.index("Not in the frame") + 1 :][:4] == listed
        assert [line for line in in_terminal(elevation, face) if ":" in line] == listed


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_is_told_in_words_and_without_colour(mark: str) -> None:
    """What is not simply there says so in words in its box; a legend tells the marks that are used only."""
    elevation = rack(box("db1", 1, 1, mark))
    (group,) = devices(drawn(elevation))
    written = [mark] if mark not in ("mounted", "stays") else []
    assert [text.text for text in group.iter(f"{SVG}text")] == ["db1", *written]
    *_, line, _, legend = in_terminal(elevation)
    assert re.findall(r"[a-z]+[0-9]?", line) == ["db1", *written]
    assert legend.split(":")[0].split() == [line.split()[1].strip("│"), mark]
    words = {
        word for text in drawn(elevation).iter(f"{SVG}text") for word in re.findall(r"\w+", text.text or "")
    }
    assert words & {*MARKS} == {mark}


def test_two_in_one_place_are_both_drawn_and_named() -> None:
    """What goes stands on the left and what comes on the right, each in half of the width."""
    elevation = rack(box("new", 3, 1, "planned"), box("old", 2, 2, "leaving"), box("else", 5))
    rects = {g.findtext(f"{SVG}title"): area(next(g.iter(f"{SVG}rect"))) for g in devices(drawn(elevation))}
    assert rects["old"][0] + rects["old"][2] < rects["new"][0]
    assert rects["old"][2] == pytest.approx(rects["new"][2])
    assert rects["old"][2] == pytest.approx(rects["else"][2] / 2, abs=1)
    for width in (30, 80):
        (line,) = (line for line in in_terminal(elevation, width=width) if line.startswith(" 3"))
        assert line.index("✕") < line.index("old") < line.index("□") < line.index("new")


def test_what_somebody_wrote_stays_text() -> None:
    """Names with markup stay text, and characters that XML forbids or a terminal obeys are replaced."""
    bad = "a\x00\x1b[31m\ufffe\ud800b"
    one = box(bad, 1, label=EVIL, about=EVIL + bad)
    elevation = replace(rack(one, totals=(EVIL,), beside=(f"{EVIL}: {bad}",)), name=EVIL, caption=EVIL)
    root = drawn(elevation)
    (group,) = devices(root)
    assert group.findtext(f"{SVG}title") == f"{EVIL}a\ufffd\ufffd[31m\ufffd\ufffdb"
    assert not [*root.iter(f"{SVG}script")]
    assert "\x1b" not in "".join(in_terminal(elevation))


@pytest.mark.parametrize("width", [30, 31, 32, 33, 37, 41, 48, 55, 64, 80, 97, 120, 200])
def test_a_terminal_is_never_too_narrow(width: int) -> None:
    """No line is wider than the terminal, and what is in the frame ends with it."""
    for mark, height in (("mounted", 3), ("planned", 12), ("leaving", 12), ("W" * 90, 100)):
        some = crowded([*NASTY, "db1"], mark).boxes
        elevation = rack(*some, *some[:4], height=height, totals=tuple(NASTY), beside=tuple(NASTY))
        for face in ("front", "rear"):
            lines = in_terminal(elevation, face, width)
            assert max(map(columns, lines)) <= width
            assert len({columns(line.rstrip(" 0123456789")) for line in lines if "│" in line}) == 1


def test_colours_say_nothing_more() -> None:
    """With colours a terminal shows the same text as without."""
    elevation = crowded(["db1", "db2", "web-old", "数据"], "leaving")
    for face in ("front", "rear"):
        colored = elevation_terminal.draw(elevation, face, 60, color=True)
        assert "\x1b[" in colored
        assert ANSI.sub("", colored).splitlines() == in_terminal(elevation, face)


def test_a_terminal_takes_two_lines_for_a_unit_only_where_halves_are_used() -> None:
    """A rack of whole units has a line for each; one half-unit device makes that two."""
    assert sum("│" in line for line in in_terminal(rack(box("a", 1)))) == 10
    halves = [line for line in in_terminal(rack(box("a", 1.5, 0.5), box("b", 1, 0.5))) if "│" in line]
    assert len(halves) == 20
    assert [re.findall(r"[ab]", line) for line in halves[-2:]] == [["a"], ["b"]]


def test_a_document_fits_a_sheet() -> None:
    """However many racks and units there are, a document is not larger than A4 less its margins."""
    for count, height in product((0, 1, 2, 7), (0, 1, 48, 60)):
        svg = elevation_svg.draw([rack(box("a", 1), height=height)] * count, "front")
        short, long = sorted(map(float, re.findall(r"='([0-9.]+)mm'", svg)))
        assert short <= 190.01
        assert long <= 277.01


def pixels(root: ElementTree.Element, path: Path) -> list[bytes]:
    """Return the rows of a document, drawn at twice its size: RGB, a byte each (PNG, ISO/IEC 15948, 9)."""
    peers.need(None if shutil.which("rsvg-convert") else "rsvg-convert, of librsvg2-bin, is not installed")
    wide, high = (2 * int(side) for side in root.get("viewBox", "").split()[2:])
    root.attrib.update(width=f"{wide}", height=f"{high}")
    subprocess.run(["rsvg-convert", "-o", path], input=ElementTree.tostring(root), check=True)
    data, at, packed = path.read_bytes(), 8, b""
    assert data[24:29] == bytes([8, 2, 0, 0, 0])  # 8 bits, RGB as nothing is seen through, not interlaced
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        packed += data[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    raw, size, rows = zlib.decompress(packed), 3 * wide, [bytes(3 * wide)]
    for start in range(0, len(raw), size + 1):
        rows.append(unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + size]), rows[-1]))
    return rows[1:]


def unfiltered(kind: int, line: bytearray, up: bytes) -> bytes:
    """Return a row as it was before it was filtered by the row above and the pixel to the left."""
    if kind == 2:
        return bytes((a + b) & 255 for a, b in zip(line, up, strict=True))
    for n in range(len(line) if kind else 0):
        left, corner = (line[n - 3], up[n - 3]) if n >= 3 else (0, 0)
        guess = left + up[n] - corner
        near = min((left, up[n], corner), key=lambda value: abs(guess - value)) if kind == 4 else 0
        line[n] = (line[n] + (0, left, 0, (left + up[n]) // 2, near)[kind]) & 255
    return bytes(line)


def ink(some: list[bytes], other: list[bytes]) -> set[tuple[int, int]]:
    """Return where two pictures of one size differ."""
    rows = enumerate(zip(some, other, strict=True))
    return {(n // 3, y) for y, (a, b) in rows if a != b for n in range(len(a)) if a[n] != b[n]}


@pytest.mark.slow
@pytest.mark.parametrize(("mark", "face"), [("mounted", "front"), ("leaving", "rear")])
def test_no_text_leaves_its_box(mark: str, face: str, tmp_path: Path) -> None:
    """On a picture of it, the ink of a device's words lies inside of the device, whatever it is called."""
    elevation = crowded(NASTY, mark)
    whole = pixels(drawn(elevation, face), tmp_path / "whole.png")
    for right in (False, True):  # neighbours one after the other, so that none hides in the other's box
        root = drawn(elevation, face)
        both = [(group, area(next(group.iter(f"{SVG}rect")))) for group in devices(root)]
        some = [(group, sides) for group, sides in both if (sides[0] > 60) == right]
        for one, _ in some:
            for text in one.findall(f"{SVG}text"):
                one.remove(text)
        words = ink(whole, pixels(root, tmp_path / "less.png"))
        for group, sides in some:
            x, y, wide, high = (2 * side for side in sides)
            inside = {at for at in words if x + 1 < at[0] < x + wide - 2 and y + 1 < at[1] < y + high - 2}
            assert inside, group.findtext(f"{SVG}title")
            words -= inside
        assert not words


@pytest.mark.slow
def test_no_text_leaves_the_sheet(tmp_path: Path) -> None:
    """On a picture of it, the lines above and under the frame keep clear of the edges."""
    boxes = [box(str(n), n + 1, 1, mark) for n, mark in enumerate((*MARKS, "W" * 90))]
    for name in NASTY[:2]:
        more = replace(rack(*boxes, height=7), name=name, caption=name, totals=(*NASTY,), beside=(name,))
        rows = pixels(drawn(more), tmp_path / "sheet.png")
        edges = [*rows[:8], *rows[-8:], *(row[:24] + row[-24:] for row in rows)]
        assert {value for edge in edges for value in edge} == {255}
