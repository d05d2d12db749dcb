"""`adopt`: find what exists on machines and take it into the state."""

import click

from lasercats.cli import arguments, hint, options, printing, show
from lasercats.cli.opening import complete_machine, opened
from lasercats.cli.running import run
from lasercats.operate import adopt as adopting
from lasercats.operate import data
from lasercats.operate import observe as looking


@click.command()
@options.argument(
    "machines", type=arguments.NAME, nargs=-1, metavar="[MACHINE]...", shell_complete=complete_machine
)
@options.option("--check", is_flag=True, help="Only show what would be taken in.")
@options.only
@options.exclude
@options.as_json("adopted")
@options.diff
@options.message
@click.pass_context
def adopt(
    context: click.Context,
    /,
    machines: tuple[str, ...],
    check: bool,
    only: tuple[str, ...],
    exclude: tuple[str, ...],
    as_json: bool,
    show_diff: bool,
    message: str | None,
) -> None:
    """Find what exists on machines and is not managed yet, and take it into the state.

    The machines are only looked at. Afterwards `lasercats document` prints what was found as the document of
    the estate; `undo` forgets it again. By default all machines are asked that can tell.
    """
    with opened(context) as project:
        found = run(project, adopting.discover(project, machines, only=only, exclude=exclude))
        seen = found.seen if check else looking.record(project, found.seen, message)
    if as_json:
        printing.data(data.adopted(found, seen))
    else:
        show.print_delta(seen.drift, both=show_diff)
        show.print_unseen(seen.unseen)
        printing.note(_adopted(len(seen.drift), seen.looked, found.managed, seen.position))
        if seen.unseen:
            printing.note(f"! {show.missed(seen.unseen)}, so there may be more", fg="red")
    context.exit(1 if seen.unseen else 0)


def _adopted(new: int, found: int, managed: int, position: int | None) -> str:
    text = f"found {found}, of which {managed} are managed already; "
    if not new:
        return text + "nothing to take in"
    if position is None:
        return text + f"would take in {new}"
    return (
        text + f"took in {new} at position {position}; `lasercats document` writes them down, "
        f"{hint.line(['undo', str(position)])} forgets them"
    )
