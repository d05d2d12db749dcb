"""What a person sees: changes, results, history. Facts go to standard output, the rest to standard error."""

import difflib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from lasercats.cli import printing
from lasercats.core import secret
from lasercats.core.address import Address, kind_of, told
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Effect, as_shown
from lasercats.core.resource import Resource, decisions
from lasercats.interpreters.context import Result

if TYPE_CHECKING:
    from lasercats.operate.history import Happening

GLYPHS = {"create": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red"), "keep": ("=", None)}
REPLACED = ("±", "magenta")
WIDE = 60


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
        fields = corrective.get(address, ())
        if change is not None and fields and set(change.fields) <= set(fields):
            note, fields = f"{note}  (corrective)", ()
        printing.fact(indent, printing.style(f"{glyph} {names}{note}", fg=color, bold=color is not None))
        for line in () if change is None else _fields(change, both):
            mark = "  (corrective)" if line.partition(":")[0] in fields else ""
            printing.fact(indent, "    ", line, mark)


def _together(delta: Delta, addresses: Sequence[Address]) -> Iterable[tuple[str, Address]]:
    """Iterate over addresses, those whose changes are alike and whose names make a range told at once."""
    alike: dict[Any, list[Address]] = {}
    for address in dict.fromkeys(addresses):
        change = delta.get(address)
        side = None if change is None else change.after or change.before
        key = (address,) if side is None or not side.ranged else (*_fields(delta[address], both=True), side)
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
    from lasercats.instructions import vlans  # noqa: PLC0415

    before, colon, _ = addresses[0].partition(":")
    return f"{before}{colon}{vlans.ranges(a.partition(':')[2] for a in addresses)}"


def print_carried(commands: Sequence[Command]) -> None:
    """Print each command of a plan that was saved, as whoever wrote the file may have put any into it.

    What a change of the state does not tell, as the words of a raw command, is printed to its end.
    """
    printing.fact(f"the plan carries {len(commands)} command{'' if len(commands) == 1 else 's'}:")
    for command in commands:
        data = as_shown(command)
        name, on = data.pop("command"), ", ".join(map(told, data.pop("on")))
        cut = short if command.effect is Effect.STATE else _whole
        fields = "  ".join(f"{field}: {cut(value)}" for field, value in data.items() if value is not None)
        printing.fact(f"  {name} {on}{'  ' if fields else ''}{fields}")


def _whole(value: object) -> str:
    return value if isinstance(value, str) else _json(value)


def print_lost(lost: Mapping[Address, Sequence[str]]) -> None:
    """Print what does not come back, on standard error."""
    for address, what in lost.items():
        printing.note(f"! {told(address)} is made anew: {lost_of(what)}", fg="yellow")


def print_buried(buried: Mapping[Address, Sequence[str]]) -> None:
    """Print what no undo brings back, on standard error."""
    for address, what in buried.items():
        printing.note(f"! {told(address)}: {lost_of(what)}", fg="yellow")


def print_withheld(withheld: Mapping[Address, Mapping[str, str]]) -> None:
    """Print which fields stay as they are, because what was there may not be given to a machine."""
    for address, fields in withheld.items():
        for name, reason in fields.items():
            text = f"! {told(address)}: {name or 'it'} cannot be put back as it was: {reason}"
            printing.note(text, fg="yellow")


def lost_of(what: Sequence[str]) -> str:
    """Return what does not come back as words: `id i-1 and its data do not come back`."""
    *most, last = what
    return f"{', '.join(most)} and {last} do not come back" if most else f"{last} does not come back"


def summary(delta: Mapping[Address, Change[Resource]], removed: str = "removed") -> str:
    """Return `2 created, 1 changed`, or `nothing changed`."""
    names = {"create": "created", "change": "changed", "remove": removed}
    counts = {word: sum(1 for c in delta.values() if c.verb == verb) for verb, word in names.items()}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return told or "nothing changed"


def print_problems(problems: Mapping[Address, str]) -> None:
    """Print what went wrong, on standard error."""
    for address, why in problems.items():
        printing.note(f"! {told(address)}: {why}", fg="red")


def print_unseen(unseen: Mapping[Address, str]) -> None:
    """Print what could not be looked at, on standard error; what has one reason is told once."""
    by_reason: dict[str, list[Address]] = {}
    for address, why in unseen.items():
        by_reason.setdefault(why, []).append(address)
    for why, addresses in by_reason.items():
        more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
        printing.note(f"! {told(addresses[0])}{more}: {why}", fg="red")


def print_notes(notes: Mapping[Address, str]) -> None:
    """Print what machines noted of how they did it, on standard error."""
    for address, note in notes.items():
        printing.note(f"{told(address)}: {note}", fg="yellow")


def print_resealed(resealed: Mapping[str, str]) -> None:
    """Print which secrets are put where they were not before, on standard error."""
    for place, others in resealed.items():
        printing.note(f"the secret of {others} is sealed again for {secret.told(place)}", fg="yellow")


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
    held: bool = False,
    buried: Mapping[Address, Sequence[str]] = _NONE,
) -> None:
    """Print what commands did, or would do; when `brief`, only what the operator has not seen yet.

    What is `held` is not undone, so nothing is said of that. What is `buried` no undo brings back.
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
        printing.note(_told(results, predicted=predicted, held=held, buried=buried))


def _told(
    results: Sequence[Result], *, predicted: bool, held: bool, buried: Mapping[Address, Sequence[str]]
) -> str:
    """Return the last line: what was done in all, and how to take it back."""
    total: dict[Address, Change[Resource]] = {}
    for result in results:
        for address, change in result.delta.items():
            first = total.get(address, change)
            total[address] = Change(first.before, change.after)
    forgot = all(result.command.effect is Effect.RECORD for result in results)
    text = summary(total, removed="forgotten" if forgot else "removed")
    positions = [r.position for r in results if r.position is not None and r.delta]
    ran = _ran(results)
    if not total and any(result.status == "open" for result in results):
        return "what changed is not known"
    if predicted:
        return f"would be: {text}" if total else "nothing would change"
    if ran:
        text = f"{ran}; {text}" if total else ran
    if held or not positions or all(c.verb == "keep" or a in buried for a, c in total.items()):
        return text
    span = f"{positions[0]}" if len(positions) == 1 else f"{positions[0]}..{positions[-1]}"
    return f"{text}; take it back with `lasercats undo {span}`"


def _ran(results: Sequence[Result]) -> str:
    """Return what was done that is not in the state: `executed on 2 machines`, `3 rebooted`."""
    counts: dict[str, int] = {}
    for result in results:
        past = result.command.past.rpartition(".")[2]
        counts[past] = counts.get(past, 0) + len(result.reports)
    told = (
        (
            f"executed on {count} machine{'s' if count != 1 else ''}"
            if past == "executed"
            else f"{count} {past}"
        )
        for past, count in counts.items()
        if count
    )
    return ", ".join(told)


def results_data(results: Sequence[Result], trips: Mapping[str, int]) -> dict[str, Any]:
    """Return results as plain data, for `--json`."""
    return {
        "ok": all(result.ok for result in results),
        "results": [
            {
                "position": result.position,
                "status": result.status,
                **({} if result.order is None else {"order": result.order}),
                "command": as_shown(result.command),
                "delta": changes_data(result.delta),
                "observed": changes_data(result.observed),
                "problems": dict(result.problems),
                **({"notes": dict(result.notes)} if result.notes else {}),
                "reports": {a: msgspec.to_builtins(r) for a, r in result.reports.items()},
            }
            for result in results
        ],
        "round_trips": dict(trips),
    }


def changes_data(delta: Delta) -> dict[str, Any]:
    """Return a delta as plain data."""
    from lasercats.operate.history import delta_data  # noqa: PLC0415 - start-up stays light

    return delta_data(delta)


def plain(value: Any) -> Any:  # noqa: ANN401
    """Return a typed value as plain data."""
    return msgspec.to_builtins(value)


def title(happened: "Happening") -> str:
    """Return a command as a line of history names it: `file write web1:/etc/motd and 2 more`."""
    command = happened.command
    if command is None:
        return happened.type
    on = named(command.on).partition("/")[2].removesuffix(":")
    return f"{happened.type.replace('.', ' ').replace('_', '-')} {on}"


def named(addresses: Sequence[Address]) -> str:
    """Return addresses in a few words: as a range where that fits, else the first and how many more."""
    from lasercats.operate.plugins import kinds  # noqa: PLC0415

    kind = kinds().kinds.get(kind_of(addresses[0]))
    alike = len({address.partition(":")[0] for address in addresses}) == 1
    if len(addresses) > 1 and alike and kind is not None and kind.resource.ranged:
        return ranges(addresses)
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return f"{told(addresses[0])}{more}"


def why(because: str | None, message: str | None) -> str:
    """Return what made a command and what its operator said of it, to stand behind it."""
    told = "; ".join(text for text in (because, message) if text)
    return f"  ({told})" if told else ""


NARROW = 80
"""Columns where the output is no terminal."""


def width() -> int:
    """Return how many columns there are to draw in."""
    return shutil.get_terminal_size().columns if printing.is_terminal() else NARROW


def has_color(context: click.Context) -> bool:
    """Tell whether pictures have colours."""
    return printing.is_terminal() if context.color is None else context.color


def resource_fields(resource: Resource) -> dict[str, Any]:
    """Return all fields that hold something, secrets hidden."""
    data = as_shown(resource)
    if not isinstance(data, dict):
        return {"recorded": data}
    return {name: value for name, value in data.items() if value is not None}


def _fields(change: Change[Resource], both: bool) -> Iterable[str]:
    """Iterate over the lines that tell of the fields that differ, as far as they have colours as `Seen`."""
    before, after = decisions(change.before), decisions(change.after)
    if change.verb == "remove" and not both:
        return
    for name in dict.fromkeys([*before, *after]):
        old, new = secret.shown(before.get(name)), secret.shown(after.get(name))
        if before.get(name) == after.get(name):
            continue
        if _is_list(old) and _is_list(new) and _long(_json(old), _json(new)):
            yield f"{name}:"
            yield from _items(old or [], new or [])
        elif both and isinstance(old or "", str) and isinstance(new or "", str) and _long(old, new):
            yield f"{name}:"
            yield from _unified(str(old or ""), str(new or ""))
        elif change.verb == "create":
            yield f"{name}: {short(new)}"
        elif change.verb == "remove":
            yield f"{name}: {short(old)}"
        else:
            yield f"{name}: {short(old)} → {short(new)}"


def _long(*values: object) -> bool:
    return any(
        isinstance(value, str) and ("\n" in value.rstrip("\n") or len(value) > WIDE) for value in values
    )


def _is_list(value: object) -> bool:
    return value is None or isinstance(value, list | tuple)


def _items(old: Sequence[Any], new: Sequence[Any]) -> Iterable[str]:
    """Return the items of a list that go, and those that come; all where they are the first."""
    for item in old:
        if item not in new:
            yield printing.seen("  ", printing.style(f"- {_item(item)}", fg="red"))
    for item in new:
        if item not in old:
            yield printing.seen("  ", printing.style(f"+ {_item(item)}", fg="green"))


def _item(item: Any) -> str:  # noqa: ANN401
    """Return an item as it is written on a command line: `protocol:tcp,ports:443`."""
    if isinstance(item, dict):
        return ",".join(f"{name}:{value}" for name, value in item.items())
    return short(item)


def _unified(old: str, new: str) -> Iterable[str]:
    lines = difflib.unified_diff(_lines(old), _lines(new), lineterm="", n=2)
    colors = {"+": "green", "-": "red", "@": "cyan"}
    for line in list(lines)[2:]:
        yield printing.seen("  ", printing.style(printing.lines(line), fg=colors.get(line[:1])))


def _lines(text: str) -> list[str]:
    """Return the lines of a text; only a newline ends one, so that what else moves a cursor is seen."""
    return text.removesuffix("\n").split("\n") if text else []


def _json(value: object) -> str:
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False)


def short(value: object) -> str:
    """Return a value as one short line."""
    if value is None:
        return "(not decided)"
    text = value if isinstance(value, str) else _json(value)
    first = text.rstrip("\n")
    if "\n" in first or len(first) > WIDE:
        line = first.split("\n")[0][:WIDE]
        return f"{line}… ({len(text.encode('utf-8', 'surrogatepass'))} bytes)"
    return first or '""'
