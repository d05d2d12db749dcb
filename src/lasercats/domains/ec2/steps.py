"""The programs of kinds that are made by one call, changed in steps, and deleted by one call."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.errors import Refused
from lasercats.core.instruction import Failure, PartlyDone
from lasercats.core.program import Known, Program, alongside
from lasercats.domains.ec2 import account, looks
from lasercats.domains.ec2.looks import Looking
from lasercats.instructions.aws import Call, Unmark, Wait, tagged, variable

Rest = Callable[[Any, Known], Program[None]]
"""What is to be done after the call that makes something, given what is made and what is known then."""


def create(
    address: Address,
    wish: Any,  # noqa: ANN401 - a resource of any kind
    known: Known,
    looking: Looking,
    call: Call,
    rest: Rest | None = None,
) -> Program[Any]:
    """Make it by a call that takes a token, do the rest, and look at it."""
    parameters = {name: value for name, value in call.parameters.items() if value is not None}
    if wish.tags:
        sort = looking.what.replace("_", "-")
        parameters["TagSpecifications"] = [{"ResourceType": sort, "Tags": tagged(wish.tags)}]
    answered = yield replace(call, parameters=parameters, token="", gives=variable(address))
    told: Any = answered.response
    for member in (call.at or "").split("."):
        told = told[member]
    new = replace(wish, id=told)

    def known_now(asked: Address) -> Any:  # noqa: ANN401
        return new if asked == address else known(asked)

    def steps() -> Program[Any]:
        if rest is not None:
            yield from rest(new, known_now)
        return (yield from left())

    def left() -> Program[Any]:
        """Look at it; EC2 may take a while to tell of what it has made, or tell what nobody understands."""
        try:
            return (yield from seen(address, new, known_now, looking)) or new
        except Refused as strange:
            raise PartlyDone(Failure(reason=str(strange)), new) from None

    unmarked = alongside(Unmark(machine=call.machine, id=new.id), steps())
    return (yield from account.leaving(new.id, unmarked, left))


def change(
    address: Address, change: Change[Any], known: Known, looking: Looking, rest: Rest | None = None
) -> Program[Any]:
    """Change its tags and do the rest, which is given what is to be, and look at it."""
    before, after = account.sides(change)
    machine, _ = account.at(address)
    wish = replace(after, id=account.own_id(known(address) or before))

    def steps() -> Program[Any]:
        yield from account.change_tags(machine, wish.id, change)
        if rest is not None:
            yield from rest(wish, known)
        return (yield from seen(address, wish, known, looking))

    left = seen(address, wish, known, looking, before)
    return (yield from account.leaving(wish.id, steps(), lambda: left))


def delete(address: Address, before: Any, known: Known, operation: str, parameter: str) -> Program[None]:  # noqa: ANN401
    """Delete it by one call."""
    machine, _ = account.at(address)
    parameters = {parameter: account.own_id(known(address) or before)}
    yield Call(machine=machine, operation=operation, parameters=parameters)


def modified(machine: str, id_: str) -> Wait:
    """Return the wait until a volume has its new size and type, which EC2 tells only then."""
    return Wait(machine=machine, what="modification", id=id_, state="optimizing|completed")


def seen(
    address: Address,
    wish: Any,  # noqa: ANN401
    known: Known,
    looking: Looking,
    before: Any = None,  # noqa: ANN401
) -> Program[Any]:
    """Look at it by its id, and tell what is there in the words of a wish, and of what was there before."""
    found = (yield from looks.look({address: wish}, looking))[address]
    return None if found is None else looks.as_wished(found, wish, known, before)
