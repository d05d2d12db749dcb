"""A project: a folder with `lasercats.toml`, the log and the key. Opened by every verb.

lasercats.toml           the machines of each environment, and which log; belongs into version control
.lasercats/log.db        the log, unless it is another
.lasercats/keys          the keys of the secrets, locked by the root key, mode 0600
.lasercats/key           the root key, if it is kept here, mode 0600; must never be committed
.lasercats/.gitignore    keeps all of that folder out of version control

One that is somebody else's is opened for looking only (`lasercats.operate.trust`).
"""

import getpass
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lasercats.core.address import Address
from lasercats.core.errors import LaserCatsError, LogError
from lasercats.core.identity import Identity
from lasercats.core.ports import Log
from lasercats.core.record import Met
from lasercats.core.registry import Kinds
from lasercats.core.resource import sealed_in
from lasercats.core.secret import Sealed, split
from lasercats.core.state import State
from lasercats.core.stores import LogPlace
from lasercats.core.text import clean
from lasercats.interpreters.context import Context
from lasercats.machines.sources import Sources
from lasercats.machines.vault import KeyVault
from lasercats.operate import files, places, plugins, seen, settings, trust
from lasercats.operate.bound import BoundMachines
from lasercats.operate.holder import holder, process_name
from lasercats.operate.inputs import LocalInputs
from lasercats.operate.settings import DEFAULT
from lasercats.operate.stopping import Stopping

FILE, FOLDER = trust.FILE, trust.FOLDER


