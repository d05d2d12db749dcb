"""Saved plans: a file that says what is to be done, and is refused where anything it rests on has moved."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.errors import BadInput, LogCorrupt, StalePlan
from lasercats.core.registry import Kinds
from lasercats.operate import files
from lasercats.operate.decided import corrective
from lasercats.operate.plan import Plan, predicted
from lasercats.operate.project import Project

FORMAT = 2
"""Of saved plans. Format 1 was bound to no log, environment or machine."""
_BEGINNING = re.compile(rb'\s*\{\s*"lasercats_plan"\s*:')
"""How a saved plan begins: it is a JSON object, and this is its first key. No document has that key."""


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
                f"the plan {path} is stale: {address} changed at position {state.version(address)}",
                remedy="make the plan again",
                subject=address,
            )
    plan = predicted(project.kinds, commands, state, saved.versions, saved.documents)
    return replace(plan, corrective=corrective(project, plan.delta))


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
