"""The family of what is made by one call, changed in steps, and deleted by one call."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.errors import Refused
from lasercats.core.instruction import Failure, PartlyDone
from lasercats.core.program import Known, Program, alongside
from lasercats.core.reference import NOTHING
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import account
from lasercats.domains.ec2.looks import InAccount
from lasercats.instructions.aws import Call, Unmark, Wait, tagged, variable

R = TypeVar("R", bound=Resource)


class Made(InAccount[R]):
    """The family of what is made by one call, changed in steps, and deleted by one call."""

    deletion: ClassVar[tuple[str, str]]
    """The operation that deletes it, and the parameter that takes its id."""
    ready: ClassVar[str | None] = None
    """The state that is waited for when it has been made."""
    born: ClassVar[Mapping[str, Any]] = {}
    """What is true of one that has just been made, whatever is desired."""

    def making(self, address: Address, desired: R, known: Known) -> Call:
        """Return the call that makes it, but for its tags; what is None in it is left out."""
        raise NotImplementedError

    def alter(self, address: Address, change: Change[Any], desired: R, known: Known) -> Program[R | None]:
        """Change what is more than its tags; `desired` has its id.

        The result is what it then is by the answers of the calls, None where that is as desired.
        """
        yield from ()
        return None

    def act(self, address: Address, change: Change[R], known: Known) -> Program[Any]:
        """Make, change or delete it."""
        if change.after is None:
            return self.delete(address, change.before, known)
        if change.before is None:
            return self.create(address, change.after, known)
        return self.change(address, change, known)

    def made(self, address: Address, desired: Any, known: Known) -> Program[tuple[str, Any]]:  # noqa: ANN401
        """Make it by a call that takes a token; return its id, and what was answered."""
        call = self.making(address, desired, known)
        parameters = {name: value for name, value in call.parameters.items() if value is not None}
        if desired.tags:
            sort = self.name.partition(".")[2].replace("_", "-")
            parameters["TagSpecifications"] = [{"ResourceType": sort, "Tags": tagged(desired.tags)}]
        answered = yield replace(call, parameters=parameters, token="", gives=variable(address))
        thing: Any = answered.response
        for member in (call.at or "").split("."):
            thing = thing[member]
        return thing, answered.response

    def create(self, address: Address, desired: Any, known: Known) -> Program[Any]:  # noqa: ANN401
        """Make it, do the rest, and look at it."""
        id_, _ = yield from self.made(address, desired, known)
        new = replace(desired, id=id_)

        def known_now(asked: Address) -> Any:  # noqa: ANN401
            return new if asked == address else known(asked)

        def steps() -> Program[Any]:
            yield from self.finish(address, new, known_now)
            return (yield from left())

        def left() -> Program[Any]:
            """Look at it; EC2 may take a while to tell of it, or tell what nobody understands."""
            try:
                return (yield from self.seen(address, new, known_now)) or new
            except Refused as strange:
                raise PartlyDone(Failure(reason=str(strange)), new) from None

        unmarked = alongside(Unmark(machine=account.at(address)[0], id=id_), steps())
        return (yield from account.leaving(id_, unmarked, left))

    def finish(self, address: Address, new: Any, known: Known) -> Program[None]:  # noqa: ANN401
        """Do what is to be done after the call that makes it."""
        if self.ready is not None:
            yield Wait(machine=account.at(address)[0], what=self.what, id=new.id, state=self.ready)
        yield from self.alter(address, Change(replace(new, **self.born), new), new, known)

    def change(self, address: Address, change: Change[Any], known: Known) -> Program[Any]:
        """Change its tags and do the rest, and look at it."""
        before, after = account.sides(change)
        desired = replace(after, id=account.own_id(known(address) or before))

        def steps() -> Program[Any]:
            yield from account.change_tags(account.at(address)[0], desired.id, change)
            now = yield from self.alter(address, change, desired, known)
            return (yield from self.seen(address, now or desired, known))

        left = self.seen(address, desired, known, before)
        return (yield from account.leaving(desired.id, steps(), lambda: left))

    def delete(self, address: Address, before: Any, known: Known) -> Program[None]:  # noqa: ANN401
        """Delete it by one call."""
        operation, parameter = self.deletion
        parameters = {parameter: account.own_id(known(address) or before)}
        yield Call(machine=account.at(address)[0], operation=operation, parameters=parameters)


class Held(Made[R]):
    """The family of what an instance may hold."""

    free: ClassVar[Mapping[str, Any]] = {"instance": NOTHING}
    born: ClassVar[Mapping[str, Any]] = {"instance": NOTHING}

    def aside(self, address: Address, change: Change[Any], state: State, end: State) -> Any:  # noqa: ANN401
        """Return what it is while it makes room, as where two are swapped: held by nothing."""
        before, after = account.sides(change)
        return replace(before, instance=NOTHING) if before.instance and after.instance else None

    def interrupts(self, before: Any, after: Any) -> Iterator[str]:  # noqa: ANN401
        """Return from what instance it is taken."""
        if after is not None and before.instance and after.instance is not None:
            if after.instance != before.instance:
                yield f"taken from {before.instance}"


def modified(machine: str, id_: str) -> Wait:
    """Return the wait until a volume has its new size and type, which EC2 tells only then."""
    return Wait(machine=machine, what="modification", id=id_, state="optimizing|completed")
