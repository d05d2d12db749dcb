"""The library: what the command line does, for programs of others. `lasercats.open` is the way in.

Nothing here handles signals, begins a loop or prints. A project belongs to the thread that opened it; what
waits for machines is a coroutine, all else reads or writes the log at once. Tasks that work at the same time
may share one project: the claims of the log keep them apart, as they do processes.

What the methods answer are the types of this package. `lasercats.operate.data` makes plain data of them, as
`data.results(await project.issue(…))`: the JSON that the command line prints, with its schemas.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from msgspec import to_builtins

from lasercats.core.address import Address
from lasercats.core.command import Command
from lasercats.core.document import render
from lasercats.core.errors import BadInput
from lasercats.core.loss import Loss
from lasercats.core.registry import convert
from lasercats.core.resource import Resource, decisions
from lasercats.core.state import State
from lasercats.core.text import clean
from lasercats.interpreters.context import Result, Watcher
from lasercats.operate import history, moments
from lasercats.operate.adopt import Discovery, discover
from lasercats.operate.blame import Blame, blame
from lasercats.operate.documents import read_documents
from lasercats.operate.issue import build, carry_out
from lasercats.operate.losses import foresee
from lasercats.operate.observe import Observation, observe, record
from lasercats.operate.plan import Plan, make
from lasercats.operate.project import Project, find
from lasercats.operate.recover import Recovered, recover
from lasercats.operate.settings import DEFAULT
from lasercats.operate.spans import spans
from lasercats.operate.undo import plan_undo

if TYPE_CHECKING:
    from lasercats.operate.history import Happening
    from lasercats.views.query import Answer

PAUSE = 0.1
"""Seconds between two looks at the end of the log."""


class Session:
    """An open project. Use it as `async with lasercats.open(folder, actor="ci") as project`."""

    def __init__(self, folder: str | Path, *, actor: str, environment: str = DEFAULT) -> None:
        """Say which project is to be opened, in which environment: the one that a folder lies in."""
        self._folder, self._actor, self._environment = folder, actor, environment
        self._project: Project | None = None
        self._thread = 0
        self._working, self._idle = 0, asyncio.Event()

    async def __aenter__(self) -> Self:
        """Open it.

        Raises:
            LaserCatsError: the folder lies in no project.
            Untrusted: the project is somebody else's.
            BadInput: there is no such environment, or its `lasercats.toml` is malformed.

        """
        if not isinstance(self._actor, str) or not self._actor:
            raise BadInput("who acts is not said; give lasercats.open an actor, such as 'ci@example.org'")
        if self._project is not None:
            raise BadInput("the project is open already; open another one for a second block")
        self._path = _resolved(self._folder)
        self._project = Project(find(self._path), str(self._environment), actor=self._actor)
        self._thread = get_ident()
        return self

    async def __aexit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let what is under way finish, as after `stop`; then leave the machines and the log."""
        project = self.project
        try:
            while self._working:
                project.stopping.ask()
                self._idle.clear()
                await self._idle.wait()
            await project.machines.close()
        finally:
            self._project = None
            project.close()

    @contextmanager
    def _at_work(self) -> Iterator[Project]:
        """Count a piece of work, so that the project stays open for it."""
        project = self.project
        self._working += 1
        try:
            yield project
        finally:
            self._working -= 1
            self._idle.set()

    @property
    def project(self) -> Project:
        """The project, for what is not wrapped here.

        Raises:
            BadInput: it is not open.

        """
        if self._project is None:
            raise BadInput("the project is not open; use it inside `async with lasercats.open(…)`")
        if get_ident() != self._thread:
            raise BadInput("a project belongs to the thread that opened it; open another one in this thread")
        return self._project

    # What there is.

    def state(self, at: str | int | None = None) -> State:
        """Return the state: a mapping of addresses to resources, now or at a position of the past.

        Raises:
            BadInput: the log has no such position.

        """
        return self.project.state(None if at is None else moments.resolve(self.project.log, str(at)))

    def document(self, at: str | int | None = None) -> str:
        """Return the state as a document, in YAML."""
        return render(self.state(at).resources().items(), kinds=self.project.kinds)

    async def observe(self, *targets: str, watcher: Watcher | None = None) -> Observation:
        """Look at machines, at addresses, or at all that is managed; record nothing.

        Raises:
            BadInput: a target is neither a bound machine nor an address.

        """
        with self._at_work() as project:
            return await observe(project, targets, watcher=watcher)

    def record(self, seen: Observation, message: str | None = None) -> Observation:
        """Record what was found changed outside; from now on it is the state.

        Raises:
            LogConflict: a command changed it meanwhile; nothing was recorded.

        """
        return record(self.project, seen, _text(message))

    async def discover(self, *machines: str) -> Discovery:
        """Find what is on machines and not managed yet; `record` of what was `seen` takes it in."""
        with self._at_work() as project:
            return await discover(project, machines)

    # What to do.

    def command(self, name: str, *on: str, **fields: Any) -> Command:  # noqa: ANN401
        """Build a command by its name, such as `file.write`, checked as it is at the command line.

        A content may be given as a `source`, the path of a local file; a secret as where it is found.

        Raises:
            BadInput: an unknown command or field, a wrong value, a bad address.

        """
        return build(
            {**fields, "command": name, "on": list(on)}, self.project.kinds, self.project.inputs(self._path)
        )

    async def losses(self, commands: Sequence[Command]) -> list[Loss]:
        """Return all that commands would destroy or interrupt, looked at where anything would be."""
        with self._at_work() as project:
            return await foresee(project, self._checked(commands))

    async def issue(
        self,
        *commands: Command,
        message: str | None = None,
        agreed: Collection[Loss] = (),
        interpreter: str = "live",
        serial: int = 0,
        watcher: Watcher | None = None,
    ) -> Sequence[Result]:
        """Carry commands out, in order; return what became of each.

        They are checked first, whoever built them. With `serial` they are carried out at so many addresses at
        a time, and at no more where that goes wrong. One that would destroy or interrupt what is not `agreed`
        to is refused, and its result has the losses.
        With the interpreter `simulate` nothing is done, and the results are what would be.

        Raises:
            BadInput: one of them may not be given; nothing was done.
            UnknownName: there is no such interpreter or machine.
            LogConflict: an address is being changed by someone else; nothing was done.
            Fenced: another process took it over in the middle.
            Unrecorded: the log cannot be written in the middle.

        """
        how = {"interpreter": interpreter, "serial": serial, "watcher": watcher}
        return await self._carry_out(self._checked(commands), message=message, agreed=agreed, **how)

    async def _carry_out(
        self,
        commands: Sequence[Command],
        *,
        message: str | None,
        **how: Any,  # noqa: ANN401 - as `carry_out` takes them
    ) -> Sequence[Result]:
        with self._at_work() as project:
            return await carry_out(project, commands, message=_text(message), **how)

    def _checked(self, commands: Iterable[Command]) -> list[Command]:
        """Return commands as they are when they are built by name.

        Raises:
            BadInput: one of them may not be given.

        """
        kinds, checked = self.project.kinds, list[Command]()
        for command in commands:
            if not isinstance(command, Command):
                raise BadInput(f"{command!r} is no command; build one with `project.command`")
            try:
                data = to_builtins(command)
            except (TypeError, ValueError) as error:
                raise BadInput(f"{command!r} is no command that can be recorded: {error}") from None
            checked.append(kinds.command(data))
        return checked

    async def plan(
        self,
        desired: Mapping[Address, Resource] | str | Path,
        *more: str | Path,
        prune: bool = False,
        refresh: bool = True,
    ) -> Plan:
        """Make the plan to a desired state: of documents, by their paths, or resources by address.

        What the documents are about is looked at first, unless `refresh` is False.

        Raises:
            BadDocument: a document is malformed.

        """
        names = [] if isinstance(desired, Mapping) else [str(name) for name in (desired, *more)]
        with self._at_work() as project:
            if isinstance(desired, Mapping):
                wanted = dict(self._desired(desired))
            else:
                wanted = read_documents(project, names)
            state = (await observe(project, also=wanted)).state if refresh else None
            return await make(project, wanted, state=state, prune=prune, documents=names)

    def _desired(self, desired: Mapping[Address, Resource]) -> Iterator[tuple[Address, Resource]]:
        """Iterate over desired resources, each checked as one of a document.

        Raises:
            BadInput: an address is none, or what is desired there is no resource of its kind.

        """
        kinds = self.project.kinds
        for text, resource in desired.items():
            address = kinds.address(str(text))
            type_ = kinds.kind(address).resource
            if not isinstance(resource, type_):
                raise BadInput(f"{address} is to be a {type_.__name__}, and not {resource!r}")
            yield address, convert(to_builtins(decisions(resource)), type_, str(address))

    async def apply(
        self, plan: Plan, *, message: str | None = None, agreed: Collection[Loss] = ()
    ) -> Sequence[Result]:
        """Carry a plan out; what it would destroy or interrupt must be `agreed` to: `plan.losses`.

        Raises:
            BadInput: something of the plan is refused; nothing was done.

        """
        for address, why in plan.problems.items():
            raise BadInput(f"the plan is refused: {address}: {why}; nothing was done")
        because = plan.because if plan.documents else None
        return await self._carry_out(plan.commands, message=message, agreed=agreed, because=because)

    async def undo(
        self,
        *positions: str | int,
        partial: bool = False,
        message: str | None = None,
        agreed: Collection[Loss] = (),
    ) -> Sequence[Result]:
        """Take commands back, by their positions, such as `HEAD`; with `partial`, as far as that goes.

        Raises:
            BadInput: there is no such position, or not all can be taken back; nothing was done.

        """
        chosen = moments.positions(self.project.log, [str(position) for position in positions])
        plan = plan_undo(self.project, chosen, partial=partial)
        for address, why in plan.problems.items():
            raise BadInput(f"this cannot all be taken back: {address}: {why}; nothing was done")
        because = " ".join(["undo", *spans(self.project, chosen)])
        how = {"agreed": agreed, "because": because, "undoes": sorted(chosen)}
        return await self._carry_out(plan.commands, message=message, **how)

    async def recover(self, *, force: bool = False) -> list[Recovered]:
        """Find out what became of what a crash left open, and end it."""
        with self._at_work() as project:
            return await recover(project, force=force)

    def stop(self) -> None:
        """Have nothing more sent: what is under way finishes. For good: open the project anew to go on."""
        self.project.stopping.ask()

    # What was.

    def log(self, first: int = 1, last: int | None = None, limit: int | None = None) -> "list[Happening]":
        """Return what happened in a range of positions, in order; of many only the last so many."""
        return history.happenings(self.project, first, last, limit=limit)

    async def follow(self, after: int | None = None) -> "AsyncIterator[Happening]":
        """Iterate over what happens from now on, or after a position, as it is accepted; without end."""
        log = self.project.log
        seen = log.head() if after is None else after
        while True:
            last = log.head()
            for happened in history.happenings(self.project, seen + 1, last) if last > seen else ():
                yield happened
            seen = max(seen, last)
            await asyncio.sleep(PAUSE)

    def blame(self, address: str, at: str | int | None = None) -> list[Blame]:
        """Return of each field of a resource who gave it its value, when, and why.

        Raises:
            BadInput: the log never spoke of it.

        """
        position = None if at is None else moments.resolve(self.project.log, str(at))
        return blame(self.project, self.project.recorded(address), position)

    def query(self, sql: str, *, as_of: str | int | None = None) -> "Answer":
        """Answer a query in SQL over the state and its history; it takes 30 seconds at most.

        Raises:
            BadInput: the query has a mistake, does not only read, or goes beyond a limit.

        """
        from lasercats.operate.query import ask  # noqa: PLC0415 - sqlglot takes long to import

        return ask(self.project, sql, as_of=as_of)


def _resolved(folder: Any) -> Path:  # noqa: ANN401 - of a caller
    """Return the path of a folder.

    Raises:
        BadInput: it is none.

    """
    try:
        return Path(folder).resolve()
    except (ValueError, TypeError, OSError) as error:
        raise BadInput(f"{folder!r} is no folder: {error}") from None


def _text(message: Any) -> str | None:  # noqa: ANN401 - of a caller
    """Return a message in the form in which it is recorded.

    Raises:
        BadInput: it is no text.

    """
    if message is not None and not isinstance(message, str):
        raise BadInput(f"a message is text, and not {message!r}")
    return None if message is None else clean(message)
