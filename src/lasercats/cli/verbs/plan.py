"""`plan`, `apply`: to the state as documents have it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec.structs import replace as replace_fields

from lasercats.cli import arguments, options, printing, show
from lasercats.cli.act import act
from lasercats.cli.opening import opened
from lasercats.cli.plans import agree, check_plan, show_plan
from lasercats.cli.request import Request
from lasercats.cli.running import run
from lasercats.core.address import Address
from lasercats.core.errors import BadInput
from lasercats.operate import observe as looking
from lasercats.operate import plan as plans
from lasercats.operate import saved_plan
from lasercats.operate.documents import read_documents
from lasercats.operate.losses import foresee
from lasercats.operate.plan import Plan
from lasercats.operate.project import Project


@click.command()
@options.argument("documents", type=arguments.FILE, nargs=-1, required=True, metavar="DOCUMENT...|PLAN")
@options.option("--prune", is_flag=True, help="Remove what is in the state and in no document.")
@options.recreate
@options.option("--refresh", is_flag=True, help="Look at the machines first.")
@options.option("--out", type=arguments.FILE, metavar="FILE", help="Save the plan for `apply FILE`.")
@options.only
@options.exclude
@options.max_size
@options.detailed
@options.as_json("plan")
@options.diff
@options.option("--interpreter", default="simulate", metavar="NAME", help="simulate, or script to print one.")
@click.pass_context
def plan(context: click.Context, /, documents: tuple[str, ...], **values: Any) -> None:  # noqa: ANN401
    """Show what would make the state as documents wish, or what a saved plan carries; `-` is standard input.

    It is made from the state, and looks at no machine unless --refresh asks for it; `apply` looks before
    it acts. A folder stands for every YAML and JSON file in it.
    """
    if values["interpreter"] not in ("simulate", "script"):
        raise BadInput(
            "a plan changes nothing, so its interpreter is simulate or script; use `lasercats apply`"
        )
    with opened(context, looking=not values["refresh"]) as project:
        saved = _is_saved(documents)
        made = saved_plan.load(project, Path(documents[0])) if saved else _plan(project, documents, **values)
        if values["out"]:
            saved_plan.save(project, made, Path(values["out"]))
        if values["interpreter"] == "script":
            act(context, project, made.commands, Request("script"))
            return
        if saved and not values["as_json"]:
            show.print_carried(made.commands)
        show_plan(made, as_json=values["as_json"], both=values["show_diff"])
        show.print_resealed(project.resealed)
    if made.problems or made.unseen:
        context.exit(1)
    context.exit(2 if made.commands and values["detailed"] else 0)


@click.command()
@options.argument("documents", type=arguments.FILE, nargs=-1, required=True, metavar="DOCUMENT...|PLAN")
@options.option("--prune", is_flag=True, help="Remove what is in the state and in no document.")
@options.recreate
@options.option("--refresh", is_flag=True, help="Look at everything first, not only at what is to change.")
@options.only
@options.exclude
@options.max_size
@options.acting("results")
@click.pass_context
def apply(context: click.Context, /, documents: tuple[str, ...], **values: Any) -> None:  # noqa: ANN401
    """Make the state as documents wish, or carry out a saved plan if nothing moved since.

    The plan is shown and must be agreed to, at the terminal or by --yes.
    """
    request = Request.take(values)
    with opened(context, looking=request.predicts and not values["refresh"]) as project:
        saved = _is_saved(documents)
        made = saved_plan.load(project, Path(documents[0])) if saved else _plan(project, documents, **values)
        if made.losses and not request.predicts:
            made = msgspec.structs.replace(made, losses=tuple(run(project, foresee(project, made.commands))))
        if saved and not request.as_json:
            show.print_carried(made.commands)
        if not (request.as_json or request.predicts):
            show_plan(made, as_json=False, both=request.show_diff)
            show.print_resealed(project.resealed)
        check_plan(made)
        if made.commands:
            agree(request, made)
        if made.commands or request.as_json:
            brief = not request.predicts
            act(
                context,
                project,
                made.commands,
                replace(
                    request,
                    because=made.because,
                    lost=made.lost,
                    agreed=made.losses,
                    unseen=made.unseen,
                    brief=brief,
                ),
            )
    context.exit(1 if made.unseen else 0)


def _is_saved(documents: Sequence[str]) -> bool:
    return len(documents) == 1 and documents[0] != "-" and saved_plan.is_saved(Path(documents[0]))


def _plan(
    project: Project,
    documents: Sequence[str],
    prune: bool,
    refresh: bool,
    only: Sequence[str],
    exclude: Sequence[str],
    max_size: int,
    recreate: bool,
    **_: Any,  # noqa: ANN401
) -> Plan:
    stdin = arguments.standard_input(max_size) if "-" in documents else ""
    desired = read_documents(project, documents, stdin, mebibytes=max_size)
    state, unseen = None, dict[Address, str]()
    if refresh:
        seen = looking.refresh(project, run(project, looking.observe(project, also=desired)))
        if seen.drift:
            printing.note(f"found {show.summary(seen.drift)} outside")
        show.print_unseen(seen.unseen)
        state, unseen = seen.state, dict(seen.unseen)
    work = plans.make(
        project,
        desired,
        state=state,
        prune=prune,
        only=only,
        exclude=exclude,
        documents=documents,
        recreate=recreate,
    )
    return replace_fields(run(project, work), unseen=unseen)
