"""The conformance kit: the laws that every kind must keep.

    class TestFile(KindLaws):
        kinds = Kinds([DOMAIN])
        kind = file.KIND
        names = ("m:/t/a", "m:/t/a/b", "m:/t/c")

runs the laws that need no machine. `check_fidelity`, `check_recreate` and `check_replay` are for a real one.
"""

import asyncio
from asyncio import Runner
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise, product
from typing import Any, ClassVar, get_args

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lasercats.core.address import Address, kind_of
from lasercats.core.change import NO_CHANGES, Change, Delta
from lasercats.core.command import Command, Effect, Forget, decide, take
from lasercats.core.converge import converge, givable, retract
from lasercats.core.document import parse, render
from lasercats.core.errors import Refused
from lasercats.core.kind import Kind
from lasercats.core.record import OBSERVED, Event, raw_delta
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource, decisions, same
from lasercats.core.rewrite import Deed, Rewritten, deed, evidence, rewrite
from lasercats.core.secret import Sealed, of_text
from lasercats.core.state import State, diff
from lasercats.interpreters.context import Context, Result
from lasercats.interpreters.live import Live
from lasercats.interpreters.looking import look
from lasercats.interpreters.script import instructions_of
from lasercats.interpreters.simulate import simulate
from lasercats.operate.replay import replay_command
from lasercats.testing import strategies
from lasercats.testing.strategies import Fields, after


class NoInputs:
    """Takes sealed tokens as they are; there are no files."""

    def source(self, path: str) -> str:
        """Fail: a rendered document names no file."""
        raise AssertionError(path)

    def secret(self, reference: str, places: Sequence[str]) -> Sealed:
        """Return what the text stands for."""
        del places
        sealed = of_text(reference)
        assert sealed is not None, reference
        return sealed


