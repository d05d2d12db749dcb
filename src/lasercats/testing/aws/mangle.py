"""Answers that are damaged on their way, or come from something that is no EC2: by chance, from a seed."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from copy import deepcopy
from random import Random

from lasercats.testing.aws.wire import Answer, parse, write

ODD_TEXTS = (
    *("", " ", "None", "null", "-1", "0x1F", "1e9", "true", "٣", "\u202e\u200d", "a\tb\nc", "'\"`$(:)"),
    *("2026-99-99T99:99:99Z", "99999-01-01T00:00:00Z", "9" * 400, "x" * 100_000, "i-0", "ec2.vpc/x", "{}"),
)
BODIES = (
    *(b"", b"\0\xff\xfe", b"<html><body>Bad Gateway</body></html>", b"{}", b"<a>" * 50_000, b"<Response/>"),
    b"<Response><Errors/></Response>",
    b"<Response><Errors><Error>no</Error><Error/></Errors></Response>",
    b"<Response><Errors><Error><Code><a/></Code></Error></Errors></Response>",
    b"<a>" * 30_000 + b"</a>" * 30_000,
    b"<a>" + b"<item/>" * 100_000 + b"</a>",
)


def mangled(random: Random, answer: Answer) -> Answer:
    """Return what becomes of an answer: cut, doubled, reordered, huge, garbage, or of another status."""
    twist = random.choice((_cut, _other, _status, *[_tree] * 7))
    return twist(random, answer)


def _cut(random: Random, answer: Answer) -> Answer:
    return Answer(answer.status, answer.body[: random.randrange(len(answer.body) + 1)])


def _other(random: Random, answer: Answer) -> Answer:
    return Answer(answer.status, random.choice(BODIES))


def _status(random: Random, answer: Answer) -> Answer:
    body = random.choice((answer.body, *BODIES))
    return Answer(random.choice((201, 204, 302, 400, 401, 403, 404, 418, 429, 500, 503, 599)), body)


def _tree(random: Random, answer: Answer) -> Answer:
    """Change one to three elements of it."""
    root = parse(answer)
    for _ in range(random.randint(1, 3)):
        inner = [(parent, child) for parent in root.iter() for child in parent]
        if inner:
            random.choice(TWISTS)(random, *random.choice(inner))
    return Answer(answer.status, write(root))


def _double(_: Random, parent: ET.Element, child: ET.Element) -> None:
    parent.insert(list(parent).index(child), deepcopy(child))


def _shuffle(random: Random, parent: ET.Element, _: ET.Element) -> None:
    children = list(parent)
    random.shuffle(children)
    parent[:] = children


def _lose(_: Random, parent: ET.Element, child: ET.Element) -> None:
    parent.remove(child)


def _empty(_: Random, __: ET.Element, child: ET.Element) -> None:
    child[:] = []
    child.text = None


def _rename(_: Random, __: ET.Element, child: ET.Element) -> None:
    child.tag = "somethingNew"


def _say(random: Random, __: ET.Element, child: ET.Element) -> None:
    child.text = random.choice(ODD_TEXTS)


def _fill(random: Random, parent: ET.Element, child: ET.Element) -> None:
    child[:] = [deepcopy(random.choice(list(parent)))]


TWISTS: tuple[Callable[[Random, ET.Element, ET.Element], None], ...] = (
    *(_double, _shuffle, _lose, _empty, _rename, _fill),
    *[_say] * 4,
)
"""What may become of an element of an answer."""
