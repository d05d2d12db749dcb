"""`ovsdb://HOST:PORT?bridge=NAME` or `ovsdb:///PATH/TO/SOCKET`: a bridge of Open vSwitch, by OVSDB.

All that a batch configures is one transaction, which waits on every column that it writes: what somebody
else has changed since it was read is noticed and not overwritten. Then it is waited for ovs-vswitchd.
"""

import asyncio
import shlex
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lasercats.core.errors import BadInput, MachineError, Refused
from lasercats.core.instruction import Batch, Failure, Instruction
from lasercats.core.ports import Sink, Vault
from lasercats.instructions.ovsdb import Rows, check, problem, read, reading, rows
from lasercats.instructions.ovsdb_script import transactions
from lasercats.instructions.ovsdb_transact import applied, operations
from lasercats.instructions.switch import VOCABULARY, Configure, Look, Seen, Survey, Surveyed
from lasercats.instructions.switch_model import Made, Wrong, all_failed, find, made, told_each
from lasercats.machines.url import Url, parse

if TYPE_CHECKING:
    from lasercats.machines.ovsdb_client import Client

TLS = ("key", "cert", "ca")
OPTIONS = ("bridge", "timeout", "connect_timeout", "apply", *TLS)
PORT = 6640
"""As registered for OVSDB (RFC 7047, 9)."""
ATTEMPTS = 5
"""How often a transaction is made anew when something that does not concern it was changed meanwhile."""
T = TypeVar("T")


