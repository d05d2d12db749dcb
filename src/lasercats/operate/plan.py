"""`plan` and `apply`: what would make the state as the documents say, and doing it.

A plan is `diff(state, documents)`, turned into commands by `converge`, with what `simulate` predicts of
them. It does not look at the machines unless asked to: `apply` looks anyway, before it acts.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from lasercats.core import content
from lasercats.core.address import Address
from lasercats.core.change import Change, Delta, composed
from lasercats.core.command import Command
from lasercats.core.converge import converge, givable, keep_protected, kept_growth, one_way, wanted
from lasercats.core.document import parse
from lasercats.core.errors import BadDocument, BadInput, LogCorrupt, StalePlan
from lasercats.core.loss import Loss, announced
from lasercats.core.record import FORGOTTEN, OBSERVED, Event
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource, clear_fields, decisions
from lasercats.core.secret import place
from lasercats.core.state import State
from lasercats.interpreters.simulate import simulate
from lasercats.operate import files
from lasercats.operate.history import record_at
from lasercats.operate.project import Project

FORMAT = 2
"""Of saved plans. Format 1 was bound to no log, environment or machine."""
_BEGINNING = re.compile(rb'\s*\{\s*"lasercats_plan"\s*:')
"""How a saved plan begins: it is a JSON object, and this is its first key. No document has that key."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Commands, what they are predicted to change, and the versions that this rests on."""

    commands: tuple[Command, ...]
    delta: Delta
    problems: Mapping[Address, str]
    versions: Mapping[Address, int]
    replaced: tuple[Address, ...] = ()
    """What would be removed and made anew."""
    documents: tuple[str, ...] = ()
    lost: Mapping[Address, tuple[str, ...]] = {}
    """What does not come back of that which is made anew."""
    buried: Mapping[Address, tuple[str, ...]] = {}
    """What no undo brings back of that which is changed or removed."""
    withheld: Mapping[Address, Mapping[str, str]] = {}
    """The fields that do not come back, because what was there may not be given to a machine, and why."""
    detours: Mapping[Address, str] = {}
    """What must make room first, and where it is meanwhile."""
    losses: tuple[Loss, ...] = ()
    """What it destroys, interrupts or leaves unprotected, collateral included: what is to be agreed to."""
    corrective: Mapping[Address, tuple[str, ...]] = {}
    """The fields that only come back to what was decided last; the others change by a new decision."""
    unseen: Mapping[Address, str] = {}
    """What was to be looked at first and could not be, and why: the plan takes it for what the state says."""

    @property
    def because(self) -> str:
        """What is recorded as the reason of its commands."""
        return f"apply {' '.join(self.documents)}".rstrip()


