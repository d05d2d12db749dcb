"""`confirm`: confirm what is held, or take it back."""

from collections.abc import Sequence
from functools import partial

import click

from lasercats.cli import agree, consent, options, printing, show
from lasercats.cli.opening import opened
from lasercats.cli.request import Request
from lasercats.cli.running import run
from lasercats.core.errors import BadInput
from lasercats.operate import confirm as confirming
from lasercats.operate import data, prospect
from lasercats.operate.confirm import Held, take_back
from lasercats.operate.project import Project


@click.command()
@options.argument("positions", nargs=-1, metavar="[POSITION]...", type=int)
@options.option("--reject", is_flag=True, help="Take it back now.")
@options.option("--list", "listing", is_flag=True, help="Only list what is to be confirmed.")
@options.option("--guard", metavar="RUN", hidden=True, help="Wait, and take back what a run holds.")
@options.yes
@options.as_json("held")
@click.pass_context
def confirm(
    context: click.Context,
    positions: tuple[int, ...],
    reject: bool,
    listing: bool,
    guard: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Confirm what was changed with --confirm-within, so that it stays; by default all that is held.

    What is not confirmed in time is taken back by a process of its own, which needs no terminal; if that died
    too, `lasercats recover` does it.
    """
    if reject and listing:
        raise BadInput("--list only lists, and --reject takes back; choose one")
    with opened(context, looking=listing) as project:
        if guard is not None:
            confirming.watch(project, guard, printing.fact, partial(_taken_back, project))
            return
        held = confirming.chosen(project, positions)
        failed: dict[int, str] = {}
        if reject:
            failed = _rejected(project, held, Request(yes=yes, as_json=as_json))
        elif held and not listing:
            run(project, confirming.keep(project, held))
    word = "held" if listing else "taken back" if reject else "confirmed"
    said = {
        h.position: f"not taken back yet: {failed[h.position]}" if h.position in failed else word
        for h in held
    }
    facts = [data.held(h, said[h.position]) for h in held]
    if as_json:
        printing.data(facts)
    for one in [] if as_json else facts:
        left = f" until {one.until}" if listing else ""
        printing.fact(f"command {one.position} on {show.named(one.on)}: {one.status}{left}")
    if not held:
        printing.note("nothing is to be confirmed")
    context.exit(1 if failed else 0)


def _rejected(project: Project, held: Sequence[Held], request: Request) -> dict[int, str]:
    """Take back what is held, once what that loses is agreed to; return why what was not, by position."""
    quiet = request.as_json
    agree.check(project, partial(prospect.of_all_held, project, held), yes=request.yes, quiet=quiet)
    agreed = [consent.ask(project, confirming.way_back(project, h), request) for h in held]
    pairs = zip(held, agreed, strict=True)
    found = ((h.position, run(project, confirming.take_back(project, h, agreed=a))) for h, a in pairs)
    return {position: why for position, why in found if why is not None}


def _taken_back(project: Project, held: Held) -> str | None:
    """Take a change back for the guard, which is alone; return why that is not over, if it is not."""
    return run(project, take_back(project, held, force=True))
