"""The elevation of a rack in a terminal; without colours it says the same."""

from collections.abc import Iterator, Sequence

from lasercats.core.visible import columns
from lasercats.views.elevation import (
    Elevation,
    Look,
    Placed,
    beside,
    cut,
    looks,
    number,
    placed,
    plain,
    wrapped,
)

MOST = 100
"""Columns: a wider frame is harder to read across."""
LEAST = 6
"""Columns of a box that stands beside others: its signs, and some of its name."""
ROOMY = 14
"""Columns from which on the signs of a box stand apart from its name."""
COMES, GOES, SEEN_BACK = "32", "31", "2"
"""Green, red, faint (ECMA-48, 8.3.117)."""


def draw(elevation: Elevation, face: str, width: int, *, color: bool) -> str:
    """Return the lines."""
    digits = len(f"{elevation.height}")
    inner = max(min(width, MOST) - 2 * digits - 4, LEAST)
    seen = placed(elevation, face)
    shown = [one for one in seen if one.columns * (LEAST + 1) - 1 <= inner]
    lines = [cut(elevation.name, width, columns), *wrapped(elevation.caption or face, width, columns)]
    edge, margin = "─" * inner, " " * (digits + 1)
    lines += [f"{margin}┌{edge}┐", *_rows(elevation, shown, inner, color=color), f"{margin}└{edge}┘"]
    for line in elevation.totals:
        lines += wrapped(line, width, columns)
    aside = beside(elevation) + [_beneath(one) for one in seen if one not in shown]
    for line in ["Not in the frame", *aside] if aside else []:
        lines += wrapped(line, width, columns)
    return "\n".join([*lines, *_legend(looks(seen), width)])


def _rows(elevation: Elevation, seen: Sequence[Placed], inner: int, *, color: bool) -> Iterator[str]:
    """Iterate over the lines in the frame, one for a unit; two in a rack where halves are used."""
    halves = any(part % 1 for box in elevation.boxes for part in (box.unit, box.height))
    per, digits = (2 if halves else 1), len(f"{elevation.height}")
    for line in range(elevation.height * per):
        row, rest = divmod(line, per)
        unit = "" if rest else f"{number(elevation, row)}"
        here = [one for one in seen if one.top <= line / per < one.top + one.box.height]
        cells = _cells(here, line, per, inner, color=color)
        yield f"{unit:>{digits}} │{cells}│ {unit:>{digits}}".rstrip()


def _cells(here: Sequence[Placed], line: int, per: int, inner: int, *, color: bool) -> str:
    """Return a line of the frame: its boxes beside each other, or nothing."""
    if not here:
        return " " * inner
    count = here[0].columns
    each, more = divmod(inner - (count - 1), count)
    taken = {one.column: one for one in here}
    cells = []
    for column in range(count):
        room = each + (column < more)
        one = taken.get(column)
        cells.append(_cell(one, line, per, room, color=color) if one else " " * room)
    return "│".join(cells)


def _cell(one: Placed, line: int, per: int, room: int, *, color: bool) -> str:
    """Return a line of a box: its sign, how far it reaches, and what is written in it."""
    first, lines = round(one.top * per), round(one.box.height * per)
    at = line - first
    reach = " " if lines == 1 else "┌" if at == 0 else "└" if at == lines - 1 else "│"
    signs = f"{one.legend.sign}{reach}" + " " * (room >= ROOMY)
    text = signs + _written(one, room - len(signs), lines)[min(at, 2)]
    text += " " * (room - columns(text))
    return _painted(text, one.look, back=one.back) if color else text


def _written(one: Placed, room: int, lines: int) -> tuple[str, str, str]:
    """Return what is written on the first line of a box, on its second and on others.

    The mark has a line of its own where the name would else be cut to nothing; in one line, its sign stands.
    """
    box, words = one.box, one.words
    beside = bool(words) and room > columns(words) + min(columns(box.name), 6)
    left = room - (columns(words) + 1) * beside
    name = cut(box.name, left, columns)
    rest = left - columns(name) - 2
    label = box.label if lines == 1 or columns(plain(box.label)) <= rest else ""
    label = cut(label, rest, columns) if rest >= LEAST else ""
    head = f"{name}  {label}" if label else name
    if beside:
        return (
            head + " " * (room - columns(head) - columns(words)) + words,
            _below(box.label, label, room),
            "",
        )
    below = cut(words, room, columns) if words else _below(box.label, label, room)
    return head, below, ""


def _below(label: str, text: str, room: int) -> str:
    return "" if text else cut(label, room, columns)


def _painted(text: str, look: Look, *, back: bool) -> str:
    code = COMES if look.dashed else GOES if look.crossed else SEEN_BACK if back else ""
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def _beneath(one: Placed) -> str:
    """Return what is said of a box under the frame, where too many stand in its place."""
    text = f"{one.box.name}: unit {one.box.unit:g}, {one.box.height:g} high, {one.box.face}"
    return f"{text}, {one.box.mark}; the frame is too narrow for it"


def _legend(used: Sequence[Look], width: int) -> Iterator[str]:
    line = ""
    for look in used:
        text = cut(f"{look.sign} {look.label}", width, columns)
        if line and columns(f"{line}   {text}") > width:
            yield line
            line = ""
        line = f"{line}   {text}" if line else text
    if line:
        yield line
