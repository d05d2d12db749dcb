"""Sets of VLANs and ranges of names, as network people write them: `10,20-30`, `eth1-24`.

A VLAN has a number from 1 to 4094 (IEEE 802.1Q-2022, 9.6: 0 and 4095 are not VLANs). What a trunk carries may
have 0 among them, where its machine knows that: frames without a tag, or with one of priority alone.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby

from lasercats.core.errors import BadInput

FIRST, LAST = 1, 4094
UNTAGGED = 0
"""Stands for frames that are in no VLAN, among those that a trunk carries."""
DEFAULT = 1
"""The VLAN that is always there."""
ALL, NONE = "all", "none"
MOST = 4096
"""The most names that one range stands for."""
_RANGE = re.compile(r"(?P<stem>.*?)(?P<first>[0-9]{1,18})-(?P<last>[0-9]{1,18})", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?")


def parse(text: str) -> frozenset[int]:
    """Read a set of VLANs: `10,20-30`, `all` or `none`.

    Raises:
        ValueError: a part is no number or range, or is out of bounds.

    """
    return _numbers(text, FIRST)


def carried(text: str) -> frozenset[int]:
    """Read what a trunk carries: a set of VLANs, which may have 0 in it, and has where it is `all`.

    Raises:
        ValueError: it is none.

    """
    return _numbers(text, UNTAGGED)


def _numbers(text: str, lowest: int) -> frozenset[int]:
    if text == ALL:
        return frozenset(range(lowest, LAST + 1))
    if text == NONE:
        return frozenset()
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        low, high = (number(first, lowest), number(last if dash else first, lowest))
        if low > high:
            raise ValueError(f"the range {part.strip()} ends before it begins")
        found.update(range(low, high + 1))
    return frozenset(found)


def number(text: str, lowest: int = FIRST) -> int:
    """Read the number of a VLAN.

    Raises:
        ValueError: it is none from 1 to 4094.

    """
    if not re.fullmatch("[0-9]{1,5}", text) or not lowest <= int(text) <= LAST:
        raise ValueError(f"{text!r} is no VLAN; they are numbered from {FIRST} to {LAST}")
    return int(text)


def can_be_absent(vlan: int | None) -> bool:
    """Tell whether a number is that of a VLAN that a switch may not have."""
    return vlan is not None and DEFAULT < vlan <= LAST


def default_name(vlan: int) -> str:
    """Return the name of a VLAN that nobody named."""
    return f"VLAN{vlan:04}"


def write(vlans: Iterable[int]) -> str:
    """Write a set of VLANs in its one form: sorted, with ranges; `all` or `none` where it is that.

    All VLANs without what is untagged is `all`, too: most switches have no such trunk.
    """
    numbers = sorted(vlans)
    if not numbers:
        return NONE
    if numbers[-1] == LAST and len(numbers) - (numbers[0] == UNTAGGED) == LAST - FIRST + 1:
        return ALL
    return ",".join(_spelled(numbers))


@lru_cache(maxsize=4096)
def one_form(text: str) -> str:
    """Return the one form of a set of VLANs: `10-12,20` for `20,10,11-12`.

    Raises:
        ValueError: it is none.

    """
    return write(carried(text))


def tagged(text: str, before: str | None) -> frozenset[int]:
    """Read what a trunk carries on a switch that knows no VLAN 0; of `all`, it never was a part there.

    Raises:
        ValueError: it is none, or what is untagged was asked for.

    """
    found = carried(text)
    if text != ALL and UNTAGGED in found and before != ALL:
        raise ValueError("VLAN 0, what is untagged, is no VLAN that a trunk of this switch carries by tag")
    return found - {UNTAGGED}


def spans(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Iterate over the first and the last of each run of sorted numbers."""
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        found = [number for _, number in run]
        yield found[0], found[-1]


def _spelled(numbers: Iterable[int]) -> list[str]:
    return [f"{low}" if low == high else f"{low}-{high}" for low, high in spans(numbers)]


def ranges(found: Iterable[str]) -> str:
    """Write names as `names` reads them: `eth1-3,5`; each stem is told again where it is another."""
    parts: list[str] = []
    stems: dict[str, list[int]] = {}
    for name in found:
        stem = name.rstrip("0123456789")
        number = name[len(stem) :]
        if not re.fullmatch("[1-9][0-9]{0,17}|0", number):
            parts.append(name)
        else:
            stems.setdefault(stem, []).append(int(number))
    for stem, numbers in stems.items():
        parts.append(stem + ",".join(_spelled(sorted(numbers))))
    return ",".join(parts)


def names(text: str) -> list[str]:
    """Return the names that a range stands for: `eth1-3,5` for `eth1`, `eth2`, `eth3` and `eth5`.

    The last number counts: `ge-0/0/1-4`. A number alone, after a comma, has the stem of what is before it.

    Raises:
        BadInput: a range ends before it begins, or stands for too many names.

    """
    found: list[str] = []
    stem = ""
    for part in text.split(","):
        whole = f"{stem}{part}" if _NUMBER.fullmatch(part) else part
        match = _RANGE.fullmatch(whole)
        if match is None:
            found.append(whole)
            stem = whole.rstrip("0123456789")
            continue
        stem, low, high = match["stem"], match["first"], match["last"]
        if int(low) > int(high):
            raise BadInput(f"the range {part!r} ends before it begins")
        if int(high) - int(low) >= MOST:
            raise BadInput(f"the range {part!r} stands for more than {MOST} names")
        found += [
            f"{stem}{n:0{len(low) if low.startswith('0') else 1}}" for n in range(int(low), int(high) + 1)
        ]
    return list(dict.fromkeys(found))
