"""`lasercats replay` and `trace`: a past command again, from the log alone."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace as with_fields

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.program import Known, Step
from lasercats.core.record import Accepted, AnyEntry, Ended, Event, Finished, Started, raw
from lasercats.core.registry import Kinds
from lasercats.core.secret import HIDDEN
from lasercats.domains.host import DOMAIN, file
from lasercats.logs.sqlite import SqliteLog
from lasercats.operate import plugins

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

Place = Callable[..., str]


@pytest.fixture
def gone(cli: "Cli", place: Place) -> Callable[[], None]:
    """Take the machines away: the folder with all files is removed, and the names lead to no host."""

    def take_away() -> None:
        shutil.rmtree(cli.folder / "t")
        text = (cli.folder / "lasercats.toml").read_text()
        assert text.count('"local:"') == 3
        unreachable = '"ssh://nobody@192.0.2.1:9?connect_timeout=1"'
        (cli.folder / "lasercats.toml").write_text(text.replace('"local:"', unreachable))

    return take_away


def records(cli: "Cli") -> list[tuple[Any, ...]]:
    """Return all rows of the log, with no help of ours."""
    with closing(sqlite3.connect(cli.path)) as db:
        return db.execute("SELECT * FROM records ORDER BY position").fetchall()


def replayed(cli: "Cli", position: object, *, count: int, beside: int = 0, until: str = "") -> str:
    """Replay a command that must do as recorded; return what was shown. The log stays as it is."""
    before = records(cli)
    ran = cli.done("replay", str(position))
    more = f", beside {beside} issued with it" if beside else ""
    text = (
        f"{count} instruction{'' if count == 1 else 's'} answered from the record{more}: as recorded{until}"
    )
    assert ran.err.splitlines()[-1] == text
    data = cli.done("replay", str(position), "--json").data
    assert (data["same"], data["differences"], data["instructions"]) == (True, [], count)
    assert data["cut_off"] is bool(until)
    assert records(cli) == before
    return ran.out


def last(cli: "Cli") -> int:
    """Return the position of the last command."""
    return int(cli.log()[-1]["position"])


def test_a_write(cli: "Cli", place: Place, gone: Callable[[], None]) -> None:
    """Each batch is shown with its outcomes, then what it changed; the machine need not be there."""
    cli.done("file", "write", place("f"), "--content", "x")
    gone()
    out = replayed(cli, 1, count=2).splitlines()
    assert out[0] == "step 1: a  one batch, 1 instruction"
    assert out[1].startswith("└─ host.read: stat -- ")
    assert out[2].strip() == "→ type=absent"
    assert out[3] == "step 2: a  one batch, 1 instruction"
    assert out[4].startswith("└─ host.write: lc_create ")
    assert out[6:] == [f"+ file/{place('f')}", "    content: x", "    mode: 0644"]
    assert not (cli.folder / "t").exists()


def test_any_record_of_a_command_means_it(cli: "Cli", place: Place) -> None:
    """HEAD, a time and the position of any record of a command lead to the same replay."""
    cli.done("file", "write", place("f"), "--content", "x")
    whole = replayed(cli, 1, count=2)
    for position in (*range(2, cli.head() + 1), "HEAD", "2100-01-01"):
        assert replayed(cli, position, count=2) == whole


def test_what_it_was_like(cli: "Cli", place: Place) -> None:
    """A command is run on the state of then, whatever came later."""
    cli.done("file", "write", place("f"), "--content", "1")
    cli.done("file", "write", place("f"), "--content", "2")
    second = last(cli)
    cli.done("file", "write", place("f"), "--content", "3", "--mode", "0600")
    cli.done("file", "remove", place("f"))
    assert "    content: 1 → 2\n" in replayed(cli, second, count=2)


def test_a_failed_write(cli: "Cli", place: Place, gone: Callable[[], None]) -> None:
    """What went wrong then goes wrong again in the same words."""
    ran = cli("file", "write", place("missing/f"), "--content", "x")
    assert ran.code == 1
    problem = ran.err.splitlines()[0]
    gone()
    replayed(cli, 1, count=2)
    result = cli.done("replay", "1")
    assert result.err.splitlines()[0] == problem
    data = cli.done("replay", "1", "--json").data["result"]
    assert (data["status"], list(data["problems"])) == ("failed", [f"file/{place('missing/f')}"])


def test_a_raw_command(cli: "Cli", place: Place, gone: Callable[[], None]) -> None:
    """A raw command is not executed again: its output and its exit status come from the record."""
    mark = cli.folder / "mark"
    assert cli("exec", "a", "b", "--", "sh", "-c", f"echo run >> {mark}; echo told; exit 3").code == 1
    gone()
    out = replayed(cli, 1, count=2)
    assert out.count("status=3 output=told") == 2
    assert mark.read_text() == "run\nrun\n"
    data = cli.done("replay", "1", "--json").data["result"]
    assert {r["status"] for r in data["reports"].values()} == {3}


def test_the_order_in_which_machines_answered(cli: "Cli") -> None:
    """Which machine failed first then is no difference; that another failed would be one."""
    assert cli("exec", "a", "b", "--", "sh", "-c", "exit 3").code == 1
    error = "exec/{}: exit status 3; exec/{}: exit status 3"
    whole = [entry for _, entry in entries(cli)]
    for first, second in ("ab", "ba"):
        refill(cli, [*whole[:-1], Ended(command=1, status="failed", error=error.format(first, second))])
        replayed(cli, 1, count=2)
    refill(cli, [*whole[:-1], Ended(command=1, status="failed", error="exec/a: exit status 3")])
    ran = cli("replay", "1")
    assert ran.code == 1
    assert "! it ended as 'failed exec/a: exit status 3' then, 'failed exec/" in ran.err


def test_many_at_once(cli: "Cli", place: Place, gone: Callable[[], None]) -> None:
    """A run over directories and files on two machines is run again as a whole; each tells its own."""
    commands = [
        {"command": "directory.create", "on": [place("d"), place("d/e"), place("x", "b")]},
        {"command": "file.write", "on": [place("d/f"), place("d/e/f"), place("x/f", "b")], "content": "x"},
        {"command": "file.chmod", "on": [place("d/f"), place("x/f", "b")], "mode": "0600"},
        {"command": "exec", "on": ["exec/a:"], "argv": ["cat", place("d/f").partition(":")[2]]},
    ]
    cli.done("issue", cli.file("commands.jsonl", "".join(json.dumps(c) + "\n" for c in commands)))
    gone()
    outs = [replayed(cli, p, count=instructions(cli, p), beside=3) for p in range(1, 5)]
    assert "+ directory/" in outs[0]
    assert f"+ file/{place('x/f', 'b')}\n" in outs[1]
    assert outs[2].count("    mode: 0644 → 0600") == 2
    assert "→ status=0 output=x\n" in outs[3]
    assert not any(line[:2] in ("+ ", "~ ") for line in outs[3].splitlines())


def batches(cli: "Cli", position: int) -> list[dict[str, Any]]:
    """Return the batches of a command, as its trace tells them."""
    found: list[dict[str, Any]] = cli.done("trace", str(position), "--json").data
    return found


def instructions(cli: "Cli", position: int) -> int:
    """Return how many instructions served a command, as its trace tells."""
    return sum(len(batch["instructions"]) for batch in batches(cli, position))


def test_an_undo(cli: "Cli", place: Place, gone: Callable[[], None]) -> None:
    """The command of an undo is one like any other."""
    cli.done("file", "write", place("f"), "--content", "1")
    cli.done("file", "write", place("f"), "--content", "2")
    cli.done("undo", "HEAD")
    gone()
    assert "    content: 2 → 1\n" in replayed(cli, "HEAD", count=2)


def test_an_apply(cli: "Cli", place: Place, gone: Callable[[], None]) -> None:
    """Every command of an apply with 20 resources does as it did."""
    lines = [f"  directory/{place('d')}:\n    mode: '0750'\n"]
    lines += [f"  file/{place(f'd/{n}')}:\n    content: '{n}'\n    mode: '06{n % 4}0'\n" for n in range(19)]
    cli.done("apply", cli.file("site.yaml", "resources:\n" + "".join(lines)), "--yes")
    commands = [h["position"] for h in cli.log()]
    assert len(cli.done("state", "--json").data["resources"]) == 20
    gone()
    shown = "".join(
        replayed(cli, position, count=instructions(cli, position), beside=len(commands) - 1)
        for position in commands
    )
    assert shown.count("\n+ ") == 20


def test_a_change_that_it_met(cli: "Cli", place: Place, gone: Callable[[], None]) -> None:
    """What had changed outside is found again, and told apart from what the command did."""
    cli.done("file", "write", place("f"), "--content", "x")
    Path(place("f").partition(":")[2]).write_text("by hand")
    cli.done("file", "chmod", place("f"), "--mode", "0600")
    gone()
    out = replayed(cli, "HEAD", count=2)
    assert f"found  ~ file/{place('f')}\nfound      content: x → by hand\n" in out
    assert out.endswith(f"~ file/{place('f')}\n    mode: 0644 → 0600\n")
    data = cli.done("replay", "HEAD", "--json").data["result"]
    assert list(data["observed"]) == list(data["delta"]) == [f"file/{place('f')}"]


def test_what_asks_no_machine(cli: "Cli", place: Place) -> None:
    """To forget, and to find all as desired, is replayed too."""
    cli.done("file", "write", place("f"), "--content", "x")
    cli.done("file", "write", place("f"), "--content", "x")
    assert "host.write" not in replayed(cli, "HEAD", count=1)
    cli.done("forget", f"file/{place('f')}")
    assert replayed(cli, "HEAD", count=0).startswith(f"- file/{place('f')}\n")


def test_a_refused_command(cli: "Cli", place: Place, gone: Callable[[], None]) -> None:
    """A command that was refused is refused again."""
    assert cli("file", "chmod", place("f"), "--mode", "0600").code == 1
    gone()
    replayed(cli, 1, count=1)
    ran = cli.done("replay", "1")
    assert ran.err.startswith(f"! file/{place('f')}: it does not exist; make it with ")
    assert cli.done("replay", "1", "--json").data["result"]["status"] == "refused"


def test_a_secret_is_not_shown(cli: "Cli", place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command with a secret is replayed without the key, and shows neither secret nor token."""
    monkeypatch.setenv("WORD", "hunter2")
    cli.done("file", "write", place("f"), "--secret", "env:WORD")
    (cli.folder / ".lasercats" / "key").unlink()
    ran = cli.done("replay", "1")
    assert "secret: (sealed)" in ran.out
    assert "sealed:" not in ran.out + ran.err
    assert "hunter2" not in ran.out + ran.err


