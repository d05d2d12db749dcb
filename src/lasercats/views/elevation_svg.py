"""The elevation of a rack as SVG, to scale, to be printed on A4 in black and white and taped to the door."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from xml.sax.saxutils import escape

from lasercats.views.elevation import (
    BACK,
    WIDTH_IN_UNITS,
    Elevation,
    Look,
    Placed,
    beside,
    cut,
    ems,
    legal,
    looks,
    number,
    placed,
    plain,
    wrapped,
)

UNIT = 22
WIDE = UNIT * WIDTH_IN_UNITS
POST, NUMBERS, GAP, MARGIN = 9, 22, 34, 14
COLUMN = WIDE + 2 * (POST + NUMBERS)
HEAD, LINE = 50, 15
INSET, PAD = 0.8, 6
PAPER, MOST = (277, 190), 25.4 / 96
"""Millimetres: A4 without its margins, and of one of our units of length, which is a pixel at most."""
FONT = "font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\""
DEFS = f"""<defs>
<pattern id='crossed' width='6' height='6' patternUnits='userSpaceOnUse' patternTransform='rotate(45)'>
<path d='M0 0V6' stroke='#777' stroke-width='1.6'/></pattern>
<pattern id='back' width='5' height='5' patternUnits='userSpaceOnUse'>
<circle cx='2.5' cy='2.5' r='.8' fill='#777'/></pattern>
<pattern id='holes' width='{POST}' height='{UNIT}' patternUnits='userSpaceOnUse'>
<path d='M3 2.2h3v3h-3z M3 9.5h3v3h-3z M3 16.8h3v3h-3z' fill='#fff' stroke='#555' stroke-width='.6'/>
</pattern>
</defs>"""


@dataclass(frozen=True)
class Word:
    """A text that is cut to its place: `x` of its start, `y` of its baseline; a tag has a plate around it."""

    text: str
    x: float
    y: float
    size: float
    bold: bool = False
    tag: bool = False

    @property
    def wide(self) -> float:
        """How wide it is at most."""
        return self.size * ems(self.text, bold=self.bold)


def draw(elevations: Sequence[Elevation], face: str) -> str:
    """Return a whole document with a face of each rack, side by side on one floor."""
    seen = [placed(one, face) for one in elevations]
    floor = HEAD + UNIT * max((one.height for one in elevations), default=0)
    width = ceil(2 * MARGIN + max(len(elevations), 1) * (COLUMN + GAP) - GAP)
    foots = [[*_foot(one)] for one in elevations]
    ends = floor + 24 + LINE * max(map(len, foots), default=0)
    legend = [*_legend([one for some in seen for one in some], width - 2 * MARGIN)]
    height = ends + 20 * (1 + max(line for *_, line in legend)) + MARGIN
    parts = [*_opening(elevations, face, width, height), DEFS]
    for n, (one, boxes, foot) in enumerate(zip(elevations, seen, foots, strict=True)):
        x = MARGIN + n * (COLUMN + GAP)
        parts += _rack(one, face, boxes, x, floor)
        parts += [
            _text(Word(text, x, floor + 24 + LINE * line, 11, bold=bold))
            for line, (text, bold) in enumerate(foot)
        ]
    for look, label, left, line in legend:
        parts += _swatch(look, label, MARGIN + left, ends + 20 * line)
    return "\n".join([*parts, "</svg>", ""])


def _opening(elevations: Sequence[Elevation], face: str, width: int, height: int) -> Iterator[str]:
    """Iterate over the head of the document, which is never larger than a sheet, upright or across."""
    long, short = PAPER
    scale = min(MOST, max(min(short / width, long / height), min(long / width, short / height)))
    names = escape(", ".join(legal(one.name) for one in elevations))
    yield f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' "
    yield f"width='{width * scale:.2f}mm' height='{height * scale:.2f}mm' role='img' {FONT} fill='#111'>"
    yield f"<title>{names}</title><desc>Rack elevation, {escape(legal(face))}: {names}</desc>"
    yield f"<rect width='{width}' height='{height}' fill='#fff'/>"


def _rack(one: Elevation, face: str, boxes: Sequence[Placed], x: float, floor: float) -> Iterator[str]:
    """Iterate over a rack: its name, its frame with posts and numbers, what is in it."""
    high = one.height * UNIT
    y, left = floor - high, x + NUMBERS
    inside = left + POST
    yield "<g class='rack'>"
    yield _text(Word(_cut(one.name, COLUMN, 20, bold=True), x, y - 26, 20, bold=True))
    yield _text(Word(_cut(one.caption or face, COLUMN, 11), x, y - 10, 11))
    for post in (left, inside + WIDE):
        yield f"<rect x='{post:.2f}' y='{y}' width='{POST}' height='{high}' fill='#d4d7db'/>"
        yield f"<g transform='translate({post:.2f} {y})'>"
        yield f"<rect width='{POST}' height='{high}' fill='url(#holes)'/></g>"
    lines = " ".join(f"M{inside:.2f} {y + row * UNIT}h{WIDE:.2f}" for row in range(1, one.height))
    yield f"<path d='{lines}' stroke='#a3a8b0' stroke-width='.7' stroke-dasharray='1.5 3' fill='none'/>"
    for post in (left, inside):
        wide = WIDE + 2 * POST if post == left else WIDE
        frame = "class='frame' " if post == inside else ""
        yield f"<rect {frame}x='{post:.2f}' y='{y}' width='{wide:.2f}' height='{high}' fill='none' "
        yield f"stroke='#111' stroke-width='{1.8 if post == left else 0.8}'/>"
    for row in range(one.height):
        yield from _numbers(number(one, row), left, inside + WIDE + POST, y + (row + 0.5) * UNIT + 3.4)
    for box in boxes:
        yield from _device(box, inside, y)
    yield "</g>"


def _numbers(unit: int, left: float, right: float, y: float) -> Iterator[str]:
    weight = " font-weight='bold'" if unit % 5 == 0 else ""
    for x, anchor in ((left - 5, "end"), (right + 5, "start")):
        yield f"<text class='unit' x='{x:.2f}' y='{y:.1f}' text-anchor='{anchor}' font-size='9.5'{weight}>"
        yield f"{unit}</text>"


def _device(one: Placed, left: float, ceiling: float) -> Iterator[str]:
    """Iterate over a device, to scale but for the hairline between neighbours."""
    share = WIDE / one.columns
    x, y = left + one.column * share + INSET, ceiling + one.top * UNIT + INSET
    wide, high = share - 2 * INSET, one.box.height * UNIT - 2 * INSET
    yield f"<g class='device'><title>{escape(legal(one.box.about or one.box.name))}</title>"
    yield from _panel(one.look, x, y, wide, high, back=one.back)
    for word in _words(one, wide, high):
        if word.tag or one.back or one.look.crossed:
            yield _plate(word, x, y, edge=word.tag)
        yield _text(word, x, y)
    yield "</g>"


def _panel(look: Look, x: float, y: float, wide: float, high: float, *, back: bool) -> Iterator[str]:
    place = f"x='{x:.2f}' y='{y:.2f}' width='{wide:.2f}' height='{high:.2f}' rx='1.5'"
    fill = "#fff" if look.dashed or look.crossed or back else "#e3e6ea"
    dash = " stroke-dasharray='5 3'" if look.dashed else ""
    yield f"<rect class='box' {place} fill='{fill}'/>"
    if look.crossed or back:
        yield f"<rect {place} fill='url(#{'crossed' if look.crossed else 'back'})'/>"
    yield f"<rect {place} fill='none' stroke='#111' stroke-width='1.2'{dash}/>"


def _words(one: Placed, wide: float, high: float) -> Iterator[Word]:
    """Iterate over what is written in a box: the name, its mark at the right, the label beside or below."""
    low, two = high < UNIT - 2 * INSET, high > 1.4 * UNIT and bool(plain(one.box.label))
    size, small, room = (7.5, 6.5, wide - 2 * PAD) if low else (12, 9, wide - 2 * PAD)
    middle = high / 2 - 7 * two
    tag = _cut(one.words, room * 0.55, small)
    taken = small * ems(tag)
    left = room - (taken + 8 if tag else 0)
    most = room if two else left  # the name has a line for itself, for it is what one looks for
    size = min(size, max(size * 0.75, most / max(ems(plain(one.box.name), bold=True), 1)))
    name = Word(_cut(one.box.name, most, size, bold=True), PAD, middle + 0.36 * size, size, bold=True)
    yield name
    at, beyond = (size * 0.9 if low else 10), name.wide + 7
    if two:
        yield Word(_cut(one.box.label, left, at), PAD, middle + 14 + 0.36 * at, at)
    elif left - beyond > 4 * size:
        yield Word(_cut(one.box.label, left - beyond, at), PAD + beyond, name.y, at)
    if tag:
        yield Word(tag, wide - PAD - taken, middle + 14 * two + 0.36 * small, small, tag=True)


def _plate(word: Word, x: float, y: float, *, edge: bool) -> str:
    """Return paper behind a text, so that it is read on any pattern."""
    if not word.text:
        return ""
    place = f"x='{x + word.x - 3:.2f}' y='{y + word.y - 0.95 * word.size:.2f}'"
    stroke = " stroke='#111' stroke-width='.6'" if edge else ""
    size = f"width='{word.wide + 6:.2f}' height='{1.2 * word.size:.2f}'"
    return f"<rect {place} {size} rx='2' fill='#fff'{stroke}/>"


def _text(word: Word, x: float = 0, y: float = 0) -> str:
    weight = " font-weight='bold'" if word.bold else ""
    place = f"x='{x + word.x:.2f}' y='{y + word.y:.2f}'"
    return (
        f"<text {place} font-size='{word.size:.2f}'{weight}>{escape(word.text)}</text>" if word.text else ""
    )


def _foot(one: Elevation) -> Iterator[tuple[str, bool]]:
    """Iterate over the lines under a frame, and whether they are bold."""
    for line in one.totals:
        yield from ((part, False) for part in wrapped(line, COLUMN, lambda text: 11 * ems(text)))
    lines = beside(one)
    if lines:
        yield "Not in the frame", True
    for line in lines:
        yield from ((part, False) for part in wrapped(line, COLUMN, lambda text: 11 * ems(text)))


def _legend(seen: Sequence[Placed], width: float) -> Iterator[tuple[Look | None, str, float, int]]:
    """Iterate over what is told of the looks that are used, each with its place and line; None is free."""
    left, line = 0.0, 0
    used = looks(seen)
    used += [BACK] if BACK not in used and any(one.back and not one.look.crossed for one in seen) else []
    for look in [*used, None]:
        label = _cut(look.label if look else "free", width - 28, 10)
        wide = 28 + 10 * ems(label)
        if left and left + wide > width:
            left, line = 0, line + 1
        yield look, label, left, line
        left += wide + 16


def _swatch(look: Look | None, label: str, x: float, y: float) -> Iterator[str]:
    if look is None:
        yield f"<rect x='{x}' y='{y}' width='22' height='12' fill='#fff' stroke='#a3a8b0' stroke-width='.7' "
        yield "stroke-dasharray='1.5 3'/>"
    else:
        yield from _panel(look, x, y, 22, 12, back=look is BACK)
    yield _text(Word(label, x + 28, y + 9.6, 10))


def _cut(text: str, room: float, size: float, *, bold: bool = False) -> str:
    return cut(text, room, lambda some: size * ems(some, bold=bold))
