"""The faceplate of a switch as SVG: two rows of jacks, odd above and even below, as on the device."""

from collections.abc import Iterator
from textwrap import wrap
from xml.sax.saxutils import escape

from lasercats.views.faceplate import Faceplate, Jack, ink, rgb

WIDE, HIGH, GAP = 36, 30, 5
BLOCK, COLUMNS = 6, 24
"""Columns between two gaps, and in a row."""
LEFT, TOP, LABEL = 190, 22, 13
ROW = 2 * (HIGH + LABEL) + 26
LINE = 20
FONT = "font-family='Helvetica, Arial, sans-serif'"


def draw(face: Faceplate) -> str:
    """Return a whole document."""
    pairs = (len(face.jacks) + 1) // 2
    columns, rows = max(min(pairs, COLUMNS), 6), max(-(-pairs // COLUMNS), 1)
    width = LEFT + _x(columns - 1) + WIDE + 24
    case = TOP + rows * ROW
    legend = [*_legend(face, width)]
    height = case + 16 + LINE * max((y for _, y in legend), default=0) + LINE + 18
    about = f"Faceplate of the switch {face.name}: {face.about}"
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' "
        f"height='{height}' role='img' {FONT}>",
        f"<title>{escape(face.name)}</title><desc>{escape(about)}</desc>",
        f"<rect x='1' y='1' width='{width - 2}' height='{height - 2}' rx='8' fill='#f4f5f7' "
        "stroke='#c9ced6'/>",
        f"<rect x='8' y='8' width='{width - 16}' height='{case}' rx='6' fill='#23272f' stroke='#11141a'/>",
        f"<text x='24' y='{8 + case / 2}' fill='#ffffff' "
        f"font-size='{min(19, 260 // max(len(face.name), 1))}' font-weight='bold'>"
        f"{escape(_cut(face.name, 24))}</text>",
        f"<text x='24' y='{8 + case / 2 + 18}' fill='#aab3c0' font-size='11'>{escape(face.about)}</text>",
    ]
    for number, jack in enumerate(face.jacks):
        row, place = divmod(number, 2 * COLUMNS)
        parts += _jack(jack, LEFT + _x(place // 2), TOP + row * ROW, below=place % 2 == 1)
    parts += [text.replace("@y", f"{case + 30 + LINE * y}") for text, y in legend]
    return "\n".join([*parts, "</svg>", ""])


def _x(column: int) -> int:
    return column * (WIDE + GAP) + column // BLOCK * 10


def _jack(jack: Jack, x: int, y: int, *, below: bool) -> Iterator[str]:
    top = y + LABEL + 4 + (HIGH + 8 if below else 0)
    label = top + HIGH + 12 if below else top - 5
    fill = rgb(jack.vlan) if jack.enabled else (58, 63, 71)
    text = ("T" + (f"{jack.vlan}" if jack.vlan else "")) if jack.trunk else f"{jack.vlan or '?'}"
    edge = "stroke='#ffd75e' stroke-width='2.5'" if jack.lag else "stroke='#0d0f13' stroke-width='1'"
    yield f"<g class='port'><title>{escape(jack.caption)}</title>"
    yield f"<rect x='{x}' y='{top}' width='{WIDE}' height='{HIGH}' rx='3' fill='{_css(fill)}' {edge}/>"
    if jack.trunk and jack.enabled:
        stripes = " ".join(
            f"M{x + n} {top + HIGH - 1} l6 -{HIGH - 2} h5 l-6 {HIGH - 2} z" for n in (3, 14, 25)
        )
        yield f"<path d='{stripes}' fill='#23272f' fill-opacity='.28'/>"
    if not jack.enabled:
        yield f"<path d='M{x + 4} {top + 4} l{WIDE - 8} {HIGH - 8} m0 -{HIGH - 8} l-{WIDE - 8} {HIGH - 8}' "
        yield "stroke='#7d8794' stroke-width='2' fill='none'/>"
    led = "#3ddc84" if jack.up else "#23272f"
    light = f"cx='{x + WIDE - 5}' cy='{top + 5}' r='3' fill='{led}'"
    yield f"<circle class='link' {light} stroke='#0d0f13' stroke-width='.8'/>"
    shade = _css(ink(fill))
    yield (
        f"<text x='{x + WIDE / 2 - 1}' y='{top + HIGH / 2 + 6}' text-anchor='middle' font-size='11' "
        f"font-weight='bold' fill='{shade}'>{escape(text)}</text>"
    )
    yield (
        f"<text x='{x + WIDE / 2}' y='{label}' text-anchor='middle' font-size='9' fill='#cdd4de'>"
        f"{escape(_cut(jack.label, 7))}</text></g>"
    )


def _legend(face: Faceplate, width: int) -> Iterator[tuple[str, int]]:
    """Iterate over the legend, each part with its line; `@y` stands for where that is."""
    x, line = 20, 0
    for vlan in face.used:
        text = face.vlan_label(vlan)
        wide, name = 34 + 7 * len(text), escape(text)
        if x + wide > width - 20 and x > 20:  # noqa: PLR2004 - the margin
            x, line = 20, line + 1
        swatch = (
            f"<rect x='{x}' y='@y' width='14' height='14' rx='2' fill='{_css(rgb(vlan))}' stroke='#555c66'/>"
        )
        yield (
            f"{swatch}<text x='{x + 20}' y='@y' dy='11.5' font-size='12' fill='#23272f'>{name}</text>",
            line,
        )
        x += wide
    lines = [f"LAG {face.lag_label(name)}" for name in face.lags]
    lines.append("striped: trunk, with the VLAN of untagged frames; T alone: none; gold edge: in a LAG")
    lines.append("green light: link up; dark light: down; crossed: disabled")
    for text in (part for whole in lines for part in wrap(whole, (width - 40) // 7)):
        line += 1
        yield f"<text x='20' y='@y' dy='11.5' font-size='12' fill='#4a525e'>{escape(text)}</text>", line


def _css(color: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
