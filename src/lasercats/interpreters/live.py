"""`live`: looks at the machines, decides on what is there, acts, and records what really changed.

    accept ─▶ look (a batch a machine) ─▶ decide ─▶ act (a batch a machine) ─▶ event

Every step is in the log before it is taken, so that `lasercats recover` can finish what a crash cut off.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from lasercats.core.address import Address, kind_of, label
from lasercats.core.change import Change, Delta, composed
from lasercats.core.command import Command, Effect, Target, decide_all, step
from lasercats.core.errors import Fenced, LogError, Refused, Unrecorded
from lasercats.core.identity import Identity
from lasercats.core.instruction import Later
from lasercats.core.loss import Loss, gate
from lasercats.core.order import Dependencies
from lasercats.core.program import Program
from lasercats.core.record import (
    OBSERVED,
    Accepted,
    AnyEntry,
    Deferred,
    Ended,
    Event,
    Finished,
    Started,
    raw,
    raw_delta,
)
from lasercats.core.resource import Resource, keeps, overlay, same, settle
from lasercats.core.resting import resting
from lasercats.core.secret import split
from lasercats.core.settle import believe, drift, learn, refreshed, renewed
from lasercats.core.state import State
from lasercats.interpreters.context import Context, Result
from lasercats.interpreters.driver import Driver, Sending, Task
from lasercats.interpreters.late import interrupted, told_late
from lasercats.interpreters.looking import expectations, look
from lasercats.interpreters.serial import behind, in_turns

NOBODY: Mapping[str, Identity] = {}


class Live:
    """Carries commands out."""

    async def run(self, commands: Sequence[Command], context: Context) -> Sequence[Result]:
        """Carry commands out, in order where they touch each other, at once where they do not.

        Raises:
            LogConflict: an address is being changed by someone else; nothing was done.
            UnknownName: a machine is not bound; nothing was done.
            BadInput: a machine is of another sort than the command is for; nothing was done.

        """
        for command in commands:
            for address in command.on:
                machine = context.kinds.machine_of(address)
                if machine is not None and command.effect is not Effect.RECORD:
                    context.machines.check(machine, context.kinds.domain(address))
        return await _Run(commands, context).run() if commands else ()


class _Run:
    """One run over some commands; also the journal of its batches."""

    def __init__(self, commands: Sequence[Command], context: Context) -> None:
        self._commands = commands
        self._context = context
        self._state: State = context.log.fold().state(context.kinds)
        self._real: dict[Address, Resource | None] = {}
        self._unseen: Mapping[Address, str] = {}
        self._queue: list[AnyEntry] = []
        self._positions: list[int] = []
        self._left = [len(command.on) for command in commands]
        self._deltas: list[list[Delta]] = [[] for _ in commands]
        self._observed = [Delta() for _ in commands]
        self._problems: list[dict[Address, str]] = [{} for _ in commands]
        self._notes: list[dict[Address, str]] = [{} for _ in commands]
        self._refused = [0] * len(commands)
        self._withheld: Mapping[int, Sequence[Loss]] = {}
        self._reports: list[dict[Address, Any]] = [{} for _ in commands]
        self._doubt: set[int] = set()
        self._cancelled: list[set[Address]] = [set() for _ in commands]
        self._untried: list[set[Address]] = [set() for _ in commands]
        self._targets: dict[int, Target] = {}
        self._sent: dict[int, tuple[int, ...]] = {}
        self._to: dict[int, str] = {}
        """Which machine each of the batches was sent to."""
        self._acting: set[int] = set()
        """Which of the batches that were sent do not only look."""
        self._fenced: Fenced | None = None
        self._late: list[int] = []
        self._due = False
        self._orders: dict[int, int] = {}
        self._waiting: set[int] = set()
        self._beside: dict[tuple[str | None, frozenset[str]], list[Address]] = {}
        """What is managed on a machine, of some kinds."""
        self._predicted: Sequence[Target] = ()
        """What is known to come before anybody looked, where that matters."""
        self._to_renew: dict[int, list[Address]] = {}
        self._released: dict[tuple[int, Address], list[Task]] = {}
        """The tasks by which others let go of what a command takes at an address."""

    async def run(self) -> Sequence[Result]:
        self._accept()
        try:
            await self._carry_out()
            self._flush()
            self._release()
        except Fenced as error:
            raise self._fenced_off(error) from None
        except LogError as error:
            raise self._unrecorded(error) from None
        except BaseException:
            self._give_up()
            raise
        return [self._result(index) for index in range(len(self._commands))]

    async def _carry_out(self) -> None:
        targets = await self._decide()
        self._expect(targets)
        tasks = self._tasks(targets)
        await Driver(self._context, self).run(tasks)
        for task in tasks:
            if id(task) in self._targets and task.deferred:
                self._wait(task)
            elif id(task) in self._targets:
                self._finish(task)
        await self._renew()

    def _give_up(self) -> None:
        """Record what is known, as far as that can be, where something stopped us in the middle."""
        with suppress(LogError):
            self._flush()
        self._release()

    def _release(self) -> None:
        """Give the lease back where something is left open; where that cannot be, it comes to be old."""
        with suppress(LogError):
            self._context.log.release(self._context.run)

    def _unrecorded(self, error: LogError) -> LogError:
        """Return what is told where the log cannot be written: what was done, and what is in doubt."""
        done = [a for e in self._queue if isinstance(e, Event) and e.type != OBSERVED for a in e.delta]
        done += [a for reports in self._reports for a in reports]
        self._give_up()
        if not self._acting:
            return Unrecorded(f"{error}; nothing was changed; run the command again when it can be written")
        served = {owner for batch in self._acting for owner in self._sent[batch]}
        doubtful = [
            address
            for index, command in enumerate(self._commands)
            for address in command.on
            if self._positions[index] in served and not self._is_known(index, address)
        ]
        return Unrecorded(interrupted(error, done, doubtful))

    def _is_known(self, index: int, address: Address) -> bool:
        """Tell whether a command is over at an address, for better or worse."""
        over = (self._problems[index], self._reports[index], *self._deltas[index])
        return any(address in one for one in over)

    def _accept(self) -> None:
        context, entries, expect = self._context, list[AnyEntry](), dict[Address, int]()
        self._predicted = decide_all(self._commands, self._state)[0] if self._may_reach() else ()
        taken, elsewhere = self._taken(self._predicted), self._elsewhere(self._predicted)
        for index, command in enumerate(self._commands):
            claims = () if command.effect is Effect.OPAQUE else self._places(command)
            claims = tuple(dict.fromkeys((*claims, *elsewhere.get(index, ()))))
            expect |= {address: self._state.version(address) for address in claims}
            claims += tuple(taken.get(index, ()))
            entries.append(
                Accepted(
                    command=raw(command),
                    actor=context.actor,
                    run=context.run,
                    process=context.process,
                    message=context.message,
                    because=context.because,
                    undoes=context.undoes if command.ends else (),
                    agreed=None if context.agreed is None else tuple(sorted(context.agreed)),
                    direct=context.direct,
                    claims=claims,
                    resealed={
                        place: others
                        for place, others in context.resealed.items()
                        if split(place)[0] in command.on
                    },
                    held=not command.ends,
                    serial=context.serial,
                )
            )
        first = context.log.append(entries, expect=expect, run=context.run, holder=context.holder)
        self._positions = list(range(first, first + len(entries)))

    def _places(self, command: Command) -> tuple[Address, ...]:
        """Return the addresses of a command, and those of what cannot be there at the same time."""
        kinds = self._context.kinds
        rivals = (rival for address in command.on for rival in kinds.rivals(address))
        return tuple(dict.fromkeys((*command.on, *rivals)))

    def _may_reach(self) -> bool:
        """Tell whether commands may take something for themselves, or have an effect elsewhere."""
        kinds = self._context.kinds
        ons = (a for c in self._commands if c.effect is Effect.STATE for a in c.on)
        if any(kinds.holding(a) or kinds.altering(a) or kinds.clinging(a) for a in ons):
            return True
        return any(kinds.by_hand(a) for c in self._commands for a in c.on)

    def _taken(self, targets: Sequence[Target]) -> dict[int, list[Address]]:
        """Return, for each command by its index, what it takes for itself, and what it rests on."""
        kinds, taken = self._context.kinds, dict[int, list[Address]]()
        for index, address, change, *_ in targets:
            if change is not None:
                held = {*kinds.held(address, change.before)}
                taken.setdefault(index, []).extend(
                    h for h in kinds.held(address, change.after) if h not in held
                )
        for target in targets:
            taken.setdefault(target.command, []).extend(resting(kinds, target))
        return taken

    def _elsewhere(self, targets: Sequence[Target]) -> dict[int, list[Address]]:
        """Return, for each command by its index, what else it changes: what it displaces, and alters."""
        found: dict[int, list[Address]] = {}
        for target in targets:
            displaced = () if target.by is None else (target.address,)
            found.setdefault(target.command, []).extend((*displaced, *self._altered(target)))
        return found

    def _altered(self, target: Target) -> list[Address]:
        """Return what is managed, or will be by then, and given other values when a target changes."""
        command, change = self._commands[target.command], target.change
        if change is None or command.effect is not Effect.STATE or same(change.before, change.after):
            return []
        own = {address for command in self._commands for address in command.on}
        others = self._context.kinds.altered(target.address, change)
        return [a for a in others if a not in command.on and (a in own or self._state.get(a) is not None)]

    async def _decide(self) -> list[Target]:
        """Look, take in what changed outside, and decide."""
        state, decided = self._state, self._commands
        expected = expectations(decided, self._context.kinds)
        again = self._again()
        wanted = self._look_at()
        found, unseen = await look(wanted, state, self._context, self, expected=expected, again=again)
        believed = believe(state, found).absent(self._missed(found))
        believed = learn(decide_all(decided, believed)[0], believed, found)
        targets, self._withheld = gate(
            self._context.kinds, decided, believed, self._context.agreed, direct=self._context.direct
        )
        self._unseen = unseen
        self._note_drift(targets, believed)
        return list(self._unless_unseen(targets))

    def _again(self) -> set[Address]:
        """Return what ends and is made again in this run, as far as is known before anybody looked."""
        ons = [a for c in self._commands if c.effect is Effect.STATE for a in c.on]
        twice = {
            address for address in ons if self._state.get(address) is not None and ons.count(address) > 1
        }
        if not twice:
            return set()
        targets = decide_all(self._commands, self._state)[0]
        ends = {t.address for t in targets if t.change is not None and t.change.after is None}
        begins = {t.address for t in targets if t.change and t.change.before is None and t.change.after}
        return twice & ends & begins

    def _look_at(self) -> Mapping[Address, int]:
        """Return the addresses to look at, each with the command that wants it."""
        kinds, wanted = self._context.kinds, dict[Address, int]()
        for position, command in zip(self._positions, self._commands, strict=True):
            if command.effect is not Effect.STATE:
                continue
            for address in command.on:
                wanted.setdefault(address, position)
                for need in kinds.kind(address).needs(address, self._state.get(address)):
                    if self._state.version(need):
                        wanted.setdefault(need, position)
                for other in kinds.kind(address).concerns(address, command):
                    wanted.setdefault(other, position)
        for target in self._predicted:
            if target.by is not None:
                wanted.setdefault(target.address, self._positions[target.command])
            for other in self._along(target):
                wanted.setdefault(other, self._positions[target.command])
        return wanted

    def _along(self, target: Target) -> Iterator[Address]:
        """Iterate over what is managed and would go along, were it attached by now to what ends at a target.

        What is refused as far as is known may come to be done on what is found, so it is asked for, too.
        """
        kinds, address = self._context.kinds, target.address
        ends = target.change is None or target.change.after is None
        clinging = kinds.clinging(address) if ends else frozenset()
        if clinging and self._commands[target.command].effect is Effect.STATE:
            which = kinds.machine_of(address), clinging
            if which not in self._beside:
                self._beside[which] = [
                    other
                    for other in self._state.resources()
                    if kind_of(other) in clinging and kinds.machine_of(other) == which[0]
                ]
            yield from self._beside[which]

    def _missed(self, found: Mapping[Address, Resource | None]) -> Iterator[Address]:
        """Iterate over what commands are about to refer to and is not there, so that they can be refused."""
        own = {address for command in self._commands for address in command.on}
        for command in self._commands:
            for address in command.on if command.effect is Effect.STATE else ():
                concerned = self._context.kinds.kind(address).concerns(address, command)
                others = (a for a in concerned if a not in own)
                yield from (other for other in others if other in found and found[other] is None)

    def _note_drift(self, targets: Sequence[Target], believed: State) -> None:
        """Record what was found changed at what is managed, or is about to be, and what is known anew."""
        refused = {t.address for t in targets if t.change is None}
        first: dict[Address, int] = {}
        for target in targets:
            if self._commands[target.command].ends:
                first.setdefault(target.address, target.command)
        found, anew = [[Delta()] for _ in self._commands], [[Delta()] for _ in self._commands]
        for address, index in first.items():
            known = self._real[address] = self._state.get(address)
            if address in self._unseen or (address in refused and known is None):
                continue
            seen = drift(self._state, believed, [address])
            new = refreshed(self._state, believed, [address])
            if (seen or new) and self._commands[index].effect is Effect.STATE:
                found[index].append(seen)
                anew[index].append(new)
                self._real[address] = believed.get(address)
        self._observed = [composed(deltas) for deltas in found]
        for index, (seen, new) in enumerate(zip(self._observed, map(composed, anew), strict=True)):
            delta = Delta({**seen, **new})
            if delta:
                context = self._context
                self._queue.append(
                    Event(
                        type=OBSERVED,
                        delta=raw_delta(delta),
                        command=self._positions[index],
                        actor=context.actor,
                    )
                )

    def _unless_unseen(self, targets: Sequence[Target]) -> Iterator[Target]:
        """Iterate over targets; what could not be looked at is refused, with all that comes with it."""
        why: dict[tuple[int, Address], str] = {}
        for target in targets if self._unseen else ():
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
        if target.address in self._unseen:
            yield self._unseen[target.address]
        elif target.change is not None and target.change.before is not None:
            for other in self._along(target):
                if other in self._unseen:
                    yield f"{label(other)} could not be looked at, and may go along: {self._unseen[other]}"

    def _expect(self, targets: Sequence[Target]) -> None:
        """Note how much of each command is to be done, and what is to be looked up again after it."""
        for index, command in enumerate(self._commands):
            mine = [target for target in targets if target.command == index]
            altered = dict.fromkeys(a for t in mine if command.ends for a in self._altered(t))
            self._left[index] = len(mine) + bool(altered)
            if altered:
                self._to_renew[index] = list(altered)

    async def _renew(self) -> None:
        """Look up again what machines give where commands altered it, and record it as theirs."""
        if not self._to_renew:
            return
        wanted = {
            address: self._positions[index]
            for index, altered in self._to_renew.items()
            for address in altered
            if self._deltas[index] and self._known(address) is not None
        }
        found, _ = await look(wanted, self._believed(wanted), self._context, self)
        for index, altered in self._to_renew.items():
            for address in altered:
                known = self._known(address)
                now = renewed(known, found.get(address))
                if wanted.get(address) == self._positions[index] and now != known:
                    self._note(index, address, now, self._commands[index].past)
            self._over(index)

    def _believed(self, addresses: Iterable[Address]) -> State:
        return self._state.put([(address, self._known(address)) for address in addresses])

    def _tasks(self, targets: Sequence[Target]) -> list[Task]:
        """Make a task of everything that has something to do, with what it depends on."""
        order = Dependencies[Task](self._context.kinds)
        by_command: dict[int, list[Target]] = {}
        for target in targets:
            by_command.setdefault(target.command, []).append(target)
        made: list[tuple[Target, Task | None]] = []
        for index in range(len(self._commands)):
            for target in by_command.get(index, ()):
                task = self._task(target, order)
                if task is not None or self._is_wrong(target):
                    made.append((target, task))
        if self._context.serial:
            return in_turns(made, self._context.serial, self._is_wrong)
        return [task for _, task in made if task is not None]

    def _is_wrong(self, target: Target) -> bool:
        """Tell whether a command went wrong at an address, or was refused there."""
        return target.address in self._problems[target.command]

    def _task(self, target: Target, order: Dependencies[Task]) -> Task | None:
        index, address, change, refusal, by = target
        command = self._commands[index]
        if not command.ends:
            return None
        if change is None:
            self._problems[index][address] = refusal or "refused"
            self._refused[index] += address not in self._unseen
            self._over(index, address)
            return None
        if command.effect is Effect.OPAQUE:
            return self._opaque_task(index, address, order)
        after = order.after(address, change) + self._released.pop((index, address), [])
        if command.effect is Effect.RECORD and not after:  # else it is recorded behind what is done before
            self._record(index, address, change.after, command.past)
            return None
        if same(change.before, change.after) and not after:
            self._over(index, address)
            return None
        program: Any = _nothing(change.after)
        if not same(change.before, change.after) and command.effect is not Effect.RECORD:
            program = self._program(target, change)
        task = Task(program, self._positions[index], after, self._token(index, address, by))
        order.add(address, change, task)
        self._targets[id(task)] = target
        if by is not None:
            self._released.setdefault((index, by), []).append(task)
        return task

    def _program(self, target: Target, change: Change[Resource]) -> Any:  # noqa: ANN401
        """Return the program of a command at one of its addresses; what it displaces, its kind lets go."""
        kinds, command = self._context.kinds, self._commands[target.command]
        if target.by is not None:
            return kinds.kind(target.address).act(target.address, change, self._known)
        return kinds.program(command, target.address, change, self._known)

    def _token(self, index: int, address: Address, by: Address | None = None) -> str:
        """Return what no other address of any command has, and no other that it is displaced for."""
        token = f"{self._context.run}-{self._positions[index]}-{address}"
        return token if by is None else f"{token}-{by}"

    def _known(self, address: Address) -> Resource | None:
        """Return what is known at an address by now."""
        return self._real[address] if address in self._real else self._state.get(address)

    def _opaque_task(self, index: int, address: Address, order: Dependencies[Task]) -> Task:
        change: Change[Resource] = Change(None, None)
        program = self._context.kinds.program(self._commands[index], address, change, self._known)
        task = Task(program, self._positions[index], order.barrier(address), self._token(index, address))
        order.set_barrier(address, task)
        self._targets[id(task)] = Target(index, address, change)
        return task

    # The journal of the driver.

    def started(self, batches: Sequence[Sending]) -> Sequence[int]:
        """Record that batches are about to be sent, in one commit."""
        entries = [
            Started(
                machine=batch.machine,
                commands=tuple(batch.owners),
                instructions=tuple(raw(i) for i in batch.instructions),
                after=dict(batch.after),
            )
            for batch in batches
        ]
        before = [*self._queue]
        self._queue += entries
        try:
            last = self._flush()
        except LogError:
            self._queue = before if self._fenced is None else []  # they are not sent
            raise
        positions = range(last - len(entries) + 1, last + 1)
        self._sent |= {at: entry.commands for at, entry in zip(positions, entries, strict=True)}
        self._to |= {at: entry.machine for at, entry in zip(positions, entries, strict=True)}
        pairs = zip(positions, batches, strict=True)
        self._acting |= {at for at, batch in pairs if not all(i.looks for i in batch.instructions)}
        return positions

    def finished(self, started: int, outcomes: Sequence[Any], tasks: Sequence[Task]) -> None:
        """Record that one came back and what really changed; looks can wait for the next commit.

        What a person reports later is recorded as deferred.
        """
        met = self._context.machines.news(self._to[started])
        for entry in answered(started, self._sent[started], outcomes, met):
            self._queue.append(entry)
            if isinstance(entry, Deferred):
                self._orders |= dict.fromkeys(entry.commands, started)
                self._due = True
        for task in tasks:
            if id(task) in self._targets:
                self._finish_after(task)
                self._due = True

    def settled(self) -> None:
        """Commit what came back, unless it can wait."""
        if self._due:
            self._due = False
            self._flush()

    def _wait(self, task: Task) -> None:
        """Let a command wait; one of which no step is in an order waits for that of what it comes after."""
        index = self._targets[id(task)].command
        position = self._positions[index]
        self._waiting.add(index)
        before = [self._orders[other.owner] for other in behind(task) if other.owner in self._orders]
        if position not in self._orders and before:
            self._orders[position] = before[0]
            self._queue.append(Deferred(started=before[0], commands=(position,)))

    def _finish_after(self, task: Task) -> None:
        """Finish a task, first those that it came after and that had nothing to send."""
        for other in task.after:
            if other.done and id(other) in self._targets:
                self._finish_after(other)
        self._finish(task)

    def _finish(self, task: Task) -> None:
        index, address, change, *_ = self._targets.pop(id(task))
        command = self._commands[index]
        if task.notes:
            self._notes[index][address] = "; ".join(dict.fromkeys(task.notes))
        if task.failure is not None:
            if task.cancelled:
                self._cancelled[index].add(address)
            if task.failure.skipped:
                self._untried[index].add(address)
            if task.partly and change is not None:
                self._finish_partly(index, address, change, task)
                return
            if task.failure.in_doubt:
                self._doubt.add(index)
            self._problems[index][address] = task.failure.reason
            self._over(index, address)
        elif command.effect is Effect.OPAQUE:
            self._report(index, address, task.result)
        elif change is None or same(change.before, change.after):
            self._over(index, address)
        elif command.effect is Effect.RECORD:
            self._finish_record(index, address)
        else:
            real = settle(change.after, task.result)
            if not keeps(real, change.after):
                self._problems[index][address] = _deviation(change.after, real)
            self._record(index, address, real, command.past)

    def _finish_record(self, index: int, address: Address) -> None:
        """Record what is only on record, of what a command before it really made there."""
        command, now = self._commands[index], self._state.put(self._real.items())
        try:
            after = step(command, address, now).get(address)
        except Refused as refused:
            self._problems[index][address] = str(refused)
            self._over(index, address)
        else:
            self._record(index, address, after, command.past)

    def _finish_partly(self, index: int, address: Address, change: Change[Resource], task: Task) -> None:
        """Record what a program left that failed half-way, or did not where only a look could tell."""
        decided = change.before if change.after is None else overlay(change.before, change.after)
        left, failure = settle(decided, task.result), task.failure
        if failure is not None and not (failure.final and same(left, change.after)):
            self._problems[index][address] = failure.reason
        self._record(index, address, left, self._commands[index].past)

    def _record(self, index: int, address: Address, real: Resource | None, past: str) -> None:
        self._note(index, address, real, past)
        self._over(index, address)

    def _note(self, index: int, address: Address, real: Resource | None, past: str) -> None:
        delta = Delta({address: Change(self._known(address), real)})
        self._real[address] = real
        self._deltas[index].append(delta)
        if delta:
            self._event(index, past, delta)

    def _report(self, index: int, address: Address, result: Any) -> None:  # noqa: ANN401
        self._reports[index][address] = result
        if getattr(result, "status", 0):
            self._problems[index][address] = f"exit status {result.status}"
        self._event(index, self._commands[index].past, Delta(), opaque=True)
        self._over(index, address)

    def _event(self, index: int, past: str, delta: Delta, *, opaque: bool = False) -> None:
        last = self._queue[-1] if self._queue else None
        position = self._positions[index]
        encoded = raw_delta(delta)
        if isinstance(last, Event) and (last.command, last.type, last.opaque) == (position, past, opaque):
            if not any(address in last.delta for address in encoded):
                last.delta.update(encoded)  # nobody has seen it yet
                return
        self._queue.append(Event(type=past, delta=encoded, command=position, opaque=opaque))

    def _over(self, index: int, address: Address | None = None) -> None:
        """Note that a command is over at an address, or with what it altered elsewhere."""
        self._left[index] -= 1
        if address in self._commands[index].on:
            self._context.watcher.finished(self._commands[index], address)
        if not self._left[index] and index not in self._doubt:
            problems = "; ".join(f"{label(a)}: {why}" for a, why in self._problems[index].items())
            ended = Ended(command=self._positions[index], status=self._status(index), error=problems or None)
            self._queue.append(ended)

    def _flush(self) -> int:
        """Commit what is queued; return the position of the last entry."""
        if not self._queue:
            return 0
        if self._fenced is None:
            try:
                first = self._context.log.append(self._queue, run=self._context.run)
            except Fenced as error:
                self._fenced = error
            else:
                last = first + len(self._queue) - 1
                self._queue = []
                return last
        self._record_late()
        raise self._fenced

    def _record_late(self) -> None:
        """Record what machines told after this run was taken over: it changes nothing, and is looked at."""
        sent = {batch: self._sent[batch] for batch in self._acting}
        commands = dict(zip(self._positions, self._commands, strict=True))
        late = told_late(self._queue, sent, commands, self._context.actor)
        self._queue = []
        if late is not None:
            self._late.append(self._context.log.append([late]))

    def _fenced_off(self, error: Fenced) -> Fenced:
        """Return what is told where another process took this run over, with what it was told since."""
        with suppress(Fenced):
            self._flush()
        if not self._late:
            return error
        at = ", ".join(map(str, self._late))
        return Fenced(f"{error}; what it was told since then is recorded at position {at}")

    def _status(self, index: int) -> str:
        if index in self._doubt:
            return "open"
        if index in self._waiting:
            return "waiting"
        if self._refused[index] == len(self._commands[index].on):
            return "refused"
        if self._problems[index]:
            cancelled = self._problems[index].keys() <= self._cancelled[index]
            return "cancelled" if cancelled else "failed"
        changed = composed(self._deltas[index]) or self._reports[index]
        return "done" if changed else "unchanged"

    def _result(self, index: int) -> Result:
        return Result(
            command=self._commands[index],
            status=self._status(index),
            delta=composed(self._deltas[index]),
            observed=self._observed[index],
            problems=self._problems[index],
            untried=self._untried[index],
            losses=self._withheld.get(index, ()),
            notes=self._notes[index],
            reports=self._reports[index],
            position=self._positions[index],
            order=self._orders.get(self._positions[index]) if index in self._waiting else None,
        )


def answered(
    started: int, owners: Sequence[int], outcomes: Sequence[Any], met: Mapping[str, Identity] = NOBODY
) -> list[AnyEntry]:
    """Return what is recorded of a batch that was answered: what came back, and what a person has in hand.

    So is who answered, where that is new.
    """
    back = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, Later)]
    later = dict.fromkeys(owners[n] for n, outcome in enumerate(outcomes) if isinstance(outcome, Later))
    entries: list[AnyEntry] = []
    if back:
        told, some = tuple(raw(outcomes[n]) for n in back), tuple(back) if later else ()
        who = {name: dict(identity) for name, identity in met.items()}
        entries.append(Finished(started=started, outcomes=told, of=some, met=who))
    return [*entries, Deferred(started=started, commands=tuple(later))] if later else entries


def _nothing(result: Resource | None) -> "Program[Resource | None]":
    """Do nothing; there is only something to wait for."""
    yield from ()
    return result


def _deviation(asked: Resource | None, real: Resource | None) -> str:
    fields = ", ".join(Change(asked, real).fields)
    return f"the machine did not do as asked with {fields or 'it'}; see `lasercats diff`"
