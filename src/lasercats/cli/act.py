"""Carries commands out for a verb, and shows what came of it."""

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

import click

from lasercats.cli import consent, hint, printing, show
from lasercats.cli.arguments import as_text
from lasercats.cli.progress import Feedback
from lasercats.cli.request import Request
from lasercats.cli.running import run
from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.loss import Loss, announced
from lasercats.interpreters.context import Result
from lasercats.operate import data, moments
from lasercats.operate.history import waiting
from lasercats.operate.issue import carry_out
from lasercats.operate.plan import buried
from lasercats.operate.project import Project
from lasercats.operate.serial import size

_SAID: Mapping[str, Callable[..., None]] = {"script": printing.exact, "trace": printing.line}
"""How what an interpreter says is printed: a script is for a shell, a trace is lines."""


def act(context: click.Context, project: Project, commands: Sequence[Command], request: Request) -> None:
    """Interpret commands, show the results, and exit with 1 if any went wrong."""
    carry_out, within = _carrier(request, commands)
    agreed = consent.ask(project, commands, request)
    serial = 0 if request.at_a_time is None else size(request.at_a_time, commands)
    total = sum(len(command.on) for command in commands)
    prefix = any(len(command.on) > 1 for command in commands)
    with Feedback(total, prefix=prefix, quiet=request.as_json) as feedback:
        say = partial(_SAID.get(request.interpreter, printing.page), err=request.as_json)
        do = partial(
            carry_out,
            project,
            interpreter=request.interpreter,
            message=request.message,
            because=None if request.because is None else as_text(request.because),
            undoes=request.undoes,
            direct=request.direct,
            serial=serial,
            watcher=feedback,
            write=lambda text: feedback.aside(partial(say, text)),
        )
        results = run(project, do(commands, agreed=agreed))
    if more_agreed := consent.ask_late(results, request):
        agreed |= more_agreed
        again = run(project, do([r.command for r in results if r.losses], agreed=agreed))
        results = [*(r for r in results if not r.losses), *again]
    gone = buried(project.kinds, (result.delta for result in results))
    held = _held(project, results) if within else None
    losses = _losses(project, commands, results, request, agreed)
    if request.as_json:
        _print_data(project, results, request, lost=gone, losses=losses, held=held)
    else:
        _print_all(project, results, request, gone=gone, losses=losses, held=held)
        if serial:
            show.print_untried(results, request.again)
    if any(result.status == "open" for result in results):
        printing.note("! some outcomes are not known; run `lasercats recover`")
    if not all(result.ok for result in results):
        context.exit(1)


def _print_data(
    project: Project,
    results: Sequence[Result],
    request: Request,
    *,
    lost: Mapping[Address, Sequence[str]],
    losses: Sequence[Loss],
    held: data.acts.Holding | None,
) -> None:
    """Print results as data, with all that was announced, as nothing was said in advance."""
    done = data.results(
        results,
        project.machines.trips,
        lost=data.plain({**lost, **request.lost}),
        withheld=data.plain(request.withheld),
        losses=list(losses),
        unseen=dict(request.unseen),
        held=held,
    )
    printing.data(request.form(done))


def _print_all(
    project: Project,
    results: Sequence[Result],
    request: Request,
    *,
    gone: Mapping[Address, Sequence[str]],
    losses: Sequence[Loss],
    held: data.acts.Holding | None,
) -> None:
    """Print results for a person; a script stands for itself."""
    predicted = request.predicts
    if request.interpreter == "script":
        for result in results:
            show.print_problems(result.problems)
    else:
        back = "" if predicted or held is not None else hint.back_of(project, results, gone)
        both, brief = request.show_diff, request.brief
        show.print_results(results, both=both, predicted=predicted, brief=brief, back=back, buried=gone)
        if predicted:
            show.print_losses(losses, gone)
        if held is not None:
            kept = f"unless you run `lasercats confirm {held.position}`"
            printing.note(f"held: taken back at {held.until}, {kept}", fg="yellow")
    _print_orders(project, results)
    if any(result.problems for result in results):
        _print_in_hand(project, results)


def _losses(
    project: Project,
    commands: Sequence[Command],
    results: Sequence[Result],
    request: Request,
    agreed: Collection[Loss],
) -> Sequence[Loss]:
    """Return what is to be agreed to where it is only predicted, else what was agreed to or refused."""
    if request.predicts:
        return announced(project.kinds, commands, project.state(), direct=request.direct)
    return [*sorted(agreed), *(loss for result in results for loss in result.losses)]


def _print_orders(project: Project, results: Sequence[Result]) -> None:
    """Print the work orders that results wait for."""
    numbers = sorted({result.order for result in results if result.order is not None})
    if numbers:
        from lasercats.cli.checklist import print_order  # noqa: PLC0415 - only where people are at work
        from lasercats.operate.work import order  # noqa: PLC0415 - as above

        for number in numbers:
            print_order(order(project, number))


def _print_in_hand(project: Project, results: Sequence[Result]) -> None:
    """Print which work orders have in hand what is named where commands were refused."""
    reasons = " ".join(why for result in results for why in result.problems.values())
    found = ((address, one.order) for one in waiting(project) for address in one.command.on)
    for address, number in dict.fromkeys(pair for pair in found if f"{pair[0]} " in f"{reasons} "):
        printing.note(f"{address} is in the work order {number}, of which nothing is reported yet")


def _carrier(
    request: Request, commands: Sequence[Command]
) -> tuple[Callable[..., Coroutine[Any, Any, Sequence[Result]]], bool]:
    """Return what carries commands out, and whether it holds them until they are confirmed."""
    if request.confirm_within is None or request.predicts:
        return carry_out, False
    from lasercats.operate.confirm import carry_out_held, duration  # noqa: PLC0415 - it brings all of `recover`

    within = duration(request.confirm_within)
    return (partial(carry_out_held, within=within), True) if commands else (carry_out, False)


def _held(project: Project, results: Sequence[Result]) -> data.acts.Holding | None:
    """Return what holds the changes of some results; None where nothing changed."""
    positions = [result.position for result in results if result.position is not None and result.delta]
    if not positions:
        return None
    from lasercats.operate import confirm  # noqa: PLC0415 - as above

    (held,) = confirm.chosen(project, positions[:1])
    return data.acts.Holding(held.position, moments.iso(held.until))
