"""Carries commands out for a verb, and shows what came of it."""

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from lasercats.cli import consent, hint, printing, show
from lasercats.cli.arguments import as_text
from lasercats.cli.progress import Feedback
from lasercats.cli.running import run
from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.loss import Loss, announced

if TYPE_CHECKING:
    from lasercats.interpreters.context import Result
    from lasercats.operate.project import Project

    Carrier = Callable[..., Coroutine[Any, Any, Sequence[Result]]]

PREDICTING = ("simulate", "script")
_SAID: Mapping[str, Callable[..., None]] = {"script": printing.exact, "trace": printing.line}
"""How what an interpreter says is printed: a script is for a shell, a trace is lines."""


@dataclass(frozen=True)
class Request:
    """How a verb that acts was asked to do it."""

    interpreter: str = "live"
    message: str | None = None
    as_json: bool = False
    show_diff: bool = False
    because: str | None = None
    undoes: Sequence[int] = ()
    """What is taken back, by position."""
    lost: Mapping[Address, Sequence[str]] = field(default_factory=dict)
    """What does not come back; told by `--json`, which says nothing in advance."""
    withheld: Mapping[Address, Mapping[str, str]] = field(default_factory=dict)
    """The fields that do not come back; told as what is lost is."""
    found: Mapping[str, Any] = field(default_factory=dict)
    """What was found before, and led to it; told beside it as data."""
    unseen: Mapping[Address, str] = field(default_factory=dict)
    """What could not be looked at before, and why; told as what is lost is."""
    confirm_within: str | None = None
    yes: bool = False
    """True where the operator agrees to whatever is announced."""
    direct: bool = False
    """True where the operator wrote out the addresses, so that commands announce their own losses."""
    agreed: Collection[Loss] | None = None
    """What was announced with a plan and agreed to; None where that is still to be asked."""
    at_a_time: str | None = None
    """At how many addresses at a time, as it was written."""
    again: str = "run the same again"
    """How to go on where it stopped."""
    brief: bool = False
    """True when the operator has seen the changes already, as a plan."""

    @property
    def predicts(self) -> bool:
        """True where nothing is done, and it is only told what would be."""
        return self.interpreter in PREDICTING

    @classmethod
    def take(cls, values: dict[str, Any]) -> "Request":
        """Take the shared options out of the values of a verb."""
        chosen = values.pop("interpreter", "live")
        return cls(
            interpreter="simulate" if values.pop("check", False) else chosen,
            message=values.pop("message", None),
            as_json=values.pop("as_json", False),
            show_diff=values.pop("show_diff", False),
            confirm_within=values.pop("confirm_within", None),
            yes=values.pop("yes", False),
            at_a_time=values.pop("at_a_time", None),
        )


