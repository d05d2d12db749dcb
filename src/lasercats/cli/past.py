"""Verbs that work with the past: rewrite, blame, bisect, replay, trace."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lasercats.cli import arguments, fields, options, printing, show
from lasercats.cli.history import one
from lasercats.cli.running import run
from lasercats.core.change import Change
from lasercats.core.errors import BadInput, LaserCatsError
from lasercats.core.instruction import Instruction
from lasercats.core.secret import shown
from lasercats.core.visible import visible
from lasercats.interpreters.context import Watcher

if TYPE_CHECKING:
    from lasercats.operate.bisect import Check, Probe
    from lasercats.operate.project import Project
    from lasercats.operate.rewrite import RewritePlan

CANNOT_TELL = 125
"""The exit status of a check that cannot tell, as for `git bisect run`."""
ROWS = 1_000_000
"""The most rows that the query of a check may give; whether there are any is all that counts."""
_TODO = """
# Rewrite {first}..{last}: {count} commands, the oldest first.
#
# squash  let it become one with others, or vanish where later ones make up for it
# keep    leave it as it is, where it is
# drop    leave it out
#
# A line that is taken away is dropped; their order does not matter. If the commands that are left do not end
# in the state of now, nothing is written, unless --accept-difference was given.
"""


@click.command()
@options.argument("span", required=False, metavar="[A..B]")
@options.option(
    "--out",
    type=arguments.FILE,
    metavar="FILE",
    help="Write it to a file that `issue` takes, instead of printing it.",
)
@options.option("-i", "--interactive", is_flag=True, help="Choose in an editor what to squash, keep or drop.")
@options.option("--accept-difference", is_flag=True, help="Write it also where it ends in another state.")
@options.as_json
@click.pass_context
def rewrite(
    context: click.Context,
    span: str | None,
    out: str | None,
    interactive: bool,
    accept_difference: bool,
    as_json: bool,
) -> None:
    """Rewrite the log, or A..B of it, into an equivalent and shorter log of commands.

    Later settings absorb earlier ones, what was made and removed vanishes, equal commands gather into one
    over many. Commands whose effect is not in the state, as `exec`, stay where they are, but for elidable
    ones. The log itself is never changed.
    """
    from lasercats.operate import history  # noqa: PLC0415
    from lasercats.operate import rewrite as rewriting  # noqa: PLC0415

    with options.opened(context, looking=True) as project:
        first, last = history.resolve_range(project.log, span)
        choices = _choose(project, first, last) if interactive else None
        made = rewriting.plan_rewrite(project, first, last, choices=choices)
        if made.differs and not accept_difference:
            raise LaserCatsError(_difference(made))
        text = rewriting.write(made, project, Path(out) if out else None)
    if as_json:
        printing.data(_rewriting_data(made))
    elif out is None:
        printing.json_text(text)
    printing.note(rewriting.evidence(made))


@click.command()
@options.argument("address", type=arguments.NAME, shell_complete=options.complete_address)
@options.as_of
@options.as_json
@click.pass_context
def blame(context: click.Context, address: str, as_of: str | None, as_json: bool) -> None:
    """Show for each field of a resource its value, since when, by which command, by whom and why."""
    from lasercats.operate import history  # noqa: PLC0415
    from lasercats.operate.blame import blame as find  # noqa: PLC0415

    with options.opened(context, looking=True) as project:
        position = None if as_of is None else history.resolve(project.log, as_of)
        found = find(project, project.recorded(address), position)
    if as_json:
        data = [{**b._asdict(), "value": shown(b.value), "time": history.iso(b.time)} for b in found]
        printing.data(data)
        return
    rows = [
        (
            b.field,
            fields.short(shown(b.value)),
            history.iso(b.time),
            b.actor,
            f"{b.type} {b.command or b.position}" + show.why(b.because, b.message),
        )
        for b in found
    ]
    printing.table(rows, ("FIELD", "VALUE", "SINCE", "ACTOR", "BY"))


@click.command()
@options.argument("position")
@options.option("--step", "pausing", is_flag=True, help="Wait for a key after each batch.")
@options.as_json
@click.pass_context
def replay(context: click.Context, position: str, pausing: bool, as_json: bool) -> None:
    """Run a past command again from its recorded outcomes, step by step; no machine is touched.

    What it asks, changes and ends as now is compared with what was recorded; a difference is a fault of the
    program, or of the one that recorded it, and the exit code is then 1. Where another version recorded it,
    differences are told, and the exit code is 0.
    """
    from lasercats.operate.replay import replay_command  # noqa: PLC0415

    with options.opened(context, looking=True) as project:
        chosen = one(project, position)
        watcher = None if as_json else _Steps(pausing=pausing)
        found = run(project, replay_command(project.log, project.kinds, chosen, watcher=watcher))
    same = not found.differences
    if as_json:
        result = show.results_data([found.result], {})["results"][0]
        data = {"position": found.position, "same": same, "differences": list(found.differences)}
        data |= {"program": found.program} if found.program else {}
        data |= {"cut_off": found.cut, "instructions": found.instructions, "result": result}
        printing.data(data)
    else:
        show.print_delta(found.result.observed, both=True, indent="found  ")
        show.print_delta(found.result.delta, both=True)
        show.print_problems(found.result.problems)
        for difference in found.differences:
            printing.note(f"! {difference}", fg="red")
        more = f", beside {found.commands - 1} issued with it" if found.commands > 1 else ""
        verdict = "as recorded" if same else "not as recorded"
        verdict += f" by {found.program}" if found.program else ""
        until = ", up to where it was cut off" if found.cut else ""
        count = f"{found.instructions} instruction{'' if found.instructions == 1 else 's'}"
        printing.note(f"{count} answered from the record{more}: {verdict}{until}")
    context.exit(0 if same or found.program else 1)


class _Steps(Watcher):
    """Shows each batch of a replay; with `pausing`, waits for a key after it."""

    def __init__(self, *, pausing: bool) -> None:
        self._pausing, self._count = pausing, 0

    def answered(
        self, machine: str, instructions: Sequence[Instruction], outcomes: Sequence[Any], seconds: float
    ) -> None:
        from lasercats.interpreters.trace import lines  # noqa: PLC0415

        self._count += 1
        for number, line in enumerate(lines(machine, instructions, outcomes)):
            printing.fact(f"step {self._count}: {line}" if number == 0 else line)
        if self._pausing:
            printing.pause()


@click.command()
@options.argument("position")
@options.as_json
@click.pass_context
def trace(context: click.Context, position: str, as_json: bool) -> None:
    """Show the trace of a past command from the log alone: batches, instructions, outcomes, times."""
    from lasercats.interpreters.trace import describe, lines, outcome_text  # noqa: PLC0415
    from lasercats.operate import history  # noqa: PLC0415

    with options.opened(context, looking=True) as project:
        chosen = one(project, position)
        found = history.batches(project, chosen)
    if as_json:
        printing.data(
            [
                {
                    "position": batch.position,
                    "machine": batch.machine,
                    "sent": history.iso(batch.sent),
                    "seconds": batch.seconds,
                    "instructions": [describe(i) for i in batch.instructions],
                    "outcomes": [outcome_text(o) for o in batch.outcomes],
                }
                for batch in found
            ]
        )
        return
    for batch in found:
        for line in lines(batch.machine, batch.instructions, batch.outcomes, batch.seconds):
            printing.fact(line)
    if not found:
        printing.note("no instruction was given for it")


@click.command()
@options.argument("span", required=False, metavar="[A..B]")
@options.option(
    "--run", "command", type=arguments.BYTES, metavar="CMD", help="Fails where this shell command does."
)
@options.option("--query", "sql", metavar="SQL", help="Fails where this query gives rows.")
@options.option(
    "--form",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="How the state is written for CMD.",
)
@options.as_json
@click.pass_context
def bisect(
    context: click.Context, span: str | None, command: str | None, sql: str | None, form: str, as_json: bool
) -> None:
    """Find the first command in A..B, or in the whole log, after which a check fails.

    CMD is run in a folder of its own, where `state.yaml` (or .json) is the document of the state at that
    position; LASERCATS_AS_OF is the position and LASERCATS_PROJECT the project, so that `lasercats state` and
    `lasercats query` in it tell of then. Exit code 0 is good, 125 cannot tell, any other fails.
    """
    from lasercats.operate import history  # noqa: PLC0415
    from lasercats.operate.bisect import bisect as search  # noqa: PLC0415

    if (command is None) == (sql is None) or command == "":
        raise BadInput("give a check: either --run CMD or --query SQL")
    with options.opened(context, looking=command is None) as project:
        first, last = history.resolve_range(project.log, span)
        check = _run_check(project, command, form) if command else _query_check(project, sql or "")
        found = search(project, first, last, check, lambda step: _tell(step, quiet=as_json))
    data = history.as_data(found.happening)
    if as_json:
        printing.data(
            {
                "position": found.position,
                "first": data,
                "steps": [step._asdict() for step in found.steps],
                "skipped": list(found.skipped),
            }
        )
        return
    happened = found.happening
    printing.fact(f"{happened.position}  {show.title(happened)}  is the first after which the check fails")
    printing.fact(f"time:    {history.iso(happened.time)}")
    printing.fact(f"actor:   {happened.actor}")
    if reason := show.why(happened.because, happened.message).strip():
        printing.fact(f"why:     {reason}")
    show.print_delta(happened.delta or happened.observed, both=True)
    if found.skipped:
        doubtful = ", ".join(map(str, found.skipped))
        printing.note(f"the check could not tell at {doubtful}, so it may be one of those")


def _tell(step: "Probe", *, quiet: bool) -> None:
    if not quiet:
        answer = {True: "good", False: "fails", None: "cannot tell"}[step.good]
        left = f"about {step.left} more" if step.left > 1 else "one more" if step.left else "the last"
        printing.note(f"position {step.position}: {answer} ({left})")


def _run_check(project: "Project", command: str, form: str) -> "Check":
    import os  # noqa: PLC0415
    import subprocess  # noqa: PLC0415
    from tempfile import TemporaryDirectory  # noqa: PLC0415

    from lasercats.core.document import render  # noqa: PLC0415

    def check(position: int) -> bool | None:
        with TemporaryDirectory(prefix="lasercats-bisect-") as folder:
            path = Path(folder) / f"state.{form}"
            text = render(project.state(position).items(), form=form, kinds=project.kinds)
            path.write_text(text, encoding="utf-8")
            own = {
                "LASERCATS_STATE": str(path),
                "LASERCATS_AS_OF": str(position),
                "LASERCATS_PROJECT": str(project.root),
                "LASERCATS_ENV": project.environment,
            }
            ran = subprocess.run(  # noqa: S602 - the operator's own command line
                command, shell=True, cwd=folder, env={**os.environ, **own}, stdout=sys.stderr, check=False
            )
        if ran.returncode in (126, 127) or ran.returncode < 0:
            raise BadInput(f"the check {command!r} cannot be run (exit status {ran.returncode}); correct it")
        return None if ran.returncode == CANNOT_TELL else ran.returncode == 0

    return check


def _query_check(project: "Project", sql: str) -> "Check":
    from lasercats.operate.query import ask  # noqa: PLC0415

    return lambda position: not ask(project, sql, as_of=position, max_rows=ROWS).rows


def _choose(project: "Project", first: int, last: int | None) -> dict[int, str]:
    """Let the operator say in an editor what to do with each command.

    Raises:
        BadInput: a line cannot be read, or the editor failed.

    """
    from lasercats.operate import history  # noqa: PLC0415

    commands = [h for h in history.happenings(project, first, last) if h.command and (h.delta or h.opaque)]
    lines = [
        f"{'keep' if h.opaque and not (h.command and h.command.elidable) else 'squash':6} "
        f"{h.position} {visible(show.title(h))}"
        for h in commands
    ]
    last = project.log.head() if last is None else last
    todo = _TODO.format(first=first, last=last, count=len(commands))
    try:
        edited = click.edit(
            "\n".join(lines) + "\n" + todo, extension=".lasercats-rewrite", require_save=False
        )
    except click.ClickException as error:
        raise BadInput(f"{error.format_message().rstrip('.')}; set EDITOR to another one") from None
    return _read_choices(edited or "", {h.position for h in commands})


def _read_choices(text: str, known: set[int]) -> dict[int, str]:
    from lasercats.operate.rewrite import CHOICES  # noqa: PLC0415

    chosen: dict[int, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        found = [choice for choice in CHOICES if words[0] in (choice, choice[0])]
        if not found:
            raise BadInput(f"line {number}: {words[0]!r} is no choice; write squash, keep or drop")
        if len(words) == 1 or not words[1].isdigit() or int(words[1]) not in known:
            raise BadInput(
                f"line {number}: {' '.join(words[1:2])!r} is no command of this range; leave the numbers"
            )
        chosen[int(words[1])] = found[0]
    return {position: chosen.get(position, "drop") for position in known}


def _difference(made: "RewritePlan") -> str:
    address, (now, then) = next(iter(made.differs.items()))
    change = Change(now, then)
    what = (
        f"there would be another {', '.join(change.fields)}"
        if now and then
        else ("it is there now" if now else "it is not there now")
    )
    return (
        f"the rewritten log would not end in the same state: at {address} {what}; nothing was written; "
        "drop less, or give --accept-difference"
    )


def _rewriting_data(made: "RewritePlan") -> dict[str, Any]:
    return {
        "first": made.first,
        "last": made.last,
        "before": len(made.before),
        "observations": made.observed,
        "after": len(made.commands),
        "elided": list(made.elided),
        "dropped": list(made.dropped),
        "vanished": list(made.vanished),
        "compared": made.compared,
        "same": not made.differs,
        "commands": [
            {"command": show.plain(c), "stands_for": list(originals)} for c, originals in made.commands
        ],
    }
