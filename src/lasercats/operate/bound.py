"""The machines of an environment, as they are bound to names: each is made when it is first used."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from lasercats.core.errors import BadInput, UnknownName
from lasercats.core.identity import Identity, Who
from lasercats.core.ports import Machine
from lasercats.core.registry import Domain
from lasercats.machines.sources import Sources
from lasercats.machines.url import Url
from lasercats.machines.vault import KeyVault
from lasercats.operate import plugins


def machine_type(url: str) -> Any:  # noqa: ANN401
    """Return the machine class for the scheme of a URL."""
    return plugins.load("machines", url.partition(":")[0], "machine scheme")


def check_url(text: str) -> Any:  # noqa: ANN401
    """Take a machine URL apart, as its scheme wants it."""
    return machine_type(text).check_url(text)


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
        identity = who.news
        if identity is None:
            return {}
        who.known = identity
        return {name: identity}

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
