"""Deciding: what commands are about is looked at, drift recorded, and they are decided on that."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from lasercats.core.address import Address, kind_of, label
from lasercats.core.change import Delta, composed
from lasercats.core.command import Effect, Target, decide_all
from lasercats.core.loss import gate
from lasercats.core.record import OBSERVED, Event, raw_delta
from lasercats.core.resource import Resource
from lasercats.core.settle import believe, drift, learn, refreshed
from lasercats.core.state import State
from lasercats.interpreters.looking import expectations, look
from lasercats.interpreters.run import Run


class Deciding:
    """The look of a run, and what is decided on what it found."""

    def __init__(self, run: Run, predicted: Sequence[Target]) -> None:
        """Look at what is `predicted` to be reached, too."""
        self.unseen: Mapping[Address, str] = {}
        """What could not be looked at, and why."""
        self._run, self._predicted = run, predicted
        self._beside: dict[tuple[str | None, frozenset[str]], list[Address]] = {}
        """What is managed on a machine, of some kinds."""

    async def decide(self) -> list[Target]:
        """Look, take in what changed outside, and decide."""
        run, context = self._run, self._run.context
        expected = expectations(run.commands, run.kinds)
        found, self.unseen = await look(
            self._wanted(), run.state, context, run.journal, expected=expected, again=self._again()
        )
        believed = believe(run.state, found).absent(self._missed(found))
        first = decide_all(run.commands, believed)[0]
        learned = learn(first, believed, found)
        decided = first if learned is believed else None
        targets, withheld = gate(
            run.kinds, run.commands, learned, context.agreed, direct=context.direct, decided=decided
        )
        for index, losses in withheld.items():
            run.progress[index].losses = losses
        self._note_drift(targets, learned)
        return list(self._unless_unseen(targets))

    def _again(self) -> set[Address]:
        """Return what ends and is made again in this run, as far as is known before anybody looked."""
        run = self._run
        often = Counter(a for c in run.commands if c.effect is Effect.STATE for a in c.on)
        twice = {a for a, times in often.items() if times > 1 and run.state.get(a) is not None}
        if not twice:
            return set()
        targets = decide_all(run.commands, run.state)[0]
        ends = {t.address for t in targets if t.change is not None and t.change.after is None}
        begins = {t.address for t in targets if t.change and t.change.before is None and t.change.after}
        return twice & ends & begins

    def _wanted(self) -> Mapping[Address, int]:
        """Return the addresses to look at, each with the command that wants it."""
        run, kinds, wanted = self._run, self._run.kinds, dict[Address, int]()
        for one in run.progress:
            for address in one.command.on if one.command.effect is Effect.STATE else ():
                wanted.setdefault(address, one.position)
                for need in kinds.kind(address).needs(address, run.state.get(address)):
                    if run.state.version(need):
                        wanted.setdefault(need, one.position)
                for other in kinds.kind(address).concerns(address, one.command):
                    wanted.setdefault(other, one.position)
        for target in self._predicted:
            position = run.progress[target.command].position
            if target.by is not None:
                wanted.setdefault(target.address, position)
            for other in self._along(target):
                wanted.setdefault(other, position)
        return wanted

    def _along(self, target: Target) -> Iterator[Address]:
        """Iterate over what is managed and would go along, were it attached by now to what ends at a target.

        What is refused as far as is known may come to be done on what is found, so it is asked for, too.
        """
        run, kinds, address = self._run, self._run.kinds, target.address
        ends = target.change is None or target.change.after is None
        clinging = kinds.clinging(address) if ends else frozenset()
        if clinging and run.commands[target.command].effect is Effect.STATE:
            which = kinds.machine_of(address), clinging
            if which not in self._beside:
                self._beside[which] = [
                    other
                    for other in run.state.resources()
                    if kind_of(other) in clinging and kinds.machine_of(other) == which[0]
                ]
            yield from self._beside[which]

    def _missed(self, found: Mapping[Address, Resource | None]) -> Iterator[Address]:
        """Iterate over what commands are about to refer to and is not there, so that they can be refused."""
        for command in self._run.commands:
            for address in command.on if command.effect is Effect.STATE else ():
                concerned = self._run.kinds.kind(address).concerns(address, command)
                others = (a for a in concerned if a not in self._run.own)
                yield from (other for other in others if other in found and found[other] is None)

    def _note_drift(self, targets: Sequence[Target], believed: State) -> None:
        """Record what was found changed at what is managed, or is about to be, and what is known anew."""
        run, seen = self._run, dict[int, list[Delta]]()
        refused = {t.address for t in targets if t.change is None}
        first: dict[Address, int] = {}
        for target in targets:
            if run.commands[target.command].ends:
                first.setdefault(target.address, target.command)
        anew = dict[int, list[Delta]]()
        for address, index in first.items():
            if address in self.unseen or (address in refused and run.state.get(address) is None):
                continue
            changed = drift(run.state, believed, [address])
            new = refreshed(run.state, believed, [address])
            if (changed or new) and run.commands[index].effect is Effect.STATE:
                seen.setdefault(index, []).append(changed)
                anew.setdefault(index, []).append(new)
                run.learn(address, believed.get(address))
        for index, deltas in sorted(seen.items()):
            one = run.progress[index]
            one.observed = composed(deltas)
            delta = raw_delta(Delta({**one.observed, **composed(anew[index])}))
            actor = run.context.actor
            run.journal.record(Event(type=OBSERVED, delta=delta, command=one.position, actor=actor))

    def _unless_unseen(self, targets: Sequence[Target]) -> Iterator[Target]:
        """Iterate over targets; what could not be looked at is refused, with all that comes with it."""
        why: dict[tuple[int, Address], str] = {}
        for target in targets if self.unseen else ():
            for reason in self._why_unseen(target):
                why.setdefault((target.command, target.by or target.address), reason)
        for target in targets:
            refusal = why.get((target.command, target.by or target.address))
            if refusal is None:
                yield target
            elif target.by is None:
                yield target._replace(change=None, refusal=refusal)

    def _why_unseen(self, target: Target) -> Iterator[str]:
        """Iterate over why a target is refused for what could not be looked at: it, or what may go along."""
        if target.address in self.unseen:
            yield self.unseen[target.address]
        elif target.change is not None and target.change.before is not None:
            for other in self._along(target):
                if other in self.unseen:
                    yield f"{label(other)} could not be looked at, and may go along: {self.unseen[other]}"
