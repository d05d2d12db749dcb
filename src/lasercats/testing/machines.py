"""The contract of machines that are hosts: subclass it, give it a machine and a folder on it."""

import asyncio
import shlex
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lasercats.core import content as contents
from lasercats.core.instruction import Batch, Failure, Instruction, Item
from lasercats.core.ports import Machine, Vault
from lasercats.core.secret import Sealed
from lasercats.core.text import escape
from lasercats.instructions.host import (
    ExecResult,
    Execute,
    MakeDirectory,
    MakeSymlink,
    PathStatus,
    ReadPath,
    RemovePath,
    SetAttributes,
    WriteFile,
)
from lasercats.testing.opened import OpenContract
from lasercats.testing.still import StillContract
from lasercats.testing.who import WhoContract

ODD: tuple[bytes, ...] = (
    b"two words",
    b"line\nbreak",
    b"tab\there",
    b"caf\xe9",
    b"end\n",
    b"-n",
    b"$(id) `id` \\x41 \\xe9 'q' \"q\"",
)
"""Names, and targets of links, that tools print otherwise than they are."""
ODD += (bytes(range(1, 47)) + b"0123", bytes(range(48, 160)), bytes(range(160, 256)))


def batch(*items: Instruction | tuple[Instruction, int]) -> Batch:
    """Make a batch; a pair is an instruction and the index that it depends on."""
    return tuple(Item(i[0], (i[1],)) if isinstance(i, tuple) else Item(i) for i in items)


