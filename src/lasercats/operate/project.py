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
import re
import socket
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lasercats.core import content
from lasercats.core.address import Address, check_machine_name
from lasercats.core.errors import BadInput, LaserCatsError, LogError, UnknownName
from lasercats.core.identity import Identity, Who
from lasercats.core.ports import Log, Machine
from lasercats.core.record import Met
from lasercats.core.registry import Domain, Kinds
from lasercats.core.resource import sealed_in
from lasercats.core.secret import NAMED, Sealed, label, of_text, split
from lasercats.core.state import State
from lasercats.core.stores import LogPlace
from lasercats.core.text import clean
from lasercats.interpreters.context import Context
from lasercats.machines.sources import Sources
from lasercats.machines.url import Url
from lasercats.machines.vault import KeyVault
from lasercats.operate import files, places, plugins, seen, trust
from lasercats.operate.holder import holder, process_name
from lasercats.operate.stopping import Stopping

FILE, FOLDER = trust.FILE, trust.FOLDER
DEFAULT = "default"
LOG = "log"
"""What the file of the default environment's log is called, before `.db`; others are called after theirs."""
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


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
        settings = settings_of(root / FILE)
        self.urls = _machines(root / FILE, settings, environment)
        told = _table(root / FILE, settings, "domains")
        wanted = {name: _table(root / FILE, told, name) for name in told}
        self.absent = [name for name in told if name not in plugins.names("domains")]
        """The domains that its file has settings for, and that are not installed."""
        self.kinds: Kinds = plugins.kinds() if self.closed else plugins.kinds(root, wanted)
        self.mode = trust.mode_of_files(root)
        """Of the files in its folder."""
        asked, key = Sources(root, self.may_run), root / FOLDER / "key"
        self.vault = KeyVault(key, self._tokens, asked, lambda: self.actor, self._sealed_at, self.check_open)
        self.sources = asked._replace(named=self.vault.open_named)
        url = places.log_url(root / FILE, settings)
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

    def trust_log(self, *, anyway: bool = False) -> None:
        """Check that the log holds what this user saw of it; from then on, and at the end, that is noted.

        Raises:
            LogRewound: it does not, and it is not to be taken `anyway`.

        """
        if anyway:
            seen.remember(self.log, self.place.name, anyway=True)
        else:
            seen.check(self.log, self.place.name)
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
        told = {name: dict(identity) for name, identity in self.machines.all_news().items()}
        if told:
            with suppress(LogError):
                self.log.append([Met(machines=told, actor=self.actor)])

    def state(self, position: int | None = None, addresses: Sequence[Address] | None = None) -> State:
        """Return the state, at a position of the past if one is given, of all addresses or of some."""
        return self.log.fold(position, addresses).state(self.kinds)

    def inputs(self, folder: Path, stdin: Callable[[], bytes] | None = None) -> "LocalInputs":
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

        self.trust_log()
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


