"""`log`, and `log head`: the history, command by command."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar

import click

from lasercats.cli import arguments, options, printing, show
from lasercats.cli.opening import opened
from lasercats.cli.printing import Seen
from lasercats.core.command import Effect, Hold
from lasercats.core.errors import LogError, UnknownName
from lasercats.core.head import noted
from lasercats.core.identity import shown
from lasercats.operate import data, history, moments, work
from lasercats.operate.copying import copy
from lasercats.operate.history import Happening
from lasercats.operate.project import Project
from lasercats.operate.secret import RESEALED

STATUSES = ("done", "unchanged", "failed", "refused", "cancelled", "waiting", "open")


@click.command("head")
@options.as_json("head")
@click.pass_context
def log_head(context: click.Context, as_json: bool) -> None:
    """Print what the log is known by as it is now, as LOG:POSITION:HASH.

    Note it where others cannot change it, in a ticket or a mail. `lasercats verify --head` with it tells
    later whether the log still holds all that it held.
    """
    with opened(context, looking=True) as project:
        head, name = project.log.mark(), project.log.id
    if not head.position:
        raise LogError("the log is empty, and has no head yet; it has one after the first command")
    if as_json:
        printing.data(data.things.Head(name, head.position, head.hash.hex()))
    else:
        printing.fact(noted(name, head))


@click.command("copy")
@options.argument("source", metavar="FROM")
@options.argument("target", metavar="TO")
@options.as_json("head")
@click.pass_context
def log_copy(context: click.Context, source: str, target: str, as_json: bool) -> None:
    """Copy the log to another store, records and hashes as they are, and check the copy.

    FROM and TO are URLs of logs, as sqlite:.lasercats/log.db and postgresql://HOST/DATABASE. Nobody may be at
    work on it meanwhile. The project goes on with the one that its `lasercats.toml` names.
    """
    with opened(context) as project:
        copied = copy(project, source, target)
    head = copied.head
    if as_json:
        printing.data(data.things.Head(copied.log, head.position, head.hash.hex()))
    else:
        printing.note(
            f"{head.position} records are at {copied.target}, and the chain and the fold hold; to go on with "
            "it, set `log` in lasercats.toml"
        )


class Log(click.Command):
    """The verb `log`, with others below it: a line that begins with the name of one is for that one."""

    below: ClassVar[Mapping[str, click.Command]] = {"copy": log_copy, "head": log_head}

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401
    ) -> click.Context:
        """Read the line for `log` itself, or for what stands below it."""
        if args and args[0] in self.below:
            return self.below[args[0]].make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=Log)
@options.argument("span", required=False, metavar="[A..B]")
@options.option(
    "--address",
    "addresses",
    multiple=True,
    type=arguments.NAME,
    metavar="PATTERN",
    help="About such an address.",
)
@options.option(
    "--actor", envvar="LASERCATS_LOG_ACTOR", metavar="PATTERN", help="By such an actor, as 'ada@*'."
)
@options.option("--kind", metavar="KIND", help="About resources of a kind, as file.")
@options.option("--command", metavar="PATTERN", help="As file.write, 'file.*', observed.")
@options.option("--grep", metavar="TEXT", help="With this text in its message, its reason or the command.")
@options.option("--status", type=click.Choice(STATUSES), help="How it ended.")
@options.option("-n", "--limit", type=click.IntRange(1), help="Only the last so many.")
@options.option("--graph", is_flag=True, help="Show what came of what: runs, commands, events, undos.")
@options.as_json("history")
@click.pass_context
def log(context: click.Context, /, **values: Any) -> None:  # noqa: ANN401
    """Show the history, command by command; a range is A..B in positions or times.

    Filters are combined: what fits all of them is shown. `lasercats log head` prints what the log is known
    by as it is now, and `lasercats log copy` brings it to another store.
    """
    wanted = history.Filter(
        values["addresses"],
        values["actor"],
        values["kind"],
        values["command"],
        values["grep"],
        values["status"],
    )
    with opened(context, looking=True) as project:
        if wanted.kind is not None and wanted.kind not in project.kinds.kinds:
            raise UnknownName("kind", wanted.kind, project.kinds.kinds)
        first, last = moments.resolve_range(project.log, values["span"])
        chosen = history.ALL if wanted == history.ALL else wanted
        found = history.happenings(project, first, last, wanted=chosen, limit=values["limit"])
        shown = found[0].position if found and values["limit"] else first
        for warning in moments.reversals(project.log, shown, last):
            printing.note(f"lasercats: {warning}")
        by = reporters(project, found)
    if values["as_json"]:
        printing.data([data.happening(h, by.get(h.position)) for h in found])
    elif values["graph"]:
        for line in graph(found):
            printing.fact(line)
    else:
        heads = ("POSITION", "TIME", "ACTOR", "COMMAND", "STATUS", "EFFECT")
        printing.table((_row(h, by.get(h.position)) for h in found), heads)


def _row(h: Happening, by: Sequence[str] | None) -> tuple[str, ...]:
    effect = _effect(h) + show.why(h.because, h.message) + _reported(by)
    return str(h.position), moments.iso(h.time), h.actor, show.title(h), h.status, effect


def graph(found: Sequence[Happening]) -> Iterator[Seen]:
    """Draw what came of what: a run, its commands, their events, and what was taken back by what."""
    undone: dict[int, list[int]] = {}
    for happened in found:
        for position in happened.undoes:
            undone.setdefault(position, []).append(happened.position)
    for _, group in groupby(found, key=lambda h: h.run or h.position):
        commands = list(group)
        head = commands[0]
        what = head.because or (f"{len(commands)} commands at once" if len(commands) > 1 else None)
        bullet = printing.style("● ", fg="cyan")
        if what is not None:
            caption = printing.style(f"{what}  {head.actor}  {moments.iso(head.time)}", bold=True)
            yield printing.seen(bullet, caption)
        for happened in commands:
            last = happened is commands[-1]
            branch, below = (bullet, "") if what is None else ("└─ ", "   ") if last else ("├─ ", "│  ")
            yield from _branch(happened, branch, below, undone, named=what is None)


def _branch(
    happened: Happening, branch: str, below: str, undone: Mapping[int, list[int]], *, named: bool
) -> Iterator[Seen]:
    who = f"  {happened.actor}  {moments.iso(happened.time)}" if named else ""
    message = f"  ({happened.message})" if happened.message else ""
    color = {"done": "green", "unchanged": None, "open": "yellow", "waiting": "yellow"}.get(
        happened.status, "red"
    )
    status = printing.style(happened.status, fg=color)
    yield printing.seen(branch, f"{happened.position} {show.title(happened)}  ", status, who, message)
    notes = [f"{at} {type_}: {_many(count)}" for at, type_, count in happened.events if happened.command]
    if happened.error:
        notes.append(printing.style(happened.error, fg="red"))
    if happened.position in undone:
        notes.append(f"taken back by {', '.join(map(str, undone[happened.position]))}")
    for number, note in enumerate(notes):
        yield printing.seen(f"{below}{'└' if number == len(notes) - 1 else '├'}─ ", note)


def _many(count: int) -> str:
    return f"{count} resource{'' if count == 1 else 's'}" if count else "effect not in the state"


def is_resealed(happened: Happening) -> bool:
    """Tell whether secrets were sealed anew."""
    return happened.type == RESEALED


def reporters(project: Project, found: Sequence[Happening]) -> dict[int, tuple[str, ...]]:
    """Return who reported of what people did for commands, by their positions."""
    by_hand = [
        one.position
        for one in found
        if one.command is not None and any(project.kinds.by_hand(address) for address in one.command.on)
    ]
    if not by_hand:
        return {}

    return work.reporters(project, by_hand)


def _reported(by: Sequence[str] | None) -> str:
    return f"  (reported by {', '.join(by)})" if by else ""


def _effect(happened: Happening) -> str:
    if isinstance(happened.command, Hold) and not happened.error:
        waits = f"to be confirmed by {moments.iso(happened.command.until)}"
        return {"open": waits, "done": "confirmed"}.get(happened.status, "nothing to confirm")
    if happened.status in ("open", "waiting"):
        return "not known yet" if happened.status == "open" else "to be reported"
    if happened.error:
        return happened.error
    if happened.met and happened.type in ("met", "accepted"):
        return "; ".join(f"machine {name}: {shown(identity)}" for name, identity in happened.met.items())
    if happened.command is None:
        return (
            f"{len(happened.observed)} sealed anew"
            if is_resealed(happened)
            else (f"{show.summary(happened.observed)} outside")
        )
    removed = "forgotten" if happened.command.effect is Effect.RECORD else "removed"
    return "effect not in the state" if happened.opaque else show.summary(happened.delta, removed)
