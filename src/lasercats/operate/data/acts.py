"""What commands did or would do, and what looks found, as plain data."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from lasercats.core.address import Address
from lasercats.core.command import as_recorded, as_shown
from lasercats.core.loss import Loss
from lasercats.operate.data.base import Changes, Data, Values, changes, plain
from lasercats.operate.moments import iso

if TYPE_CHECKING:
    from lasercats.interpreters.context import Result as Became
    from lasercats.operate.adopt import Discovery
    from lasercats.operate.confirm import Held as Waiting
    from lasercats.operate.observe import Observation as Seen
    from lasercats.operate.plan import Plan as Made
    from lasercats.operate.recover import Recovered as Ended


class Result(Data, frozen=True, kw_only=True):
    """What became of one command."""

    position: int | None
    """Of the command in the log; null where it was not recorded."""
    status: str
    """`done`, `unchanged`, `failed`, `refused`, `cancelled`, `waiting` for a person, or `open`."""
    order: int | None = None
    """The work order that it waits for."""
    command: Values
    delta: Changes
    """What it changed, or would change."""
    observed: Changes
    """What had changed outside, and was noticed on the way."""
    problems: dict[Address, str]
    untried: Sequence[Address] = []
    """Where a step was not tried, as something before it failed."""
    notes: Mapping[Address, str] = {}
    """What a machine noted of how it did it."""
    reports: dict[Address, Values]
    """What a command answered whose effect is not in the state."""


class Holding(Data, frozen=True):
    """That changes are taken back unless they are confirmed."""

    position: int
    """Of the command that holds them; `lasercats confirm` takes it."""
    until: str
    """When, RFC 3339."""


class Results(Data, frozen=True, kw_only=True):
    """What became of commands that were carried out together, or would become of them."""

    ok: bool
    """True where all went well so far."""
    results: list[Result]
    round_trips: dict[str, int]
    """How often each machine was asked."""
    lost: Mapping[Address, list[str]] = {}
    """What does not come back, or no undo brings back."""
    withheld: Mapping[Address, dict[str, str]] = {}
    """The fields that do not come back, because what was there may not be given to a machine, and why."""
    losses: Sequence[Loss] = []
    """What is to be agreed to, was agreed to, or was refused."""
    unseen: Mapping[Address, str] = {}
    """What could not be looked at before, and why."""
    held: Holding | None = None
    """What waits to be confirmed."""


class Observation(Data, frozen=True):
    """What a look at machines found."""

    looked: int
    """How many addresses were looked at."""
    drift: Changes
    """From the state to what is there."""
    refreshed: list[Address]
    """Where a machine gave other values than before, of what only it decides."""
    unseen: dict[Address, str]
    """What could not be looked at, and why."""
    position: int | None
    """Where it was recorded; null where it was not."""


class Reverted(Results, frozen=True):
    """What a look found, and what became of the commands that put it back."""

    looked: int
    drift: Changes
    refreshed: list[Address]
    unseen: dict[Address, str]
    position: int | None
    problems: dict[Address, str]
    """What cannot be put back, and why."""


class Adopted(Data, frozen=True):
    """What was found on machines that nobody managed."""

    found: int
    """How many resources are there."""
    managed: int
    """How many of them were managed already."""
    new: Changes
    unseen: dict[Address, str]
    """What could not be looked at, and why."""
    position: int | None
    """Where it was taken in; null where it was not."""


class Plan(Data, frozen=True):
    """What would make the state as documents have it."""

    commands: list[Values]
    delta: Changes
    problems: dict[Address, str]
    """What is refused, and why: then nothing of the plan is carried out."""
    replaced: list[Address]
    """What would be removed and created anew."""
    corrective: dict[Address, list[str]]
    """The fields that only come back to what was decided last."""
    losses: list[Loss]
    """What is to be agreed to."""
    unseen: dict[Address, str]
    """What could not be looked at, and why."""
    lost: dict[Address, list[str]]
    """What does not come back, or no undo brings back."""
    detours: dict[Address, str]
    """What must make room first, and where it is meanwhile."""


class Resources(Data, frozen=True):
    """The state, or a part of it."""

    resources: dict[Address, dict[str, Any]]
    """The fields of each that hold something."""


class Recovered(Data, frozen=True):
    """What was found out about an open command, or of one that was held and is taken back."""

    position: int
    command: Values | UnsetType = UNSET
    status: str | UnsetType = UNSET
    """`done`, `failed`, `waiting` for a person, `open` where it is not known, or `held`."""
    facts: dict[Address, str] | UnsetType = UNSET
    """For each address: `done`, `done in part`, `not done`, `changed otherwise`, or why it is not known."""
    late: bool | UnsetType = UNSET
    """True where it is what came late of a command that was over."""
    remark: str | UnsetType = UNSET
    """Of one that was held: what became of it."""
    told: str | UnsetType = UNSET
    """The same as `remark`."""


class Held(Data, frozen=True):
    """A change that is taken back unless it is confirmed."""

    position: int
    until: str
    """RFC 3339, in UTC."""
    on: list[Address]
    status: str
    """`held`, `confirmed`, `taken back`, or `not taken back yet` and why."""


def result(became: "Became") -> Result:
    """Return what became of a command as plain data."""
    return Result(
        position=became.position,
        status=became.status,
        order=became.order,
        command=as_shown(became.command),
        delta=changes(became.delta),
        observed=changes(became.observed),
        problems=dict(became.problems),
        untried=sorted(became.untried),
        notes=dict(became.notes),
        reports={address: plain(report) for address, report in became.reports.items()},
    )


def results(found: "Sequence[Became]", trips: Mapping[str, int] = {}, **more: Any) -> Results:  # noqa: ANN401
    """Return what became of commands as plain data; `more` are fields of `Results` that are known besides."""
    every = [result(one) for one in found]
    return Results(ok=all(one.ok for one in found), results=every, round_trips=dict(trips), **more)


def observation(seen: "Seen") -> Observation:
    """Return what a look found as plain data."""
    return Observation(
        seen.looked, changes(seen.drift), list(seen.refreshed), dict(seen.unseen), seen.position
    )


def reverted(seen: "Seen", problems: Mapping[Address, str], done: Results) -> Reverted:
    """Return what a look found, with what became of the commands that put it back."""
    fields = {**asdict(done), **asdict(observation(seen))}
    return Reverted(**fields, problems=dict(problems))


def adopted(found: "Discovery", seen: "Seen") -> Adopted:
    """Return what was discovered as plain data; it was `seen` as it was recorded, where it was."""
    return Adopted(seen.looked, found.managed, changes(seen.drift), dict(seen.unseen), seen.position)


def plan(made: "Made") -> Plan:
    """Return a plan as plain data."""
    return Plan(
        commands=[as_recorded(command) for command in made.commands],
        delta=changes(made.delta),
        problems=dict(made.problems),
        replaced=list(made.replaced),
        corrective=plain(made.corrective),
        losses=list(made.losses),
        unseen=dict(made.unseen),
        lost=plain({**made.buried, **made.lost}),
        detours=dict(made.detours),
    )


def fields(resource: object) -> dict[str, Any]:
    """Return the fields of a resource that hold something, secrets hidden."""
    data = as_shown(resource)
    if not isinstance(data, dict):
        return {"recorded": data}
    return {name: value for name, value in data.items() if value is not None}


def resources(found: Mapping[Address, Any]) -> Resources:
    """Return resources by their addresses, such as `state.resources()`, as plain data."""
    return Resources({address: fields(resource) for address, resource in found.items()})


def recovered(found: "Sequence[Ended]", held: Mapping[int, str] = {}) -> list[Recovered]:
    """Return what became of what was open, and of what was held, as plain data."""
    open_ = [Recovered(one.position, one.command, one.status, dict(one.facts), one.late) for one in found]
    return open_ + [Recovered(p, status="held", remark=said, told=said) for p, said in held.items()]


def held(one: "Waiting", status: str = "held") -> Held:
    """Return a change that waits to be confirmed as plain data."""
    return Held(one.position, iso(one.until), list(one.on), status)
