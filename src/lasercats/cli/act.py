"""Carries commands out for a verb, and shows what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from lasercats.cli import show
from lasercats.cli.progress import Feedback
from lasercats.core.address import Address
from lasercats.core.command import Command

if TYPE_CHECKING:
    from datetime import timedelta

    from lasercats.interpreters.context import Result
    from lasercats.operate.project import Project

PREDICTING = ("simulate", "script")


@dataclass(frozen=True)
class Request:
    """How a verb that acts was asked to do it."""

    interpreter: str = "live"
    message: str | None = None
    as_json: bool = False
    show_diff: bool = False
    because: str | None = None
    lost: Mapping[Address, Sequence[str]] = field(default_factory=dict)
    """What does not come back; told by `--json`, which says nothing in advance."""
    confirm_within: str | None = None
    brief: bool = False
    """True when the operator has seen the changes already, as a plan."""

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
        )


def act(context: click.Context, project: "Project", commands: Sequence[Command], request: Request) -> None:
    """Interpret commands, show the results, and exit with 1 if any went wrong."""
    from lasercats.operate.issue import carry_out  # noqa: PLC0415 - start-up stays light

    within = _within(request)
    total = sum(len(command.on) for command in commands)
    prefix = any(len(command.on) > 1 for command in commands)
    with Feedback(total, prefix=prefix, quiet=request.as_json) as feedback:
        results = carry_out(
            project,
            commands,
            interpreter=request.interpreter,
            message=request.message,
            because=request.because,
            within=within,
            watcher=feedback,
            write=lambda text: click.echo(text, err=request.as_json),
        )
    if request.as_json:
        more = _held(project, results) if within else {}
        lost = {"lost": show.plain(request.lost)} if request.lost else {}
        show.print_json({**show.results_data(results, project.machines.trips), **lost, **more})
    elif request.interpreter == "script":
        for result in results:
            show.print_problems(result.problems)
    else:
        predicted = request.interpreter in PREDICTING
        holds = list(_held(project, results).values()) if within else []
        both, brief = request.show_diff, request.brief
        show.print_results(results, both=both, predicted=predicted, brief=brief, held=bool(holds))
        for held in holds:
            position = held["position"]
            told = f"held: taken back at {held['until']}, unless you run `lasercats confirm {position}`"
            click.echo(click.style(told, fg="yellow"), err=True)
    if any(result.status == "open" for result in results):
        click.echo("! some outcomes are not known; run `lasercats recover`", err=True)
    if not all(result.ok for result in results):
        context.exit(1)


def _within(request: Request) -> "timedelta | None":
    """Return in what time it is to be confirmed; None where it is not, or nothing is really done."""
    if request.confirm_within is None or request.interpreter in PREDICTING:
        return None
    from lasercats.operate.confirm import duration  # noqa: PLC0415

    return duration(request.confirm_within)


def _held(project: "Project", results: Sequence["Result"]) -> dict[str, Any]:
    """Return what holds the changes of some results, as plain data."""
    from lasercats.operate import confirm, history  # noqa: PLC0415

    positions = [result.position for result in results if result.position is not None and result.delta]
    if not positions:
        return {}
    (held,) = confirm.chosen(project, positions[:1])
    return {"held": {"position": held.position, "until": history.iso(held.until)}}