def test_an_observation_is_not_replayed(cli: "Cli", place: Place) -> None:
    """Of an observation there is nothing to run again."""
    cli.done("file", "write", place("f"), "--content", "x")
    Path(place("f").partition(":")[2]).write_text("by hand")
    cli.done("observe")
    seen = cli.log()[-1]["position"]
    assert cli.refuses("replay", str(seen)) == (
        f"position {seen} is an observation; only commands can be replayed"
    )
    assert cli.done("trace", str(seen)).err == "no instruction was given for it\n"


@pytest.mark.parametrize("verb", ["replay", "trace", "show"])
def test_positions_out_of_range(cli: "Cli", place: Place, verb: str) -> None:
    """A position that is none, or a range, is refused in one sentence."""
    for name in "fg":
        cli.done("file", "write", place(name), "--content", "x")
    assert cli.refuses(verb, "0").startswith("there is no position 0; the log goes from 1 to ")
    assert cli.refuses(verb, "999").startswith("there is no position 999; ")
    assert cli.refuses(verb, "HEAD~9").startswith("HEAD~9 is before the first command; the log has 2")
    assert cli.refuses(verb, "2020-01-01").startswith("there is no position 0; ")
    assert cli.refuses(verb, "foo").startswith("'foo' is no position; write a number")
    for span in ("1..HEAD", "1..1", ".."):
        assert cli.refuses(verb, span) == f"'{span}' is a range; name one command, as 17 or HEAD~3"


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Plant another way to act into the kind of files."""

    def plant(act: Callable[[Address, Change[Any], Known], Step]) -> None:
        kinds = (file.FileKind(act=act), *[kind for kind in DOMAIN.kinds if kind.name != "file"])
        planted = Kinds([replace(DOMAIN, kinds=kinds)])
        monkeypatch.setattr(plugins, "kinds", lambda *_: planted)

    return plant


def _asks_for_another_mode(address: Address, change: Change[Any], known: Known) -> Step:
    asked: Any = change.after
    after = with_fields(asked, mode="0666")
    return file.KIND.act(address, Change(change.before, after), known)


def test_a_planted_fault(cli: "Cli", place: Place, wrong: Callable[..., None]) -> None:
    """A kind that asks for something else than then is found: what differs is told, the exit code is 1."""
    cli.done("file", "write", place("f"), "--content", "x")
    cli.done("file", "chmod", place("f"), "--mode", "0600")
    path = place("f").partition(":")[2]
    wrong(_asks_for_another_mode)
    before = records(cli)
    for position, then, now in (
        (1, f"lc_create {path} 0644 '' '' x", f"lc_create {path} 0666 '' '' x"),
        ("HEAD", f"lc_attributes {path} 0600 '' ''", f"lc_attributes {path} 0666 '' ''"),
    ):
        ran = cli("replay", str(position))
        assert ran.code == 1
        lines = ran.err.splitlines()
        assert f"! {then} was asked then and is not now" in lines
        assert f"! {now} is asked now and was not then" in lines
        assert any(line.startswith(f"! what was changed at file/{place('f')} differs: ") for line in lines)
        assert any(line.startswith("! it ended as 'done' then, 'failed ") for line in lines)
        assert lines[-1].endswith("answered from the record: not as recorded")
        ran = cli("replay", str(position), "--json")
        assert (ran.code, ran.data["same"]) == (1, False)
        assert f"{then} was asked then and is not now" in ran.data["differences"]
    assert records(cli) == before
    assert Path(path).stat().st_mode & 0o777 == 0o600


def _reads_another_mode(address: Address, change: Change[Any], known: Known) -> Step:
    right: Any = file.KIND.act(address, change, known)
    return Step(right.instruction, lambda status: with_fields(right.conclude(status), mode="0666"))


def test_a_fault_in_what_is_made_of_an_answer(
    cli: "Cli", place: Place, wrong: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind that asks the same and understands the answer otherwise is found; no token is told."""
    monkeypatch.setenv("WORD", "hunter2")
    cli.done("file", "write", place("f"), "--secret", "env:WORD")
    wrong(_reads_another_mode)
    ran = cli("replay", "1")
    assert ran.code == 1
    changed, ended = [line for line in ran.err.splitlines() if "then, " in line]
    assert changed.startswith(f"! what was changed at file/{place('f')} differs: ")
    then, now = changed.partition("differs: ")[2].removesuffix(" now").split(" then, ")
    assert (json.loads(then)["mode"], json.loads(now)["mode"]) == ("0600", "0666")
    assert json.loads(then)["secret"] == json.loads(now)["secret"] == HIDDEN
    assert ended.startswith("! it ended as 'done' then, 'failed ")
    assert "is asked now" not in ran.err


