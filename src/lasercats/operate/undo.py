"""`undo`: commands that take back what earlier commands did, and put back what changed outside."""

from collections.abc import Sequence

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command
from lasercats.core.converge import converge, retract
from lasercats.core.errors import Refused
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.interpreters.simulate import simulate
from lasercats.operate.history import Happening, happening
from lasercats.operate.plan import Plan
from lasercats.operate.project import Project


def plan_undo(project: Project, positions: Sequence[int], *, partial: bool = False) -> Plan:
    """Plan to take commands back, the latest first; what stands in the way is in its problems.

    With `partial`, an address that cannot come back is left as it is instead.

    Raises:
        Refused: a command's effect is not in the state, or it is still open.

    """
    state = start = project.state()
    commands: list[Command] = []
    total, problems = Delta(), dict[Address, str]()
    for position in sorted(positions, reverse=True):
        happened = happening(project, position)
        _check(happened)
        delta = happened.observed if happened.command is None else happened.delta
        taken, conflicts = retract(delta, state)
        for address, why in conflicts.items():
            problems[address] = why + _culprit(
                project, position, address, Change(delta[address].after, start.get(address))
            )
        made = converge(project.kinds, taken, state)
        results, state = simulate(made, state)
        for result in results:
            problems |= result.problems
            total = total.then(result.delta)
        commands += made
    return Plan(
        commands=tuple(commands),
        delta=total,
        problems={} if partial else problems,
        versions=_versions(commands, start),
        documents=(),
    )


def _culprit(project: Project, position: int, address: Address, since: Change[Resource]) -> str:
    """Return the position of the last command after one that made a change since."""
    fields, culprit, left = set(since.fields), 0, None
    for version in project.log.versions(address):
        came = version.resource(project.kinds, address)
        if version.since > position and fields & set(Change(left, came).fields):
            (record,) = project.log.read(version.since, version.since)
            if record.entry.cause != position:
                culprit = record.entry.cause or version.since
        left = came
    return f", at position {culprit}" if culprit else ""


def _check(happened: Happening) -> None:
    if happened.opaque:
        raise Refused(
            f"command {happened.position} ({happened.type}) did something that is not in the state, so it "
            "cannot be undone; undo it by hand, and leave it out here"
        )
    if happened.status == "open":
        raise Refused(f"command {happened.position} is not over; run `lasercats recover` first")


def _versions(commands: Sequence[Command], state: State) -> dict[Address, int]:
    return {address: state.version(address) for command in commands for address in command.on}
