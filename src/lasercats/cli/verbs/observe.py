"""`observe`, `drift`: look at the machines."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import click

from lasercats.cli import arguments, consent, hint, options, printing, show
from lasercats.cli.act import act
from lasercats.cli.opening import opened
from lasercats.cli.options import F
from lasercats.cli.request import Request
from lasercats.cli.running import run
from lasercats.core.change import Delta
from lasercats.core.errors import BadInput
from lasercats.operate import data
from lasercats.operate import observe as looking
from lasercats.operate.observe import Observation
from lasercats.operate.plan import plan_delta
from lasercats.operate.project import Project


def _looking(function: F) -> F:
    """Add the options of both verbs."""
    more = options.message(options.detailed(options.serial(function)))
    data = options.as_json("observation", "reverted")
    return options.yes(options.recreate(data(options.diff(more))))


@click.command()
@options.argument("targets", type=arguments.NAME, nargs=-1, metavar="[MACHINE|ADDRESS]...")
@options.option("--adopt", is_flag=True, help="Record it, so that it is the state (the default of observe).")
@options.option("--revert", is_flag=True, help="Record it, and put things back as they were.")
@options.option("--in-clear", is_flag=True, help="Do not seal contents that not everybody there may read.")
@_looking
@click.pass_context
def observe(context: click.Context, /, **values: Any) -> None:  # noqa: ANN401
    """Look at machines and record what changed outside; `undo` can put it back.

    An ADDRESS may be one that is not managed yet: it is managed from then on.
    """
    _look(context, keep=True, **values)


@click.command()
@options.argument("targets", type=arguments.NAME, nargs=-1, metavar="[MACHINE|ADDRESS]...")
@options.option("--adopt", is_flag=True, help="Record it, so that it is the state.")
@options.option("--revert", is_flag=True, help="Record it, and put things back as they were.")
@_looking
@click.pass_context
def drift(context: click.Context, /, adopt: bool, **values: Any) -> None:  # noqa: ANN401
    """Look at machines and show what changed outside; record it only if told to.

    What only machines decide, as the public address of an instance, is recorded as it is now in any case.
    """
    _look(context, keep=adopt or values["revert"], adopt=adopt, **values)


def _look(
    context: click.Context,
    targets: Sequence[str],
    keep: bool,
    adopt: bool,
    revert: bool,
    as_json: bool,
    show_diff: bool,
    message: str | None,
    detailed: bool,
    yes: bool,
    recreate: bool,
    at_a_time: str | None,
    in_clear: bool = False,  # noqa: FBT002 - an option
) -> None:
    if adopt and revert:
        raise BadInput("--adopt keeps what was found and --revert puts it back; choose one")
    with opened(context) as project:
        seen = run(project, looking.observe(project, targets, in_clear=in_clear))
        if revert and seen.drift:
            request = Request(
                message=message,
                as_json=as_json,
                show_diff=show_diff,
                because="drift --revert",
                yes=yes,
                at_a_time=at_a_time,
            )
            _put_back(context, project, seen, request, recreate=recreate)
        else:
            seen = looking.record(project, seen, message) if keep else looking.refresh(project, seen)
            _show_seen(seen, as_json=as_json, both=show_diff, recorded=keep)
    if seen.unseen:
        context.exit(1)
    context.exit(2 if seen.drift and detailed else 0)


def _put_back(
    context: click.Context, project: Project, seen: Observation, request: Request, *, recreate: bool
) -> None:
    """Record what is put back and put it back, once what that loses is agreed to.

    What is not put back, because it cannot be or because nobody agreed, is not recorded either: it is drift
    as before, and can still be put back, or kept.
    """
    back = plan_delta(project.kinds, seen.drift.inverse(), seen.state, exact=True, recreate=recreate)
    if not request.as_json:
        _show_drift(seen, both=request.show_diff)
    agreed = consent.agree(back.losses, request)
    drift = Delta({address: c for address, c in seen.drift.items() if address not in back.problems})
    recorded = looking.record(project, seen._replace(drift=drift), request.message)
    seen = seen._replace(position=recorded.position)
    again = "see `lasercats drift`" if seen.position is None else hint.line(["undo", str(seen.position)])
    if not request.as_json:
        printing.note(_drift_line(seen, recorded=seen.position is not None))
        show.print_withheld(back.withheld)
        show.print_problems(back.problems)
    form = partial(data.reverted, seen, back.problems)
    request = replace(request, agreed=agreed, withheld=back.withheld, again=f"go on with {again}", form=form)
    act(context, project, back.commands, request)
    if back.problems:
        context.exit(1)


def _show_seen(seen: Observation, *, as_json: bool, both: bool, recorded: bool) -> None:
    if as_json:
        printing.data(data.observation(seen))
        return
    _show_drift(seen, both=both)
    printing.note(_drift_line(seen, recorded=recorded))


def _show_drift(seen: Observation, *, both: bool) -> None:
    show.print_delta(seen.drift, both=both)
    show.print_unseen(seen.unseen)


def _drift_line(seen: Observation, *, recorded: bool) -> str:
    """Return in one line how much was looked at, and what became of what was found."""
    text = f"looked at {seen.looked}: "
    if seen.unseen:
        text = (
            f"looked at {seen.looked}; {show.missed(seen.unseen)}, so nothing is known of that; of the rest: "
        )
    if not seen.drift:
        return text + ("all as the state says" if seen.looked or not seen.unseen else "nothing")
    if recorded:
        return text + f"{show.summary(seen.drift)} outside; recorded at position {seen.position}"
    return text + f"{show.summary(seen.drift)} outside; --adopt records it, --revert puts it back"