@pytest.fixture
def cut(cli: "Cli", place: Place) -> Callable[[int], None]:
    """Make a log of a write of two files that ends, as after a crash, after so many records."""

    def after(count: int) -> None:
        cli.done("file", "write", place("f"), place("g"), "--content", "x")
        whole = [entry for _, entry in entries(cli)]
        names = [type(entry) for entry in whole]
        assert names == [Accepted, Started, Finished, Started, Finished, Event, Ended]
        refill(cli, [with_process(entry) for entry in whole[:count]])

    return after


def refill(cli: "Cli", whole: Sequence[AnyEntry]) -> None:
    """Make the log anew, of other entries."""
    for path in cli.path.parent.glob("log.db*"):
        path.unlink()
    cli.forget_what_was_seen()
    with closing(SqliteLog(cli.path, create=True)) as log:
        for entry in whole:
            log.append([entry])


def entries(cli: "Cli") -> Sequence[tuple[int, AnyEntry]]:
    """Return what the log holds."""
    with closing(SqliteLog(cli.path)) as log:
        return [(record.position, record.entry) for record in log.read()]


def with_process(entry: AnyEntry) -> AnyEntry:
    """Return an entry as of a process that is dead."""
    return with_fields(entry, process="") if isinstance(entry, Accepted) else entry


