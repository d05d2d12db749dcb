"""A host: a machine that runs a batch as one shell script. Local and SSH hosts differ in the pipe only.

What may change something holds a lock there as long as anything is at work for it (`instructions.lock`). So
what became of it is only judged when nothing is at work any more, and what did not begin by then never does.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple

from lasercats.core.errors import LaserCatsError, MachineError, StillWorking
from lasercats.core.identity import Who
from lasercats.core.instruction import Batch, Failure, Instruction, Item, not_tried
from lasercats.core.ports import Sink, Vault
from lasercats.core.secret import Sealed
from lasercats.core.text import escape
from lasercats.instructions.host import ExecResult, Execute, ReadPath
from lasercats.instructions.shell import Act, Look, ending
from lasercats.instructions.tools import OPTIONAL, ProbeTools
from lasercats.machines.hearing import Hearing, Streaming
from lasercats.machines.shell import (
    HEARD,
    MOST,
    OVER,
    BatchScript,
    Command,
    Settling,
    identity,
    parts,
    weight,
)

RUNNER = r"""
lc_failed=0
lc() { # What does not work in rooms runs where the script was begun, and meets nothing of ours.
  case $1 in
    lc_*) "$@" ;;
    *) $lc_quit; ( "$@" ) ;;
  esac || { lc_failed=1; echo "failed: $1 $2" >&2; }
}
""".strip()
END = "LASERCATS_SCRIPT_END"
SILENCE = 60
"""Seconds that a host may tell nothing while it looks or acts."""
WAIT = 15
"""Seconds that a batch that is to be judged may take to end by itself."""


def lock(token: str) -> bytes:
    """Return what the lock of a batch is called on a host; a token may be any text."""
    return hashlib.blake2s(token.encode(), digest_size=16).hexdigest().encode() if token else b""


class HostMachine:
    """A host behind some pipe to a POSIX shell."""

    parallel = False
    vocabulary: Collection[type[Instruction]] = (Look, Act, Execute)

    def __init__(self, name: str, vault: Vault, patience: float = SILENCE, *, sudo: bool = False) -> None:
        """Name the host; it may be silent for so many seconds."""
        self.name, self.who = name, Who(name)
        self.trips = 0
        self._vault, self._patience, self._sudo = vault, patience, sudo

    async def pipe(self, script: bytes, hearing: Hearing) -> int | None:
        """Run `/bin/sh -s` with a script as its input; return its status, None when it got lost.

        A shell that ends before it has read its input is not lost.

        Raises:
            MachineError: the host cannot be used; nothing was run.

        """
        raise NotImplementedError

    async def close(self) -> None:
        """Disconnect."""

    def shell(self) -> str:
        """Return the command that starts a shell on the host which reads from standard input."""
        return "/bin/sh -s"

    def script(self, instructions: Sequence[Instruction], *, alone: bool) -> str:
        """Return instructions as a script for this host; half of it does nothing."""
        lines = [instruction.line() for instruction in instructions]
        shell = "".join(parts([one for one in instructions if isinstance(one, Act)])) + RUNNER
        body = "\n".join(["{", shell, *(f"lc {line}" for line in lines), 'exit "$lc_failed"', "}"])
        if alone:
            return f"# Run it with sh on {self.name}.\n{body}"
        end = ending(body, END)
        return f"# {self.name}\n{self.shell()} <<'{end}' || lc_failed=1\n{body}\n{end}"

    async def resolve(self, batch: Batch, token: str = "", *, end: bool = False) -> Sequence[Any | None]:
        """Let the batch end, or end it, and remove what a dead shell left; a look says what became of it.

        Raises:
            StillWorking: something is at work for it; or nobody can tell, unless it was to be ended.

        """
        acts = [item.instruction for item in batch if not item.instruction.looks]
        folders = dict.fromkeys(folder for act in acts if isinstance(act, Act) for folder in act.folders())
        if acts and (token or folders):
            left = await self._settle(token, 0 if end else WAIT, list(folders), end=end)
            if left is not None and (left.still or not end):
                raise StillWorking(self.name, left.fact, ended=end)
        return [None] * len(batch)

    async def _settle(
        self, token: str, seconds: int, folders: Sequence[bytes] = (), *, end: bool
    ) -> "_Left | None":
        """Let a batch end within some seconds, or then end it; return what is left of it."""
        script = Settling(lock(token), seconds, folders, self.who.must, end=end)
        hearing = Hearing(script.mark, self._patience + seconds, HEARD)
        why = self._why(hearing, await self._pipe(script.encode(), hearing))
        self.who.meet(identity(hearing.output, script.mark))
        records = script.read(hearing.output)
        if records is None:
            raise MachineError(f"what became of it cannot be asked of machine {self.name}: {why.reason}")
        still, unknown = (
            b" ".join(f for fs in records.get(key, ()) for f in fs) for key in (b"still", b"unknown")
        )
        return _Left(escape(still), escape(unknown)) if still or unknown else None

    async def check(self) -> str | None:
        """Make the round trip that work makes: a look, and a look at the tools. Return what is worth telling.

        Raises:
            MachineError: the host cannot be used.

        """
        looks = (ProbeTools(machine=self.name), ReadPath(machine=self.name, path="/"))
        script = BatchScript(tuple(map(Item, looks)), self._vault, must=self.who.must)
        hearing, why = await self._talk(script)
        missing, root = script.outcomes(hearing.output, hearing.messages, why)
        if isinstance(missing, Failure):
            raise MachineError(f"machine {self.name} answers, but cannot be worked with: {missing.reason}")
        lacking = [name for name in missing if name in OPTIONAL]
        if len(lacking) < len(missing):
            missing = [name for name in missing if name not in OPTIONAL]
            raise MachineError(
                f"machine {self.name} answers, but lacks {', '.join(missing)}; "
                "install the tools of GNU coreutils, findutils or busybox there"
            )
        if isinstance(root, Failure):
            raise MachineError(f"machine {self.name} answers, but a look at / fails: {root.reason}")
        lines = [
            f"prints {_shown(said)} before our script, which is passed over"
            for said in hearing.before()
            if said
        ]
        lines = [*lines[:1], *(f"has no {name}, {OPTIONAL[name]}" for name in lacking)]
        return f"answers, and {'; and it '.join(lines)}" if lines else None

    async def run(self, batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
        """Run a batch: its scripted part in one round trip, a raw command in one of its own.

        Raises:
            MachineError: the host cannot be used; nothing was done.

        """
        outcomes: list[Any] = [self._unopened(item.instruction) for item in batch]
        sending = _Sending(token)
        try:
            for part in self._parts(batch, outcomes):
                item = batch[part[0]]
                if not isinstance(item.instruction, Execute):
                    await self._scripted(batch, part, outcomes, sending)
                elif any(isinstance(outcomes[j], Failure) for j in item.after):
                    outcomes[part[0]] = not_tried()
                else:
                    outcomes[part[0]] = await self._execute(item.instruction, sink, sending)
        except LaserCatsError as error:  # what is not answered yet was not sent; the rest stands
            if all(outcome is None for outcome in outcomes):
                raise
            return [Failure(reason=str(error)) if outcome is None else outcome for outcome in outcomes]
        return outcomes

    def _unopened(self, instruction: Instruction) -> Failure | None:
        """Return the failure of an instruction whose secret cannot be opened; its neighbours go on."""
        for name in instruction.__struct_fields__:
            value = getattr(instruction, name)
            if isinstance(value, Sealed):
                try:
                    self._vault.open(value, getattr(instruction, "place", ""))
                except LaserCatsError as error:
                    return Failure(reason=str(error))
        return None

    def _parts(self, batch: Batch, outcomes: Sequence[Any]) -> Iterator[list[int]]:
        """Split a batch where a raw command stands, and where a script would be too large."""
        part, size = list[int](), 0
        for i, item in enumerate(batch):
            if outcomes[i] is not None:
                continue
            raw = isinstance(item.instruction, Execute)
            more = 0 if raw else weight(item, self._vault)
            if part and (raw or size + more > MOST):
                yield part
                part, size = [], 0
            if raw:
                yield [i]
            else:
                part.append(i)
                size += more
        if part:
            yield part

    async def _scripted(
        self, batch: Batch, part: Sequence[int], outcomes: list[Any], sending: "_Sending"
    ) -> None:
        """Run a part of a batch; what its host leaves for later is asked once more."""
        while part := [i for i in part if outcomes[i] is None]:
            for i in part:
                if any(isinstance(outcomes[j], Failure) for j in batch[i].after):
                    outcomes[i] = not_tried()
            left = [i for i in part if outcomes[i] is None]
            place = {i: n for n, i in enumerate(left)}
            items = (
                Item(batch[i].instruction, tuple(place[j] for j in batch[i].after if j in place))
                for i in left
            )
            script = BatchScript(tuple(items), self._vault, sending.lock(), self.who.must)
            hearing, why = await self._talk(script, sending.token)
            answers = script.outcomes(hearing.output, hearing.messages, why)
            if left and all(answer is None for answer in answers):
                answers = [Failure(reason="the host left it for later, and then again") for _ in left]
            for i, answer in zip(left, answers, strict=True):
                outcomes[i] = answer

    async def _talk(self, script: BatchScript, token: str = "") -> tuple[Hearing, Failure]:
        """Send a script; return what was heard, and what became of an item of which nothing was."""
        hearing = Hearing(script.mark, max(self._patience, script.patience), script.most)
        why = self._why(hearing, await self._pipe(script.encode(), hearing, token))
        self.who.meet(identity(hearing.output, script.mark))
        return hearing, why

    async def _execute(self, instruction: Execute, sink: Sink | None, sending: "_Sending") -> Any:  # noqa: ANN401
        def receive(data: bytes) -> None:
            if sink is not None:
                sink(self.name, instruction, data)

        command = Command(instruction.words(), sending.lock(), self.who.must)
        hearing = Streaming(command.mark, self._patience, instruction.timeout, receive)
        status = await self._pipe(command.encode(), hearing, sending.token)
        self.who.meet(identity(hearing.preface or hearing.output, command.mark))
        if status is not None and hearing.begun:
            return ExecResult(status, escape(bytes(hearing.output), lines=True))
        return Failure(reason=OVER) if command.judged(hearing.output) else self._why(hearing, status)

    async def _pipe(self, script: bytes, hearing: Hearing, token: str = "") -> int | None:
        self.trips += 1
        status = await self.pipe(script, hearing)
        if hearing.ended is None:
            return status
        hearing.ended += f", and {await self._ended(token) or f'was {hearing.way}'}"
        return None

    async def _ended(self, token: str) -> str | None:
        """See that what was given up has ended; return why that is not certain, if it is not."""
        if not token:
            return None
        try:
            left = await self._settle(token, 0, end=True)
        except MachineError as error:
            return f"it may be at work still: {error}"
        return None if left is None else left.fact

    def _why(self, hearing: Hearing, status: int | None) -> Failure:
        if hearing.ended is not None:
            return Failure(reason=hearing.ended, in_doubt=True)
        if status is None:
            return Failure(reason="the connection was lost", in_doubt=True)
        said = (bytes(hearing.messages).strip() or bytes(hearing.output).strip()).splitlines()[-1:]
        reason = escape(said[0][:500]) if said else "no output"
        if hearing.begun:
            return Failure(reason=f"the shell ended with status {status}: {reason}", in_doubt=True)
        if self._sudo and "password" in reason:
            reason = (
                f"sudo wants a password ({reason}); let the user run /bin/sh by sudo without one (NOPASSWD)"
            )
        elif self._sudo:
            reason = f"sudo started no shell ({reason}); `sudo -n /bin/sh` must work there"
        else:
            reason = f"no shell was started: status {status}, {reason}"
        return Failure(reason=reason)


class _Sending:
    """A batch on its way: each of its shells has a lock of its own."""

    def __init__(self, token: str) -> None:
        self.token = token
        self._name, self._numbers = lock(token), count(1)

    def lock(self) -> bytes:
        """Return the lock of the next shell; nothing where the batch has no token."""
        return b"%s %d" % (self._name, next(self._numbers)) if self._name else b""


class _Left(NamedTuple):
    """What is left of a batch on its host."""

    still: str
    """The numbers of the processes that are at work."""
    unknown: str
    """Why nobody can tell."""

    @property
    def fact(self) -> str:
        """What is so."""
        if self.still:
            return f"it is still at work there (process {self.still})"
        return f"nobody can tell whether it is still at work there: {self.unknown}"


def _shown(said: bytes) -> str:
    first, *more = said.splitlines()
    return repr(escape(first[:80])) + (" and more" if more or len(first) > 80 else "")  # noqa: PLR2004
