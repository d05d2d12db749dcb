"""Named pipes on hosts: a kind with instructions of its own, in the batches of all else."""

from typing import Any, ClassVar

from lasercats.core.address import Address, machine_of, rest_of
from lasercats.core.change import Change
from lasercats.core.kind import Knowledge
from lasercats.core.ports import Vault
from lasercats.core.registry import Domain
from lasercats.core.resource import Resource
from lasercats.core.text import unescape
from lasercats.domains.host import place
from lasercats.domains.host.family import OnHost
from lasercats.instructions.shell import TELL, Act, Look

SHELL = r"""
toy_look() { if [ -p "$1" ]; then stat -c %a -- "$1"; fi; }
toy_make() { { [ -p "$1" ] || mkfifo -- "$1"; } && chmod "$2" -- "$1"; }
"""


class LookAtPipe(Look, frozen=True, tag="toy.look"):
    """Look at a pipe."""

    shell: ClassVar[tuple[str, ...]] = (TELL, SHELL)
    answer: ClassVar[Any] = str
    path: str

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call."""
        return b"toy_look", unescape(self.path)

    def process(self, output: bytes) -> str:
        """Return its permission bits, or nothing."""
        return output.decode().strip()


class MakePipe(Act, frozen=True, tag="toy.make"):
    """Make, change or remove a pipe."""

    shell: ClassVar[tuple[str, ...]] = (SHELL,)
    answer: ClassVar[Any] = str
    path: str
    mode: str = ""

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call."""
        path = unescape(self.path)
        return (b"toy_make", path, self.mode.encode()) if self.mode else (b"rm", b"--", path)

    def after(self) -> LookAtPipe:
        """Return the look at it."""
        return LookAtPipe(machine=self.machine, path=self.path)

    def predict(self) -> str:
        """Return what is there then."""
        return self.mode


class Pipe(Resource, frozen=True):
    """A named pipe on a host."""

    mode: place.Mode | None = None
    forms: ClassVar[Any] = {"mode": place.mode_of}


class Create(place.Makes, frozen=True, init=False, tag="pipe.create", past="pipe.created", of=Pipe):
    """Make named pipes."""

    new: ClassVar[Any] = {"mode": "0644"}


class Remove(place.Removes, frozen=True, init=False, tag="pipe.remove", past="pipe.removed", of=Pipe):
    """Remove named pipes."""


class PipeKind(OnHost[Pipe]):
    """Named pipes."""

    name = "pipe"
    resource = Pipe
    commands = (Create, Remove)

    def canonical(self, name: str) -> str:
        """Return `MACHINE:/PATH`."""
        return place.canonical(name)

    def looks(self, machine: str, address: Address, knowledge: Knowledge) -> LookAtPipe:
        """Look at it."""
        return LookAtPipe(machine=machine, path=rest_of(address))

    def acts(self, address: Address, change: Change[Any]) -> MakePipe:
        """Make, change or remove it."""
        mode = "" if change.after is None else change.after.mode
        return MakePipe(machine=machine_of(address) or "", path=rest_of(address), mode=mode)

    def read(self, answer: str, known: Pipe | None) -> Pipe | None:
        """Return the pipe of those permission bits."""
        return Pipe(mode=place.mode_of(answer)) if answer else None


DOMAIN = Domain("pipe", (PipeKind(),), (LookAtPipe, MakePipe))