@pytest.mark.parametrize(("count", "asked"), [(1, 0), (2, 2), (4, 4)])
def test_a_command_that_was_cut_off(
    cli: "Cli", place: Place, cut: Callable[[int], None], gone: Callable[[], None], count: int, asked: int
) -> None:
    """A command is replayed up to where the process died: accepted only, while looking, while acting."""
    cut(count)
    assert cli.log()[0]["status"] == "open"
    gone()
    replayed(cli, 1, count=asked, until=", up to where it was cut off")
    assert cli.done("replay", "1", "--json").data["result"]["status"] == "open"


def test_a_command_that_was_cut_off_and_recovered(
    cli: "Cli", place: Place, cut: Callable[[int], None], gone: Callable[[], None]
) -> None:
    """What `recover` found out later was not done by the command, and is no difference."""
    cut(4)
    Path(place("g").partition(":")[2]).unlink()
    cli.done("recover", "--yes")  # the log that was cut is another one, that nobody here began
    (found,) = cli.log()
    assert (found["status"], list(found["delta"])) == ("failed", [f"file/{place('f')}"])
    gone()
    replayed(cli, 1, count=4, until=", up to where it was cut off")


def test_a_fault_in_a_command_that_was_cut_off(
    cli: "Cli", place: Place, cut: Callable[[int], None], wrong: Callable[..., None]
) -> None:
    """What was asked up to there is compared."""
    cut(4)
    wrong(_asks_for_another_mode)
    ran = cli("replay", "1", "--json")
    assert (ran.code, ran.data["cut_off"]) == (1, True)
    assert [line.rpartition("x ")[2] for line in ran.data["differences"]] == [
        "was asked then and is not now"
    ] * 2