class BoundMachines:
    """The machines of an environment; each connects when it is first used.

    Each is told what it must be, and is not used where it is another one (`lasercats.core.identity`).
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        vault: KeyVault,
        sources: Sources | None = None,
        check: Callable[[], object] = lambda: None,
        known: Callable[[], Mapping[str, Identity]] = dict,
    ) -> None:
        """Bind names to URLs; `sources` are where the secrets come from that URLs name.

        `check` tells whether any machine may be talked to, `known` who they are on record.
        """
        self._urls, self._vault, self._sources = urls, vault, sources or Sources()
        self._check, self._tell = check, known
        self._open: dict[str, Machine] = {}
        self._known: Mapping[str, Identity] | None = None

    def names(self) -> list[str]:
        """Return the names that are bound."""
        return sorted(self._urls)

    def check(self, name: str, domain: Domain | None = None) -> None:
        """Check that a machine is bound, and is one for a domain.

        Raises:
            UnknownName: none of that name is bound.
            BadInput: it is of another sort than the domain is for.

        """
        if name not in self._urls:
            raise UnknownName("machine", name, self._urls, "add it with `lasercats machine add NAME URL`")
        if domain is not None and not self.fits(name, domain):
            raise BadInput(f"machine {name!r} ({self._urls[name]}) is none for {domain.name}; name another")

    def fits(self, name: str, domain: Domain) -> bool:
        """Tell whether a machine that is bound can run the instructions of a domain."""
        vocabulary = tuple(machine_type(self._urls[name]).vocabulary)
        return all(issubclass(instruction, vocabulary) for instruction in domain.instructions)

    def url(self, name: str) -> str:
        """Return the URL that the name is bound to."""
        self.check(name)
        return self._urls[name]

    def get(self, name: str) -> Machine:
        """Return the machine of a name."""
        if name not in self._open:
            self._check()
            text = self.url(name)
            url = check_url(text)
            if isinstance(url, Url):
                url = replace(url, sources=self._sources)
            made: Machine = machine_type(text)(name, url, self._vault)
            if self._known is None:
                self._known = self._tell()
            self.who(made, name).known = self._known.get(name, {})
            self._open[name] = made
        return self._open[name]

    def who(self, machine: Machine, name: str) -> Who:
        """Return who a machine is; one of a plugin that knows of no identity has none."""
        return getattr(machine, "who", None) or Who(name)

    def news(self, name: str) -> Mapping[str, Identity]:
        """Return who a machine is, by its name, where it told something new; who asks records it."""
        who = self.who(self._open[name], name) if name in self._open else Who(name)
        told = who.news
        if told is None:
            return {}
        who.known = told
        return {name: told}

    def all_news(self) -> Mapping[str, Identity]:
        """Return who machines are, by name, where they told something new; who asks records it."""
        return {name: identity for one in self._open for name, identity in self.news(one).items()}

    @property
    def trips(self) -> dict[str, int]:
        """How many round trips were made to each machine."""
        return {name: machine.trips for name, machine in self._open.items()}

    async def close(self) -> None:
        """Disconnect from all."""
        import asyncio  # noqa: PLC0415 - start-up stays light where nothing is sent

        await asyncio.gather(*(machine.close() for machine in self._open.values()))


class LocalInputs:
    """Values that a command or document names, from the files and variables of this machine."""

    def __init__(
        self,
        folder: Path,
        vault: KeyVault,
        sources: Sources | None = None,
        resealed: dict[str, str] | None = None,
    ) -> None:
        """Find relative paths in `folder`, and seal with a vault.

        Into `resealed` go the places for which a secret is sealed that was given for others, and those.
        """
        self._folder, self._vault = folder, vault
        self._resealed: dict[str, str] = {} if resealed is None else resealed
        self._sources = sources or Sources(folder, named=vault.open_named)

    def source(self, path: str) -> str:
        """Return the content string of a local file."""
        return content.encode(self._read(path))

    def secret(self, reference: str, places: Sequence[str]) -> Sealed:
        """Return the secret that a reference names, sealed for some places.

        It is one of a source (`lasercats.machines.sources`), or what is sealed already; where that is for
        other places, it is sealed again for these, and told. A secret that stands at the places already stays
        sealed as it is, and one with a name is the same wherever it is named.
        """
        given = of_text(reference)
        if given is not None:
            return self._for(given, places)
        if reference.startswith(NAMED):
            return self._vault.named(reference.removeprefix(NAMED))
        return self._vault.seal(self._sources.read(reference), places)

    def _for(self, given: Sealed, places: Sequence[str]) -> Sealed:
        """Return what is given sealed, for some places."""
        standing = [one for place in places for one in self._vault.standing(place)]
        if all(self._vault.is_for(given, place) for place in places):
            secret = self._vault.open(given, places[0])
            same = (one for one in standing if self._vault.holds(one, secret))
            return next(same, None) or self._vault.renewed(given, places[0])
        before = self._vault.places(given)
        sealed = self._vault.seal(self._vault.open(given, before[0]), places)
        if sealed not in standing:
            self._resealed |= dict.fromkeys(places, ", ".join(map(label, before)))
        return sealed

    def _read(self, path: str) -> bytes:
        def read() -> bytes:
            full = self._folder / Path(path).expanduser()
            if full.stat().st_size > content.LIMIT:
                raise BadInput(
                    f"{path} has more than {content.LIMIT} bytes, the most that is kept in the log"
                )
            return full.read_bytes()

        return files.had(path, read)


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


def machine_type(url: str) -> Any:  # noqa: ANN401
    """Return the machine class for the scheme of a URL."""
    return plugins.load("machines", url.partition(":")[0], "machine scheme")


def check_url(text: str) -> Any:  # noqa: ANN401
    """Take a machine URL apart, as its scheme wants it."""
    return machine_type(text).check_url(text)


def check_environment(name: str) -> str:
    """Give the name of an environment back when its log can be called after it.

    Raises:
        BadInput: it cannot, or that is the log of the default environment.

    """
    if not _ENVIRONMENT.fullmatch(name):
        raise BadInput(
            f"{name!r} is no name of an environment; use up to 64 letters, digits, '.', '_' and '-', and "
            "begin with a letter or digit"
        )
    if name.casefold() == LOG:
        raise BadInput(
            f"an environment cannot be called {name!r}, as its log would be that of the environment "
            f"{DEFAULT!r}; give it another name in {FILE}"
        )
    return name


def _table(path: Path, data: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise BadInput(f"{path} is malformed: {name!r} must be a table")
    return table


def settings_of(path: Path) -> dict[str, Any]:
    """Return the settings of a project.

    Raises:
        BadInput: they are malformed.
        LaserCatsError: they cannot be read.

    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is malformed: {error}") from None
    except OSError as error:
        raise LaserCatsError(f"{path} cannot be read: {error.strerror}") from None


def _machines(path: Path, data: Mapping[str, Any], environment: str) -> dict[str, str]:
    """Return the URLs of the machines of an environment.

    Raises:
        BadInput: they are malformed, or there is no such environment.

    """
    environments = _table(path, data, "environments")
    for name in (environment, *environments):
        check_environment(name)
    if environment not in environments:
        raise UnknownName("environment", environment, environments)
    machines = _table(path, _table(path, environments, environment), "machines")
    for name, url in machines.items():
        check_machine_name(name)
        if not isinstance(url, str):
            raise BadInput(f"{path}: the URL of machine {name!r} must be text")
    return dict(machines)
