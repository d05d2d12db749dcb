"""`recover`: finish what a crash left open."""

from functools import partial

import click

from lasercats.cli import agree, options, printing
from lasercats.cli.opening import opened
from lasercats.cli.running import run
from lasercats.core.address import label
from lasercats.core.command import tag_of
from lasercats.operate import confirm as confirming
from lasercats.operate import data, prospect
from lasercats.operate.recover import recover as find_out


@click.command()
@options.option("--force", is_flag=True, help="Also commands whose process seems to live.")
@options.yes
@options.as_json("recovered")
@click.pass_context
def recover(context: click.Context, force: bool, yes: bool, as_json: bool) -> None:
    """Find out what became of commands that a crash left open, by asking the machines.

    What is taken back because nobody confirmed it is shown. It asks first where somebody changed that outside
    since, and where what is open was not begun by this user.
    """
    with opened(context) as project:
        overdue = partial(confirming.is_overdue, force=force)
        agree.check(project, partial(prospect.of_open, project, overdue), yes=yes, quiet=as_json)
        results = run(project, find_out(project, force=force))
        due = [one for one in confirming.pending(project) if overdue(one)]
        kept = {h.position: agree.may_take_back(project, h, yes=yes, quiet=as_json) for h in due}
        held = run(project, confirming.take_back_overdue(project, force=force, kept=kept))
    if as_json:
        printing.data(data.recovered(results, held))
    for result in [] if as_json else results:
        what = "told late," if result.late else "command"
        printing.fact(f"{what} {result.position} ({tag_of(result.command)}): {result.status}")
        for address, fact in result.facts.items():
            printing.fact(f"    {label(address)}: {fact}")
    for position, said in {} if as_json else held.items():
        printing.fact(f"command {position} (hold): {said}")
    if not results and not held:
        printing.note("nothing is open")
    left = any(said.startswith("not taken back") for said in held.values())
    context.exit(1 if left or any(result.status == "open" for result in results) else 0)
