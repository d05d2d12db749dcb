"""The part of the contract of machines about who they are: another in its place is noticed, and not used."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lasercats.core.errors import OtherMachine
from lasercats.core.identity import Identity
from lasercats.core.instruction import Instruction, Item
from lasercats.core.ports import Machine

OTHER = "another"


class WhoContract:
    """What every machine does that can tell who it is."""

    knows_itself = True
    """Whether it can tell; one that cannot is never refused."""

    def connect(self) -> Machine:
        """Return a machine that is not connected yet."""
        raise NotImplementedError

    def anew(self, work: Callable[[Machine], Any]) -> Any:  # noqa: ANN401
        """Connect, work, disconnect."""

        async def whole() -> Any:  # noqa: ANN401
            machine = self.connect()
            try:
                return await work(machine)
            finally:
                await machine.close()

        return asyncio.run(whole())

    def a_look(self) -> Instruction:
        """Return something that looks."""
        raise NotImplementedError

    def changes(self) -> Sequence[Instruction]:
        """Return some things of which each changes something that is not so yet."""
        raise NotImplementedError

    def check_unchanged(self) -> None:
        """Check that none of the changes was made."""
        raise NotImplementedError

    def asked(self, known: Identity | None = None) -> tuple[Identity, int]:
        """Return who it says that it is where it is looked at once, and how many round trips that took."""

        async def work(machine: Machine) -> tuple[Identity, int]:
            machine.who.known = known or {}
            await machine.run((Item(self.a_look()),))
            return machine.who.reported, machine.trips

        outcome: tuple[Identity, int] = self.anew(work)
        return outcome

    def test_it_tells_who_it_is(self) -> None:
        """A machine tells with its first look who it is, and the same whenever it is asked."""
        identity, _ = self.asked()
        assert bool(identity) == self.knows_itself
        assert self.asked() == self.asked(identity) == (identity, self.asked()[1])

    def test_what_is_not_told_says_nothing(self) -> None:
        """A fact that is on record and cannot be asked for now makes no other machine."""
        identity, _ = self.asked()
        assert self.asked({"not told": OTHER})[0] == identity

    def test_another_machine_is_not_used(self) -> None:
        """Where any fact is another than before, nothing is done, and no report is believed."""
        for fact in self.asked()[0]:
            known = {fact: OTHER}
            for item in (self.a_look(), *self.changes()):

                async def run(machine: Machine, item: Instruction = item, known: Identity = known) -> None:
                    machine.who.known = known
                    with pytest.raises(OtherMachine, match=f"{fact} is .* and was {OTHER}"):  # noqa: B023
                        await machine.run((Item(item),), None, "contract-who")

                self.anew(run)
        self.check_unchanged()

    def test_another_machine_is_not_judged(self) -> None:
        """Where it is another machine, nobody can tell what became of a batch, and its check fails."""
        identity, items = self.asked()[0], tuple(Item(change) for change in self.changes())

        async def ask(machine: Machine) -> None:
            machine.who.known = dict.fromkeys(identity, OTHER)
            if not identity:
                return
            with pytest.raises(OtherMachine):
                await machine.check()
            try:
                assert list(await machine.resolve(items, "contract-who")) == [None] * len(items)
            except OtherMachine:
                return

        self.anew(ask)

    def test_it_stays_who_it_is(self) -> None:
        """What a machine told once in a session it must be until the end of that, on record or not."""

        async def work(machine: Machine) -> None:
            await machine.run((Item(self.a_look()),))
            machine.who.reported = dict.fromkeys(machine.who.reported, OTHER)
            await machine.close()
            if not self.knows_itself:
                return
            with pytest.raises(OtherMachine):
                await machine.run((Item(self.a_look()),))

        self.anew(work)
