"""A host: a machine that runs a batch as one shell script. Local and SSH hosts differ in the pipe only."""

from collections.abc import Collection, Iterator, Sequence
from posixpath import dirname
from typing import Any

from lasercats.core.errors import LaserCatsError, MachineError
from lasercats.core.instruction import Batch, Failure, Instruction, Item
from lasercats.core.ports import Sink, Vault
from lasercats.core.text import escape, unescape
from lasercats.instructions.host import PRELUDE, VOCABULARY, ExecResult, Execute, ReadPath
from lasercats.instructions.shell import ending, raw
from lasercats.instructions.tools import ProbeTools
from lasercats.machines.hearing import Hearing, Streaming
from lasercats.machines.shell import HEARD, MOST, Command, Script, new_mark, skipped, weight

RUNNER = r"""
lc_failed=0
lc() { # A raw command runs where the script was begun, and meets nothing of ours.
  case $1 in lc_*) ;; *) lc_leave; lc_tidy ;; esac
  "$@" || { lc_failed=1; echo "failed: $1 $2" >&2; }
}
""".strip()
END = "LASERCATS_SCRIPT_END"
SILENCE = 60
"""Seconds that a host may tell nothing while it looks or acts."""


def swept(paths: Sequence[bytes]) -> bytes:
    """Return a script that removes what dead shells left beside paths."""
    folders = dict.fromkeys(dirname(path) for path in paths)
    calls = (b"lc_swept " + raw(folder) for folder in folders)
    return b"\n".join([b"{", PRELUDE.encode(), *calls, b"exit 0", b"}", b""])


