"""`rewrite`: make a log of commands shorter, with the evidence."""

from pathlib import Path

import click

from lasercats.cli import arguments, options, printing, show
from lasercats.cli.opening import opened
from lasercats.core.change import Change
from lasercats.core.errors import BadInput, LaserCatsError
from lasercats.core.visible import visible
from lasercats.operate import data, history, moments
from lasercats.operate import rewrite as rewriting
from lasercats.operate.project import Project
from lasercats.operate.rewrite import CHOICES, RewritePlan

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
@options.as_json("rewrite")
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
    with opened(context, looking=True) as project:
        first, last = moments.resolve_range(project.log, span)
        choices = _choose(project, first, last) if interactive else None
        made = rewriting.plan_rewrite(project, first, last, choices=choices)
        if made.differs and not accept_difference:
            raise LaserCatsError(_difference(made))
        text = rewriting.write(made, project, Path(out) if out else None)
    if as_json:
        printing.data(data.rewriting(made))
    elif out is None:
        printing.json_text(text)
    printing.note(rewriting.evidence(made))


def _choose(project: Project, first: int, last: int | None) -> dict[int, str]:
    """Let the operator say in an editor what to do with each command.

    Raises:
        BadInput: a line cannot be read, or the editor failed.

    """
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


def _difference(made: RewritePlan) -> str:
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
