"""The elevation of a rack: which device is seen where on a face, whichever way the units are numbered.

What is drawn here is told by whoever has it; the pictures know nothing of domains. A unit is 44.45 mm high
and a panel 482.6 mm wide (IEC 60297-3-100, EIA-310).
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

WIDTH_IN_UNITS = 482.6 / 44.45
"""How wide a panel is, in units."""


@dataclass(frozen=True)
class Box:
    """A device in its place.

    `unit` is the lowest-numbered unit that it takes, `height` is in units; both are multiples of a half.
    One that takes no units is told beside the frame. `face` is `front` or `rear`, where it is mounted; one
    of full depth is seen from the other face too, from its back. `mark` is one of `LOOKS`. `label` is written
    beside the name where there is room, `about` is all of it in a line.
    """

    name: str
    unit: float
    height: float
    face: str
    full_depth: bool
    mark: str
    label: str = ""
    about: str = ""


@dataclass(frozen=True)
class Elevation:
    """A rack with what is in it; `height` in units, unit 1 is at the floor or, `from_above`, at the top.

    `totals` and `beside` are lines under the frame, `caption` is one under the name.
    """

    name: str
    height: int
    from_above: bool
    boxes: tuple[Box, ...]
    totals: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    caption: str = ""


@dataclass(frozen=True)
class Look:
    """How a mark is shown, so that no colour is needed; `worded` where the word stands in the box too."""

    sign: str
    label: str
    dashed: bool = False
    crossed: bool = False
    worded: bool = True


LOOKS = {
    "mounted": Look("■", "mounted", worded=False),
    "planned": Look("□", "planned: will come here", dashed=True),
    "leaving": Look("✕", "leaving: will go from here", crossed=True),
    "added": Look("+", "added", dashed=True),
    "gone": Look("-", "gone", crossed=True),
    "stays": Look("=", "stays", worded=False),
}
BACK = Look("▒", "back of a device on the other face")


@dataclass(frozen=True)
class Placed:
    """A box as it is seen on a face: `top` in units below the top of the frame, its column of how many."""

    box: Box
    top: float
    back: bool
    column: int = 0
    columns: int = 1

    @property
    def look(self) -> Look:
        """How it is shown; a mark that nobody foresaw is shown in its own word."""
        return LOOKS.get(self.box.mark) or Look("?", self.box.mark)

    @property
    def words(self) -> str:
        """What is written in it of its mark: `planned, back`."""
        return ", ".join([self.box.mark] * self.look.worded + ["back"] * self.back)

    @property
    def legend(self) -> Look:
        """How the legend tells of it; a back whose mark is not worded has a look of its own."""
        return BACK if self.back and not self.look.worded else self.look


def top(elevation: Elevation, box: Box) -> float:
    """Return how many units are between the top of the frame and a box."""
    below = box.unit - 1
    return below if elevation.from_above else elevation.height - below - box.height


def number(elevation: Elevation, row: int) -> int:
    """Return the number of the unit in a row, rows counted from 0 at the top."""
    return row + 1 if elevation.from_above else elevation.height - row


def fits(elevation: Elevation, box: Box) -> bool:
    """Return whether a box takes units, all of them in the frame."""
    return box.height > 0 and box.unit >= 1 and box.unit + box.height <= elevation.height + 1


def placed(elevation: Elevation, face: str) -> list[Placed]:
    """Return what is seen on a face, from above; boxes that share a place stand side by side there."""
    seen = [
        Placed(box, top(elevation, box), back=box.face != face)
        for box in elevation.boxes
        if fits(elevation, box) and (box.full_depth or box.face == face)
    ]
    return [one for group in _groups(seen) for one in _columns(group)]


def looks(seen: Sequence[Placed]) -> list[Look]:
    """Return what the legend tells: the looks that are used, in the order of their table."""
    used = {one.legend for one in seen}
    known = [look for look in (*LOOKS.values(), BACK) if look in used]
    return known + sorted(used.difference(known), key=lambda look: look.label)


def beside(elevation: Elevation) -> list[str]:
    """Return the lines on what is not in the frame: those that are given, and boxes that they do not name."""
    lines = list(elevation.beside)
    named = {line.partition(":")[0] for line in lines}
    for box in elevation.boxes:
        if not fits(elevation, box) and box.name not in named:
            where = f"unit {box.unit:g}, outside of the frame" if box.height > 0 else ""
            word = box.mark if Placed(box, 0, back=False).look.worded else ""
            lines.append(
                f"{box.name}: " + ", ".join(part for part in (box.label, box.face, where, word) if part)
            )
    return lines


def _groups(seen: Sequence[Placed]) -> Iterator[list[Placed]]:
    """Iterate over what shares places, by chains of overlaps."""
    group: list[Placed] = []
    end = 0.0
    for one in sorted(seen, key=lambda one: (one.top, one.box.name)):
        if group and one.top >= end:
            yield group
            group = []
        group.append(one)
        end = max(end, one.top + one.box.height)
    if group:
        yield group


def _columns(group: Sequence[Placed]) -> list[Placed]:
    """Give each of a group its column: what goes stands on the left of what comes."""
    columns: list[list[Placed]] = []
    for one in sorted(group, key=lambda one: not one.look.crossed):
        free = (column for column in columns if not any(_overlap(one, other) for other in column))
        column = next(free, None)
        if column is None:
            columns.append(column := [])
        column.append(one)
    found = [
        Placed(one.box, one.top, one.back, number, len(columns))
        for number, column in enumerate(columns)
        for one in column
    ]
    return sorted(found, key=lambda one: (one.top, one.column))


def _overlap(one: Placed, other: Placed) -> bool:
    return one.top < other.top + other.box.height and other.top < one.top + one.box.height


def legal(text: str) -> str:
    """Return text with a sign instead of what XML forbids and a terminal obeys (XML 1.0, 2.2)."""
    return "".join(
        " "
        if c in "\t\n\r"
        else "\ufffd"
        if unicodedata.category(c) in {"Cc", "Cs"} or c in "\ufffe\uffff"
        else c
        for c in text
    )


def plain(text: str) -> str:
    """Return text whose width can be told: no joiners or turns of direction, one mark at most on a letter."""
    kept = ""
    for c in unicodedata.normalize("NFC", legal(text)):
        kind = unicodedata.category(c)
        if kind == "Cf" or "\ufe00" <= c <= "\ufe0f" or (kind in {"Zl", "Zp"}):
            continue
        if kind in {"Mn", "Me"} and (not kept or unicodedata.category(kept[-1]) in {"Mn", "Me"}):
            continue
        kept += c
    return " ".join(kept.split())


def cut(text: str, room: float, wide: Callable[[str], float]) -> str:
    """Return text that is at most as wide as there is room, with `…` for what is left out of it."""
    text = plain(text)
    if wide(text) <= room:
        return text
    used, kept, room = 0.0, "", room - wide("…")
    if room < 0:
        return ""
    for c in text:
        used += wide(c)
        if used > room:
            break
        kept += c
    return f"{kept.rstrip()}…"


def wrapped(text: str, room: float, wide: Callable[[str], float]) -> list[str]:
    """Return lines that are at most as wide as there is room, broken at blanks."""
    lines: list[str] = []
    for word in plain(text).split():
        if lines and wide(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(cut(word, room, wide))
    return lines


def ems(text: str, *, bold: bool = False) -> float:
    """Return how wide a plain text is at a size of 1, at most, in Helvetica, Arial or Liberation Sans."""
    table = BOLD if bold else REGULAR
    return sum(table.get(c) or _unknown(c, table) for c in text)


def _unknown(c: str, table: dict[str, float]) -> float:
    """Return a bound for a character that is not in the table, and that another font may have to show."""
    base = unicodedata.normalize("NFD", c)[0]
    if base != c and base in table:
        return table[base] + 0.13
    if "\u0370" <= c <= "\u052f":
        return 1.05 if c.isupper() else 0.9
    return 13.0 if c in OVERLONG else 1.35


def _table(text: str) -> dict[str, float]:
    parts = text.split()
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {c: int(width) / 1000 for width, some in pairs for c in some} | {" ": 0.278}


OVERLONG = "\u2e3a\u2e3b\ufdfa\ufdfd\ua9c5\U00012031\U00012219\U0001242b"
"""Ligatures and dashes that are many letters long."""

# Advance widths in thousandths, each before the characters that have it; rounded up. From the `hmtx` tables
# of Liberation Sans 2, which has the widths of Arial and of Helvetica.
REGULAR = _table(
    r"191 ' 223 ijl 260 | 278 !,./:;I[\]ft· 334 ()-`r{}“” 351 • 355 "
    r'" 390 * 400 ° 470 ^ 500 Jcksvxyz 549 ± 557 #$0123456789?L_abdeghnopqu€£«» 577 µ 584 +<=>~ '
    r"611 FTZßø 667 &ABEKPSVXY 723 CDHNRUw 778 GOQØ 834 Mm 890 %æ 944 W 1000 —… 1016 @"
)
BOLD = _table(
    r"238 ' 278 ,./I\ijl· 280 | 334 !()-:;[]`ft 351 • 390 *r{} 400 ° 475 "
    r'" 500 z“” 549 ± 557 #$0123456789J_aceksvxy€£«» 577 µ 584 +<=>^~ 611 ?FLTZbdghnopqußø '
    r"667 EPSVXY 723 &ABCDHKNRU 778 GOQwØ 834 M 890 %mæ 944 W 976 @ 1000 —…"
)