class _Saved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A saved plan, with what it is bound to."""

    lasercats_plan: int
    log: str
    environment: str
    machines: dict[str, str]
    """For each machine that it is about, which one that is: see `_binding`."""
    documents: tuple[str, ...]
    versions: dict[Address, int]
    commands: tuple[msgspec.Raw, ...]


class _Numbered(msgspec.Struct, frozen=True):
    lasercats_plan: int


def read_documents(
    project: Project, names: Sequence[str], stdin: str = "", *, mebibytes: int = files.MOST
) -> dict[Address, Resource]:
    """Read documents; `-` is standard input, a folder is every YAML or JSON file in it.

    Raises:
        BadDocument: one cannot be read, or an address stands in two of them.
        BadInput: one has more `mebibytes` than it may.

    """
    desired: dict[Address, Resource] = {}
    for name in names:
        for path in _files(name):
            text = stdin if path is None else _read(path, mebibytes)
            folder = Path() if path is None else path.parent
            label = "standard input" if path is None else str(path)
            for address, resource in parse(text, project.kinds, project.inputs(folder), label).items():
                if address in desired:
                    raise BadDocument(label, f"{address} stands in another of the documents too")
                desired[address] = resource
    return desired


async def make(
    project: Project,
    desired: Mapping[Address, Resource],
    *,
    state: State | None = None,
    prune: bool = False,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    documents: Sequence[str] = (),
    recreate: bool = False,
) -> Plan:
    """Make the plan from the state to a desired one, on the addresses that the patterns select.

    What was told late about them is looked at first.

    Raises:
        LogConflict: it cannot be looked at now.

    """
    from lasercats.operate.late import settle_at  # noqa: PLC0415 - only where something was told late

    if state is None:
        await settle_at(project, [*desired, *(project.state().resources() if prune else ())])
    state = project.state() if state is None else state
    desired = _sealed(project, desired, state)
    chosen = {a: r for a, r in desired.items() if selected(a, only, exclude)}
    gone = [a for a, _ in state.items() if a not in desired and selected(a, only, exclude)] if prune else []
    delta = wanted(state, chosen, prune=gone)
    plan = plan_delta(project.kinds, delta, state, documents=documents, recreate=recreate)
    return replace(plan, corrective=_corrective(project, plan.delta))


def _sealed(project: Project, desired: Mapping[Address, Resource], state: State) -> dict[Address, Resource]:
    """Return a desired state in which what is clear is sealed, where what is known of it is sealed."""
    sealed = dict(desired)
    for address, resource in desired.items():
        for secret, clear in clear_fields(type(resource)).items():
            value, known = getattr(resource, clear), getattr(state.get(address), secret, None)
            if known is not None and value is not None and not content.is_digest(value):
                token = project.vault.seal(content.decode(value), [place(address, secret)])
                sealed[address] = replace(resource, **{clear: None, secret: token})
    return sealed


def plan_delta(
    kinds: Kinds,
    delta: Delta,
    state: State,
    *,
    exact: bool = False,
    documents: Sequence[str] = (),
    recreate: bool = False,
) -> Plan:
    """Make the plan for a delta: its commands, and what they are predicted to do.

    An `exact` one leads back to what was there, which not all may be given; a document was checked when read.
    What cannot go back in place is a problem, unless it is to be made anew (`recreate`).
    """
    withheld = dict[Address, Mapping[str, str]]()
    stuck = {} if recreate else one_way(delta)
    delta = kept_growth(delta, stuck)
    if exact:
        delta, held_back = givable(kinds, delta)
        withheld |= held_back
    commands, faults = keep_protected(converge(kinds, delta, state, exact=exact), state)
    if exact:
        commands, more = acceptable(kinds, commands)
        faults |= more
    versions = {address: state.version(address) for command in commands for address in command.on}
    plan = _predicted(kinds, commands, state, versions, documents)
    return replace(plan, withheld=withheld, problems={**plan.problems, **faults, **cannot_go_back(stuck)})


def cannot_go_back(stuck: Mapping[Address, Mapping[str, str]]) -> dict[Address, str]:
    """Return what is told of what cannot be done in place, by address."""
    remedy = (
        "keep it as it is (`lasercats drift --adopt`, or write that into the document), or let it be removed "
        "and made anew with --recreate"
    )
    return {
        address: f"{'; '.join(f'{path} {why}' for path, why in paths.items())} in place; {remedy}"
        for address, paths in stuck.items()
    }


def acceptable(kinds: Kinds, commands: Iterable[Command]) -> tuple[list[Command], dict[Address, str]]:
    """Return those of some commands that may be given, and why the others may not, by address."""
    made, faults = list[Command](), dict[Address, str]()
    for command in commands:
        fault = kinds.fault(command)
        if fault is None:
            made.append(command)
        else:
            faults |= dict.fromkeys(command.on, f"it cannot be made again as it was: {fault}")
    return made, faults


def made_anew(deltas: Iterable[Delta]) -> tuple[Address, ...]:
    """Return what deltas that follow each other remove and make again."""
    gone, again = set[Address](), dict[Address, None]()
    for delta in deltas:
        gone |= {address for address, change in delta.items() if change.after is None}
        again |= {address: None for address, change in delta.items() if address in gone and change.after}
    return tuple(again)


def detours(kinds: Kinds, deltas: Sequence[Delta]) -> dict[Address, str]:
    """Return what makes room for others before it gets to its own place, and where it is meanwhile."""
    last = composed(deltas)
    ways: dict[Address, str] = {}
    for delta in deltas:
        for address, change in delta.items():
            if (
                not kinds.kind(address).has("aside")
                or address not in last
                or not change.before
                or not change.after
            ):
                continue
            before, held = {*kinds.held(address, change.before)}, {*kinds.held(address, change.after)}
            if not before or held & {*kinds.held(address, last[address].after)}:
                continue
            if not held and last[address].after and {*kinds.held(address, last[address].after)}:
                ways[address] = "must be put aside meanwhile: there is no spare place for it"
            elif held and held != before:
                changed = Change(change.before, change.after).fields
                where = ", ".join(f"{name} {getattr(change.after, name)}" for name in changed)
                ways[address] = f"makes room first, by way of a spare place: {where}"
    return ways


def losses(kinds: Kinds, gone: Mapping[Address, Resource | None]) -> dict[Address, tuple[str, ...]]:
    """Return what does not come back of resources that are made anew, where that is anything."""
    lost = {a: tuple(kinds.kind(a).loses(r)) for a, r in gone.items() if r is not None}
    return {address: what for address, what in lost.items() if what}


def buried(kinds: Kinds, deltas: Iterable[Delta]) -> dict[Address, tuple[str, ...]]:
    """Return what no undo brings back of what some changes change or remove, where that is anything."""
    found: dict[Address, tuple[str, ...]] = {}
    for delta in deltas:
        for address, change in delta.items():
            what = (
                tuple(kinds.kind(address).buries(change.before, change.after))
                if change.before is not None
                else ()
            )
            if what:
                found[address] = what
    return found


def _corrective(project: Project, delta: Delta) -> dict[Address, tuple[str, ...]]:
    """Return the fields in which a delta leads back to what was decided last."""
    observed = _observed_at(project)
    found = {a: tuple(_decided_before(project, a, change, observed)) for a, change in delta.items()}
    return {address: names for address, names in found.items() if names}


def _observed_at(project: Project) -> Callable[[int], bool]:
    """Return what tells of a position whether the event there was observed; each is read once."""

    @cache
    def is_observed(position: int) -> bool:
        record = record_at(project.log, position, Event)
        return isinstance(record.entry, Event) and record.entry.type == OBSERVED

    return is_observed


def _decided_before(
    project: Project, address: Address, change: Change[Resource], observed: Callable[[int], bool]
) -> list[str]:
    decided = decided_last(project, address, observed)
    if change.after is None:
        return list(change.fields) if decided == {} else []
    return [n for n in change.fields if decided and decided.get(n) == getattr(change.after, n)]


def decided_last(
    project: Project, address: Address, observed: Callable[[int], bool]
) -> dict[str, Any] | None:
    """Return what was decided last for each field of a resource, whatever was found changed outside since.

    It is empty where the resource was to be gone, and None where nobody ever decided anything. What was taken
    in when nothing was known of it counts as decided.
    """
    decided: dict[str, Any] | None = None
    left: Resource | None = None
    for version in project.log.versions(address):
        came = version.resource(project.kinds, address)
        seen = observed(version.since)
        if version.raw == FORGOTTEN:
            decided = None
        elif not seen:
            fields = Change(left, came).fields
            decided = {} if came is None else {**(decided or {}), **{n: getattr(came, n) for n in fields}}
        elif decided is None:
            decided = dict(decisions(came))
        left = came
    return decided


def _predicted(
    kinds: Kinds,
    commands: Sequence[Command],
    state: State,
    versions: Mapping[Address, int],
    documents: Sequence[str],
) -> Plan:
    """Make a plan of commands, with what `simulate` says of them."""
    results, _ = simulate(commands, state)
    deltas, problems = [result.delta for result in results], dict[Address, str]()
    for result in results:
        problems |= result.problems
    again = made_anew(deltas)
    return Plan(
        commands=tuple(commands),
        delta=composed(deltas),
        problems=problems,
        versions=versions,
        replaced=again,
        detours=detours(kinds, deltas),
        lost=losses(kinds, {address: state.get(address) for address in again}),
        buried=buried(kinds, deltas),
        losses=tuple(announced(kinds, commands, state)),
        documents=tuple(documents),
    )


def save(project: Project, plan: Plan, path: Path) -> None:
    """Save a plan; it is refused later if anything that it rests on has moved, or anywhere else.

    Raises:
        BadInput: the file cannot be written.

    """
    saved = _Saved(
        lasercats_plan=FORMAT,
        log=project.log.id,
        environment=project.environment,
        machines={name: _binding(project, name) for name in _machines(project, plan.commands)},
        documents=plan.documents,
        versions=dict(plan.versions),
        commands=tuple(msgspec.Raw(msgspec.json.encode(c)) for c in plan.commands),
    )
    if any(name != "-" and path.exists() and path.samefile(name) for name in plan.documents):
        raise BadInput(f"the plan cannot be written to {path}, which is a document of it; name another file")
    data = msgspec.json.format(msgspec.json.encode(saved)) + b"\n"
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            path.write_bytes(data)  # a pipe, or what else is no file that others could read later
        else:
            files.replace(path, data, 0o600)
    except OSError as error:
        raise BadInput(f"the plan cannot be written to {path}: {error.strerror}") from None


def _machines(project: Project, commands: Iterable[Command]) -> list[str]:
    """Return the machines that commands are about."""
    names = {project.kinds.machine_of(address) for command in commands for address in command.on}
    return sorted(name for name in names if name is not None)


def _binding(project: Project, name: str) -> str:
    """Return what tells which machine a name stands for, if it does, without telling its URL."""
    bound = (project.log.id, name, project.urls.get(name))
    return hashlib.sha256(msgspec.json.encode(bound)).hexdigest()[:32]


def load(project: Project, path: Path) -> Plan:
    """Load a saved plan and check that it still holds.

    Raises:
        BadInput: it is no saved plan, or was made for another log, environment or machine.
        StalePlan: an address that it changes has moved since.

    """
    saved = _read_saved(path)
    commands = [_given(project.kinds, raw, path) for raw in saved.commands]
    _check_bound(project, saved, commands, path)
    state = project.state()
    loose = next((a for c in commands for a in c.on if a not in saved.versions), None)
    if loose is not None:
        raise BadInput(f"{path} does not say which version of {loose} it rests on; make the plan again")
    for address, version in saved.versions.items():
        if state.version(address) != version:
            raise StalePlan(
                f"the plan {path} is stale: {address} changed at position {state.version(address)}; "
                "make the plan again"
            )
    plan = _predicted(project.kinds, commands, state, saved.versions, saved.documents)
    return replace(plan, corrective=_corrective(project, plan.delta))


def _read_saved(path: Path) -> _Saved:
    """Read a saved plan, which has exactly the form that one is saved in.

    Raises:
        BadInput: it has not.

    """
    data = files.had(path, path.read_bytes)
    try:
        format_ = msgspec.json.decode(data, type=_Numbered).lasercats_plan
        if format_ != FORMAT:
            fact = f"{path} is a plan of format {format_}, and this LaserCats reads {FORMAT}"
            raise BadInput(f"{fact}; make the plan again")
        return msgspec.json.decode(data, type=_Saved)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadInput(f"{path} is no saved plan: {error}; make the plan again") from None


def _check_bound(project: Project, saved: _Saved, commands: Sequence[Command], path: Path) -> None:
    """Check that a plan was made here.

    Raises:
        BadInput: it was made for another environment or log, or one of its machines is another by now.

    """
    if saved.environment != project.environment:
        raise BadInput(
            f"the plan {path} was made for the environment {saved.environment!r}, and this is "
            f"{project.environment!r}; name the environment with --env, or make the plan again"
        )
    if saved.log != project.log.id:
        raise BadInput(
            f"the plan {path} was made for the log {saved.log}, and this is the log {project.log.id}; "
            "apply it in the project that it was made in, or make the plan again"
        )
    for name in _machines(project, commands):
        if name not in saved.machines:
            raise BadInput(f"{path} does not say which machine {name!r} is; make the plan again")
        if saved.machines[name] != _binding(project, name):
            raise BadInput(
                f"the plan {path} was made for another machine {name!r}, as its URL was changed since; "
                "make the plan again"
            )


def _given(kinds: Kinds, raw: msgspec.Raw, path: Path) -> Command:
    """Return a command of a saved plan, which is checked as all that is given.

    Raises:
        BadInput: it is none that may be given.

    """
    try:
        command = kinds.decode_command(bytes(raw))
        fault = kinds.fault(command)
        if fault is None:
            kinds.command(msgspec.to_builtins(command))  # what it is on is checked only there
    except (LogCorrupt, BadInput) as error:
        fault = str(error)
    if fault is not None:
        raise BadInput(f"{path} holds a command that cannot be read: {fault}; make the plan again")
    return command


def is_saved(path: Path) -> bool:
    """Tell by its form whether a file is a saved plan, whole or not, and no document."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return _BEGINNING.match(file.read(4096)) is not None
    except files.FAILURES:
        return False


def selected(address: Address, only: Iterable[str], exclude: Iterable[str]) -> bool:
    """Tell whether an address is one of those that patterns choose."""
    chosen = not only or any(fnmatchcase(address, pattern) for pattern in only)
    return chosen and not any(fnmatchcase(address, pattern) for pattern in exclude)


def _files(name: str) -> list[Path | None]:
    if name == "-":
        return [None]
    path = Path(name)
    if files.had(name, path.is_dir):
        found = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml", ".json"))
        if not found:
            raise BadDocument(name, "there is no YAML or JSON file in this folder")
        return list(found)
    return [path]


def _read(path: Path, mebibytes: int) -> str:
    try:
        return files.text(path, mebibytes)
    except UnicodeDecodeError:
        raise BadDocument(str(path), "this is not UTF-8 text") from None
    except files.FAILURES as error:
        raise BadDocument(str(path), f"cannot be read: {files.why(error)}") from None
