"""`--serial`: at how many addresses at a time commands are carried out."""

import re
from collections.abc import Sequence

from lasercats.core.command import Command
from lasercats.core.errors import BadInput

WHOLE = 100
_SIZE = re.compile(r"([0-9]{1,9})(%?)")


def size(text: str, commands: Sequence[Command]) -> int:
    """Read how many that is, as `5` or `30%` of the addresses of commands; at least one.

    Raises:
        BadInput: it is none of these.

    """
    found = _SIZE.fullmatch(text)
    if found is None or not int(found[1]) or (found[2] and int(found[1]) > WHOLE):
        raise BadInput(f"{text!r} is no size of a group; write how many at a time, as 5, or a part, as 30%")
    number = int(found[1])
    if not found[2]:
        return number
    return max(1, len({address for command in commands for address in command.on}) * number // WHOLE)