def act(context: click.Context, project: "Project", commands: Sequence[Command], request: Request) -> None:
    """Interpret commands, show the results, and exit with 1 if any went wrong."""
    from lasercats.operate.plan import buried  # noqa: PLC0415 - as the rest of the work, only when asked
    from lasercats.operate.serial import size  # noqa: PLC0415 - as above

    carry_out, within = _carrier(request, commands)
    agreed = consent.ask(project, commands, request)
    serial = 0 if request.at_a_time is None else size(request.at_a_time, commands)
    total = sum(len(command.on) for command in commands)
    prefix = any(len(command.on) > 1 for command in commands)
    with Feedback(total, prefix=prefix, quiet=request.as_json) as feedback:
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
            write=partial(_SAID.get(request.interpreter, printing.page), err=request.as_json),
        )
        results = run(project, do(commands, agreed=agreed))
    if more_agreed := consent.ask_late(results, request):
        agreed |= more_agreed
        again = run(project, do([r.command for r in results if r.losses], agreed=agreed))
        results = [*(r for r in results if not r.losses), *again]
    gone = buried(project.kinds, (result.delta for result in results))
    if request.as_json:
        data = {**request.found, **show.results_data(results, project.machines.trips)}
        more = {
            "lost": show.plain({**gone, **request.lost}),
            "withheld": show.plain(request.withheld),
            "losses": show.plain(_losses(project, commands, results, request, agreed)),
            "unseen": dict(request.unseen),
            "held": _held(project, results) if within else None,
        }
        printing.data(data | {name: value for name, value in more.items() if value})
    elif request.interpreter == "script":
        for result in results:
            show.print_problems(result.problems)
    else:
        predicted = request.predicts
        held = _held(project, results) if within else None
        both, brief = request.show_diff, request.brief
        back = "" if predicted or held is not None else hint.back_of(project, results, gone)
        show.print_results(results, both=both, predicted=predicted, brief=brief, back=back, buried=gone)
        if predicted:
            show.print_losses(_losses(project, commands, results, request, agreed), gone)
        if held is not None:
            position = held["position"]
            held_note = f"held: taken back at {held['until']}, unless you run `lasercats confirm {position}`"
            printing.note(held_note, fg="yellow")
    if not request.as_json:
        _print_orders(project, results)
        if any(result.problems for result in results):
            _print_in_hand(project, results)
        if serial:
            show.print_untried(results, request.again)
    if any(result.status == "open" for result in results):
        printing.note("! some outcomes are not known; run `lasercats recover`")
    if not all(result.ok for result in results):
        context.exit(1)


def _losses(
    project: "Project",
    commands: Sequence[Command],
    results: Sequence["Result"],
    request: Request,
    agreed: Collection[Loss],
) -> Sequence[Loss]:
    """Return what is to be agreed to where it is only predicted, else what was agreed to or refused."""
    if request.predicts:
        return announced(project.kinds, commands, project.state(), direct=request.direct)
    return [*sorted(agreed), *(loss for result in results for loss in result.losses)]


def _print_orders(project: "Project", results: Sequence["Result"]) -> None:
    """Print the work orders that results wait for."""
    numbers = sorted({result.order for result in results if result.order is not None})
    if numbers:
        from lasercats.cli.orders import print_order  # noqa: PLC0415 - only where people are at work
        from lasercats.operate.work import order  # noqa: PLC0415

        for number in numbers:
            print_order(order(project, number))


def _print_in_hand(project: "Project", results: Sequence["Result"]) -> None:
    """Print which work orders have in hand what is named where commands were refused."""
    from lasercats.operate.history import waiting  # noqa: PLC0415

    reasons = " ".join(why for result in results for why in result.problems.values())
    found = ((address, one.order) for one in waiting(project) for address in one.command.on)
    for address, order in dict.fromkeys(pair for pair in found if f"{pair[0]} " in f"{reasons} "):
        printing.note(f"{address} is in the work order {order}, of which nothing is reported yet")


def _carrier(
    request: Request, commands: Sequence[Command]
) -> tuple[Callable[..., Coroutine[Any, Any, Sequence["Result"]]], bool]:
    """Return what carries commands out, and whether it holds them until they are confirmed."""
    from lasercats.operate.issue import carry_out  # noqa: PLC0415 - start-up stays light

    if request.confirm_within is None or request.predicts:
        return carry_out, False
    from lasercats.operate.confirm import carry_out_held, duration  # noqa: PLC0415

    within = duration(request.confirm_within)
    return (partial(carry_out_held, within=within), True) if commands else (carry_out, False)


def _held(project: "Project", results: Sequence["Result"]) -> dict[str, Any] | None:
    """Return what holds the changes of some results, as plain data; None where nothing changed."""
    from lasercats.operate import confirm, history  # noqa: PLC0415

    positions = [result.position for result in results if result.position is not None and result.delta]
    if not positions:
        return None
    (held,) = confirm.chosen(project, positions[:1])
    return {"position": held.position, "until": history.iso(held.until)}
