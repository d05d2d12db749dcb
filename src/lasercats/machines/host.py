"""A host: a machine that runs a batch as one shell script. Local and SSH hosts differ in the pipe only."""

from collections.abc import Callable, Collection, Sequence
from posixpath import dirname
from typing import Any

from lasercats.core.errors import MachineError
from lasercats.core.instruction import Batch, Failure, Instruction, Item
from lasercats.core.ports import Sink, Vault
from lasercats.core.text import unescape
from lasercats.instructions.host import PRELUDE, VOCABULARY, ExecResult, Execute
from lasercats.machines.shell import Script

KEPT = 64 * 1024
"""Bytes of a command's output that are kept for the log; all of it is streamed."""

RUNNER = r"""
lc_failed=0
lc() { # A raw command runs where the script was begun, and meets nothing of ours.
  case $1 in lc_*) ;; *) lc_leave; lc_tidy ;; esac
  "$@" || { lc_failed=1; echo "failed: $1 $2" >&2; }
}
""".strip()
END = "LASERCATS_SCRIPT_END"
Pipe = Callable[[bytes], None]


def swept(paths: Sequence[bytes]) -> bytes:
    """Return a script that removes what dead shells left beside paths."""
    folders = dict.fromkeys(dirname(path) for path in paths)
    calls = (b"lc_swept '%s'" % folder.replace(b"'", b"'\"'\"'") for folder in folders)
    return b"\n".join([b"{", PRELUDE.encode(), *calls, b"exit 0", b"}", b""])


class HostMachine:
    """A host behind some pipe to a POSIX shell."""

    parallel = False
    vocabulary: Collection[type[Instruction]] = VOCABULARY

    def __init__(self, name: str, vault: Vault) -> None:
        """Name the host."""
        self.name = name
        self.trips = 0
        self._vault = vault

    async def pipe(self, command: str, script: bytes, receive: Pipe) -> int | None:
        """Run a shell command with `script` as its input; return its status, None when it got lost.

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
        return f"# {self.name}\n{self.shell()} <<'{END}' || lc_failed=1\n{body}\n{END}"

    async def resolve(self, batch: Batch) -> Sequence[Any | None]:
        """Remove what a dead shell left of the batch; a look at the paths says what became of it."""
        acts = [item.instruction for item in batch if not item.instruction.looks]
        paths = [unescape(act.path) for act in acts if hasattr(act, "path")]
        if paths:
            self.trips += 1
            await self.pipe("exec /bin/sh -s", swept(paths), lambda _: None)
        return [None] * len(batch)

    async def check(self) -> None:
        """Make a round trip that does nothing.

        Raises:
            MachineError: the host cannot be used.

        """
        output = bytearray()
        status = await self.pipe(
            "exec /bin/sh -s", b"command -v stat sha256sum base64 xargs\n", output.extend
        )
        if status != 0:
            told = output.decode(errors="replace").strip().splitlines()[-1:] or [f"status {status}"]
            raise MachineError(
                f"machine {self.name} answers, but lacks stat, sha256sum, base64 or xargs: {told[0]}"
            )

    async def run(self, batch: Batch, sink: Sink | None = None) -> Sequence[Any]:
        """Run a batch: its scripted part in one round trip, a raw command in one of its own."""
        outcomes: list[Any] = [None] * len(batch)
        part: list[int] = []
        for i, item in enumerate(batch):
            if isinstance(item.instruction, Execute):
                await self._scripted(batch, part, outcomes)
                part = []
                outcomes[i] = await self._execute(item, outcomes, sink)
            else:
                part.append(i)
        await self._scripted(batch, part, outcomes)
        return outcomes

    async def _scripted(self, batch: Batch, part: Sequence[int], outcomes: list[Any]) -> None:
        if not part:
            return
        place = {i: n for n, i in enumerate(part)}
        items = []
        for i in part:
            item = batch[i]
            if any(isinstance(outcomes[j], Failure) for j in item.after if j not in place):
                outcomes[i] = Failure(reason="not tried, because what it depends on failed", skipped=True)
            after = tuple(place[j] for j in item.after if j in place)
            items.append(Item(item.instruction, after))
        script = Script(tuple(items), self._vault)
        output = bytearray()
        self.trips += 1
        status = await self.pipe("exec /bin/sh -s", script.encode(), output.extend)
        for i, outcome in zip(part, script.outcomes(bytes(output), status), strict=True):
            outcomes[i] = outcomes[i] or outcome

    async def _execute(self, item: Item, outcomes: Sequence[Any], sink: Sink | None) -> Any:  # noqa: ANN401
        if any(isinstance(outcomes[j], Failure) for j in item.after):
            return Failure(reason="not tried, because what it depends on failed", skipped=True)
        kept = bytearray()

        def receive(data: bytes) -> None:
            kept.extend(data)
            del kept[:-KEPT]
            if sink is not None:
                sink(self.name, item.instruction, data)

        self.trips += 1
        status = await self.pipe(item.instruction.line() + " 2>&1", b"", receive)
        if status is None:
            return Failure(reason="the connection was lost", in_doubt=True)
        return ExecResult(status, kept.decode(errors="replace"))
