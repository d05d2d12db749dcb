"""`ovsdb://HOST:PORT?bridge=NAME` or `ovsdb:///PATH/TO/SOCKET`: a bridge of Open vSwitch, by OVSDB.

All that a batch configures is one transaction, which waits on every column that it writes: what somebody
else has changed since it was read is noticed and not overwritten. Then it is waited for ovs-vswitchd.
"""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasercats.core.errors import BadInput, MachineError, OtherMachine, Refused
from lasercats.core.instruction import Batch, Failure, Instruction
from lasercats.core.loose import ODD
from lasercats.core.ports import Vault
from lasercats.core.text import clean
from lasercats.instructions.ovsdb import Rows, check, identity, problem, read, reading, rows
from lasercats.instructions.ovsdb_script import CALL, transaction
from lasercats.instructions.ovsdb_transact import applied, operations
from lasercats.instructions.switch import Configure, Seen, Surveyed
from lasercats.instructions.switch_model import Made, Wrong, all_failed, made, outcomes_of
from lasercats.machines.blocking import Switch, all_alike
from lasercats.machines.shell import OVER
from lasercats.machines.url import Url, parse
from lasercats.machines.worker import Worker

if TYPE_CHECKING:
    from lasercats.machines.ovsdb_client import Client

TLS = ("key", "cert", "ca")
OPTIONS = ("bridge", "timeout", "connect_timeout", "apply", *TLS)
PORT = 6640
"""As registered for OVSDB (RFC 7047, 9)."""
GRACE = 5.0
"""Seconds after which a library that keeps to no time is given up."""
ATTEMPTS = 5
"""How often a transaction is made anew when something that does not concern it was changed meanwhile."""


