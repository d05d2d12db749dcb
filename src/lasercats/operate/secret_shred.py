"""`secret shred`: destroys the keys of past values of secrets, unless something still uses one."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from lasercats.core.command import Command, StrangeCommand
from lasercats.core.errors import Refused
from lasercats.core.ports import Log
from lasercats.core.record import Accepted, Event, Record
from lasercats.core.resource import Resource, StrangeResource, sealed_in
from lasercats.core.secret import PREFIX, label
from lasercats.machines.vault_ring import PROJECT, Key
from lasercats.machines.vault_seal import key_of
from lasercats.operate import files
from lasercats.operate.moments import record_at
from lasercats.operate.project import FILE, Project
from lasercats.operate.secret import Secret, meant, secrets
from lasercats.operate.settings import DEFAULT

_TOKEN = re.compile(r"sealed:([A-Za-z0-9_.=-]+)")
_MARK = PREFIX.encode()


class Past(NamedTuple):
    """A command, or an observation, that holds past values."""

    environment: str
    position: int


class Shredding(NamedTuple):
    """What is to be destroyed."""

    keys: tuple[Key, ...]
    past: tuple[Past, ...]
    """What in the logs cannot be undone any more, or read again."""
    values: int
    """How many different tokens cannot be opened any more."""
    before: bool
    """True where other past values of the same secrets were sealed with the one key of before."""


def shredding(
    project: Project, targets: Sequence[str], *, all_: bool = False, before: bool = False
) -> Shredding:
    """Find out what destroying the keys of all past values of some secrets means.

    With `all_` also the present value of a secret with a name, which is then one no more; with `before` the
    one key that sealed all secrets of the project before each had a key of its own.

    Raises:
        BadInput: there is no such secret.
        Refused: one that would be destroyed is in use.

    """
    known = secrets(project)
    wanted = {at for target in targets for at in meant(project, target)}
    chosen = [one for one in known if wanted & {*one.places} or (before and _is_of_before(one))]
    uses = _uses(project)
    keys = [key for one in chosen for key in _past(one, uses, all_=all_)]
    for key in keys:
        if key.id in uses:
            raise Refused(_in_use(key, uses[key.id]))
    if not keys:
        raise Refused(_nothing(chosen))
    past, values = dict[Past, None](), set[str]()
    ids = {key.id for key in keys}
    for environment, log in _logs(project):
        for found, tokens in _holding(project, environment, log, ids):
            past[found] = None
            values |= tokens
    more = any(_is_of_before(one) and one.keys[-1].wrapped for one in known) and not before
    return Shredding(tuple(keys), tuple(past), len(values), more)


def shred(project: Project, found: Shredding) -> bool:
    """Destroy the keys; return whether the root key is a new one, which opens no old copy of the keyring."""
    return project.vault.keys.destroy(key.id for key in found.keys)


def _past(one: Secret, uses: dict[str, str], *, all_: bool) -> Iterator[Key]:
    """Iterate over the keys of past values: all but the last one, where that has a present value."""
    *before, last = one.keys
    yield from (key for key in before if key.wrapped)
    present = not all_ if one.is_named else last.id in uses and bool(before)
    if last.wrapped and not present:
        yield last


def _is_of_before(one: Secret) -> bool:
    return bool(one.keys) and one.keys[0].id == PROJECT


def _in_use(key: Key, use: str) -> str:
    name = label(key.places[0]) if key.places else ""
    if key.value is not None:
        return f"the secret {name!r} is in use, as {use}; give that another secret first"
    verb = f"lasercats secret rotate --key {name}".rstrip()
    return (
        f"a value that would be destroyed is in use, as {use}; seal that with another key first, by `{verb}`"
    )


def _nothing(chosen: Sequence[Secret]) -> str:
    names = ", ".join(one.name for one in chosen) or "it"
    return f"{names} has no past value whose key is there; nothing was destroyed"


def _uses(project: Project) -> dict[str, str]:
    """Return which keys are in use, by id, and in what: a state, an open command, or the URL of a machine."""
    used: dict[str, str] = {}
    for environment, log in _logs(project):
        of = "" if environment == project.environment else f" of environment {environment}"
        for address, resource in sorted(log.fold().state(project.kinds).items(), key=lambda item: item[0]):
            for id_ in _ids(project, resource):
                used.setdefault(id_, f"it is in the state{of} at {address}")
        for position in log.open():
            for id_ in _ids(project, _command(project, record_at(log, position, Accepted))):
                used.setdefault(id_, f"command {position}{of} is not over")
    for token in _TOKEN.findall(files.had(project.root / FILE, (project.root / FILE).read_text)):
        used.setdefault(key_of(token) or PROJECT, f"the URL of a machine in {FILE} has it")
    return used


def _ids(project: Project, part: Resource | Command) -> Iterator[str]:
    """Iterate over the ids of the keys of what is sealed in a resource or a command."""
    yield from (key_of(sealed.token) or PROJECT for _, sealed in sealed_in(part))
    if isinstance(part, StrangeResource | StrangeCommand):  # whose fields nobody knows
        text = msgspec.json.encode(part.recorded).decode()
        if PREFIX in text:
            yield from (key.id for key in project.vault.keys.all() if key.id in text or key.id == PROJECT)


def _command(project: Project, record: Record) -> Command:
    return project.kinds.decode_command(bytes(record.entry.command))  # type: ignore[union-attr, arg-type]


def _logs(project: Project) -> Iterator[tuple[str, Log]]:
    """Iterate over the logs of all environments; those of others are open only meanwhile."""
    yield project.environment, project.log
    for environment, place in project.place.environments().items():
        name = environment or DEFAULT
        if name != project.environment:
            log = place.open()
            try:
                yield name, log
            finally:
                log.close()


def _holding(project: Project, environment: str, log: Log, ids: set[str]) -> Iterator[tuple[Past, set[str]]]:
    """Iterate over the commands and observations of a log that hold tokens of some keys."""
    for record in log.read(names=("accepted", "event")):
        entry = record.entry
        tokens = {
            sealed.token
            for part in _parts(project, record)
            for _, sealed in sealed_in(part)
            if (key_of(sealed.token) or PROJECT) in ids
        }
        if tokens:
            at = entry.command if isinstance(entry, Event) and entry.command is not None else record.position
            yield Past(environment, at), tokens


def _parts(project: Project, record: Record) -> Iterator[Resource | Command]:
    """Iterate over the command, or the resources, that a record holds, where anything in it is sealed."""
    entry = record.entry
    if isinstance(entry, Accepted) and _MARK in bytes(entry.command):
        yield _command(project, record)
    elif isinstance(entry, Event) and any(
        _MARK in bytes(side) for two in entry.delta.values() for side in two
    ):
        for change in project.kinds.decode_delta(entry.delta).values():
            yield from (side for side in (change.before, change.after) if side is not None)
