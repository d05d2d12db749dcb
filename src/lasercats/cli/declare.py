"""Verbs about the state as a document: state, document, plan, apply, observe, drift, schema."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lasercats.cli import arguments, consent, hint, options, printing, show
from lasercats.cli.act import Request, act
from lasercats.cli.running import run
from lasercats.core.address import Address
from lasercats.core.change import Delta
from lasercats.core.command import Effect
from lasercats.core.errors import BadInput, LaserCatsError
from lasercats.core.resource import Resource

if TYPE_CHECKING:
    from lasercats.operate.observe import Observation
    from lasercats.operate.plan import Plan
    from lasercats.operate.project import Project


@click.command()
@options.argument(
    "addresses",
    type=arguments.NAME,
    nargs=-1,
    metavar="[ADDRESS]...",
    shell_complete=options.complete_address,
)
@options.as_of
@options.as_json
@click.pass_context
def state(context: click.Context, addresses: tuple[str, ...], as_of: str | None, as_json: bool) -> None:
    """Show the state, now or at any time, with what the machines gave."""
    with options.opened(context, looking=True) as project:
        chosen = _chosen(project, addresses, as_of)
    data = {"resources": {a: show.resource_fields(r) for a, r in chosen.items()}}
    if as_json:
        printing.data(data)
    elif chosen:
        from lasercats.core.document import dump_yaml  # noqa: PLC0415

        printing.page(dump_yaml(data["resources"]))
    else:
        printing.note("the state is empty")


@click.command()
@options.argument(
    "addresses",
    type=arguments.NAME,
    nargs=-1,
    metavar="[ADDRESS]...",
    shell_complete=options.complete_address,
)
@options.as_of
@options.as_json
@click.pass_context
def document(context: click.Context, addresses: tuple[str, ...], as_of: str | None, as_json: bool) -> None:
    """Print the state as a document that `plan` and `apply` take."""
    from lasercats.core.document import render  # noqa: PLC0415

    with options.opened(context, looking=True) as project:
        chosen = _chosen(project, addresses, as_of)
    text = render(chosen.items(), form="json" if as_json else "yaml", kinds=project.kinds)
    (printing.json_text if as_json else printing.exact)(text)


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
@options.as_json
@options.diff
@options.option("--interpreter", default="simulate", metavar="NAME", help="simulate, or script to print one.")
@click.pass_context
def plan(context: click.Context, /, documents: tuple[str, ...], **values: Any) -> None:  # noqa: ANN401
    """Show what would make the state as documents wish, or what a saved plan carries; `-` is standard input.

    It is made from the state, and looks at no machine unless --refresh asks for it; `apply` looks before
    it acts. A folder stands for every YAML and JSON file in it.
    """
    from lasercats.operate import plan as plans  # noqa: PLC0415

    if values["interpreter"] not in ("simulate", "script"):
        raise BadInput(
            "a plan changes nothing, so its interpreter is simulate or script; use `lasercats apply`"
        )
    with options.opened(context, looking=not values["refresh"]) as project:
        saved = _is_saved(documents)
        made = plans.load(project, Path(documents[0])) if saved else _plan(project, documents, **values)
        if values["out"]:
            plans.save(project, made, Path(values["out"]))
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
@options.as_json
@options.diff
@options.message
@options.interpreter
@click.pass_context
def apply(context: click.Context, /, documents: tuple[str, ...], **values: Any) -> None:  # noqa: ANN401
    """Make the state as documents wish, or carry out a saved plan if nothing moved since.

    The plan is shown and must be agreed to, at the terminal or by --yes.
    """
    import msgspec  # noqa: PLC0415

    from lasercats.operate import plan as plans  # noqa: PLC0415
    from lasercats.operate.losses import foresee  # noqa: PLC0415

    request = Request.take(values)
    with options.opened(context, looking=request.predicts and not values["refresh"]) as project:
        saved = _is_saved(documents)
        made = plans.load(project, Path(documents[0])) if saved else _plan(project, documents, **values)
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


def check_plan(made: "Plan") -> None:
    """Check that nothing of a plan is refused.

    Raises:
        LaserCatsError: something is; nothing was done.

    """
    for address, why in made.problems.items():
        raise LaserCatsError(f"the plan is refused: {address}: {why}; nothing was done")


def agree(request: Request, made: "Plan") -> None:
    """Ask whether what was shown is to be carried out, unless that was said, or it is only predicted.

    Raises:
        LaserCatsError: it was not agreed to.

    """
    if not (request.yes or request.predicts) and (request.as_json or not printing.agreed("Carry this out?")):
        raise LaserCatsError(consent.refusal(made.losses if request.as_json else ()))


@click.command()
@options.argument("targets", type=arguments.NAME, nargs=-1, metavar="[MACHINE|ADDRESS]...")
@options.option("--adopt", is_flag=True, help="Record it, so that it is the state (the default of observe).")
@options.option("--revert", is_flag=True, help="Record it, and put things back as they were.")
@options.option("--in-clear", is_flag=True, help="Do not seal contents that not everybody there may read.")
@options.yes
@options.recreate
@options.as_json
@options.diff
@options.message
@options.detailed
@options.serial
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
@options.yes
@options.recreate
@options.as_json
@options.diff
@options.message
@options.detailed
@options.serial
@click.pass_context
def drift(context: click.Context, /, adopt: bool, **values: Any) -> None:  # noqa: ANN401
    """Look at machines and show what changed outside; record it only if told to.

    What only machines decide, as the public address of an instance, is recorded as it is now in any case.
    """
    _look(context, keep=adopt or values["revert"], adopt=adopt, **values)


@click.command()
@options.argument(
    "machines", type=arguments.NAME, nargs=-1, metavar="[MACHINE]...", shell_complete=options.complete_machine
)
@options.option("--check", is_flag=True, help="Only show what would be taken in.")
@options.only
@options.exclude
@options.as_json
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
    from lasercats.operate import adopt as adopting  # noqa: PLC0415
    from lasercats.operate import observe as looking  # noqa: PLC0415

    with options.opened(context) as project:
        found = run(project, adopting.discover(project, machines, only=only, exclude=exclude))
        seen = found.seen if check else looking.record(project, found.seen, message)
    if as_json:
        data = {"found": seen.looked, "managed": found.managed, "new": show.changes_data(seen.drift)}
        printing.data({**data, "unseen": dict(seen.unseen), "position": seen.position})
    else:
        show.print_delta(seen.drift, both=show_diff)
        show.print_unseen(seen.unseen)
        printing.note(_adopted(len(seen.drift), seen.looked, found.managed, seen.position))
        if seen.unseen:
            printing.note(f"! {_missed(seen.unseen)}, so there may be more", fg="red")
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


@click.command()
@click.pass_context
def schema(context: click.Context) -> None:
    """Print the JSON Schema of documents; editors that know it complete and check them.

    In a project it has the kinds that are made for it from data, too.
    """
    from lasercats.core.document import schema as make  # noqa: PLC0415

    printing.data(make(options.kinds_of(context)))


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
    from lasercats.operate import observe as looking  # noqa: PLC0415

    if adopt and revert:
        raise BadInput("--adopt keeps what was found and --revert puts it back; choose one")
    with options.opened(context) as project:
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
    context: click.Context, project: "Project", seen: "Observation", request: Request, *, recreate: bool
) -> None:
    """Record what is put back and put it back, once what that loses is agreed to.

    What is not put back, because it cannot be or because nobody agreed, is not recorded either: it is drift
    as before, and can still be put back, or kept.
    """
    from lasercats.operate import observe as looking  # noqa: PLC0415
    from lasercats.operate.plan import plan_delta  # noqa: PLC0415

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
    found = {**_seen_data(seen), "problems": dict(back.problems)}
    request = replace(
        request, agreed=agreed, withheld=back.withheld, again=f"go on with {again}", found=found
    )
    act(context, project, back.commands, request)
    if back.problems:
        context.exit(1)


def _seen_data(seen: "Observation") -> dict[str, Any]:
    data: dict[str, Any] = {"looked": seen.looked, "drift": show.changes_data(seen.drift)}
    data["refreshed"] = list(seen.refreshed)
    return {**data, "unseen": dict(seen.unseen), "position": seen.position}


def _show_seen(seen: "Observation", *, as_json: bool, both: bool, recorded: bool) -> None:
    if as_json:
        printing.data(_seen_data(seen))
        return
    _show_drift(seen, both=both)
    printing.note(_drift_line(seen, recorded=recorded))


def _show_drift(seen: "Observation", *, both: bool) -> None:
    show.print_delta(seen.drift, both=both)
    show.print_unseen(seen.unseen)


def _drift_line(seen: "Observation", *, recorded: bool) -> str:
    """Return in one line how much was looked at, and what became of what was found."""
    text = f"looked at {seen.looked}: "
    if seen.unseen:
        text = f"looked at {seen.looked}; {_missed(seen.unseen)}, so nothing is known of that; of the rest: "
    if not seen.drift:
        return text + ("all as the state says" if seen.looked or not seen.unseen else "nothing")
    if recorded:
        return text + f"{show.summary(seen.drift)} outside; recorded at position {seen.position}"
    return text + f"{show.summary(seen.drift)} outside; --adopt records it, --revert puts it back"


def _missed(unseen: Mapping[Address, str]) -> str:
    return f"{len(unseen)} could not be looked at"


def _is_saved(documents: Sequence[str]) -> bool:
    from lasercats.operate.plan import is_saved  # noqa: PLC0415

    return len(documents) == 1 and documents[0] != "-" and is_saved(Path(documents[0]))


def _plan(
    project: "Project",
    documents: Sequence[str],
    prune: bool,
    refresh: bool,
    only: Sequence[str],
    exclude: Sequence[str],
    max_size: int,
    recreate: bool,
    **_: Any,  # noqa: ANN401
) -> "Plan":
    from msgspec.structs import replace as replace_fields  # noqa: PLC0415

    from lasercats.operate import observe as looking  # noqa: PLC0415
    from lasercats.operate import plan as plans  # noqa: PLC0415

    stdin = arguments.standard_input(max_size) if "-" in documents else ""
    desired = plans.read_documents(project, documents, stdin, mebibytes=max_size)
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


def show_plan(made: "Plan", *, as_json: bool, both: bool) -> None:
    """Show what a plan would change, and what does not come back of it."""
    if as_json:
        from msgspec import to_builtins  # noqa: PLC0415

        from lasercats.core.command import as_recorded  # noqa: PLC0415

        commands = [as_recorded(command) for command in made.commands]
        data = {"commands": commands, "delta": show.changes_data(made.delta), "problems": dict(made.problems)}
        data |= {"replaced": list(made.replaced), "corrective": to_builtins(made.corrective)}
        data |= {"losses": to_builtins(made.losses), "unseen": dict(made.unseen)}
        printing.data(
            {**data, "lost": to_builtins({**made.buried, **made.lost}), "detours": dict(made.detours)}
        )
        return
    show.print_delta(made.delta, both=both, replaced=made.replaced, corrective=made.corrective)
    show.print_detours(made.detours)
    show.print_lost(made.lost)
    show.print_buried(made.buried)
    show.print_losses(made.losses, {*made.lost, *made.buried})
    show.print_withheld(made.withheld)
    show.print_problems(made.problems)
    if made.commands or made.problems:
        printing.note(f"plan: {_pending(made)}{_split(made)}")
    if made.unseen:
        printing.note(f"! {_missed(made.unseen)}, and is taken for what the state says", fg="red")
    elif not (made.commands or made.problems):
        printing.note("nothing to do: the state is as the documents wish")


def _split(made: "Plan") -> str:
    """Return how much of a plan puts back what changed outside, where that is any of it."""
    if not made.corrective:
        return ""
    whole = sum(set(made.delta[address].fields) <= set(names) for address, names in made.corrective.items())
    partly = len(made.corrective) - whole
    intentional = len(made.delta) - whole - partly
    counts = ((whole, "corrective"), (partly, "both"), (intentional, "intentional"))
    return f" ({', '.join(f'{count} {word}' for count, word in counts if count)})"


def _pending(made: "Plan") -> str:
    text = show.summary(made.delta)
    opaque = sum(command.effect is Effect.OPAQUE for command in made.commands)
    if opaque:
        text += f", and {opaque} raw command{'' if opaque == 1 else 's'} to carry out"
    for past, infinitive in (("created", "to create"), ("changed", "to change"), ("removed", "to remove")):
        text = text.replace(past, infinitive)
    return text


def _chosen(project: "Project", addresses: Sequence[str], position: str | None) -> dict[Address, Resource]:
    from lasercats.operate.history import resolve  # noqa: PLC0415

    at = None if position is None else resolve(project.log, position)
    patterns = [text for text in addresses if any(sign in text for sign in "*?[")]
    named = {text: project.recorded(text) for text in addresses if text not in patterns}
    resources = project.state(at, None if patterns or not addresses else [*named.values()]).resources()
    if not addresses:
        return resources
    chosen: dict[Address, Resource] = {}
    for text in addresses:
        if text in patterns:
            chosen |= {a: r for a, r in resources.items() if fnmatchcase(a, text)}
        elif named[text] not in resources:
            if at is not None:
                raise BadInput(
                    f"{named[text]} was not there at position {at}; `lasercats log` tells when it was"
                )
            raise BadInput(
                f"{named[text]} is not in the state; `lasercats observe {named[text]}` would manage it"
            )
        else:
            chosen[named[text]] = resources[named[text]]
    return chosen