def test_the_trace_of_a_command(cli: "Cli", place: Place, gone: Callable[[], None]) -> None:
    """Batches, instructions, outcomes and times stand in the log; no machine is asked."""
    cli.done("file", "write", place("f"), place("g"), "--content", "x")
    gone()
    out = cli.done("trace", "1").out.splitlines()
    path = place().partition(":")[2]
    assert out[0].startswith("a  one batch, 2 instructions, ")
    assert out[0].endswith(" ms")
    assert out[1:5] == [
        f"├─ host.read: stat -- {path}/f",
        "│    → type=absent",
        f"└─ host.read: stat -- {path}/g",
        "     → type=absent",
    ]
    assert out[6] == f"├─ host.write: lc_create {path}/f 0644 '' '' x"
    assert "type=file mode=0644" in out[7]
    assert len(out) == 10


def test_the_data_of_a_trace(cli: "Cli", place: Place) -> None:
    """--json tells of each batch its position, machine and time, and an outcome for each instruction."""
    cli.done("file", "write", place("f"), "--content", "x")
    look, act = batches(cli, 1)
    assert (look["position"], look["machine"], act["position"], act["machine"]) == (2, "a", 4, "a")
    assert cli.log()[0]["time"] <= look["sent"] <= act["sent"]
    assert 0 < act["seconds"] < 60
    assert look["outcomes"] == ["type=absent"]
    assert act["instructions"] == [f"host.write: lc_create {place('f').partition(':')[2]} 0644 '' '' x"]
    assert len(act["outcomes"]) == 1


