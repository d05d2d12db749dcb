"""Logs that earlier programs wrote, each with commands that are cut off, open with all that they tell."""

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from lasercats.core.address import Address
from lasercats.core.errors import LogCorrupt
from lasercats.core.formats import modern
from lasercats.core.record import Accepted, Event, Finished, Started
from lasercats.core.registry import Kinds
from lasercats.core.secret import Sealed
from lasercats.core.text import unescape
from lasercats.domains.host import DOMAIN
from lasercats.domains.host.file import KIND, File
from lasercats.instructions.host import ReadPath, WriteFile
from lasercats.logs.sqlite import SqliteLog
from lasercats.machines.vault import KeyVault
from lasercats.program import PROGRAM
from lasercats.testing.logs import event

FORMATS = sorted((Path(__file__).parent / "formats").glob("*.sql"))
ODD = r"file/web1:/srv/caf\x5cxff"
"""What `/srv/caf\\xff`, eight literal characters after the slash, is called today."""
every = pytest.mark.parametrize("written", FORMATS, ids=lambda path: path.stem)


def restore(written: Path, path: Path) -> Path:
    """Make the file of a log that an earlier program wrote."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(written.read_text())
        db.execute("PRAGMA journal_mode = WAL")
    return path


def test_there_is_a_log_of_every_format_that_landed() -> None:
    """Formats 1, with both of its hashes, 2, 3 and 4 are among the files."""
    assert [path.stem for path in FORMATS] == [
        "format-1-first",
        "format-1",
        *(f"format-{n}" for n in (2, 3, 4)),
    ]


@every
def test_its_hashes_hold_by_the_rule_of_then(written: Path, tmp_path: Path) -> None:
    """What was written then and what is appended now are one chain, and a change in either breaks it."""
    path = restore(written, tmp_path / "log.db")
    with closing(SqliteLog(path)) as log:
        count = log.check_chain()
        assert log.check_tables() == 5
        log.append([event()])
        assert log.check_chain() == count + 1
        then = PROGRAM if "4" in written.stem else ""
        assert [log.writer(1), log.writer(count + 1)] == [then, PROGRAM]
    for position in (3, count + 1):
        copy = restore(written, tmp_path / f"{position}.db")
        with closing(SqliteLog(copy)) as log:
            log.append([event()])
        with closing(sqlite3.connect(copy)) as db:
            db.execute("UPDATE records SET time = time + 1 WHERE position = ?", (position,))
            db.commit()
        with closing(SqliteLog(copy)) as log, pytest.raises(LogCorrupt, match=f"records {position} to"):
            log.check_chain()


@every
def test_its_open_commands_are_open(written: Path, tmp_path: Path) -> None:
    """What was cut off is open with its claims of today; an `exec` that says hold is not held."""
    with closing(SqliteLog(restore(written, tmp_path / "log.db"))) as log:
        claims = [set(opened.claims) for opened in log.open().values()]
        assert claims[:3] == [set(), {"file/web1:/srv/open"}, {r"symlink/web1:/srv/l\x5cxff"}]
        assert not any(opened.held for opened in log.open().values())
        waits = [opened.waits for opened in log.open().values() if opened.waits is not None]
        assert len(waits) == (1 if written.stem in ("format-3", "format-4") else 0)


@every
def test_its_texts_keep_their_meaning(written: Path, tmp_path: Path) -> None:
    """A literal backslash-x is one in addresses, paths and targets of now; contents stay as they are."""
    with closing(SqliteLog(restore(written, tmp_path / "log.db"))) as log:
        state = log.fold().state(Kinds([DOMAIN]))
        assert unescape(ODD).endswith(rb"/srv/caf\xff")
        assert state.get(ODD).content == r"literal \xe9"  # type: ignore[arg-type, union-attr]
        assert state.get("symlink/web1:/srv/link").target == r"/srv/caf\x5cxff"  # type: ignore[arg-type, union-attr]
        (first,) = log.read(1, 1)
        assert rb"one \\xff \\x0a" in bytes(first.entry.command)  # type: ignore[union-attr, arg-type]
        paths = [bytes(i) for r in log.read(names=("started",)) for i in r.entry.instructions]  # type: ignore[union-attr]
        assert any(rb'"path":"/srv/caf\\x5cxff"' in path for path in paths)
        fold = log.fold().entries
        log.rebuild()
        assert log.fold().entries == fold
        assert log.check_tables() == 5


@every
def test_it_is_brought_to_this_format_once(written: Path, tmp_path: Path) -> None:
    """It has an id from then on, and what it tells is the same after it was closed and opened."""
    path = restore(written, tmp_path / "log.db")
    with closing(SqliteLog(path)) as log:
        records, fold, opened, name = list(log.read()), log.fold().entries, dict(log.open()), log.id
    with closing(SqliteLog(path)) as log:
        assert (list(log.read()), log.fold().entries, dict(log.open()), log.id) == (
            records,
            fold,
            opened,
            name,
        )


def test_what_cannot_be_brought_stays_as_it_was(tmp_path: Path) -> None:
    """A damaged log of an earlier format is told, and no byte of its tables is changed."""
    path = restore(FORMATS[0], tmp_path / "log.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE records SET body = x'00' WHERE position = 5")
        before = list(db.iterdump())
    with pytest.raises(LogCorrupt):
        SqliteLog(path)
    with closing(sqlite3.connect(path)) as db:
        assert list(db.iterdump()) == before
        assert db.execute("PRAGMA user_version").fetchone() == (1,)


def test_only_texts_of_hosts_are_read_otherwise() -> None:
    """Commands, batches and events of other machines, and contents, are byte for byte what they were."""
    same = (
        ("event", rb'{"type":"x","delta":{"ec2.instance/a:\\xff":[null,{"owner":"\\xff"}]}}'),
        ("event", rb'{"type":"x","delta":{"file/m:/a":[null,{"content":"\\xff","owner":"o"}]}}'),
        ("started", rb'{"machine":"m","commands":[1],"instructions":[{"do":"switch.set","path":"\\xff"}]}'),
        ("finished", rb'{"started":1,"outcomes":[{"type":"failure","reason":"\\xff"},"\\xff",null]}'),
        (
            "accepted",
            rb'{"command":{"command":"ec2.x","argv":["\\xff"],"on":["ec2.x/m:a"]},"actor":"\\xff","run":"r"}',
        ),
        ("ended", rb'{"command":1,"status":"failed","error":"\\xff"}'),
    )
    for name, body in same:
        assert modern(3, name, body) == body
        assert modern(4, name, body) == body


def test_fields_of_hosts_are_read_otherwise() -> None:
    """Owner, group, target and address of what stands on a host are brought to the form of today."""
    body = rb'{"type":"x","delta":{"file/m:/\\xff":[{"owner":"a\\xff","content":"\\xff"},{"group":"\\X0a"}]}}'
    now = (
        rb'{"type":"x","delta":{"file/m:/\\x5cxff":'
        rb'[{"owner":"a\\x5cxff","content":"\\xff"},{"group":"\\x5cX0a"}]}}'
    )
    assert modern(3, "event", body) == now
    body = rb'{"command":{"command":"exec","argv":["sed","s/\\xff/x/","a\nb"],"on":["exec/m:"]},"run":"r"}'
    now = rb'{"command":{"command":"exec","argv":["sed","s/\\x5cxff/x/","a\nb"],"on":["exec/m:"]},"run":"r"}'
    assert modern(3, "accepted", body) == now
    body = rb'{"started":1,"outcomes":[{"type":"symlink","target":"\\xe9"}]}'
    assert (
        modern(3, "finished", body) == rb'{"started":1,"outcomes":[{"type":"symlink","target":"\\x5cxe9"}]}'
    )


def test_copies_of_an_old_log_have_one_id(tmp_path: Path) -> None:
    """Each copy of a log that had none gets the same id, and each log another."""
    ids = []
    for n, written in enumerate([*FORMATS, *FORMATS]):
        with closing(SqliteLog(restore(written, tmp_path / f"{n}.db"))) as log:
            ids.append(log.id)
    assert ids[: len(FORMATS)] == ids[len(FORMATS) :]
    assert len({*ids}) == 3  # with the hashes of one rule the first record is the same in three of them


@every
def test_every_record_decodes(written: Path, tmp_path: Path) -> None:
    """All commands, instructions and deltas of it are those of kinds of today."""
    kinds = Kinds([DOMAIN])
    with closing(SqliteLog(restore(written, tmp_path / "log.db"))) as log:
        for record in log.read():
            match record.entry:
                case Accepted(command=command):
                    kinds.decode_command(bytes(command))
                case Started(instructions=instructions):
                    assert [kinds.decode_instruction(bytes(i)) for i in instructions]
                case Event(delta=delta):
                    kinds.decode_delta(delta)
                case Finished(outcomes=outcomes):
                    assert outcomes


@every
def test_many_open_it_at_once(written: Path, tmp_path: Path) -> None:
    """Of those that open an old log at the same time one brings it to this format, and all can go on."""
    path, heads = restore(written, tmp_path / "log.db"), list[int]()

    def work() -> None:
        with closing(SqliteLog(path)) as log:
            heads.append(log.append([event()]))

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heads) == list(range(min(heads), min(heads) + 4))
    with closing(SqliteLog(path)) as log:
        assert log.check_chain() == max(heads)


def test_a_program_of_then_cannot_write_any_more(tmp_path: Path) -> None:
    """What still has the log open as format 3 is refused by the tables, and breaks nothing."""
    path = restore(FORMATS[-2], tmp_path / "log.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        SqliteLog(path).close()
        with pytest.raises(sqlite3.OperationalError, match="9 columns but 6 values"):
            old.execute("INSERT INTO records VALUES (99, 1, 'event', x'', NULL, NULL)")


def test_facts_that_had_no_field_are_put_into_it() -> None:
    """What is held was told by a tag up to format 3, and what is taken back by words up to format 4."""
    held = b'{"command":{"command":"hold","on":[]},"actor":"a","run":"r"}'
    assert [b'"held":true' in modern(format_, "accepted", held) for format_ in (1, 2, 3, 4, 5)] == [
        *[True] * 3,
        False,
        False,
    ]
    undo = b'{"command":{"command":"x"},"actor":"a","run":"r","because":"undo 8 12"}'
    assert [b'"undoes":[8,12]' in modern(format_, "accepted", undo) for format_ in (3, 4, 5)] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "body",
    [
        rb'{"command":{"command":"exec","argv":["{\"command\":\"hold\"}"]},"actor":"a","run":"r"}',
        rb'{"command":{"command":"x","tags":{"command":"hold"}},"actor":"a","run":"r"}',
        rb'{"command":{"command":"x"},"actor":"a","run":"r","because":"redo undo 8"}',
        rb'{"command":{"command":"x"},"actor":"a","run":"r","message":"undo 8"}',
        rb'{"command":{"command":"x","because":"undo 8"},"actor":"a","run":"r","because":"undo it"}',
    ],
)
def test_words_that_are_no_facts_are_left(body: bytes) -> None:
    """Only the tag of the command itself, and a reason that begins with undo, told facts."""
    for format_ in (1, 2, 3, 4, 5):
        entry = msgspec.json.decode(modern(format_, "accepted", body), type=Accepted)
        assert (entry.held, entry.undoes) == (False, ())
        assert entry == msgspec.json.decode(body, type=Accepted)


def test_a_running_program_of_format_4_is_told_before_it_writes(tmp_path: Path) -> None:
    """The log says that it keeps what is sealed otherwise, which such a program looks up at each append."""
    path = restore(FORMATS[-1], tmp_path / "log.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        assert old.execute("SELECT value FROM about WHERE name = 'write'").fetchone() == ("",)
        SqliteLog(path).close()
        assert old.execute("SELECT value FROM about WHERE name = 'write'").fetchone() == ("sealed",)


def test_secrets_of_then_are_read_as_sealed(tmp_path: Path) -> None:
    """A token in a secret field or an instruction is sealed and opens with the key of then; a text is one."""
    written = Path(__file__).parent / "formats" / "secrets" / "format-4.sql"
    (tmp_path / "key").write_text(written.read_text().partition("\n")[0].removeprefix("-- key: ") + "\n")
    (tmp_path / "key").chmod(0o600)
    vault, kinds = KeyVault(tmp_path / "key"), Kinds([DOMAIN])
    with closing(SqliteLog(restore(written, tmp_path / "log.db"))) as log:
        assert log.check_tables() == 4
        log.check_chain()
        state = log.fold().state(kinds)
        secret = state.get(Address("file/web1:/srv/pass")).secret  # type: ignore[union-attr]
        assert vault.open(secret, "file/web1:/srv/pass secret") == b"swordfish-2"
        assert state.get(Address("file/web1:/srv/jar")).content.startswith("sealed:")  # type: ignore[union-attr]
        asked = [
            kinds.decode_instruction(bytes(i))
            for record in log.read(names=("started",))
            for i in record.entry.instructions  # type: ignore[union-attr]
        ]
        wrote = [i.content for i in asked if isinstance(i, WriteFile)]
        opened = [vault.open(c, "") if isinstance(c, Sealed) else c for c in wrote]
        assert opened == [b"swordfish", b"swordfish-2", "sealed: the jar is closed", b""]
        looks = [i for i in asked if isinstance(i, ReadPath) and i.seal == "always"]
        assert [vault.open(i.expect, "") for i in looks] == [b"swordfish"]  # type: ignore[arg-type]
        known = File(secret=secret)
        program = KIND.observe("web1", {Address("file/web1:/srv/pass"): known})
        (again,) = next(program)  # type: ignore[misc]
        assert msgspec.json.encode(looks[0]) == msgspec.json.encode(again).replace(
            secret.token.encode(),
            looks[0].expect.token.encode(),  # type: ignore[union-attr]
        )
