"""`undo`: take commands back."""

from dataclasses import replace
from typing import Any

import click

from lasercats.cli import options, show
from lasercats.cli.act import act
from lasercats.cli.opening import opened
from lasercats.cli.request import Request
from lasercats.core.errors import BadInput
from lasercats.operate import moments
from lasercats.operate.spans import spans
from lasercats.operate.undo import plan_undo


@click.command()
@options.argument("positions", nargs=-1, required=True, metavar="POSITION...")
@options.option("--partial", is_flag=True, help="Leave out what cannot come back.")
@options.recreate
@options.acting("results")
@click.pass_context
def undo(
    context: click.Context,
    /,
    positions: tuple[str, ...],
    partial: bool,
    recreate: bool,
    **values: Any,  # noqa: ANN401
) -> None:
    """Take commands back, by new commands; the latest first. A range is A..B, the last command HEAD.

    Only what the commands changed is taken back. Where something changed it again since, that is a
    conflict: it is told and nothing is done, unless --partial leaves it out. So is what cannot go back in
    place, as the size of a volume, unless --recreate lets it be removed and made anew. What is lost or
    interrupted by it is shown, and must be agreed to.
    """
    request = Request.take(values)
    with opened(context, looking=request.predicts) as project:
        chosen = moments.positions(project.log, list(positions))
        plan = plan_undo(project, chosen, partial=partial, recreate=recreate)
        if plan.problems:
            show.print_problems(plan.problems)
            raise BadInput("this cannot all be taken back, so nothing was done; --partial leaves that out")
        if not request.as_json:
            show.print_lost(plan.lost)
            show.print_withheld(plan.withheld)
        because = " ".join(["undo", *spans(project, chosen)])
        undoes = sorted(chosen)
        request = replace(request, because=because, undoes=undoes, lost=plan.lost, withheld=plan.withheld)
        act(context, project, plan.commands, request)