class KindLaws:
    """The laws of one kind, alone and among the kinds that share its names."""

    kinds: ClassVar[Kinds]
    kind: ClassVar[Kind[Any]]
    names: ClassVar[Sequence[str]]
    """Names to try; nothing else may need the last one."""
    fields: ClassVar[Fields] = {}
    ground: ClassVar[Sequence[Command]] = ()
    """Commands that make what the names stand on, so that any two states can lie on one machine."""
    barriers: ClassVar[Sequence[Command]] = ()
    """Commands whose effect is not in the state, on the machines of the names."""

    @property
    def neighbours(self) -> list[Kind[Any]]:
        """The kinds that share names with this one, itself included."""
        wanted = {self.kind.name} | {kind_of(a) for a in self.kind.rivals(self._address(self.names[0]))}
        return [self.kinds.kinds[name] for name in sorted(wanted)]

    def _address(self, name: str) -> Address:
        return self.kinds.address(name, self.kind)

    def _states(self) -> st.SearchStrategy[State]:
        return strategies.states(self.neighbours, self.names, self.fields, self.ground)

    def _logs(self) -> st.SearchStrategy[list[Command]]:
        return strategies.logs(self.neighbours, self.names, self.fields)

    def test_every_default_is_undecided(self) -> None:
        """A resource without fields decides nothing, so a default cannot rewrite history."""
        assert decisions(self.kind.resource()) == {}

    def test_every_command_has_an_event(self) -> None:
        """Each command names its event in the past tense, and no two kinds share one."""
        assert all("." in c.past for c in self.kind.commands)

    def test_law_1_algebra(self) -> None:
        """A diff applied gives the other side; deltas compose associatively and have inverses."""

        @given(self._states(), self._states(), self._states())
        def law(a: State, b: State, c: State) -> None:
            assert a.apply(diff(a, b)) == b
            assert diff(a, b).then(diff(b, c)) == diff(a, c)
            assert diff(a, b).inverse() == diff(b, a)
            assert diff(a, b).inverse().inverse() == diff(a, b)
            assert diff(a, b).then(diff(a, b).inverse()) == NO_CHANGES
            assert diff(a, b).then(diff(b, c)).then(diff(c, a)) == diff(a, b).then(
                diff(b, c).then(diff(c, a))
            )

        law()

    def test_law_2_converge(self) -> None:
        """Deciding the commands of a diff one by one from the first state ends in the second."""

        @given(self._states(), self._states())
        def law(a: State, b: State) -> None:
            assert decided(run(converge(self.kinds, diff(a, b), a), a)) == decided(b)

        law()

    def test_what_is_made_is_protected_too(self) -> None:
        """A desired state that protects what it makes or changes is brought about as any other."""

        @given(self._states(), self._states())
        def law(a: State, b: State) -> None:
            desired = State.of({address: replace(found, protect=True) for address, found in b.items()})
            assert decided(run(converge(self.kinds, diff(a, desired), a), a)) == decided(desired)

        law()

    def test_law_3_undo(self) -> None:
        """A command and its undo give the state back."""

        @given(self._logs(), self._states())
        def law(log: list[Command], state: State) -> None:
            for command in log:
                delta = decide(command, state).delta
                after = state.apply(delta)
                taken, conflicts = retract(delta, after)
                assert not conflicts
                assert decided(run(converge(self.kinds, taken, after), after)) == decided(state)
                state = State.of(dict(after.items()))

        law()

    def test_records_are_set_right_and_nothing_is_done(self) -> None:
        """What only sets records right leads from any state to any other, and gives no instruction."""
        if not self.kind.has("amend"):
            return

        @given(self._states(), self._states())
        def law(a: State, b: State) -> None:
            commands = converge(self.kinds, diff(a, b), a, amends=True)
            assert decided(run(commands, a)) == decided(b)
            made: dict[Address, Resource | None] = {}
            for result in simulate(commands, a)[0]:
                assert not instructions_of(result, self.kinds, a, made).instructions

        law()

    def test_law_4_rewrite(self) -> None:
        """A rewritten log ends in the same state, is never longer, and is its own rewriting."""
        extra = [st.just(command) for command in self.barriers]
        extra.append(st.just(Forget(on=(self._address(self.names[-1]),))))
        logs = st.lists(st.one_of(self._logs(), *[e.map(lambda c: [c]) for e in extra]), max_size=4)

        @given(self._states(), logs)
        def law(start: State, parts: list[list[Command]]) -> None:
            log = [command for part in parts for command in part]
            short = check_rewrite(self.kinds, log, start)
            assert [c for c, _ in check_rewrite(self.kinds, [c for c, _ in short], start)] == [
                c for c, _ in short
            ]

        law()

    def test_law_5_document(self) -> None:
        """A rendered state parses to itself, as YAML and as JSON."""

        @given(self._states())
        def law(state: State) -> None:
            for form in ("yaml", "json"):
                text = render(state.items(), form=form, kinds=self.kinds)
                assert decided(State.of(parse(text, self.kinds, NoInputs()))) == decided(state)

        law()

    def test_stored_values_come_back(self) -> None:
        """Commands and resources survive the log."""

        @given(self._logs(), self._states())
        def law(log: list[Command], state: State) -> None:
            for command in log:
                assert self.kinds.decode_command(msgspec.json.encode(command)) == command
            for address, resource in state.items():
                assert self.kinds.decode_resource(address, msgspec.json.encode(resource)) == resource

        law()

    def test_whatever_is_read_can_be_lived_with(self) -> None:
        """What a machine may tell is recorded, told as a document, forgotten, converged and rewritten.

        Any value of the right JSON types will do. What is printed is accepted again, and what nobody may give
        is left out of it and told.
        """
        address = self._address(self.names[-1])
        odd = strategies.odd_resources(self.kind)

        @settings(suppress_health_check=[HealthCheck.too_slow])
        @given(odd, odd, strategies.commands(self.kind, self.names[-1:], self.fields))
        def law(one: Resource, other: Resource, command: Command) -> None:
            self._comes_back(address, one)
            start = after(self.ground)
            states = [start, start.put([(address, one)]), start.put([(address, other)])]
            for before, end in product(states, repeat=2):
                change = givable(self.kinds, diff(before, end)).delta
                for step in converge(self.kinds, change, before):
                    assert isinstance(decide(step, before).delta, Delta)
            deeds = _observed(states[0], *states[1:], states[0])
            made = rewrite(self.kinds, lambda: deeds, lambda _: Forget(on=()), start)
            assert all(self.kinds.fault(command) is None for command, _ in made.commands)
            with suppress(Refused):  # whatever is there, a command is decided or refused
                command.decide(address, states[1])

        law()

    def _comes_back(self, address: Address, resource: Resource) -> None:
        """A resource comes back from the log; its document is accepted and says what may be given of it."""
        raw = msgspec.json.encode(resource)
        assert self.kinds.decode_resource(address, raw) == resource
        givable = {n: v for n, v in decisions(resource).items() if n not in self.kinds.odd(resource)}
        for form in ("yaml", "json"):
            text = render([(address, resource)], form=form, kinds=self.kinds)
            parsed = parse(text, self.kinds, NoInputs())
            assert decisions(parsed[address]) == givable, text

    def test_instructions_are_encoded_in_one_way(self) -> None:
        """No instruction leaves out, or writes, a default as it happens, so that a replay knows each again.

        msgspec leaves a default out where it is the same object: that is sure of constants of the interpreter
        only, and not of a word or a fraction.
        """
        for domain in self.kinds.domains:
            for struct in domain.instructions:
                assert not list(_loose_defaults(struct)), struct

    def test_simulated_programs_end_as_decided(self) -> None:
        """A program whose answers are as expected results in what was decided."""

        @given(self._logs())
        def law(log: list[Command]) -> None:
            made, withheld = dict[Address, Resource | None](), set[Address]()
            for result in simulate([*self.ground, *log], State())[0]:
                withheld |= set(instructions_of(result, self.kinds, State(), made).problems)
                if result.command.effect is Effect.STATE:
                    described = {a: change.after for a, change in result.delta.items() if a not in withheld}
                    assert all(same(made[address], after) for address, after in described.items())

        law()


