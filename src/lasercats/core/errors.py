"""Every error that LaserCats raises on purpose.

    LaserCatsError                 exit code 1
    ├── BadInput                   what the operator gave cannot be read
    │   ├── UnknownName            no verb, kind, field, machine … of that name
    │   └── BadDocument            a document, with file, line and column
    ├── Refused                    a command that must not be carried out, with the reason
    ├── MachineError               an endpoint that cannot be used
    │   ├── Unreachable            it does not answer, or refuses us
    │   ├── OtherMachine           it is another one than was met under its name before
    │   └── StillWorking           it is, or may be, still at what it was asked for
    ├── LogError                   the log cannot be read or written
    │   ├── LogConflict            another command moved, or is moving, an address of ours
    │   ├── Fenced                 another process has taken over what this one was at
    │   ├── Unrecorded             something was sent, and what became of it cannot be written
    │   ├── LogCorrupt             its bytes are damaged
    │   ├── LogRewound             it is not what was seen, noted or signed of it
    │   └── LogTooNew              written by a later LaserCats
    ├── StalePlan                  the state moved since the plan was saved
    ├── Untrusted                  a project or log of somebody else, that is only to be looked at
    └── Interrupted                the operator stopped it              (exit code 130)

A message is one sentence: the fact, the subject, the remedy. They are there apart as well, as far as they
were given apart: `fact` is never empty; `remedy` may be, and so may `subject`, which is an address, a
machine, a name or a place in a file.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class LaserCatsError(Exception):
    """Something that the operator should know, told in one sentence."""

    exit_code = 1

    def __init__(self, fact: str, *, remedy: str = "", subject: str = "") -> None:
        """Tell a fact of a subject, and what can be done, which stands behind it in the sentence."""
        super().__init__(f"{fact}; {remedy}" if remedy else fact)
        self.fact, self.remedy, self.subject = fact, remedy, subject


class BadInput(LaserCatsError):
    """What was given cannot be understood."""


class UnknownName(BadInput):
    """Nothing of this sort has that name; the nearest name is suggested."""

    def __init__(self, sort: str, name: str, known: Iterable[str], remedy: str = "") -> None:
        """Name the `sort` of thing, the `name` that was given and the `known` ones."""
        known = sorted(known)
        near = get_close_matches(name, known, n=1, cutoff=0.6)
        if near:
            hint = f"did you mean {near[0]!r}?"
        elif remedy:
            hint = remedy
        else:
            hint = f"there are: {', '.join(known)}" if known else "there are none"
        super().__init__(f"no {sort} is called {name!r}", remedy=hint, subject=name)
        self.name = name
        self.nearest = near[0] if near else None


class BadDocument(BadInput):
    """A document that cannot be read, with where in it."""

    def __init__(self, where: str, fact: str) -> None:
        """Put `where` (file:line:column) before the `fact`."""
        super().__init__(f"{where}: {fact}", subject=where)


class Refused(LaserCatsError):
    """A command that must not be carried out on this state."""


class MachineError(LaserCatsError):
    """A machine that cannot be used as asked."""


class Unreachable(MachineError):
    """A machine that does not answer, or does not let us in."""


class OtherMachine(MachineError):
    """What answers under the name of a machine is another one: nothing is done there, or believed of it."""

    def __init__(self, machine: str, differs: str) -> None:
        """Tell what differs, and what can be done."""
        super().__init__(
            f"machine {machine} is another one than was met before ({differs}), so nothing was done there, "
            "and nothing that it tells is believed",
            remedy="look where its name leads (URL, profile, address), or take this one for "
            f"{machine} by `lasercats machine accept {machine}`",
            subject=machine,
        )


class StillWorking(MachineError):
    """A machine that is, or may be, still at what it was asked for, so that nobody can judge it yet."""

    def __init__(self, machine: str, fact: str, *, ended: bool = False) -> None:
        """Tell the fact, and what can be done, where it was not tried to end it yet, or was."""
        remedy = "run `lasercats recover` again later, or end it with `lasercats recover --force`"
        if ended:
            remedy = "it could not be ended; look there for what holds it up"
        super().__init__(f"machine {machine}: {fact}", remedy=remedy, subject=machine)


class LogError(LaserCatsError):
    """The log cannot be read or written."""


class LogConflict(LogError):
    """An address of this command moved, or is being moved, by another command."""


class Fenced(LogError):
    """Another process has taken over what this one was at: nothing that it appends changes anything."""


class Unrecorded(LogError):
    """The log cannot be written in the middle of the work: what was done, and what is in doubt, is told."""


class LogCorrupt(LogError):
    """The bytes of the log are damaged."""


class LogRewound(LogError):
    """The log is shorter than what was seen, noted or signed of it, or is another one."""


class LogTooNew(LogError):
    """The log was written by a later version."""


class StalePlan(LaserCatsError):
    """The state moved since this plan was made."""


class Untrusted(LaserCatsError):
    """A project, or what is open in a log, is somebody else's: it can be looked at, and does nothing."""


class Interrupted(LaserCatsError):
    """The operator stopped the work."""

    exit_code = 130