class OvsdbMachine:
    """A bridge of Open vSwitch."""

    parallel = False
    vocabulary: Collection[type[Instruction]] = VOCABULARY

    def __init__(self, name: str, url: Url, vault: Vault) -> None:
        """Bind a machine's name to a bridge; nothing connects yet."""
        del vault
        self.name, self.trips = name, 0
        self._bridge = url.options.get("bridge")
        self._remote = (
            f"unix:{url.path}" if url.host is None else f"tcp:{_literal(url.host)}:{url.port or PORT}"
        )
        self._files = [str(Path(url.options[name]).expanduser()) for name in TLS if name in url.options]
        if self._files:
            self._remote = f"ssl{self._remote.removeprefix('tcp')}"
        self._timeout = url.seconds("timeout", 60)
        self._connect_timeout = url.seconds("connect_timeout", 10)
        self._apply = float(url.options.get("apply", 5))
        self._pool: ThreadPoolExecutor | None = None
        self._client: Client | None = None
        self._rows: Rows | None = None

    @staticmethod
    def check_url(text: str) -> Url:
        """Check a URL of this scheme.

        Raises:
            BadInput: it names neither a host nor a socket, or an option has no good value.

        """
        url = parse(text, OPTIONS)
        if (url.host is None) == (url.path in ("", "/")):
            raise BadInput(
                f"{text!r} names no OVSDB server; write ovsdb://host:6640 or ovsdb:///path/to/db.sock"
            )
        if url.user is not None:
            raise BadInput(f"{text!r} names a user, and OVSDB has none")
        named = [name for name in TLS if name in url.options]
        if named and (url.host is None or len(named) < len(TLS)):
            raise BadInput(f"{text!r}: TLS needs a host, and all of the options key, cert and ca")
        if url.options.get("apply") != "0":
            url.seconds("apply", 5)
        return url

    async def run(self, batch: Batch, sink: Sink | None = None) -> Sequence[Any]:
        """Run a batch: one read for all looks, one transaction for all that is configured.

        Raises:
            MachineError: the server cannot be reached, or has no such bridge; nothing was done.

        """
        if not batch:
            return []
        asked = [item.instruction for item in batch]
        wanted = [i for i in asked if isinstance(i, Configure)]
        try:
            seen = iter(await self._configure(wanted)) if wanted else iter(())
            there = await self._read() if len(wanted) < len(asked) else Surveyed()
        except _lost() as lost:
            raise MachineError(f"{self._where()} went away: {lost}") from None
        return [next(seen) if isinstance(i, Configure) else _look(i, there) for i in asked]

    async def resolve(self, batch: Batch) -> Sequence[Any | None]:
        """Tell nothing: a look says what became of an instruction."""
        return [None] * len(batch)

    def script(self, instructions: Sequence[Instruction], *, alone: bool) -> str:
        """Return instructions as lines of ovs-vsctl, which run where the server can be reached."""
        bridge = self._bridge or "$(ovs-vsctl list-br)"
        options = ("--private-key", "--certificate", "--ca-cert")
        files = [f"{option}={shlex.quote(file)}" for option, file in zip(options, self._files, strict=False)]
        call = " ".join(["ovs-vsctl", f"--db={shlex.quote(self._remote)}", *files])
        parts = [f"# {self.name}: Open vSwitch"]
        if self._bridge is None:
            parts.append(f"lc_bridge=$({call} list-br)")
            bridge = "LC_BRIDGE"
        for commands in transactions(instructions, bridge):
            said = " \\\n    -- ".join(" ".join(words) for words in commands)
            said = said if self._bridge is not None else said.replace("LC_BRIDGE", '"$lc_bridge"')
            parts.append(f"{call} -- {said} || lc_failed=1")
        return "\n".join([*parts, 'exit "${lc_failed:-0}"'] if alone else parts)

    async def check(self) -> None:
        """Make a round trip that does nothing.

        Raises:
            MachineError: the server cannot be reached, or has no such bridge.

        """
        try:
            await self._read()
        except _lost() as lost:
            raise MachineError(f"{self._where()} went away: {lost}") from None

    async def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _where(self) -> str:
        return f"machine {self.name}"

    async def _configure(self, wanted: Sequence[Configure]) -> Sequence[Any]:
        """Configure all or nothing, by what was last read, and by what is there when that is no longer so."""
        for _ in range(ATTEMPTS):
            fresh = self._rows is None
            before = await self._read() if self._rows is None else read(self._rows)
            held = self._rows
            assert held is not None  # noqa: S101 - just read
            try:
                became = self._checked(before, wanted, held)
            except Wrong as wrong:
                if not fresh:  # it may have been put right since
                    self._rows = None
                    continue
                return all_failed(len(wanted), wrong.index, wrong.reason, wanted[wrong.index].name)
            told = f"lasercats: {len(wanted)} changes of {held.bridge['name']}"
            self._rows = None
            try:
                answers = await self._transact(operations(held, before, became.after, told))
            except _lost() as lost:
                if not lost.sent:
                    raise
                doubt = Failure(reason=f"{self._where()} went away in the middle: {lost}", in_doubt=True)
                return [doubt] * len(wanted)
            error = next((a for a in answers if a and "error" in a), None)
            if error is None:
                return await self._applied(wanted, became, answers[-2]["rows"][0]["next_cfg"])
            if error["error"] != "timed out":
                reason = f"{error['error']}: {error.get('details', '')}".strip(": ")
                return [Failure(reason=f"not done, because Open vSwitch refused the batch: {reason}")] * len(
                    wanted
                )
        return [Failure(reason="not done: somebody else changes this switch all the time")] * len(wanted)

    def _checked(self, before: Surveyed, wanted: Sequence[Configure], held: Rows) -> Made:
        for index, configure in enumerate(wanted):
            own = configure.what == "port" and configure.name == held.bridge["name"]
            if own and configure.after is None:
                raise Wrong(index, f"port {configure.name} is the bridge's own")
            try:
                check(configure.name, configure.after)
            except Refused as refused:
                raise Wrong(index, str(refused)) from None
        return made(before, wanted, virtual=True)

    async def _applied(self, wanted: Sequence[Configure], became: Made, config: int) -> Sequence[Any]:
        """Wait until ovs-vswitchd has applied a configuration, and tell what there is then."""
        late = (
            f"it is in the database, but ovs-vswitchd has not applied it in {self._apply:g} s; is it running?"
        )
        try:
            if self._apply:
                answers = await self._transact([applied(config, self._apply), *reading()], self._apply)
                if "error" not in answers[0]:
                    self._rows, late = rows(answers[1:], self._bridge), ""
            if self._rows is None:
                await self._read()
        except _lost() as lost:
            doubt = Failure(reason=f"{self._where()} went away in the middle: {lost}", in_doubt=True)
            return [doubt] * len(wanted)
        held = self._rows
        assert held is not None  # noqa: S101 - just read
        late = late if self._apply else ""
        return [
            Seen(settings, problem=late or (problem(held, c.name) if c.what == "port" else None))
            for c, settings in zip(wanted, told_each(wanted, became, read(held)), strict=True)
        ]

    async def _read(self) -> Surveyed:
        """Read what there is, again on a new connection if the old one is gone."""
        try:
            answers = await self._transact(reading())
        except _lost():
            if self._client is not None:
                self._client.close()
            self._client = None
            answers = await self._transact(reading())
        try:
            self._rows = rows(answers, self._bridge)
        except Refused as refused:
            raise MachineError(f"{self._where()}: {refused}") from None
        return read(self._rows)

    async def _transact(self, work: list[dict[str, Any]], patience: float = 0) -> list[dict[str, Any]]:
        from lasercats.machines.ovsdb_client import Certificates, Client  # noqa: PLC0415

        self._pool = self._pool or ThreadPoolExecutor(1, "ovsdb")
        if self._client is None:
            remote, where, times = self._remote, self._where(), (self._timeout, self._connect_timeout)
            files = Certificates(*self._files) if self._files else None
            self._client = await self._thread(lambda: Client(remote, where, *times, files))
        client = self._client
        self.trips += 1
        return await self._thread(lambda: client.transact(work, patience))

    async def _thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _look(instruction: Instruction, there: Surveyed) -> Any:  # noqa: ANN401
    if isinstance(instruction, Survey):
        return there
    assert isinstance(instruction, Look)  # noqa: S101 - of the vocabulary
    return Seen(find(there, instruction.what, instruction.name))


def _literal(host: str) -> str:
    """Return a host as the library wants it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _lost() -> Any:  # noqa: ANN401
    from lasercats.machines.ovsdb_client import Lost  # noqa: PLC0415

    return Lost
