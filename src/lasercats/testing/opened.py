"""The part of the contract of hosts about instructions that they do not know: those of any package.

What stands here is written as a plugin would: it takes nothing but `Act`, `Look` and `ManyLook`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from lasercats.core.instruction import Failure, Instruction, Item
from lasercats.core.ports import Machine, Vault
from lasercats.core.secret import Sealed
from lasercats.core.text import escape, unescape
from lasercats.instructions.host import (
    ExecResult,
    Execute,
    MakeDirectory,
    PathStatus,
    ReadPath,
    RemovePath,
    WriteFile,
)
from lasercats.instructions.shell import TELL, Act, Fields, Look, ManyLook, Unread

LEDGER = r"""
ledger_add() { # PATH ENTRY  Add an entry, unless it is there; leave the shell in disorder.
  case $2 in bad) echo "$1: no such entry" >&2; exit 3 ;; esac
  grep -qxFs -e "$2" -- "$1" || printf '%s\n' "$2" >>"$1" || return 9
  pwd >"$1.pwd"
  cd /; umask 077; IFS=/; set -f; lc_home=/nowhere; trap 'echo gone' EXIT; exit 0
}
ledger_fill() { # PATH ENTRY PATH ENTRY...
  echo call >>"$1.calls"
  while [ $# -gt 1 ]; do printf '%s\n' "$2" >>"$1"; shift 2; done
}
ledger_read() { # PATH
  echo 'the ledger speaks' >&2
  [ -e "$1" ] || { echo "$1: there is no ledger" >&2; return 4; }
  cat -- "$1"; cd /; IFS=x; lc_m=@nobody; exit 0
}
ledger_users() { # NAME...
  echo "$# asked"
  for u do grep -e "^$u:" /etc/passwd | cut -d : -f 1,3; done
}
"""


class ReadLedger(Look, frozen=True, tag="ledger.read"):
    """Read the entries of a ledger."""

    shell: ClassVar[tuple[str, ...]] = (TELL, LEDGER)
    answer: ClassVar[Any] = tuple[str, ...]

    path: str

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call."""
        return b"ledger_read", unescape(self.path)

    def process(self, output: bytes) -> tuple[str, ...]:
        """Return its entries."""
        if b"\0" in output:
            raise Unread("it is no ledger: it holds NUL")
        return tuple(map(escape, output.splitlines()))


class AddEntry(Act, frozen=True, tag="ledger.add"):
    """Add an entry to a ledger."""

    shell: ClassVar[tuple[str, ...]] = (LEDGER,)
    answer: ClassVar[Any] = tuple[str, ...]

    path: str
    entry: str | Sealed
    place: str = ""

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call; a sealed entry is opened for its host alone."""
        entry = self.entry
        word = vault.open(entry, self.place) if vault and isinstance(entry, Sealed) else unescape(str(entry))
        return b"ledger_add", unescape(self.path), word

    def after(self) -> ReadLedger:
        """Return the look at it."""
        return ReadLedger(machine=self.machine, path=self.path)


class FillLedger(AddEntry, frozen=True, tag="ledger.fill"):
    """Add an entry to a ledger, together with others where they stand side by side."""

    together: ClassVar[bytes] = b"ledger_fill"

    def share(self) -> tuple[bytes, ...]:
        """Return the ledger and the entry."""
        return unescape(self.path), unescape(str(self.entry))


class ReadUser(ManyLook, frozen=True, tag="ledger.user"):
    """Look a user's number up, and tell for how many it was asked in the same call."""

    shell: ClassVar[tuple[str, ...]] = (TELL, LEDGER)
    call: ClassVar[tuple[bytes, ...]] = (b"ledger_users",)
    answer: ClassVar[Any] = tuple[str, str]

    name: str

    def subject_words(self) -> tuple[bytes, ...]:
        """Return the name."""
        return (self.name.encode(),)

    @classmethod
    def process_many(cls, asked: Sequence[Fields], output: bytes) -> Mapping[Fields, Any]:
        """Return the number of each user that there is."""
        count, *lines = output.decode().splitlines()
        found = dict(line.split(":") for line in lines)
        return {(name,): (count, found[name.decode()]) for (name,) in asked if name.decode() in found}


class OpenContract:
    """What every host does with instructions of any package."""

    def vault(self) -> Vault:
        """Return the vault that the machine uses."""
        raise NotImplementedError

    def folder(self) -> str:
        """Return the path of an empty folder on it."""
        raise NotImplementedError

    def using(self, work: Any) -> Any:  # noqa: ANN401
        """Connect, work, disconnect."""
        raise NotImplementedError

    def both(self, *items: Instruction | tuple[Instruction, int]) -> tuple[list[Any], int]:
        """Run a batch; return the outcomes, and how many round trips they took."""
        batch = tuple(Item(i[0], (i[1],)) if isinstance(i, tuple) else Item(i) for i in items)

        async def work(machine: Machine) -> tuple[list[Any], int]:
            return list(await machine.run(batch)), machine.trips

        outcome: tuple[list[Any], int] = self.using(work)
        return outcome

    def test_instructions_of_any_package_share_the_round_trip(self) -> None:
        """Files, and what a plugin looks at and changes, are one batch, in order, and one round trip."""
        folder = f"{self.folder()}/new"
        book = f"{folder}/book"
        outcomes, trips = self.both(
            MakeDirectory(machine="m", path=folder),
            (WriteFile(machine="m", path=f"{folder}/first", content="one\n", mode="0640"), 0),
            (AddEntry(machine="m", path=book, entry="it's $two\\"), 1),
            (WriteFile(machine="m", path=f"{folder}/file", content="x"), 2),
            ReadUser(machine="m", name="root"),
            ReadUser(machine="m", name="nobody"),
            ReadPath(machine="m", path="/"),
        )
        assert trips == 1
        assert outcomes[2] == ("it's $two\\",)
        types = [outcome.type for outcome in (*outcomes[:2], outcomes[3], outcomes[6])]
        assert types == ["directory", "file", "file", "directory"]
        assert (outcomes[1].mode, outcomes[3].mode) == ("0640", "0644")
        assert outcomes[4:6] == [("2 asked", "0"), ("2 asked", outcomes[5][1])]

    def test_no_instruction_of_another_meets_its_neighbours(self) -> None:
        """One that fails, exits, prints or leaves its shell in disorder fails alone, with its own reason."""
        folder = self.folder()
        book, file = f"{folder}/book", WriteFile(machine="m", path=f"{folder}/file", content="x", mode="0600")
        outcomes, _ = self.both(
            ReadLedger(machine="m", path=f"{folder}/none"),
            AddEntry(machine="m", path=book, entry="good"),
            AddEntry(machine="m", path=book, entry="bad"),
            (WriteFile(machine="m", path=f"{folder}/behind", content="x"), 2),
            file,
            ReadUser(machine="m", name="no-such-user"),
            ReadUser(machine="m", name="root"),
        )
        assert outcomes[0] == Failure(reason=f"{folder}/none: there is no ledger")
        assert outcomes[1] == ("good",)
        assert outcomes[2] == Failure(reason=f"{book}: no such entry")
        assert outcomes[3].skipped
        assert (outcomes[4].size, outcomes[4].mode) == (1, "0600")
        assert outcomes[5] == Failure(reason="the host told nothing of it")
        assert outcomes[6] == ("2 asked", "0")

    def test_it_works_where_the_script_began_and_in_no_room(self) -> None:
        """Between two files in one folder it stands in neither room, and nothing is left behind."""
        folder = self.folder()
        write = [WriteFile(machine="m", path=f"{folder}/{n}", content="x") for n in "ab"]
        outcomes, _ = self.both(write[0], AddEntry(machine="m", path=f"{folder}/book", entry="e"), write[1])
        assert not any(isinstance(outcome, Failure) for outcome in outcomes)
        (where,), _ = self.both(ReadLedger(machine="m", path=f"{folder}/book.pwd"))
        assert ".lasercats" not in where[0]
        names = [*"ab", "book", "book.pwd"]
        self.both(*(RemovePath(machine="m", path=f"{folder}/{n}", type="file") for n in names))
        emptied, _ = self.both(RemovePath(machine="m", path=folder, type="directory"))
        assert emptied == [PathStatus("absent")]

    def test_a_sealed_word_is_opened_for_its_place_only(self) -> None:
        """What a plugin's instruction bears sealed reaches the host in clear, and for no other place."""
        book = f"{self.folder()}/book"
        sealed = self.vault().seal(b"hunter2", ["here"])
        outcomes, _ = self.both(
            AddEntry(machine="m", path=book, entry=sealed, place="here"),
            AddEntry(machine="m", path=book, entry=sealed, place="there"),
        )
        assert outcomes[0] == ("hunter2",)
        assert isinstance(outcomes[1], Failure)
        assert "hunter2" not in outcomes[1].reason

    def test_what_can_be_done_together_is(self) -> None:
        """Neighbours that say so are done in one call, each with its own outcome; what depends waits."""
        book = f"{self.folder()}/book"
        fill = [FillLedger(machine="m", path=book, entry=f"e{n}") for n in range(4)]
        bad = FillLedger(machine="m", path=book, entry="bad")
        outcomes, trips = self.both(*fill[:2], bad, (fill[2], 2), (fill[3], 0))
        assert trips == 1
        assert outcomes[:2] == [("e0", "e1", "bad")] * 2
        assert outcomes[2] == Failure(reason=f"{book}: no such entry")
        assert outcomes[3].skipped
        assert outcomes[4] == ("e0", "e1", "bad", "e3")
        (calls,), _ = self.both(ReadLedger(machine="m", path=f"{book}.calls"))
        assert calls == ("call",)

    def test_what_is_printed_does_what_is_sent(self) -> None:
        """A printed script carries a plugin's instructions out with the functions that they bring."""
        book = f"{self.folder()}/book"
        acts = [AddEntry(machine="m", path=book, entry=entry) for entry in ("a b", "'")]
        file = WriteFile(machine="m", path=f"{self.folder()}/after", content="x")

        async def work(machine: Machine) -> str:
            return machine.script([acts[0], file, acts[1]], alone=True)

        script = self.using(work)
        assert "ledger_add" in script
        self.check_script(script)
        outcomes, _ = self.both(ReadLedger(machine="m", path=book), ReadPath(machine="m", path=file.path))
        assert outcomes[0] == ("a b", "'")
        assert outcomes[1].type == "file"

    def check_script(self, script: str) -> None:
        """Run a script on the host as an operator would, and check that it succeeds."""
        (ran,), _ = self.both(Execute(machine="m", argv=("/bin/sh", "-c", script)))
        assert ran == ExecResult(0, ran.output)