class HostMachine:
    """A host behind some pipe to a POSIX shell."""

    parallel = False
    vocabulary: Collection[type[Instruction]] = VOCABULARY

    def __init__(self, name: str, vault: Vault, patience: float = SILENCE, *, sudo: bool = False) -> None:
        """Name the host; it may be silent for so many seconds."""
        self.name = name
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
        body = "\n".join(["{", PRELUDE + RUNNER, *(f"lc {line}" for line in lines), 'exit "$lc_failed"', "}"])
        if alone:
            return f"# Run it with sh on {self.name}.\n{body}"
        end = ending(body, END)
        return f"# {self.name}\n{self.shell()} <<'{end}' || lc_failed=1\n{body}\n{end}"

    async def resolve(self, batch: Batch) -> Sequence[Any | None]:
        """Remove what a dead shell left of the batch; a look at the paths says what became of it."""
        acts = [item.instruction for item in batch if not item.instruction.looks]
        paths = [unescape(act.path) for act in acts if hasattr(act, "path")]
        if paths:
            await self._pipe(swept(paths), Hearing(new_mark(), self._patience, HEARD))
        return [None] * len(batch)

    async def check(self) -> str | None:
        """Make the round trip that work makes: a look, and a look at the tools. Return what is worth telling.

        Raises:
            MachineError: the host cannot be used.

        """
        looks = (ProbeTools(machine=self.name), ReadPath(machine=self.name, path="/"))
        script = Script(tuple(map(Item, looks)), self._vault)
        hearing, why = await self._talk(script)
        missing, root = script.outcomes(hearing.output, hearing.messages, why)
        if isinstance(missing, Failure):
            raise MachineError(f"machine {self.name} answers, but cannot be worked with: {missing.reason}")
        if missing:
            raise MachineError(
                f"machine {self.name} answers, but lacks {', '.join(missing)}; "
                "install the tools of GNU coreutils, findutils or busybox there"
            )
        if isinstance(root, Failure):
            raise MachineError(f"machine {self.name} answers, but a look at / fails: {root.reason}")
        printed = [said for said in hearing.before() if said]
        return (
            f"answers, and prints {_shown(printed[0])} before our script, which is passed over"
            if printed
            else None
        )

    async def run(self, batch: Batch, sink: Sink | None = None) -> Sequence[Any]:
        """Run a batch: its scripted part in one round trip, a raw command in one of its own.

        Raises:
            MachineError: the host cannot be used; nothing was done.

        """
        outcomes: list[Any] = [None] * len(batch)
        try:
            for part in self._parts(batch):
                item = batch[part[0]]
                if isinstance(item.instruction, Execute):
                    failed = any(isinstance(outcomes[j], Failure) for j in item.after)
                    outcomes[part[0]] = skipped() if failed else await self._execute(item.instruction, sink)
                else:
                    await self._scripted(batch, part, outcomes)
        except LaserCatsError as error:  # what is not answered yet was not sent; the rest stands
            if all(outcome is None for outcome in outcomes):
                raise
            return [Failure(reason=str(error)) if outcome is None else outcome for outcome in outcomes]
        return outcomes

    def _parts(self, batch: Batch) -> Iterator[list[int]]:
        """Split a batch where a raw command stands, and where a script would be too large."""
        part, size = list[int](), 0
        for i, item in enumerate(batch):
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

    async def _scripted(self, batch: Batch, part: Sequence[int], outcomes: list[Any]) -> None:
        """Run a part of a batch; what its host leaves for later is asked once more."""
        while part := [i for i in part if outcomes[i] is None]:
            for i in part:
                if any(isinstance(outcomes[j], Failure) for j in batch[i].after):
                    outcomes[i] = skipped()
            left = [i for i in part if outcomes[i] is None]
            place = {i: n for n, i in enumerate(left)}
            items = (
                Item(batch[i].instruction, tuple(place[j] for j in batch[i].after if j in place))
                for i in left
            )
            script = Script(tuple(items), self._vault)
            hearing, why = await self._talk(script)
            answers = script.outcomes(hearing.output, hearing.messages, why)
            if left and all(answer is None for answer in answers):
                answers = [Failure(reason="the host left it for later, and then again") for _ in left]
            for i, answer in zip(left, answers, strict=True):
                outcomes[i] = answer

    async def _talk(self, script: Script) -> tuple[Hearing, Failure]:
        """Send a script; return what was heard, and what became of an item of which nothing was."""
        hearing = Hearing(script.mark, self._patience, script.most)
        return hearing, self._why(hearing, await self._pipe(script.encode(), hearing))

    async def _execute(self, instruction: Execute, sink: Sink | None) -> Any:  # noqa: ANN401
        def receive(data: bytes) -> None:
            if sink is not None:
                sink(self.name, instruction, data)

        command = Command(instruction.words())
        hearing = Streaming(command.mark, self._patience, instruction.timeout, receive)
        status = await self._pipe(command.encode(), hearing)
        if status is None or not hearing.begun:
            return self._why(hearing, status)
        return ExecResult(status, escape(bytes(hearing.output), lines=True))

    async def _pipe(self, script: bytes, hearing: Hearing) -> int | None:
        self.trips += 1
        status = await self.pipe(script, hearing)
        return None if hearing.ended else status

    def _why(self, hearing: Hearing, status: int | None) -> Failure:
        if hearing.ended is not None:
            return Failure(reason=hearing.ended, in_doubt=True)
        if status is None:
            return Failure(reason="the connection was lost", in_doubt=True)
        said = (bytes(hearing.messages).strip() or bytes(hearing.output).strip()).splitlines()[-1:]
        told = escape(said[0][:500]) if said else "no output"
        if hearing.begun:
            return Failure(reason=f"the shell ended with status {status}: {told}", in_doubt=True)
        if self._sudo and "password" in told:
            told = f"sudo wants a password ({told}); let the user run /bin/sh by sudo without one (NOPASSWD)"
        elif self._sudo:
            told = f"sudo started no shell ({told}); `sudo -n /bin/sh` must work there"
        else:
            told = f"no shell was started: status {status}, {told}"
        return Failure(reason=told)


def _shown(said: bytes) -> str:
    first, *more = said.splitlines()
    return repr(escape(first[:80])) + (" and more" if more or len(first) > 80 else "")  # noqa: PLR2004
