"""`eos://`, `ios://`, `nxos://` and `junos://user@host`: switches through NAPALM (napalm.readthedocs.io).

All that a batch configures is one candidate: it is checked against one read of the running configuration,
compared by the switch itself, committed and read back. NAPALM blocks, so it works in a thread of its own.
The host key or certificate of a switch must be a known one; `?verify=false` takes any.
"""

import contextlib
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from lasercats.core.errors import BadInput, MachineError, Unreachable
from lasercats.core.instruction import Batch, Failure, Instruction, not_tried
from lasercats.core.loose import ODD
from lasercats.core.ports import Sink, Vault
from lasercats.core.secret import of_text
from lasercats.core.text import clean
from lasercats.instructions import ios, junos
from lasercats.instructions.shell import ending
from lasercats.instructions.switch import VOCABULARY, Configure, Seen, Settings, Surveyed
from lasercats.instructions.switch_model import Wrong, all_failed, differs, made, outcomes_of
from lasercats.machines.blocking import Blocking, all_alike, look
from lasercats.machines.napalm_client import Client, is_lost, reason
from lasercats.machines.url import Url, parse
from lasercats.machines.worker import MOST, Worker

OPTIONS = ("timeout", "password", "key", "secret", "transport", "verify", "inline_transfer")
_FLAGS = ("verify", "inline_transfer")
_PLAIN = ("http", "socket", "http_local", "telnet")
"""Transports of NAPALM's drivers that protect nothing."""
END = "LASERCATS_CONFIGURATION_END"
PATIENCE, SLOW = 4, 10
"""How often the timeout of one answer it may take until a method ends, and one that commits."""


class Vendor(NamedTuple):
    """How one vendor's switches are read, configured and held."""

    title: str
    port: re.Pattern[str]
    plain: Settings
    """A port of which nothing is configured."""
    read: Callable[[str], Surveyed]
    lines: Callable[[Sequence[Configure], Surveyed, str], list[str]]
    begin: tuple[str, ...]
    """What a person types before the lines."""
    save: tuple[str, ...]
    """What a person types after them."""
    longest: int = 0
    """The most seconds that a change can wait for being confirmed; 0 where it cannot."""
    step: int = 60
    """That time is a multiple of so many seconds."""
    form: Mapping[str, str] = {}
    """What else the driver is told for the running configuration."""
    vlans: str | None = None
    """What tells the VLANs where they are not always in the running configuration."""


def _vendor(dialect: ios.Dialect, longest: int = 0, step: int = 60, vlans: str | None = None) -> Vendor:
    return Vendor(
        dialect.vendor,
        dialect.port,
        ios.PLAIN,
        lambda running: ios.read(running, dialect),
        lambda configures, known, _running: ios.lines(configures, known, dialect),
        dialect.begin,
        dialect.save,
        longest,
        step,
        vlans=vlans,
    )


VENDORS = {
    "eos": _vendor(ios.EOS, 24 * 3600 - 1, 1),
    "ios": _vendor(ios.IOS, 2 * 3600, vlans="show vlan brief"),
    "nxos": _vendor(ios.NXOS),
    "junos": Vendor(
        junos.VENDOR,
        junos.PORT,
        junos.PLAIN,
        junos.read,
        junos.lines,
        ("configure",),
        ("commit and-quit",),
        65535 * 60,
        form={"format": "set"},
    ),
}


class _Read(NamedTuple):
    running: str
    surveyed: Surveyed


class _Done(NamedTuple):
    there: Surveyed
    each: list[Settings | None]
    """What each instruction came to."""


