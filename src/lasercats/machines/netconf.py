"""`netconf://USER@HOST:830`: a switch with NETCONF (RFC 6241), by the standard models.

All that a batch configures is one edit of the locked candidate, validated, committed and read back. What
somebody else has changed since it was read is noticed and not overwritten.
"""

import asyncio
import re
import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lasercats.core.errors import BadInput, MachineError, Refused, StillWorking
from lasercats.core.instruction import Batch, Failure, Instruction
from lasercats.core.loose import ODD
from lasercats.core.ports import Vault
from lasercats.instructions import netconf_script
from lasercats.instructions.netconf import read
from lasercats.instructions.netconf_edit import configuration
from lasercats.instructions.switch import Configure, Seen, Surveyed
from lasercats.instructions.switch_model import Made, Wrong, all_failed, differs, made, outcomes_of
from lasercats.machines.blocking import Switch, all_alike
from lasercats.machines.url import Url, parse
from lasercats.machines.worker import Stuck, Worker

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

    from lasercats.machines.netconf_client import Client

OPTIONS = ("timeout", "connect_timeout", "key", "password", "known_hosts", "instance")
WAIT = 15
"""Seconds that a session that is still at work may take to end before what it did is judged."""


class NetconfMachine(Switch["Client"]):
    """A switch with NETCONF."""

    def __init__(self, name: str, url: Url, vault: Vault) -> None:
        """Bind a machine's name to a switch; nothing connects yet."""
        del vault
        super().__init__(name, Worker("netconf"))
        self._url = url
        self._held: tuple[str, float] | None = None
        self._pending = False
        self._validates = True

    @staticmethod
    def check_url(text: str) -> Url:
        """Check a URL of this scheme.

        Raises:
            BadInput: it names no host, or an option has no good value.

        """
        url = parse(text, OPTIONS)
        if not url.host or url.path not in ("", "/"):
            raise BadInput(f"{text!r} names no host; write netconf://user@host:830")
        if not re.fullmatch("(env|file):.+", url.options.get("password", "env:X")):
            raise BadInput(f"option 'password' of netconf://{url.host} must be env:NAME or file:PATH")
        return url

    @staticmethod
    def exposed(url: Url) -> str | None:
        """Return what others could do on the way to the switch, if anything."""
        if url.options.get("known_hosts") != "none":
            return None
        return (
            "any host key is taken: whoever is on the way can be the switch, and gets the password; add its "
            "key to the file of known hosts, and leave ?known_hosts=none out"
        )

    async def _configured(self, wanted: Sequence[Configure], token: str) -> Sequence[Any]:
        """Configure all or nothing; where the library is stuck in that, nobody knows which.

        Raises:
            MachineError: the switch cannot be used; nothing was done.

        """
        try:
            return await self._workers.run(lambda: self._configure(wanted), self._patience)
        except Stuck:
            return all_alike(wanted, str(self._stuck(self._patience)), in_doubt=True)

    async def _looked(self, done: Sequence[Configure]) -> Surveyed | Failure:
        """Read what there is; once something is done, that it cannot be read is a failure of looks alone.

        Raises:
            MachineError: it cannot be read, and nothing was done.

        """
        try:
            return await self._thread(self._survey)
        except MachineError as error:
            if not done:
                raise
            return Failure(reason=str(error))

    async def resolve(self, batch: Batch, token: str = "", *, end: bool = False) -> Sequence[Any | None]:
        """Wait until nobody else has the lock, so that no commit is under way; a look says what became of it.

        With `end` no session is killed either, as it may be of somebody else; whoever says so is believed.

        Raises:
            StillWorking: another session has the lock.

        """
        for left in range(0 if end else WAIT, -1, -1):
            why = await self._thread(self._locked_by_others)
            if why is None or end:
                break
            if left == 0:
                raise StillWorking(self.name, f"its configuration is locked, so it may be still at it: {why}")
            await asyncio.sleep(1)
        return [None] * len(batch)

    def _locked_by_others(self) -> str | None:
        """Return why the configuration cannot be locked, None where it can."""
        from lasercats.machines.netconf_client import Lost, Refusal  # noqa: PLC0415

        client = self._connected()
        try:
            client.lock()
        except Refusal as refusal:
            return str(refusal)
        except Lost as lost:
            raise self._away(lost) from None
        self._quietly(client.unlock)
        return None

    def script(self, instructions: Sequence[Instruction], *, alone: bool) -> str:
        """Return instructions as RPCs that are sent by `ssh`."""
        option, user = self._url.options.get, f"{self._url.user}@" if self._url.user else ""
        known = option("known_hosts")
        options = ["-i", option("key", "")] if option("key") else []
        if known is not None:
            options += (
                ["-o", "StrictHostKeyChecking=no"]
                if known == "none"
                else ["-o", f"UserKnownHostsFile={known}"]
            )
        ssh = shlex.join(
            ["ssh", *options, "-p", f"{self._url.port or 830}", f"{user}{self._url.host}", "-s", "netconf"]
        )
        wanted = [i for i in instructions if isinstance(i, Configure)]
        return netconf_script.script(self.name, wanted, ssh, option("instance", "default"), alone=alone)

    async def check(self) -> None:
        """Make a round trip that does nothing.

        Raises:
            MachineError: the switch cannot be used.

        """
        await self._thread(self._survey)

    async def _leave(self) -> None:
        """Close the session, where there is one."""
        if self._client is not None:
            client, self._client = self._client, None
            await self._thread(client.close)

    # Changes that the switch takes back by itself (RFC 6241, 8.4).

    async def hold(self, token: str, seconds: float) -> bool:
        """Let commits from now on be confirmed commits under a token; return whether the switch has them.

        Raises:
            MachineError: the switch cannot be used.

        """
        able = await self._thread(self._holds)
        self._held = (token, seconds) if able else None
        return able

    async def confirm(self, token: str) -> bool:
        """Confirm what is committed under a token; return whether anything was.

        Raises:
            MachineError: the switch cannot be used.

        """
        return await self._thread(lambda: self._end(lambda client: client.confirm(token)))

    async def reject(self, token: str) -> None:
        """Take back what is committed under a token, if it still is.

        Raises:
            MachineError: the switch cannot be used.

        """
        await self._thread(lambda: self._end(lambda client: client.cancel(token)))

    def _holds(self) -> bool:
        from lasercats.machines.netconf_client import CONFIRMED  # noqa: PLC0415

        return self._connected().can(CONFIRMED)

    def _end(self, do: Callable[["Client"], None]) -> bool:
        from lasercats.machines.netconf_client import Lost, Refusal  # noqa: PLC0415

        if not self._holds():
            return False
        self._held, self._pending = None, False
        try:
            do(self._connected())
        except Refusal:
            return False
        except Lost as lost:
            raise self._away(lost) from None
        return True

    # In the thread.

    def _connected(self) -> "Client":
        from lasercats.machines.netconf_client import Client  # noqa: PLC0415

        if self._client is None:
            self._client = Client(self._url, self._where(), self._count, self.who.meet)
        return self._client

    def _away(self, lost: Exception) -> MachineError:
        self._give_up()
        return MachineError(f"{self._where()} went away: {lost}")

    def _give_up(self) -> None:
        """Begin anew next time; what the old session still says is not read."""
        client, self._client = self._client, None
        if client is not None:
            client.give_up()

    def _survey(self) -> Surveyed:
        """Read what there is, again in a new session if the old one is gone."""
        from lasercats.machines.netconf_client import Lost, Refusal  # noqa: PLC0415

        fresh = self._client is None
        try:
            client = self._connected()
            return _read(client)
        except Refusal as refusal:
            raise MachineError(f"{self._where()} cannot be read: {refusal}") from None
        except ODD as odd:
            fact = f"what it answers makes no sense: {odd!r}"[:300]
            raise MachineError(f"{self._where()} cannot be read: {fact}") from None
        except Lost as lost:
            away = self._away(lost)
            if fresh:
                raise away from None
        return self._survey()

    def _configure(self, wanted: Sequence[Configure]) -> Sequence[Any]:
        """Configure all or nothing."""
        from lasercats.machines.netconf_client import Lost, Refusal  # noqa: PLC0415

        fresh, client = self._client is None, self._connected()
        try:
            client.lock()
        except Refusal as refusal:
            fact = f"not done: the configuration of {self.name} cannot be locked: {refusal}; try again later"
            return all_alike(wanted, fact)
        except Lost as lost:
            away = self._away(lost)
            if fresh:
                raise away from None
            return self._configure(wanted)
        try:
            return self._locked(client, wanted)
        except Lost as lost:  # what is not committed goes with its session
            self._give_up()
            return all_alike(wanted, f"nothing was changed: the session was lost: {lost}")
        finally:
            if self._client is client:
                self._quietly(client.unlock)

    def _locked(self, client: "Client", wanted: Sequence[Configure]) -> Sequence[Any]:
        """Configure all or nothing, as the lock is ours."""
        from lasercats.machines.netconf_client import Refusal  # noqa: PLC0415

        data = client.read()
        try:
            before = read(data, client.models)
            became = self._checked(client, before, wanted)
            edit = configuration(before, became.after, client.models, data)
        except Wrong as wrong:
            return all_failed(len(wanted), wrong.index, wrong.reason, wanted[wrong.index].name)
        except ODD as odd:
            fact = f"not done, because what the switch tells makes no sense: {odd!r}"[:300]
            return all_alike(wanted, fact)
        try:
            client.edit(edit)
            validated = self._validates and client.can(":validate")
            if validated:
                client.validate()
            return self._committed(client, wanted, before, became, data if validated else None)
        except Refusal as refusal:
            self._quietly(client.discard)
            return all_alike(wanted, f"not done, because the switch refuses the batch: {refusal}")

    def _committed(
        self,
        client: "Client",
        wanted: Sequence[Configure],
        before: Surveyed,
        became: Made,
        validated: "ET.Element | None",
    ) -> Sequence[Any]:
        """Commit what is edited, and what was read and `validated`; return what each instruction came to.

        Raises:
            Refusal: the switch refuses it.

        """
        from lasercats.machines.netconf_client import Lost  # noqa: PLC0415

        joined = self._pending
        try:
            there = self._commit(client)
            if validated is not None and differs(there, became.after):
                # netconfd answers that it has committed what it has validated, and has not (yuma123 2.13).
                self._validates = False
                if self._held is not None and not joined:
                    client.cancel(self._held[0])
                    there, self._pending = before, False
                client.edit(configuration(there, became.after, client.models, validated))
                there = self._commit(client)
        except Lost as lost:
            self._give_up()
            fact = f"{self._where()} went away during the commit: {lost}"
            return all_alike(wanted, fact, in_doubt=True)
        except ODD as odd:
            fact = f"sent, but what came back makes no sense: {odd!r}"[:300]
            return all_alike(wanted, fact, in_doubt=True)
        pairs = zip(wanted, outcomes_of(wanted, became, there), strict=True)
        return [_outcome(configure, settings, there) for configure, settings in pairs]

    def _commit(self, client: "Client") -> Surveyed:
        """Commit, and return what there is then."""
        from lasercats.machines.netconf_client import Lost, Refusal  # noqa: PLC0415

        token, seconds = self._held or (None, 0)
        client.commit(token=token, seconds=seconds, pending=self._pending)
        self._pending = self._pending or token is not None
        try:
            return _read(client)
        except Refusal as refusal:
            raise Lost(f"committed, but not read back: {refusal}") from None

    def _checked(self, client: "Client", before: Surveyed, wanted: Sequence[Configure]) -> Made:
        for index, configure in enumerate(wanted):
            try:
                client.models.check(configure.name, configure.after, configure.before)
            except Refused as refused:
                raise Wrong(index, str(refused)) from None
        return made(before, wanted)

    def _quietly(self, do: Callable[[], None]) -> None:
        """Do what only tidies up; a session that cannot be tidied up is given up."""
        from lasercats.machines.netconf_client import Lost, Refusal  # noqa: PLC0415

        try:
            do()
        except (Refusal, Lost):
            self._give_up()

    @property
    def _patience(self) -> float:
        """Seconds that the client may take by its own times, and more."""
        return self._url.seconds("connect_timeout", 10) + 10 * self._url.seconds("timeout", 60)

    def _stuck(self, seconds: float) -> MachineError:
        """Take what is stuck as gone."""
        return self._away(TimeoutError("it takes for ever"))


def _read(client: "Client") -> Surveyed:
    return read(client.read(), client.models)


def _outcome(configure: Configure, settings: Any, there: Surveyed) -> Any:  # noqa: ANN401
    """Return what an instruction came to."""
    odd = there.strange.get(f"{configure.what} {configure.name}")
    return Seen(settings) if odd is None else Failure(reason=odd, in_doubt=True)
