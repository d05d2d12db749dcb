"""`rewrite`: from a stretch of the log an equivalent, shorter log of commands, with the evidence."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.command import Effect, as_recorded, decide, state_after, take
from lasercats.core.errors import BadInput, Refused
from lasercats.core.record import OBSERVED, Event, raw_delta
from lasercats.core.resource import Resource
from lasercats.core.rewrite import Deed, Rewritten, Withheld, deed, difference, rewrite
from lasercats.operate.history import command_of
from lasercats.operate.project import Project

CHOICES = ("squash", "keep", "drop")
"""What can be done with a command: rewrite it with the others, leave it as it is, leave it out."""


class RewritePlan(NamedTuple):
    """A shorter log, and the evidence that it is as good as the one that it comes from."""

    first: int
    last: int
    before: Sequence[int]
    """The commands that the stretch has."""
    observed: int
    """How many observations it has; what they found is told as commands."""
    commands: Sequence[Rewritten]
    elided: Sequence[int]
    dropped: Sequence[int]
    vanished: Sequence[int]
    """Commands of which nothing is left: without effect, or made up for by later ones."""
    compared: int
    """How many resources were compared, in every field that an operator decides."""
    withheld: Withheld
    """What no command can say: the values that nobody may give, and what no installed kind knows."""
    differs: Mapping[Address, tuple[Resource | None, Resource | None]]
    """The first address where the ends differ, with what is there now and what would be; empty if none."""


def plan_rewrite(
    project: Project, first: int, last: int | None, *, choices: Mapping[int, str] | None = None
) -> RewritePlan:
    """Rewrite the commands of a range of positions; nothing is written.

    `choices` say for some commands that they are to be kept or dropped. Where one is dropped, what the others
    then do is what `simulate` says of them.

    Raises:
        Refused: a command in the range is not over.

    """
    last = project.log.head() if last is None else last
    _check_over(project, first, last)
    start, end = project.state(first - 1), project.state(last)
    stretch = _Stretch(project, first, last, choices or {})
    made = rewrite(project.kinds, stretch.deeds, stretch.fetch, start)
    left = {position for _, originals in made.commands for position in originals}
    then = state_after([command for command, _ in made.commands], start)
    where = difference(end, then, made.withheld)
    return RewritePlan(
        first=first,
        last=last,
        before=stretch.commands,
        observed=stretch.observed,
        commands=made.commands,
        elided=made.elided,
        dropped=sorted(stretch.dropped),
        vanished=sorted({*stretch.commands} - {*made.elided} - stretch.dropped - left),
        compared=sum(1 for _ in end.items()),
        withheld=made.withheld,
        differs={} if where is None else {where: (end.get(where), then.get(where))},
    )


class _Stretch:
    """A stretch of the log as deeds, counted on the way."""

    def __init__(self, project: Project, first: int, last: int, choices: Mapping[int, str]) -> None:
        self._project, self._first, self._last = project, first, last
        self._kept = {position for position, choice in choices.items() if choice == "keep"}
        self.dropped = {position for position, choice in choices.items() if choice == "drop"}
        self.fetch = lru_cache(maxsize=4096)(partial(command_of, project))
        self.commands, self.observed = list[int](), 0

    def deeds(self) -> Iterator[Deed]:
        """Iterate over what was done, or would have been without what is dropped."""
        return self._again() if self._kept or self.dropped else map(deed, self._events())

    def _events(self) -> Iterator[Event]:
        self.commands, self.observed = [], 0
        for record in self._project.log.read(self._first, self._last, names=("accepted", "event")):
            if isinstance(record.entry, Event):
                self.observed += record.entry.command is None
                yield record.entry
            else:
                self.commands.append(record.position)

    def _again(self) -> Iterator[Deed]:
        """Decide every command again where it had an effect, as if some had never been."""
        kinds = self._project.kinds
        state, over = self._project.state(self._first - 1), set(self.dropped)
        for event in self._events():
            position = event.command
            if position is None or event.type == OBSERVED:
                state = state.apply(kinds.decode_delta(event.delta))
                yield deed(event)
            elif position not in over:
                keep = position in self._kept
                command = self.fetch(position)
                if keep:
                    over.add(position)
                if command.effect is not Effect.OPAQUE:
                    command = replace(command, on=self._where(position) if keep else tuple(event.delta))
                delta = decide(command, state).delta
                state = take(command, state, delta)
                again = deed(replace(event, delta=raw_delta(delta)))
                yield again._replace(kept=keep)

    def _where(self, position: int) -> tuple[Address, ...]:
        """Return the addresses at which a command had an effect."""
        events = (record.entry for record in self._project.log.caused(position))
        changed = (a for e in events if isinstance(e, Event) and e.type != OBSERVED for a in e.delta)
        return tuple(dict.fromkeys(changed))


def write(rewriting: RewritePlan, project: Project, path: Path | None) -> str:
    """Return a rewritten log as text that `issue` takes, and write it to a file if one is given.

    Raises:
        BadInput: the file cannot be written.

    """
    text = "".join(f"{line}\n" for line in _lines(rewriting, project.environment))
    if path is not None:
        try:
            path.write_text(text)
        except OSError as error:
            raise BadInput(f"the rewritten log cannot be written to {path}: {error.strerror}") from None
    return text


def evidence(rewriting: RewritePlan) -> str:
    """Return the evidence in a sentence."""
    observed = f" and {_count(rewriting.observed, 'observation')}" if rewriting.observed else ""
    verb = "is" if len(rewriting.before) + rewriting.observed == 1 else "are"
    text = f"{_count(len(rewriting.before), 'command')}{observed} {verb} {len(rewriting.commands)} now"
    if rewriting.elided:
        text += f", {len(rewriting.elided)} that only looked left out"
    if rewriting.dropped:
        text += f", {len(rewriting.dropped)} dropped"
    if rewriting.withheld:
        text += f", {_count(len(rewriting.withheld), 'resource')} not told whole"
    if rewriting.differs:
        return f"{text}; they end in another state, at {next(iter(rewriting.differs))} first"
    return f"{text}; both end in the same state, {_count(rewriting.compared, 'resource')} compared"


def spans(positions: Sequence[int]) -> str:
    """Return sorted positions as `3, 7-9, 12`."""
    runs: list[list[int]] = []
    for position in positions:
        if runs and runs[-1][-1] + 1 == position:
            runs[-1] = [runs[-1][0], position]
        else:
            runs.append([position])
    return ", ".join("-".join(map(str, span)) for span in runs)


def _lines(rewriting: RewritePlan, environment: str) -> Iterator[str]:
    yield f"# Rewritten from {rewriting.first}..{rewriting.last} of the log of environment {environment}."
    yield f"# {evidence(rewriting)}."
    yield "# `lasercats issue` takes this file. The log that it comes from is as it was."
    for command, originals in rewriting.commands:
        yield f"# stands for {spans(originals)}" if originals else "# stands for what was observed"
        yield msgspec.json.encode(as_recorded(command)).decode()
    for address, fields in rewriting.withheld.items():
        for name, reason in fields.items():
            yield f"# not told: {address}{f', {name}' if name else ''}: {' '.join(reason.splitlines())}"
    for fact, positions in (("nothing is left of", rewriting.vanished), ("elided", rewriting.elided)):
        if positions:
            yield f"# {fact} {spans(positions)}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _check_over(project: Project, first: int, last: int) -> None:
    for position, opened in project.log.open().items():
        if first <= position <= last:
            raise Refused(
                f"command {position} ({opened.actor}) is not over, so the log cannot be rewritten over it",
                remedy="wait for it, or run `lasercats recover` if it died",
                subject=f"command {position}",
            )