class OvsdbMachine(Switch["Client"]):
    """A bridge of Open vSwitch."""

    def __init__(self, name: str, url: Url, vault: Vault) -> None:
        """Bind a machine's name to a bridge; nothing connects yet."""
        del vault
        super().__init__(name, Worker("ovsdb"))
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

    @staticmethod
    def exposed(url: Url) -> str | None:
        """Return what others could do on the way to the server, if anything."""
        if url.is_here or "ca" in url.options:
            return None
        return (
            "it is plain TCP: whoever is on the way, or reaches the port, reads and changes the switch; use "
            "TLS by ?key=FILE&cert=FILE&ca=FILE, or the socket"
        )

    async def _configured(self, wanted: Sequence[Configure], token: str) -> Sequence[Any]:
        """Configure all or nothing, by one transaction.

        Raises:
            MachineError: the server cannot be reached, or has no such bridge; nothing was done.

        """
        try:
            return await self._configure(wanted, _lock(token))
        except _lost() as lost:
            raise MachineError(f"{self._where()} went away: {lost}") from None

    async def _looked(self, done: Sequence[Configure]) -> Surveyed | Failure:
        """Read what there is; once something is done, that it cannot be read is a failure of looks alone.

        Raises:
            MachineError: it cannot be read, and nothing was done.

        """
        try:
            return await self._read()
        except OtherMachine:
            raise
        except (MachineError, _lost()) as error:
            text = str(error) if isinstance(error, MachineError) else f"{self._where()} went away: {error}"
            if not done:
                raise MachineError(text) from None
            return Failure(reason=text)

    async def resolve(self, batch: Batch, token: str = "", *, end: bool = False) -> Sequence[Any | None]:
        """See that it is not done any more, if it was not; a look says what became of an instruction.

        Raises:
            MachineError: the server cannot be reached.

        """
        lock = _lock(token)
        if lock is not None:
            try:
                await self._read()
                client = await self._connected()
                self.trips += 1
                await self._thread(lambda: client.steal(lock))
            except _lost() as lost:
                raise MachineError(f"{self._where()} went away: {lost}") from None
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
        commands = transaction(instructions, bridge)
        if commands:
            said = " \\\n    -- ".join(" ".join(words) for words in commands)
            said = said if self._bridge is not None else said.replace("LC_BRIDGE", '"$lc_bridge"')
            said = said.replace(CALL, call)
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

    async def _leave(self) -> None:
        """Close the connection, where there is one."""
        self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        self._rows = None

    async def _configure(self, wanted: Sequence[Configure], lock: str | None) -> Sequence[Any]:
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
            comment = f"lasercats: {len(wanted)} changes of {held.bridge['name']}"
            self._rows = None
            try:
                work = operations(held, before, became.after, comment)
            except ODD as error:
                return all_alike(
                    wanted, f"not done, because what the switch tells makes no sense: {error!r}"[:300]
                )
            try:
                answers = await self._transact(work, lock=lock)
            except _lost() as lost:
                if not lost.sent:
                    raise
                return self._in_doubt(wanted, lost)
            failed = next((a for a in answers if a and "error" in a), None)
            if failed is None:
                return await self._applied(wanted, became, answers)
            if failed["error"] == "not owner":
                return all_alike(wanted, OVER)
            if failed["error"] != "timed out":
                reason = clean(f"{failed['error']}: {failed.get('details', '')}".strip(": "))[:300]
                return all_alike(wanted, f"not done, because Open vSwitch refused the batch: {reason}")
        return all_alike(wanted, "not done: somebody else changes this switch all the time")

    def _in_doubt(self, wanted: Sequence[Configure], why: object) -> list[Failure]:
        return all_alike(wanted, f"{self._where()} went away in the middle: {why}", in_doubt=True)

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

    async def _applied(
        self, wanted: Sequence[Configure], became: Made, answers: Sequence[Any]
    ) -> Sequence[Any]:
        """Wait until ovs-vswitchd has applied a configuration, and tell what there is then."""
        late = (
            f"it is in the database, but ovs-vswitchd has not applied it in {self._apply:g} s; is it running?"
        )
        try:
            config = int(answers[-2]["rows"][0]["next_cfg"])
            if self._apply:
                answers = await self._transact([applied(config, self._apply), *reading()], self._apply)
                if "error" not in answers[0]:
                    self._rows, late = rows(answers[1:], self._bridge), ""
                    self.who.meet(identity(answers[1:], self._rows.bridge))
            if self._rows is None:
                await self._read()
        except _lost() as lost:
            return self._in_doubt(wanted, lost)
        except (*ODD, MachineError, Refused) as error:
            self._rows = None
            return all_alike(wanted, f"sent, but what came back makes no sense: {error}"[:300], in_doubt=True)
        held = self._rows
        assert held is not None  # noqa: S101 - just read
        late = late if self._apply else ""
        there = read(held)
        pairs = zip(wanted, outcomes_of(wanted, became, there), strict=True)
        return [_outcome(c, settings, there, late, held) for c, settings in pairs]

    async def _read(self) -> Surveyed:
        """Read what there is, again on a new connection if the old one is gone."""
        used = self._client is not None
        try:
            answers = await self._transact(reading())
        except _lost():
            self._drop()
            if not used:  # what did not answer now does not either
                raise
            answers = await self._transact(reading())
        try:
            self._rows = rows(answers, self._bridge)
            there = read(self._rows)
            who = identity(answers, self._rows.bridge)
        except Refused as refused:
            raise MachineError(f"{self._where()}: {refused}") from None
        except ODD as error:
            self._rows = None
            fact = f"what it answers makes no sense: {error!r}"[:300]
            raise MachineError(f"{self._where()} cannot be read: {fact}") from None
        try:
            self.who.meet(who)
        except OtherMachine:
            self._rows = None
            raise
        return there

    async def _transact(
        self, work: list[dict[str, Any]], patience: float = 0, lock: str | None = None
    ) -> list[dict[str, Any]]:
        client = await self._connected()
        self.trips += 1
        return await self._thread(lambda: client.transact(work, patience, lock), self._patience + patience)

    async def _connected(self) -> "Client":
        from lasercats.machines.ovsdb_client import Certificates, Client  # noqa: PLC0415

        if self._client is None:
            remote, where, times = self._remote, self._where(), (self._timeout, self._connect_timeout)
            files = Certificates(*self._files) if self._files else None
            self._client = await self._thread(lambda: Client(remote, where, *times, files))
        return self._client

    @property
    def _patience(self) -> float:
        """Seconds that the client may take by its own times, and more."""
        return self._connect_timeout + self._timeout + GRACE

    def _stuck(self, seconds: float) -> Exception:
        """Give the library up; nobody closes its connection."""
        self._client = self._rows = None
        lost: Exception = _lost()("it takes for ever", sent=True)
        return lost


def _lock(token: str) -> str | None:
    """Return the lock of a batch, as an id of RFC 7047; none where the batch has no token."""
    return f"lasercats_{re.sub('[^A-Za-z0-9]', '_', token)}" if token else None


def _outcome(configure: Configure, settings: Any, there: Surveyed, late: str, held: Rows) -> Any:  # noqa: ANN401
    """Return what an instruction came to, and what the switch says is wrong with it."""
    odd = there.strange.get(f"{configure.what} {configure.name}")
    if odd is not None:
        return Failure(reason=f"{configure.what} {configure.name}: {odd}", in_doubt=True)
    wrong = problem(held, configure.name) if configure.what == "port" else None
    return Seen(settings, problem=late or wrong)


def _literal(host: str) -> str:
    """Return a host as the library wants it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _lost() -> Any:  # noqa: ANN401
    from lasercats.machines.ovsdb_client import Lost  # noqa: PLC0415

    return Lost