class HostContract(StillContract, WhoContract, OpenContract):
    """What every host does."""

    def vault(self) -> Vault:
        """Return the vault that the machine uses."""
        raise NotImplementedError

    def run(self, *items: Instruction | tuple[Instruction, int], sink: Any = None) -> list[Any]:  # noqa: ANN401
        """Run one batch on a connection of its own."""
        outcomes: list[Any] = self.using(lambda machine: machine.run(batch(*items), sink))
        return outcomes

    def using(self, work: Callable[[Machine], Any]) -> Any:  # noqa: ANN401
        """Connect, work, disconnect."""

        async def whole() -> Any:  # noqa: ANN401
            machine = self.connect()
            try:
                return await work(machine)
            finally:
                await machine.close()

        return asyncio.run(whole())

    def a_look(self) -> Instruction:
        """Return a look at the root."""
        return ReadPath(machine="m", path="/")

    def changes(self) -> Sequence[Instruction]:
        """Return a file that is written, and a raw command that makes another."""
        folder = self.folder()
        write = WriteFile(machine="m", path=f"{folder}/of-another", content="x", mode="0644")
        return write, Execute(machine="m", argv=("touch", f"{folder}/of-another"))

    def check_unchanged(self) -> None:
        """Check that there is no such file."""
        assert self.run(ReadPath(machine="m", path=f"{self.folder()}/of-another")) == [PathStatus("absent")]

    def test_who_it_is_costs_no_round_trip(self) -> None:
        """A look tells the machine-id too, where there is one, in its only round trip."""
        (read,) = self.run(Execute(machine="m", argv=("cat", "/etc/machine-id")))
        there = {"machine-id": read.output.strip()} if read.status == 0 and read.output.strip() else {}
        assert self.asked() == ({**self.asked()[0], **there}, 1)

    def test_check_answers(self) -> None:
        """A machine that is there passes its check."""
        assert self.using(lambda machine: machine.check()) is None

    def test_an_empty_batch_is_no_round_trip(self) -> None:
        """Nothing asked, nothing sent."""
        machine = self.connect()
        assert list(asyncio.run(machine.run(()))) == []
        assert machine.trips == 0

    def test_many_instructions_are_one_round_trip(self) -> None:
        """A batch of looks and changes is one round trip."""
        folder = self.folder()
        items = [WriteFile(machine="m", path=f"{folder}/{n}", content=str(n), mode="0644") for n in range(30)]
        looks = [ReadPath(machine="m", path=f"{folder}/{n}") for n in range(30)]

        async def work(machine: Machine) -> int:
            outcomes = await machine.run(batch(*items, *looks))
            assert all(isinstance(o, PathStatus) for o in outcomes)
            return machine.trips

        assert self.using(work) == 1

    def test_any_bytes_travel(self) -> None:
        """Text, quotes, control characters and raw bytes arrive as they are."""
        folder = self.folder()
        for data in (
            b"",
            b"x",
            b"a'b\"c$d`e\\n%s\n",
            b"\r\n\t\x1b[0m",
            bytes(range(256)),
            "zażółć\n".encode(),
        ):
            content = contents.encode(data)
            path = f'{folder}/it\'s a "file" $x'
            (wrote,) = self.run(WriteFile(machine="m", path=path, content=content, mode="0600"))
            assert (wrote.type, wrote.mode, wrote.size) == ("file", "0600", len(data))
            (read,) = self.run(ReadPath(machine="m", path=path, whole=True))
            assert contents.decode(read.content) == data

    def test_a_large_content_travels(self) -> None:
        """A content of a megabyte arrives as it is."""
        content = "0123456789abcdef" * 65536
        path = f"{self.folder()}/large"
        (wrote,) = self.run(WriteFile(machine="m", path=path, content=content, mode="0644"))
        assert wrote.size == len(content)
        look = ReadPath(machine="m", path=path, whole=True, expect=contents.digest(content))
        assert self.run(look)[0].same

    def test_a_look_brings_only_what_is_not_expected(self) -> None:
        """The content comes over only where it differs from the expected digest."""
        path = f"{self.folder()}/f"
        self.run(WriteFile(machine="m", path=path, content="one", mode="0644"))
        look = ReadPath(machine="m", path=path, whole=True, expect=contents.digest("one"))
        (same,) = self.run(look)
        assert (same.same, same.content) == (True, None)
        self.run(WriteFile(machine="m", path=path, content="two", mode="0644"))
        (other,) = self.run(look)
        assert (other.same, other.content) == (False, "two")

    def test_secrets_never_come_back_in_clear(self) -> None:
        """A secret is written in clear on the host and is answered sealed."""
        path = f"{self.folder()}/secret"
        place = f"file/m:{path} secret"
        token = self.vault().seal(b"hunter2", [place])
        (wrote,) = self.run(WriteFile(machine="m", path=path, content=token, place=place, mode="0600"))
        assert wrote.size == len(b"hunter2")
        look = ReadPath(machine="m", path=path, whole=True, expect=token, seal="always", place=place)
        assert self.run(look)[0].same
        self.run(WriteFile(machine="m", path=path, content="swordfish", mode="0600"))
        (changed,) = self.run(look)
        assert isinstance(changed.content, Sealed)
        assert self.vault().open(changed.content, place) == b"swordfish"

    def test_what_not_everybody_may_read_is_answered_sealed(self) -> None:
        """A look for `closed` content answers it in clear only where every user of the host may read it."""
        path = f"{self.folder()}/key"
        place = f"file/m:{path} secret"
        look = ReadPath(machine="m", path=path, whole=True, seal="closed", place=place)
        for mode, sealed in (("0644", False), ("0640", True), ("0600", True), ("0604", False)):
            self.run(WriteFile(machine="m", path=path, content="hunter2", mode=mode))
            (found,) = self.run(look)
            assert isinstance(found.content, Sealed) == sealed, mode

    def test_a_secret_is_opened_only_for_its_place(self) -> None:
        """What is sealed for one path is not written to another, and a text is written as it is."""
        place = f"file/m:{self.folder()}/one secret"
        token = self.vault().seal(b"hunter2", [place])
        other = f"{self.folder()}/two"
        moved = WriteFile(machine="m", path=other, content=token, place=f"file/m:{other} secret")
        beside = WriteFile(machine="m", path=f"{self.folder()}/three", content="3", mode="0644")
        refused, wrote = self.run(moved, beside)
        assert isinstance(refused, Failure)
        assert "sealed for" in refused.reason
        assert wrote.type == "file"
        self.run(WriteFile(machine="m", path=other, content=str(token), mode="0644"))
        (found,) = self.run(ReadPath(machine="m", path=other, whole=True))
        assert found.content == str(token)

    def test_one_failure_fails_no_neighbour(self) -> None:
        """A write that cannot be made fails alone; what depends on it is skipped."""
        folder = self.folder()
        bad = WriteFile(machine="m", path=f"{folder}/none/x", content="x", mode="0644")
        outcomes = self.run(
            WriteFile(machine="m", path=f"{folder}/a", content="a", mode="0644"),
            bad,
            (SetAttributes(machine="m", path=f"{folder}/none/x", type="file", mode="0600"), 1),
            WriteFile(machine="m", path=f"{folder}/b", content="b", mode="0644"),
        )
        assert isinstance(outcomes[0], PathStatus)
        assert isinstance(outcomes[1], Failure)
        assert "does not exist" in outcomes[1].reason
        assert outcomes[2].skipped
        assert isinstance(outcomes[3], PathStatus)

    def test_a_batch_runs_in_order(self) -> None:
        """A directory, a file in it and its attributes are made in one batch; each answers for its moment."""
        folder = self.folder()
        path = f"{folder}/d/f"
        outcomes = self.run(
            MakeDirectory(machine="m", path=f"{folder}/d", mode="0750"),
            (WriteFile(machine="m", path=path, content="x", mode="0644"), 0),
            (SetAttributes(machine="m", path=path, type="file", mode="0600"), 1),
            (MakeSymlink(machine="m", path=f"{folder}/d/l", target="f"), 0),
            (RemovePath(machine="m", path=path, type="file"), 2),
        )
        assert [o.type for o in outcomes] == ["directory", "file", "file", "symlink", "absent"]
        assert [o.mode for o in outcomes[:3]] == ["0750", "0644", "0600"]

    def test_a_replaced_file_keeps_what_is_not_said(self) -> None:
        """Mode and owner of an existing file stay when only its content is written."""
        path = f"{self.folder()}/f"
        self.run(WriteFile(machine="m", path=path, content="one", mode="0640"))
        (after,) = self.run(WriteFile(machine="m", path=path, content="two"))
        assert after.mode == "0640"

    def test_nothing_temporary_is_left(self) -> None:
        """After writes, good and bad, the folder holds only what was asked for."""
        folder = self.folder()
        self.run(
            WriteFile(machine="m", path=f"{folder}/good", content="x", mode="0644"),
            WriteFile(machine="m", path=f"{folder}/bad", content="x", mode="0644", owner="no-such-user"),
            MakeSymlink(machine="m", path=f"{folder}/link", target="x"),
        )
        (listing,) = self.run(Execute(machine="m", argv=("ls", "-A", folder)))
        assert listing.output.split() == ["good", "link"]

    def test_strange_things_are_told(self) -> None:
        """A pipe, a directory and nothing at all are told from a file."""
        folder = self.folder()
        self.run(Execute(machine="m", argv=("mkfifo", f"{folder}/pipe")))
        paths = (f"{folder}/pipe", folder, f"{folder}/none", f"{folder}/pipe/below")
        outcomes = self.run(*(ReadPath(machine="m", path=path, whole=True) for path in paths))
        assert [o.type for o in outcomes] == ["other", "directory", "absent", "absent"]

    def test_names_and_targets_are_exact(self) -> None:
        """Whatever bytes a name or a target is made of, it is written, looked at and told as it is."""
        folder = self.folder()
        for n, odd in enumerate(ODD):
            path, link = f"{folder}/f{escape(odd)}", f"{folder}/l{n}"
            made = self.run(
                WriteFile(machine="m", path=path, content=str(n), mode="0600"),
                MakeSymlink(machine="m", path=link, target=escape(odd)),
            )
            assert [one.type for one in made] == ["file", "symlink"], (odd, made)
        looks = [ReadPath(machine="m", path=f"{folder}/f{escape(odd)}", whole=True) for odd in ODD]
        looks += [ReadPath(machine="m", path=f"{folder}/l{n}", whole=True) for n in range(len(ODD))]
        answers = self.run(*looks, ReadPath(machine="m", path=f"{folder}/none\\x0asuch", whole=True))
        assert [one.content for one in answers[: len(ODD)]] == [str(n) for n in range(len(ODD))]
        assert [one.target for one in answers[len(ODD) : -1]] == [escape(odd) for odd in ODD]
        assert answers[-1] == PathStatus("absent")

    def test_what_cannot_be_read_fails_alone(self) -> None:
        """A file that is there and cannot be read fails with the reason; all else is reported."""
        folder = self.folder()
        self.run(
            WriteFile(machine="m", path=f"{folder}/good", content="ok", mode="0644"),
            MakeSymlink(machine="m", path=f"{folder}/loop", target="loop"),
        )
        paths = (f"{folder}/good", "/proc/self/clear_refs", f"{folder}/loop/x", f"{folder}/none", "/bin")
        good, bad, loop, none, other = self.run(
            *(ReadPath(machine="m", path=path, whole=True) for path in paths)
        )
        assert good.content == "ok"
        assert isinstance(bad, Failure)
        assert bad.reason in {
            f"the content cannot be read: {why}" for why in ("Invalid argument", "Permission denied")
        }
        assert isinstance(loop, Failure)
        assert "ymbolic link" in loop.reason
        assert (none.type, other.type in {"directory", "symlink"}) == ("absent", True)

    def test_a_file_too_large_is_told_by_its_size(self) -> None:
        """A file of terabytes is not read; it is known by its size and its time, until either changes."""
        path, work = (
            f"{self.folder()}/large",
            "truncate -s 2000000000000 {0}; touch -d '2001-02-03 04:05:06' {0}",
        )
        self.run(Execute(machine="m", argv=("sh", "-c", work.format(path))))
        (large,) = self.run(ReadPath(machine="m", path=path, whole=True))
        assert large.content == contents.unread(2_000_000_000_000, large.modified)
        again = ReadPath(machine="m", path=path, whole=True, expect=large.content)
        assert self.run(again)[0].same
        self.run(Execute(machine="m", argv=("touch", path)))
        assert self.run(again)[0].content == contents.unread(2_000_000_000_000, self.run(again)[0].modified)

    def test_contents_come_in_several_trips(self) -> None:
        """Large contents are brought within a budget for each trip; what is changed is changed once."""
        folder, size = self.folder(), contents.LIMIT - 1
        fill = f"for n in 0 1 2 3 4 5; do head -c {size} /dev/zero >{folder}/$n; done"
        self.run(Execute(machine="m", argv=("sh", "-c", fill)))
        looks = [ReadPath(machine="m", path=f"{folder}/{n}", whole=True) for n in range(6)]

        async def work(machine: Machine) -> Any:  # noqa: ANN401
            made = MakeDirectory(machine="m", path=f"{folder}/d")
            return await machine.run(batch(*looks, made)), machine.trips

        outcomes, trips = self.using(work)
        assert [len(contents.decode(one.content)) for one in outcomes[:-1]] == [size] * 6
        assert (outcomes[-1].type, trips) == ("directory", 2)

    def test_a_large_batch_is_several_scripts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A batch too large for one script is several; what depends on a failure stays undone in all."""
        monkeypatch.setattr("lasercats.machines.host.MOST", 3000)
        folder = self.folder()
        bad = WriteFile(machine="m", path=f"{folder}/none/x", content="x")
        items: list[Any] = [
            bad,
            *(WriteFile(machine="m", path=f"{folder}/{n}", content="x" * 999) for n in range(6)),
        ]

        async def work(machine: Machine) -> Any:  # noqa: ANN401
            last = (WriteFile(machine="m", path=f"{folder}/last", content="x"), 0)
            look = ReadPath(machine="m", path=f"{folder}/last")
            outcomes = [*await machine.run(batch(*items, last)), *await machine.run(batch(look))]
            return outcomes, machine.trips

        outcomes, trips = self.using(work)
        assert trips > 3
        assert isinstance(outcomes[0], Failure)
        assert [one.type for one in outcomes[1:7]] == ["file"] * 6
        assert outcomes[7].skipped
        assert outcomes[8].type == "absent"

    def test_a_command_gets_its_words_and_no_input(self) -> None:
        """The words of a raw command arrive byte by byte, and its input is empty."""
        words = ("", "a b", "2>&1", "*", "$HOME", "\\", "it's", "line\nbreak", "caf\\xe9", "x=y")
        (result,) = self.run(Execute(machine="m", argv=("printf", "[%s]", *words)))
        assert result == ExecResult(0, "".join(f"[{word}]" for word in words))
        assert self.run(Execute(machine="m", argv=("cat",))) == [ExecResult(0)]
        assert self.run(Execute(machine="m", argv=("no=program",)))[0].status == 127

    def test_a_command_beyond_its_time_is_ended(self) -> None:
        """A command that runs longer than it may is ended, and its outcome is in doubt."""
        (outcome,) = self.run(Execute(machine="m", argv=("sleep", "30"), timeout=0.3))
        assert outcome == Failure(reason="it ran longer than 0.3 s, and was ended", in_doubt=True)

    def test_output_is_streamed_and_the_status_kept(self) -> None:
        """A raw command's output reaches the sink, and its status the outcome."""
        seen = bytearray()
        script = "echo out; echo err >&2; exit 3"
        (result,) = self.run(
            Execute(machine="m", argv=("sh", "-c", script)), sink=lambda _m, _i, data: seen.extend(data)
        )
        assert result == ExecResult(3, "out\nerr\n")
        assert bytes(seen) == b"out\nerr\n"

    def test_half_a_script_does_nothing(self) -> None:
        """A shell that gets only a part of the script, cut anywhere, changes nothing."""
        from lasercats.machines.shell import BatchScript  # noqa: PLC0415 - the script is the machines' own

        folder = self.folder()
        items = [WriteFile(machine="m", path=f"{folder}/{n}", content="x\ny", mode="0644") for n in range(3)]
        whole = BatchScript(batch(*items), self.vault()).encode()

        async def run_halves(machine: Machine) -> None:
            for cut in range(len(whole) // 2, len(whole) - 2, 37):
                half = whole[:cut].decode(errors="ignore")
                place = shlex.quote(folder)
                command = f"printf %s {shlex.quote(half)} | sh >{place}.out 2>&1; ls -A {place}"
                (listing,) = await machine.run(batch(Execute(machine="m", argv=("sh", "-c", command))))
                assert isinstance(listing, ExecResult), listing
                assert listing.output == ""

        self.using(run_halves)