def test_the_trace_of_a_failure(cli: "Cli", place: Place) -> None:
    """What failed is told with its reason."""
    assert cli("file", "write", place("missing/f"), "--content", "x").code == 1
    _, act = batches(cli, 1)
    (outcome,) = act["outcomes"]
    assert outcome.startswith("failed: ")
    assert outcome.endswith("does not exist")
    assert f"     → {outcome}\n" in cli.done("trace", "1").out


def test_the_trace_of_one_among_many(cli: "Cli", place: Place) -> None:
    """Of a batch that served several commands only the instructions of the one are told."""
    lines = [json.dumps({"command": "file.write", "on": place(n), "content": n}) + "\n" for n in "fgh"]
    cli.done("issue", cli.file("commands.jsonl", "".join(lines)))
    for position, name in enumerate("fgh", 1):
        look, act = batches(cli, position)
        assert look["instructions"] == [f"host.read: stat -- {place(name).partition(':')[2]}"]
        assert [line.rpartition(" ")[2] for line in act["instructions"]] == [name]


def test_the_trace_of_a_batch_that_never_came_back(cli: "Cli", cut: Callable[[int], None]) -> None:
    """A batch without an answer is told as that, without a time."""
    cut(4)
    lines = cli.done("trace", "1").out.splitlines()
    assert lines[5] == "a  one batch, 2 instructions"
    assert [line.strip("│ ") for line in lines[7::2]] == ["→ it never came back"] * 2
    look, act = batches(cli, 1)
    assert look["seconds"] is not None
    assert (act["seconds"], act["outcomes"], len(act["instructions"])) == (None, [], 2)


def recorded_by_another(cli: "Cli", old: bytes, new: bytes) -> None:
    """Make the log anew, as of another version that worded something otherwise."""
    found = [entry for _, entry in entries(cli)]
    for path in cli.path.parent.glob("log.db*"):
        path.unlink()
    with closing(SqliteLog(cli.path, create=True, program="lasercats 0.0.9")) as log:
        for entry in found:
            if isinstance(entry, Started):
                worded = tuple(raw(json.loads(bytes(i).replace(old, new))) for i in entry.instructions)
                entry = with_fields(entry, instructions=worded)  # noqa: PLW2901 - it is the same entry
            log.append([entry])


def test_a_difference_to_another_version_is_told_and_no_fault(cli: "Cli", place: Place) -> None:
    """What an earlier version asked otherwise is told with its name, and the exit code is 0."""
    cli.done("file", "write", place("f"), "--content", "x")
    recorded_by_another(cli, b'"content":"x"', b'"content":"y"')
    ran = cli.done("replay", "1")
    assert "was asked then and is not now" in ran.err
    assert "not as recorded by lasercats 0.0.9" in ran.err
    data = cli.done("replay", "1", "--json").data
    assert (data["program"], data["same"]) == ("lasercats 0.0.9", False)


def test_what_this_version_cannot_read_is_told(cli: "Cli", place: Place) -> None:
    """An instruction that is not known any more is a difference to the version that knew it."""
    cli.done("file", "write", place("f"), "--content", "x")
    recorded_by_another(cli, b'"host.write"', b'"host.write_as_of_then"')
    ran = cli.done("replay", "1")
    assert "host.write_as_of_then" in ran.err
    assert "not as recorded by lasercats 0.0.9" in ran.err
