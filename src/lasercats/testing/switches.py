"""The contract of machines that are switches: subclass it, give it a machine that has at least six ports."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from lasercats.core.instruction import Batch, Failure, Instruction, Item
from lasercats.core.ports import Machine
from lasercats.instructions.switch import Configure, Look, Seen, Settings, Survey, Surveyed, What, values_of
from lasercats.testing.who import WhoContract


def port(name: str, before: Settings | None, after: Settings | None) -> Configure:
    """Configure a port."""
    return Configure(machine="m", what="port", name=name, before=before, after=after)


def vlan(number: int, before: Settings | None, after: Settings | None) -> Configure:
    """Configure a VLAN."""
    return Configure(machine="m", what="vlan", name=f"{number}", before=before, after=after)


class SwitchContract(WhoContract):
    """What every switch does."""

    ports: Sequence[str]
    """Six ports that are there, at their defaults, in no LAG."""
    settings: Settings = Settings(description="to the café", enabled=False, mtu=9000)
    """What can be set on a port besides its VLANs."""
    carries_none = True
    """Whether a trunk can carry no VLAN."""
    lags = True
    """Whether it has LAGs."""
    lag = "bond0"
    """The name of a LAG that is not there."""

    def connect(self) -> Machine:
        """Return a machine that is not connected yet, for the same switch each time."""
        raise NotImplementedError

    def run(self, *items: Instruction) -> list[Any]:
        """Run one batch on a connection of its own."""
        batch: Batch = tuple(Item(item) for item in items)
        outcomes: list[Any] = list(self.using(lambda machine: machine.run(batch)))
        return outcomes

    def using(self, work: Callable[[Machine], Any]) -> Any:  # noqa: ANN401
        """Connect, work, disconnect."""

        async def whole() -> Any:  # noqa: ANN401
            machine = self.connect()
            try:
                return await work(machine)
            finally:
                await machine.close()

        return asyncio.run(whole())

    def look(self, what: What, name: str) -> Settings | None:
        """Return what there is, as a new connection sees it."""
        (seen,) = self.run(Look(machine="m", what=what, name=name))
        assert isinstance(seen, Seen), seen
        assert seen.looked
        return seen.settings

    def done(self, *items: Configure) -> None:
        """Configure something in one batch, and check that it is so and is told so."""
        outcomes = self.run(*items)
        for item, seen in zip(items, outcomes, strict=True):
            assert isinstance(seen, Seen), seen
            assert seen.problem is None
            for found in (seen.settings, self.look(item.what, item.name)):
                if item.after is None:
                    assert found is None
                else:
                    assert found is not None
                    assert {n: getattr(found, n) for n in values_of(item.after)} == values_of(item.after)

    def refused(self, *items: Configure) -> list[str]:
        """Try to configure something in one batch, check that nothing changed; return what was said."""
        before = self.run(Survey(machine="m"))
        outcomes = self.run(*items)
        assert all(isinstance(outcome, Failure) for outcome in outcomes), outcomes
        assert not any(outcome.in_doubt for outcome in outcomes)
        assert self.run(Survey(machine="m")) == before
        return [outcome.reason for outcome in outcomes]

    def a_look(self) -> Instruction:
        """Return a look at all that there is."""
        return Survey(machine="m")

    def changes(self) -> Sequence[Instruction]:
        """Return a VLAN that is made."""
        return (vlan(444, None, Settings(name="of-another")),)

    def check_unchanged(self) -> None:
        """Check that there is no such VLAN."""
        assert self.look("vlan", "444") is None

    def test_check_answers(self) -> None:
        """A machine that is there passes its check."""
        assert self.using(lambda machine: machine.check()) is None

    def test_an_empty_batch_is_no_round_trip(self) -> None:
        """Nothing asked, nothing sent."""
        machine = self.connect()
        assert list(asyncio.run(machine.run(()))) == []
        assert machine.trips == 0

    def test_the_ports_are_there(self) -> None:
        """A look and a survey tell the same of each port; of what is not there, nothing."""
        (surveyed,) = self.run(Survey(machine="m"))
        assert isinstance(surveyed, Surveyed)
        for name in self.ports:
            seen = self.look("port", name)
            assert seen == surveyed.ports[name]
            assert seen is not None
            assert seen.enabled is not None
            assert seen.lag is None
        assert self.look("port", "eth99") is None
        assert self.look("vlan", "999") is None

    def test_a_vlan_comes_and_goes(self) -> None:
        """A VLAN is made with a name, renamed and removed."""
        self.done(vlan(20, None, Settings(name="servers")))
        self.done(vlan(20, Settings(name="servers"), Settings(name="hosts")))
        (surveyed,) = self.run(Survey(machine="m"))
        assert surveyed.vlans["20"] == Settings(name="hosts")
        self.done(vlan(20, Settings(name="hosts"), None))

    def test_an_access_port_and_a_trunk(self) -> None:
        """The VLANs of a port are set in both modes, and what belongs to the other mode is kept."""
        name = self.ports[0]
        self.done(vlan(20, None, Settings(name="a")), vlan(30, None, Settings(name="b")))
        self.done(port(name, Settings(), Settings(mode="access", vlan=20)))
        self.done(port(name, Settings(mode="access"), Settings(mode="trunk", native=30, allowed="20,30-40")))
        self.done(port(name, Settings(allowed="20,30-40"), Settings(allowed="all")))
        if self.carries_none:
            self.done(port(name, Settings(allowed="all"), Settings(allowed="none")))
        self.done(port(name, Settings(), Settings(allowed="20")))
        self.done(port(name, Settings(mode="trunk"), Settings(mode="access")))
        seen = self.look("port", name)
        assert seen is not None
        assert (seen.mode, seen.vlan, seen.native, seen.allowed) == ("access", 20, 30, "20")

    def test_the_rest_of_a_port(self) -> None:
        """What else a port can be set to is set and set back, and nothing else changes by it."""
        name = self.ports[1]
        first = self.look("port", name)
        assert first is not None
        back = Settings(**{field: getattr(first, field) for field in values_of(self.settings)})
        self.done(port(name, back, self.settings))
        for field, value in values_of(self.settings).items():
            old = Settings(**{field: value})
            self.done(port(name, old, Settings(**{field: getattr(first, field)})))
        last = self.look("port", name)
        assert last is not None
        assert values_of(last) | {"link": None} == values_of(first) | {"link": None}

    def test_a_batch_is_one_transaction(self) -> None:
        """What is wrong with one of a batch leaves all as they were, and each says why."""
        one, other = self.ports[2:4]
        self.done(vlan(20, None, Settings(name="a")))
        said = self.refused(
            port(one, Settings(), Settings(description="new")),
            port("eth99", Settings(), Settings(description="new")),
            port(other, Settings(), Settings(description="new")),
        )
        assert "eth99" in said[1]
        assert all("eth99" in text for text in said)
        assert all(said[n].startswith("not done") for n in (0, 2))

    def test_each_of_a_batch_is_told_by_itself(self) -> None:
        """Of two changes of one thing in a batch, each is reported as it comes to."""
        name = self.ports[2]
        answers = self.run(
            vlan(20, None, Settings(name="a")),
            port(name, Settings(), Settings(description="one")),
            vlan(20, Settings(name="a"), None),
            port(name, Settings(description="one"), Settings(description="two")),
        )
        assert [seen.settings and seen.settings.name for seen in answers[::2]] == ["a", None]
        assert [seen.settings.description for seen in answers[1::2]] == ["one", "two"]
        seen = self.look("port", name)
        assert seen is not None
        assert seen.description == "two"

    def test_what_changed_meanwhile_is_not_overwritten(self) -> None:
        """A change from what is no longer so is refused, and said to be."""
        one, other = self.ports[2:4]
        self.done(port(one, Settings(), Settings(description="theirs")))
        said = self.refused(
            port(one, Settings(description="what I read"), Settings(description="mine")),
            port(other, Settings(), Settings(description="mine")),
        )
        assert one in said[0]
        assert "changed" in said[0]

    def test_what_is_there_is_not_made_and_what_is_not_is_not_removed(self) -> None:
        """Making what is there, and removing what is not, are refused."""
        self.done(vlan(21, None, Settings(name="a")))
        self.refused(vlan(21, None, Settings(name="b")))
        self.refused(vlan(22, Settings(name="a"), None))

    def test_a_lag(self) -> None:
        """A LAG is made of ports, configured like a port, gets and loses members, and is removed."""
        if not self.lags:
            return
        a, b, c = self.ports[3:6]

        def lag(before: Settings | None, after: Settings | None) -> Configure:
            return Configure(machine="m", what="lag", name=self.lag, before=before, after=after)

        self.done(vlan(20, None, Settings(name="a")))
        self.done(lag(None, Settings(members=(a, b), lacp="active", mode="trunk", allowed="20")))
        for member in (a, b):
            seen = self.look("port", member)
            assert seen is not None
            assert seen.lag == self.lag
        assert self.look("port", self.lag) is None
        self.done(lag(Settings(members=(a, b)), Settings(members=(a, b, c), lacp="passive")))
        self.done(lag(Settings(members=(a, b, c)), Settings(members=(b, c))))
        (surveyed,) = self.run(Survey(machine="m"))
        assert surveyed.lags[self.lag].members == (b, c)
        assert surveyed.ports[a].lag is None
        self.done(lag(surveyed.lags[self.lag], None))
        for member in (a, b, c):
            seen = self.look("port", member)
            assert seen is not None
            assert seen.lag is None

    def counted(self, *items: Instruction) -> int:
        """Run a batch and return the round trips that it took."""

        async def work(machine: Machine) -> int:
            outcomes = await machine.run(tuple(Item(item) for item in items))
            assert not any(isinstance(outcome, Failure) for outcome in outcomes), outcomes
            return machine.trips

        trips: int = self.using(work)
        return trips

    def test_many_changes_are_few_round_trips(self) -> None:
        """A change of every port costs no more round trips than one change."""
        counted = self.counted
        changes = [port(name, Settings(), Settings(description=f"d {name}")) for name in self.ports]
        again = [port(name, Settings(), Settings(description=f"e {name}")) for name in self.ports]
        assert counted(*changes) == counted(again[0])
        assert counted(*(Look(machine="m", what="port", name=name) for name in self.ports)) == counted(
            Look(machine="m", what="port", name=self.ports[0])
        )
