"""The faceplate of a switch in a terminal; without colours it says the same."""

from collections.abc import Iterator, Sequence

from lasercats.views.faceplate import Faceplate, Jack, ink, rgb

CELL = 5
"""Columns of a jack, without its border."""
MOST = 24
"""Jacks in a row."""
UP, DOWN, OFF = "●", "○", "✕"
MARKS = "abcdefghijklmnopqrstuvwxyz"


def draw(face: Faceplate, width: int, *, color: bool) -> str:
    """Return the lines."""
    marks = {name: MARKS[n % len(MARKS)] for n, name in enumerate(face.lags)}
    columns = max(min((width - 1) // (CELL + 1), MOST), 1)
    columns = columns if columns < 6 else columns // 6 * 6  # noqa: PLR2004 - groups of six, as on the device
    lines = [_cut(f"{face.name}  {face.about}", width)]
    for start in range(0, len(face.jacks), 2 * columns):
        lines += _rows(face.jacks[start : start + 2 * columns], marks, color=color)
    lines += _legend(face, marks, width, color=color)
    return "\n".join(lines)


def _rows(jacks: Sequence[Jack], marks: dict[str, str], *, color: bool) -> Iterator[str]:
    odd, even = jacks[::2], jacks[1::2]
    bar = "─" * CELL
    yield " " + " ".join(_label(jack, marks) for jack in odd).rstrip()
    yield "┌" + "┬".join(bar for _ in odd) + "┐"
    yield "│" + "│".join(_cell(jack, color=color) for jack in odd) + "│"
    if even:
        last = "┤" if len(even) == len(odd) else "┴" + bar + "┘"
        yield "├" + "┼".join(bar for _ in even) + last
        yield "│" + "│".join(_cell(jack, color=color) for jack in even) + "│"
        yield "└" + "┴".join(bar for _ in even) + "┘"
        yield " " + " ".join(_label(jack, marks) for jack in even).rstrip()
    else:
        yield "└" + "┴".join(bar for _ in odd) + "┘"


def _label(jack: Jack, marks: dict[str, str]) -> str:
    mark = marks.get(jack.lag or "", "")
    text = jack.label if len(jack.label) + len(mark) <= CELL else f"…{jack.label[len(mark) + 1 - CELL :]}"
    return f"{text}{mark}".center(CELL)


def _cell(jack: Jack, *, color: bool) -> str:
    """Return a light and the VLAN; of a trunk a T, and the VLAN of untagged frames where that fits."""
    light = OFF if not jack.enabled else UP if jack.up else DOWN
    vlan = f"{jack.vlan or ''}"
    sign = ("T" + vlan if len(vlan) < CELL - 1 else "T") if jack.trunk else vlan or "?"
    text = f"{light}{sign.rjust(CELL - 1)}"
    if not color:
        return text
    return _painted(text, rgb(jack.vlan) if jack.enabled else (58, 63, 71))


def _painted(text: str, back: tuple[int, int, int]) -> str:
    """Return text on a colour (ISO 8613-6, direct colours)."""
    paper, pen = ";".join(map(str, back)), ";".join(map(str, ink(back)))
    return f"\x1b[48;2;{paper};38;2;{pen}m{text}\x1b[0m"


def _legend(face: Faceplate, marks: dict[str, str], width: int, *, color: bool) -> Iterator[str]:
    line, wide = "", 0
    for vlan in face.used:
        text = _cut(face.vlan_label(vlan), width - 4)
        swatch = _painted("  ", rgb(vlan)) if color else "·"
        room = len(text) + (3 if color else 2)
        if line and wide + 3 + room > width:
            yield line
            line, wide = "", 0
        line, wide = (f"{line}   {swatch} {text}", wide + 3 + room) if line else (f"{swatch} {text}", room)
    if line:
        yield line
    for name, mark in marks.items():
        yield _cut(f"{mark} {face.lag_label(name)}", width)
    yield _cut(f"{UP} up  {DOWN} down  {OFF} disabled  T trunk, and the VLAN of untagged frames", width)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