class Project:
    """An open project: its log, kinds, machines and vault."""

    def __init__(
        self, root: Path, environment: str = DEFAULT, *, looking: bool = False, actor: str = ""
    ) -> None:
        """Open the project in `root`, in one of its environments, for an actor: by default the user.

        One of somebody else is opened only for `looking`: then its log is read, and nothing else of it works.

        Raises:
            Untrusted: it is somebody else's, and not only to be looked at.
            BadInput: its `lasercats.toml` is malformed, or has no such environment.

        """
        self.root = root
        self.environment = environment
        self.actor = clean(actor) or user()
        self.closed = trust.closed(root)
        """Why it can only be looked at; empty where it may act."""
        if not looking:
            self.check_open()
        self._looking = looking
        found = settings.read(root / FILE)
        self.urls = settings.machines(root / FILE, found, environment)
        own = settings.table(root / FILE, found, "domains")
        wanted = {name: settings.table(root / FILE, own, name) for name in own}
        self.absent = [name for name in own if name not in plugins.names("domains")]
        """The domains that its file has settings for, and that are not installed."""
        self.unknown = [*settings.unknown(found)]
        """The keys of its file that mean nothing to this program, such as misspelt ones."""
        self.kinds: Kinds = plugins.kinds() if self.closed else plugins.kinds(root, wanted)
        self.mode = trust.mode_of_files(root)
        """Of the files in its folder."""
        asked, key = Sources(root, self.may_run), root / FOLDER / "key"
        self.vault = KeyVault(key, self._tokens, asked, lambda: self.actor, self._sealed_at, self.check_open)
        self.sources = asked._replace(named=self.vault.open_named)
        url = places.log_url(root / FILE, found)
        self.place: LogPlace = places.place(url, root, "" if environment == DEFAULT else environment)
        """Where the log of the environment is."""
        self._log: Log | None = None
        self._acts = False
        self.stopping = Stopping()
        """Asks what is being done to end early."""
        self.resealed: dict[str, str] = {}
        """Which secrets were given sealed for other places than they are now sealed for; it is recorded."""
        self.machines = BoundMachines(self.urls, self.vault, self.sources, self.check_open, self._known)

    def check_open(self) -> None:
        """Check that the project may act.

        Raises:
            Untrusted: it can only be looked at.

        """
        if self.closed:
            raise trust.untrusted(self.root, self.closed)

    @property
    def log(self) -> Log:
        """The log of the environment; opened when it is first needed."""
        if self._log is None:
            if not self.place.by_file:
                self.check_open()  # who wrote the file says which server we would call, with our password
            create = self.environment != DEFAULT and not self.closed
            self._log = self.place.open(create=create, exist_ok=True, barred=self.closed, mode=self.mode)
            if not self._looking:
                trust.meet(self._log, self.place.name)
        return self._log

    @property
    def is_known(self) -> bool:
        """True where what is open in the log was begun by this user, or by whom he trusts."""
        return trust.knows(self.log, self.place.name, self.root)

    @property
    def is_begun(self) -> bool:
        """True where there is a log; a clone has none."""
        return self.place.is_begun()

    def trust_log(self, *, anyway: bool = False, acts: bool = False) -> None:
        """Check that the log holds what this user saw of it; from then on, and at the end, that is noted.

        Who `acts` on it acts on no other copy of it.

        Raises:
            LogRewound: it does not, or a copy went on, and it is not to be taken `anyway`.

        """
        if anyway:
            seen.remember(self.log, self.place.name, anyway=True)
        else:
            seen.check(self.log, self.place.name)
        if acts:
            seen.check_alone(self.log, self.place.name)
        self._acts = True

    def _tokens(self) -> Iterator[str]:
        """Iterate over the tokens in the state."""
        for resource in self.state().resources().values():
            yield from (sealed.token for _, sealed in sealed_in(resource))

    def _sealed_at(self, place: str) -> Iterator[Sealed]:
        """Iterate over what the state holds sealed at a place."""
        text, field = split(place)
        address = Address(text)
        resource = self.state(addresses=[address]).get(address)
        yield from (sealed for name, sealed in sealed_in(resource) if name == field) if resource else ()

    def may_run(self, command: Sequence[str]) -> None:
        """Let a command run that is to print a secret, as `cmd:` asks for.

        Raises:
            Untrusted: the project is somebody else's.

        """
        del command
        self.check_open()

    def _known(self) -> Mapping[str, Identity]:
        """Return what machines are known by."""
        return {name: known.facts for name, known in self.log.machines().items()}

    def _record_met(self) -> None:
        """Record what nobody did of who machines are; where that cannot be, the next look tells it again."""
        machines = {name: dict(identity) for name, identity in self.machines.all_news().items()}
        if machines:
            with suppress(LogError):
                self.log.append([Met(machines=machines, actor=self.actor)])

    def state(self, position: int | None = None, addresses: Sequence[Address] | None = None) -> State:
        """Return the state, at a position of the past if one is given, of all addresses or of some."""
        return self.log.fold(position, addresses).state(self.kinds)

    def inputs(self, folder: Path, stdin: Callable[[], bytes] | None = None) -> LocalInputs:
        """Return where the values come from that commands and documents name, with paths from a folder.

        A secret may come from standard input where that can be read.
        """
        sources = self.sources._replace(folder=folder, stdin=stdin)
        return LocalInputs(folder, self.vault, sources, self.resealed)

    def recorded(self, text: str) -> Address:
        """Read the address of something on record, also of a kind that is not installed.

        Raises:
            BadInput: it is none, or of an unknown kind of which nothing is on record.

        """
        address = self.kinds.address(text, strange=True)
        return address if any(self.log.versions(address)) else self.kinds.address(text)

    def context(self, **more: Any) -> Context:  # noqa: ANN401
        """Return what an interpreter needs to work for the operator at the keyboard."""
        import secrets  # noqa: PLC0415 - start-up stays light where nothing is done

        self.trust_log(acts=True)
        return Context(
            kinds=self.kinds,
            log=self.log,
            machines=self.machines,
            actor=self.actor,
            run=secrets.token_hex(8),
            process=process_name(os.getpid()),
            resealed=self.resealed,
            holder=holder(),
            **more,
        )

    def close(self) -> None:
        """Let go of the log; what machines told of who they are, and no record tells yet, is recorded."""
        self._record_met()
        if self._log is not None:
            if self._acts:
                with suppress(LogError):
                    seen.remember(self._log, self.place.name)
            self._log.close()


def find(start: Path) -> Path:
    """Return the folder of the project that a folder lies in.

    Raises:
        LaserCatsError: it lies in none.

    """
    for folder in (start, *start.parents):
        if files.had(start, (folder / FILE).is_file):
            return folder
    if files.had(start, (start / FOLDER).is_dir):
        raise LaserCatsError(
            f"the project in {start} was begun and not finished; `lasercats init` finishes it"
        )
    raise LaserCatsError(f"{start} lies in no LaserCats project; make one with `lasercats init`")


def user(sudo: str = "") -> str:
    """Return the user of this process as USER@HOST; the one behind a sudo, where that is said."""
    try:
        name = sudo or getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return clean(f"{name}@{socket.gethostname()}")