def _observed(*states: State) -> list[Deed]:
    """Return what was observed from one state to the next, as deeds."""
    deltas = [diff(a, b) for a, b in pairwise(states)]
    return [deed(Event(type=OBSERVED, delta=raw_delta(delta))) for delta in deltas]


def _loose_defaults(struct: type[msgspec.Struct]) -> Iterator[str]:
    """Iterate over the fields, of nested structs too, whose default may or may not be left out."""
    for field in msgspec.structs.fields(struct):
        if isinstance(field.default, str | float | bytes) and field.default:
            yield field.name
        for part in (field.type, *get_args(field.type)):
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                yield from _loose_defaults(part)


def check_rewrite(kinds: Kinds, log: Sequence[Command], start: State) -> list[Rewritten]:
    """Law 4: a rewritten log ends in the same state and is never longer; return it.

    Commands whose effect is not in the state are kept in their order, but for those that are elidable.
    """
    deeds, state, effective = list[Deed](), start, 0
    for position, command in enumerate(log, 1):
        delta = decide(command, state).delta
        opaque = command.effect is Effect.OPAQUE
        if delta or opaque:
            event = Event(type=command.past, delta=raw_delta(delta), command=position, opaque=opaque)
            deeds.append(deed(event))
            effective += not command.elidable
        state = take(command, state, delta)
    commands = rewrite(kinds, lambda: deeds, lambda position: log[position - 1], start).commands
    assert evidence([c for c, _ in commands], start, state) is None, commands
    assert len(commands) <= effective, commands
    kept = [c for c in log if c.effect is Effect.OPAQUE and not c.elidable]
    assert [c for c, _ in commands if c.effect is Effect.OPAQUE] == kept
    return commands


def run(commands: Sequence[Command], state: State) -> State:
    """Decide commands one by one; none may be refused."""
    for command in commands:
        decision = decide(command, state)
        assert not decision.refusals, decision.refusals
        state = take(command, state, decision.delta)
    return state


def decided(state: State) -> dict[Address, dict[str, Any]]:
    """Return what is decided in a state, computed fields left out."""
    return {address: decisions(resource) for address, resource in state.items()}


def check_fidelity(commands: Sequence[Command], context: Context, runner: Runner) -> Sequence[Result]:
    """Law 6: what `simulate` predicts of each command is what `live` did, on every decided field."""
    before = context.log.fold().state(context.kinds)
    predicted, state = simulate(commands, before)
    lived = runner.run(Live().run(commands, context))
    for command, expected, real in zip(commands, predicted, lived, strict=True):
        text = f"{command}\n expected {expected}\n real {real}"
        assert _net(expected) == _net(real), text
        assert expected.problems.keys() == real.problems.keys(), text
    assert decided(context.log.fold().state(context.kinds)) == decided(state)
    return lived


def check_recreate(desired: Mapping[Address, Resource], context: Context, runner: Runner) -> None:
    """Law 7: a document, applied to an empty machine, is observed back as it is."""
    renamed, state = desired, context.log.fold().state(context.kinds)
    delta = Delta({address: Change(state.get(address), resource) for address, resource in renamed.items()})
    results = runner.run(Live().run(converge(context.kinds, delta, state, exact=False), context))
    assert all(result.ok for result in results), results
    seen = observed(context, list(renamed), runner)
    for address, resource in renamed.items():
        wanted, found = decisions(resource), seen[address]
        assert found is not None
        assert {name: getattr(found, name) for name in wanted} == wanted


def observed(
    context: Context, addresses: Sequence[Address], runner: Runner
) -> dict[Address, Resource | None]:
    """Look at addresses."""
    state = context.log.fold().state(context.kinds)
    found, unseen = runner.run(look(dict.fromkeys(addresses, 0), state, context))
    assert not unseen, unseen
    return {address: found[address] for address in addresses}


def check_replay(context: Context) -> int:
    """Law 8: every recorded command, run again from its outcomes, asks, changes and ends as it did.

    Returns how many commands were run again.
    """
    commands = list(context.log.read(names=("accepted",)))
    for record in commands:
        replayed = asyncio.run(replay_command(context.log, context.kinds, record.position))
        assert not replayed.differences, replayed
    return len(commands)


def _net(result: Result) -> dict[Address, tuple[dict[str, Any], dict[str, Any]]]:
    net = result.observed.then(result.delta) if result.observed else result.delta
    sides = {a: (decisions(c.before), decisions(c.after)) for a, c in net.items()}
    return {address: pair for address, pair in sides.items() if pair[0] != pair[1]}
