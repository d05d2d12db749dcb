"""Shows plans, and asks whether one is to be carried out."""

from lasercats.cli import consent, printing, show
from lasercats.cli.request import Request
from lasercats.core.command import Effect
from lasercats.core.errors import LaserCatsError
from lasercats.operate import data
from lasercats.operate.plan import Plan


def show_plan(made: Plan, *, as_json: bool, both: bool) -> None:
    """Show what a plan would change, and what does not come back of it."""
    if as_json:
        printing.data(data.plan(made))
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
        printing.note(f"! {show.missed(made.unseen)}, and is taken for what the state says", fg="red")
    elif not (made.commands or made.problems):
        printing.note("nothing to do: the state is as the documents wish")


def _split(made: Plan) -> str:
    """Return how much of a plan puts back what changed outside, where that is any of it."""
    if not made.corrective:
        return ""
    whole = sum(set(made.delta[address].fields) <= set(names) for address, names in made.corrective.items())
    partly = len(made.corrective) - whole
    intentional = len(made.delta) - whole - partly
    counts = ((whole, "corrective"), (partly, "both"), (intentional, "intentional"))
    return f" ({', '.join(f'{count} {word}' for count, word in counts if count)})"


def _pending(made: Plan) -> str:
    text = show.summary(made.delta)
    opaque = sum(command.effect is Effect.OPAQUE for command in made.commands)
    if opaque:
        text += f", and {opaque} raw command{'' if opaque == 1 else 's'} to carry out"
    for past, infinitive in (("created", "to create"), ("changed", "to change"), ("removed", "to remove")):
        text = text.replace(past, infinitive)
    return text


def check_plan(made: Plan) -> None:
    """Check that nothing of a plan is refused.

    Raises:
        LaserCatsError: something is; nothing was done.

    """
    for address, why in made.problems.items():
        raise LaserCatsError(f"the plan is refused: {address}: {why}; nothing was done")


def agree(request: Request, made: Plan) -> None:
    """Ask whether what was shown is to be carried out, unless that was said, or it is only predicted.

    Raises:
        LaserCatsError: it was not agreed to.

    """
    if not (request.yes or request.predicts) and (request.as_json or not printing.agreed("Carry this out?")):
        raise LaserCatsError(consent.refusal(made.losses if request.as_json else ()))
