"""What a person sees: changes, results, history. Facts go to standard output, the rest to standard error."""

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import click

from lasercats.cli import fields, printing
from lasercats.cli.opening import is_ranged
from lasercats.core import secret
from lasercats.core.address import Address, label
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Effect, as_shown
from lasercats.core.loss import Loss, in_words
from lasercats.core.resource import Resource
from lasercats.instructions import vlans
from lasercats.interpreters.context import Result
from lasercats.operate.history import Happening

GLYPHS = {"create": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red"), "keep": ("=", None)}
REPLACED = ("±", "magenta")
_NONE: Mapping[Address, Sequence[str]] = {}


def print_delta(
    delta: Delta,
    *,
    both: bool = False,
    indent: str = "",
    replaced: Sequence[Address] = (),
    corrective: Mapping[Address, Sequence[str]] = {},
) -> None:
    """Print a line for each change, and its fields; with `both`, both sides of them.

    Where only what a machine gave differs there is nothing to print. A field that is `corrective` is marked.
    """
    for names, address in _together(delta, [*delta, *replaced]):
        change = delta.get(address)
        if change is not None and change.verb == "keep" and address not in replaced:
            continue
        glyph, color = REPLACED if address in replaced or change is None else GLYPHS[change.verb]
        note = "  (removed and made anew)" if address in replaced else ""
        marked = corrective.get(address, ())
        if change is not None and marked and set(change.fields) <= set(marked):
            note, marked = f"{note}  (corrective)", ()
        printing.fact(indent, printing.style(f"{glyph} {names}{note}", fg=color, bold=color is not None))
        for name, line in () if change is None else fields.lines_of(change, both=both):
            mark = "  (corrective)" if name in marked else ""
            printing.fact(indent, "    ", line, mark)


def _together(delta: Delta, addresses: Sequence[Address]) -> Iterable[tuple[str, Address]]:
    """Iterate over addresses, those whose changes are alike and whose names make a range told at once."""
    alike: dict[Any, list[Address]] = {}
    for address in dict.fromkeys(addresses):
        change = delta.get(address)
        side = None if change is None else change.after or change.before
        key = (
            (address,)
            if side is None or not is_ranged(address)
            else (*fields.lines_of(delta[address], both=True), side)
        )
        alike.setdefault(_likeness(key, address), []).append(address)
    for group in alike.values():
        yield (group[0] if len(group) == 1 else ranges(group)), group[0]


def _likeness(key: tuple[Any, ...], address: Address) -> tuple[Any, ...]:
    """Return what changes have in common that are told at once: all but what the switch gives."""
    *lines, side = key
    if side == address:
        return key
    machine = address.partition(":")[0]
    return (machine, side.__class__, *lines)


def ranges(addresses: Sequence[Address]) -> str:
    """Return addresses of one kind and machine as one name with ranges: `switch.port/sw1:eth1-24,30`."""
    before, colon, _ = addresses[0].partition(":")
    return f"{before}{colon}{vlans.ranges(a.partition(':')[2] for a in addresses)}"


def print_carried(commands: Sequence[Command]) -> None:
    """Print each command of a plan that was saved, as whoever wrote the file may have put any into it.

    What a change of the state does not tell, as the words of a raw command, is printed to its end.
    """
    printing.fact(f"the plan carries {len(commands)} command{'' if len(commands) == 1 else 's'}:")
    for command in commands:
        data = as_shown(command)
        name, on = data.pop("command"), ", ".join(map(label, data.pop("on")))
        cut = fields.short if command.effect is Effect.STATE else fields.whole
        said = "  ".join(f"{field}: {cut(value)}" for field, value in data.items() if value is not None)
        printing.fact(f"  {name} {on}{'  ' if said else ''}{said}")


def print_lost(lost: Mapping[Address, Sequence[str]]) -> None:
    """Print what does not come back, on standard error."""
    for address, what in lost.items():
        printing.note(f"! {label(address)} is made anew: {lost_of(what)}", fg="yellow")


def print_buried(buried: Mapping[Address, Sequence[str]]) -> None:
    """Print what no undo brings back, on standard error."""
    for address, what in buried.items():
        printing.note(f"! {label(address)}: {lost_of(what)}", fg="yellow")


def print_losses(losses: Iterable[Loss], reported: Collection[Address] = ()) -> None:
    """Print losses on standard error; what does not come back of the `reported` was printed before."""
    by_address: dict[Address, list[Loss]] = {}
    for loss in losses:
        if loss.sort != "loses" or loss.address not in reported:
            by_address.setdefault(loss.address, []).append(loss)
    for address, lost in by_address.items():
        printing.note(f"! {label(address)}: {in_words(lost)}", fg="yellow")


def print_withheld(withheld: Mapping[Address, Mapping[str, str]]) -> None:
    """Print which fields stay as they are, because what was there may not be given to a machine."""
    for address, reasons in withheld.items():
        for name, reason in reasons.items():
            text = f"! {label(address)}: {name or 'it'} cannot be put back as it was: {reason}"
            printing.note(text, fg="yellow")


def lost_of(what: Sequence[str]) -> str:
    """Return what does not come back as words: `id i-1 and its data do not come back`."""
    *most, last = what
    return f"{', '.join(most)} and {last} do not come back" if most else f"{last} does not come back"


def summary(delta: Mapping[Address, Change[Resource]], removed: str = "removed") -> str:
    """Return `2 created, 1 changed`, or `nothing changed`."""
    names = {"create": "created", "change": "changed", "remove": removed}
    counts = {word: sum(1 for c in delta.values() if c.verb == verb) for verb, word in names.items()}
    text = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return text or "nothing changed"


def print_problems(problems: Mapping[Address, str]) -> None:
    """Print what went wrong, on standard error."""
    for address, why in problems.items():
        printing.note(f"! {label(address)}: {why}", fg="red")


def print_untried(results: Sequence[Result], again: str) -> None:
    """Print how to go on with what was not tried, as something before it failed, or it was stopped."""
    left = [(r.command, address) for r in results for address in r.command.on if address in r.untried]
    if not left:
        return
    raw = [address for command, address in left if command.effect is Effect.OPAQUE]
    names = ", ".join(map(label, dict.fromkeys(raw)))
    how = f"run it for {names} alone" if raw else f"{again}; what is done is not done again"
    failed = any(address not in r.untried for r in results for address in r.problems)
    when = "when what failed is put right, " if failed else ""
    printing.note(f"{len(left)} not tried; {when}{how}", fg="yellow")


def print_unseen(unseen: Mapping[Address, str]) -> None:
    """Print what could not be looked at, on standard error; what has one reason is told once."""
    by_reason: dict[str, list[Address]] = {}
    for address, why in unseen.items():
        by_reason.setdefault(why, []).append(address)
    for why, addresses in by_reason.items():
        more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
        printing.note(f"! {label(addresses[0])}{more}: {why}", fg="red")


def missed(unseen: Mapping[Address, str]) -> str:
    """Return how much could not be looked at."""
    return f"{len(unseen)} could not be looked at"


def print_notes(notes: Mapping[Address, str]) -> None:
    """Print what machines noted of how they did it, on standard error."""
    for address, note in notes.items():
        printing.note(f"{label(address)}: {note}", fg="yellow")


def print_resealed(resealed: Mapping[str, str]) -> None:
    """Print which secrets are put where they were not before, on standard error."""
    for place, others in resealed.items():
        printing.note(f"the secret of {others} is sealed again for {secret.label(place)}", fg="yellow")


def print_detours(detours: Mapping[Address, str]) -> None:
    """Print what must make room for others before it gets to its own place."""
    for address, way in detours.items():
        printing.note(f"↷ {address} {way}", fg="yellow")


def print_results(
    results: Sequence[Result],
    *,
    both: bool,
    predicted: bool,
    brief: bool = False,
    back: str = "",
    buried: Mapping[Address, Sequence[str]] = _NONE,
) -> None:
    """Print what commands did, or would do; when `brief`, only what the operator has not seen yet.

    How they are taken `back` is told last. What is `buried` no undo brings back.
    """
    for result in results:
        if result.observed:
            printing.note("found changed outside:", fg="magenta")
            print_delta(result.observed, both=both, indent="  ")
        if not brief:
            print_delta(result.delta, both=both)
        print_notes(result.notes)
        print_problems(result.problems)
    if not any(result.order for result in results) or any(result.delta for result in results):
        if not brief:
            print_buried(buried)
        printing.note(_last_line(results, predicted=predicted, back=back))


def _last_line(results: Sequence[Result], *, predicted: bool, back: str) -> str:
    """Return the last line: what was done in all, and how to take it back."""
    total: dict[Address, Change[Resource]] = {}
    for result in results:
        for address, change in result.delta.items():
            first = total.get(address, change)
            total[address] = Change(first.before, change.after)
    forgot = all(result.command.effect is Effect.RECORD for result in results)
    text = summary(total, removed="forgotten" if forgot else "removed")
    ran = _ran(results)
    if not total and any(result.status == "open" for result in results):
        return "what changed is not known"
    if predicted:
        return f"would be: {text}" if total else "nothing would change"
    if ran:
        text = f"{ran}; {text}" if total else ran
    return f"{text}; {back}" if back else text


def _ran(results: Sequence[Result]) -> str:
    """Return what was done that is not in the state: `executed on 2 machines`, `3 rebooted`."""
    counts: dict[str, int] = {}
    for result in results:
        past = result.command.past.rpartition(".")[2]
        counts[past] = counts.get(past, 0) + len(result.reports)
    parts = (
        (
            f"executed on {count} machine{'s' if count != 1 else ''}"
            if past == "executed"
            else f"{count} {past}"
        )
        for past, count in counts.items()
        if count
    )
    return ", ".join(parts)


def title(happened: Happening) -> str:
    """Return a command as a line of history names it: `file write web1:/etc/motd and 2 more`."""
    command = happened.command
    if command is None:
        return happened.type
    on = named(command.on).partition("/")[2].removesuffix(":")
    return f"{happened.type.replace('.', ' ').replace('_', '-')} {on}"


def named(addresses: Sequence[Address]) -> str:
    """Return addresses in a few words: as a range where that fits, else the first and how many more."""
    if not addresses:
        return "nothing"
    alike = len({address.partition(":")[0] for address in addresses}) == 1
    if len(addresses) > 1 and alike and is_ranged(addresses[0]):
        return ranges(addresses)
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return f"{label(addresses[0])}{more}"


def why(because: str | None, message: str | None) -> str:
    """Return what made a command and what its operator said of it, to stand behind it."""
    words = "; ".join(text for text in (because, message) if text)
    return f"  ({words})" if words else ""


NARROW = 80
"""Columns where the output is no terminal."""


def width() -> int:
    """Return how many columns there are to draw in."""
    return shutil.get_terminal_size().columns if printing.is_terminal() else NARROW


def has_color(context: click.Context) -> bool:
    """Tell whether pictures have colours."""
    return printing.is_terminal() if context.color is None else context.color