class NapalmMachine(Blocking[Client]):
    """A switch through NAPALM."""

    vocabulary: Collection[type[Instruction]] = VOCABULARY
    _client: Client
    """There is always one; it is connected when it is first used."""

    def __init__(self, name: str, url: Url, vault: Vault) -> None:
        """Bind a machine's name to a switch; nothing is loaded before it is used."""
        super().__init__(name, Worker("napalm"))
        self._url, self._vendor = url, VENDORS[url.scheme]
        self._vault = vault
        self._client = self._fresh()
        self._held: tuple[str, int] | None = None
        self._pending = False

    @staticmethod
    def check_url(text: str) -> Url:
        """Check a URL of one of these schemes.

        Raises:
            BadInput: it names no host or no user, or an option has no good value.

        """
        url = parse(text, OPTIONS)
        if not url.host or not url.user:
            raise BadInput(f"{text!r} does not name host and user; write {url.scheme}://user@host")
        for option in ("password", "secret"):
            value = url.options.get(option, "env:X")
            if not re.fullmatch("(env|file):.+", value) and of_text(value) is None:
                raise BadInput(
                    f"option {option!r} of {url.scheme}://{url.host} must be env:NAME or file:PATH"
                )
        for option in _FLAGS:
            if url.options.get(option, "true") not in ("true", "false"):
                raise BadInput(f"option {option!r} in {text!r} must be true or false")
        return url

    @staticmethod
    def exposed(url: Url) -> str | None:
        """Return what others could do on the way to the switch, if anything."""
        if url.options.get("transport") in _PLAIN and not url.is_here:
            return (
                f"{url.options['transport']} is not encrypted: whoever is on the way gets the password and "
                "changes the switch; use ssh or https"
            )
        if url.options.get("verify") == "false":
            return (
                "any host key or certificate is taken: whoever is on the way can be the switch, and gets the "
                "password; make its key known, and leave ?verify=false out"
            )
        return None

    def driver(self) -> Any:  # noqa: ANN401 - NAPALM has no types
        """Return NAPALM's class for these switches.

        Raises:
            MachineError: NAPALM is not installed.

        """
        try:
            from napalm import get_network_driver  # noqa: PLC0415 - heavy
        except ImportError:
            raise MachineError("NAPALM is not installed; pip install 'lasercats[napalm]'") from None
        by_ssh = self._url.scheme == "nxos" and self._url.options.get("transport") == "ssh"
        return get_network_driver("nxos_ssh" if by_ssh else self._url.scheme)

    async def run(self, batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
        """Run a batch: all looks are one read, and all that is configured is one commit.

        Raises:
            MachineError: the switch cannot be reached or read; nothing was done.

        """
        if not batch:
            return []
        before = await self._read()
        wanted = {
            i: item.instruction for i, item in enumerate(batch) if isinstance(item.instruction, Configure)
        }
        first = min(wanted, default=len(batch))
        done: _Done | list[Failure] = _Done(before.surveyed, [])
        if wanted:
            done = await self._configure(before, list(wanted.values()), sink)
        each = iter(done if isinstance(done, list) else _each(list(wanted.values()), done))
        outcomes: list[Any] = []
        for i, item in enumerate(batch):
            if i in wanted:
                outcomes.append(next(each))
            elif any(isinstance(outcomes[j], Failure) for j in item.after):
                outcomes.append(not_tried())
            else:
                late = done.there if i >= first and isinstance(done, _Done) else before.surveyed
                outcomes.append(look(item.instruction, late))
        return outcomes

    def script(self, instructions: Sequence[Instruction], *, alone: bool) -> str:
        """Return the lines of the vendor, printed for a person to paste them; it changes nothing itself."""
        del alone
        wanted = [i for i in instructions if isinstance(i, Configure)]
        notes = [f"# {i.line()}" for i in instructions if not isinstance(i, Configure)]
        try:
            lines = self._vendor.lines(wanted, Surveyed(), "")
        except Wrong as wrong:
            notes, lines = [*notes, f"# cannot be: {wrong.reason}"], []
        if lines and lines[-1] == "end":
            lines = [*lines[:-1], *(("end",) if "end" not in self._vendor.save else ())]
        head = f"# {self.name}: {self._vendor.title} at {self._url.host}; paste what this prints into it."
        shown = [*self._vendor.begin, *lines, *self._vendor.save] if lines else []
        end = ending("\n".join(shown), END)
        block = [f"cat <<'{end}'", *shown, end] if shown else []
        return "\n".join([head, *notes, *block])

    async def check(self) -> None:
        """Make a round trip that does nothing.

        Raises:
            MachineError: the switch cannot be reached.

        """
        alive = await self._asked("is_alive")
        if not (isinstance(alive, dict) and alive.get("is_alive")):
            await self._thread(self._drop)
            raise self._client.unreachable("the connection is lost; try again")

    async def _leave(self) -> None:
        """Disconnect, where that is not so already."""
        if self._client.connected:
            with contextlib.suppress(TimeoutError):
                await self._thread(self._drop)

    # Changes that are taken back unless they are confirmed.

    async def hold(self, token: str, seconds: float) -> bool:
        """Let the switch itself take the next commit back unless it is confirmed; return whether it can.

        A switch waits for one commit at a time: what comes after it fails until that is confirmed.
        """
        vendor = self._vendor
        whole = math.ceil(seconds / vendor.step) * vendor.step
        self._held = (token, whole) if whole <= vendor.longest else None
        return self._held is not None

    async def confirm(self, token: str) -> bool:
        """Keep what has been committed; return whether it still waited for that.

        Raises:
            MachineError: the switch cannot be reached, or refuses.

        """
        return await self._settle(token, "confirm_commit")

    async def reject(self, token: str) -> None:
        """Take back what has been committed, if it still waits for being confirmed.

        Raises:
            MachineError: the switch cannot be reached, or refuses.

        """
        await self._settle(token, "rollback")

    async def _settle(self, token: str, method: str) -> bool:
        pending = self._vendor.longest > 0 and bool(await self._asked("has_pending_commit"))
        if pending:
            self._client.name_session(token)
            await self._asked(method)
        self._held, self._pending = None, False
        return pending

    async def _asked(self, method: str) -> Any:  # noqa: ANN401 - each method has its own
        """Call a method.

        Raises:
            MachineError: the switch cannot be reached, or refuses.

        """
        await self._connect()
        try:
            return await self._thread(lambda: self._client.call(method), self._slow)
        except Exception as error:
            raise await self._unusable(error) from None

    # Reading and configuring.

    async def _read(self) -> _Read:
        """Read all; where the connection was lost since it was last used, connect again.

        Raises:
            MachineError: the switch cannot be reached or read.

        """
        used = self._client.connected
        await self._connect()
        try:
            return await self._thread(self._look)
        except Exception as error:
            unusable = await self._unusable(error)
            if not used or not isinstance(unusable, Unreachable):
                raise unusable from None
        return await self._read()

    async def _connect(self) -> None:
        """Connect, where that is not so already.

        Raises:
            MachineError: the switch cannot be reached.

        """
        try:
            await self._thread(self._client.connect)
        except MachineError:
            raise
        except Exception as error:
            raise await self._unusable(error) from None

    def _look(self) -> _Read:
        running = _text(self._client.call("get_config", retrieve="running", **self._vendor.form), "running")
        interfaces = self._client.call("get_interfaces")
        if not isinstance(interfaces, dict):
            raise TypeError("it tells of no interfaces")
        configured = self._vendor.read(running)
        command = self._vendor.vlans
        if command is not None:
            own = ios.read_vlans(_text(self._client.call("cli", commands=[command]), command))
            configured = replace(configured, vlans=configured.vlans | own)
        port, plain = self._vendor.port, self._vendor.plain
        names = [name for name in interfaces if isinstance(name, str) and port.fullmatch(name)]
        ports = {n: configured.ports.get(n, plain) for n in names if f"port {n}" not in configured.strange}
        return _Read(
            running,
            replace(configured, ports=_linked(ports, interfaces), lags=_linked(configured.lags, interfaces)),
        )

    async def _configure(
        self, before: _Read, wanted: list[Configure], sink: Sink | None
    ) -> "_Done | list[Failure]":
        """Configure all or nothing; return what there is then, or why nothing was done."""
        try:
            planned = made(before.surveyed, wanted)
            lines = self._vendor.lines(wanted, before.surveyed, before.running)
        except Wrong as wrong:
            return all_failed(len(wanted), wrong.index, wrong.reason, wanted[wrong.index].name)
        except ODD as odd:
            why = f"not done, because what the switch tells makes no sense: {reason(odd)}"
            return all_alike(wanted, why)
        if not lines:
            return _Done(before.surveyed, outcomes_of(wanted, planned, before.surveyed))
        if await self._waits():
            why = "not done: the switch waits for the change before this one to be confirmed"
            return all_alike(wanted, why)
        try:
            compared = await self._thread(lambda: self._load("\n".join(lines) + "\n"), self._slow)
        except Exception as error:
            why = f"not done: {reason(error)}"
            await self._discard(error)
            return all_alike(wanted, why)
        if sink is not None and compared:
            sink(self.name, wanted[0], compared.encode())
        try:
            await self._thread(self._commit, self._slow)
        except Exception as error:
            return [await self._refused(error, before.surveyed)] * len(wanted)
        try:
            there = (await self._read()).surveyed
        except MachineError as error:
            return all_alike(wanted, f"done, but not read back: {error}", in_doubt=True)
        return _Done(there, outcomes_of(wanted, planned, there))

    async def _waits(self) -> bool:
        """Tell whether a commit of ours waits for being confirmed."""
        if self._pending:
            self._pending = bool(await self._asked("has_pending_commit"))
        return self._pending

    def _load(self, lines: str) -> str:
        if self._held is not None:
            self._client.name_session(self._held[0])
        self._client.call("load_merge_candidate", config=lines)
        return clean(str(self._client.call("compare_config") or ""))[:MOST]

    def _commit(self) -> None:
        self._pending = self._held is not None
        try:
            self._client.call("commit_config", **({} if self._held is None else {"revert_in": self._held[1]}))
        except Exception as error:
            self._pending = self._pending and is_lost(error)
            raise

    async def _refused(self, error: Exception, before: Surveyed) -> Failure:
        """Return what a failed commit is: nothing done, where the switch can be read and says so."""
        await self._discard(error)
        text = reason(error)
        if is_lost(error):
            return Failure(reason=f"the connection was lost during the commit: {text}", in_doubt=True)
        try:
            now = (await self._read()).surveyed
        except MachineError:
            return Failure(reason=text, in_doubt=True)
        if differs(before, now):
            return Failure(reason=f"{text}; a part of it is done", in_doubt=True)
        return Failure(reason=f"not done: {text}")

    async def _discard(self, error: Exception) -> None:
        """Throw the candidate away; a connection that is lost, too."""
        if not is_lost(error):
            try:
                await self._thread(lambda: self._client.call("discard_config"))
            except Exception as other:
                error = other
        if is_lost(error):
            await self._thread(self._drop)

    def _fresh(self) -> Client:
        return Client(self.who, self._url, self._vault, self.driver, self._count)

    def _drop(self) -> None:
        self._client.drop(pending=self._pending)

    async def _unusable(self, error: Exception) -> MachineError:
        if is_lost(error):
            await self._thread(self._drop)
        return self._client.unusable(error)

    @property
    def _patience(self) -> float:
        return PATIENCE * self._url.seconds("timeout", 60)

    @property
    def _slow(self) -> float:
        return SLOW * self._url.seconds("timeout", 60)

    def _stuck(self, seconds: float) -> TimeoutError:
        """Give the connection up; nobody closes that."""
        self._client = self._fresh()
        return TimeoutError(f"it did not answer within {seconds:g} s")


def _text(answer: Any, name: str) -> str:  # noqa: ANN401 - whatever a driver returns
    """Return a text in an answer.

    Raises:
        TypeError: there is none.
        ValueError: it is too long.

    """
    text = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(text, str):
        raise TypeError(f"it does not tell {name!r}")
    if len(text) > MOST:
        raise ValueError(f"its answer is larger than {MOST >> 20} MiB")
    return clean(text)


def _each(wanted: Sequence[Configure], done: _Done) -> "list[Seen | Failure]":
    """Return what each instruction came to."""
    odd = [done.there.strange.get(f"{c.what} {c.name}") for c in wanted]
    pairs = zip(odd, done.each, strict=True)
    return [Seen(one) if why is None else Failure(reason=why, in_doubt=True) for why, one in pairs]


def _linked(things: Mapping[str, Settings], interfaces: Mapping[str, Any]) -> dict[str, Settings]:
    """Return ports or LAGs with what only the hardware tells."""
    linked = {}
    for name, settings in things.items():
        shown = interfaces.get(name)
        if not isinstance(shown, dict):
            linked[name] = settings
            continue
        mac = f"{shown.get('mac_address') or ''}".lower()
        mac = mac if re.fullmatch("([0-9a-f]{2}:){5}[0-9a-f]{2}", mac) else ""
        linked[name] = replace(settings, link="up" if shown.get("is_up") else "down", mac=mac or None)
    return linked
