"""`show`: one command with all that came of it."""

from collections.abc import Sequence

import click

from lasercats.cli import options, printing, show
from lasercats.cli.opening import opened
from lasercats.cli.verbs.log import is_resealed, reporters
from lasercats.core.identity import shown
from lasercats.core.secret import label
from lasercats.operate import data, history, moments


@click.command("show")
@options.argument("position")
@options.as_json("command")
@click.pass_context
def show_(context: click.Context, position: str, as_json: bool) -> None:
    """Show one command with all that came of it: batches, instructions, outcomes, events."""
    with opened(context, looking=True) as project:
        chosen = moments.one(project.log, position)
        happened = history.happening(project, chosen)
        if happened.command is not None:
            happened = happened._replace(met=history.met(project, happened.position))
        batches = history.batches(project, happened.position)
        by = reporters(project, [happened]).get(happened.position)
    whole = data.detail(data.happening(happened, by), batches)
    if as_json:
        printing.data(whole)
        return
    _print_head(happened, by)
    for batch in whole.batches:
        printing.fact(f"batch {batch.position} to {batch.machine}:")
        for line, outcome in zip(batch.instructions, batch.outcomes, strict=True):
            printing.fact(f"    {line}")
            printing.fact(f"      → {outcome}")
    _print_changes(happened)


def _print_head(happened: history.Happening, by: Sequence[str] | None) -> None:
    """Print what a command was, by whom and why."""
    printing.fact(
        printing.style(f"{happened.position}  {show.title(happened)}  {happened.status}", bold=True)
    )
    printing.fact(f"time:    {moments.iso(happened.time)}")
    printing.fact(f"actor:   {happened.actor}")
    for name, text in (
        ("message", happened.message),
        ("because", happened.because),
        ("error", happened.error),
        ("by", f"reported by {', '.join(by)}" if by else None),
        ("late", f"told at {', '.join(map(str, happened.late))}" if happened.late else None),
    ):
        if text:
            printing.fact(f"{name + ':':8} {text}")
    for place, others in happened.resealed.items():
        printing.fact(f"secret:  that of {others} was sealed again for {label(place)}")


def _print_changes(happened: history.Happening) -> None:
    """Print what was found outside, what changed, and which machines were met."""
    anew = [address for address, change in happened.observed.items() if change.verb == "keep"]
    if len(anew) < len(happened.observed):
        printing.fact("sealed anew:" if is_resealed(happened) else "found changed outside:")
        show.print_delta(happened.observed, both=True)
    for address in anew:
        printing.fact(f"found {address} with other values of what only its machine decides")
    show.print_delta(happened.delta, both=True)
    for name, identity in happened.met.items():
        printing.fact(f"machine {name} is known since then by {shown(identity)}")
