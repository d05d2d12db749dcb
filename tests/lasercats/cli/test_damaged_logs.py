"""Damaged copies of a log: every verb that reads ends in an answer or in one sentence of ours."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from traceback import extract_tb
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

COPIES = 200
VERBS = (
    ["log"],
    ["log", "--graph"],
    ["log", "--grep", "needle", "--address", "*"],
    ["state"],
    ["state", "--as-of", "9"],
    ["document"],
    ["show", "1"],
    ["show", "HEAD"],
    ["trace", "8"],
    ["diff", "1", "HEAD"],
    ["log", "@{1 hour ago}.."],
    ["query", "SELECT * FROM file"],
    ["query", "SELECT * FROM events"],
    ["query", "SELECT * FROM commands"],
    ["query", "SELECT * FROM instructions"],
    ["verify"],
    ["verify", "--repair"],
    ["verify"],
)
JSON = (
    "{}",
    "[]",
    "null",
    "7",
    '"x"',
    '{"command":[]}',
    '{"x":' + "[" * 2000 + "]" * 2000 + "}",
    "{",
    "\x00",
    "",
)
VALUES = (
    None,
    -1,
    0,
    3,
    2**62,
    -(2**63),
    1.5,
    "",
    "x",
    "file/a:/x",
    b"",
    b"\x00",
    b"\xff\xfe",
    *map(str.encode, JSON),
)


def fill(cli: "Cli") -> None:
    """Put into the log what every verb has something to tell of."""
    path = cli.folder / "x"
    for n in range(3):
        cli.done("file", "write", f"a:{path}", "--content", f"needle {n}", "-m", "why")
    path.write_text("by hand")
    cli.done("drift", "--adopt")
    cli.done("undo", "22")
    cli.done("exec", "a", "--", "true")
    with closing(sqlite3.connect(cli.path, isolation_level=None)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def bytes_flipped(path: Path, random: Random) -> str:
    """Change some bytes anywhere."""
    data = bytearray(path.read_bytes())
    for _ in range(random.choice((1, 1, 5, 200))):
        data[random.randrange(len(data))] = random.randrange(256)
    path.write_bytes(data)
    return "bytes"


def header_flipped(path: Path, random: Random) -> str:
    """Change some bytes in the header, or in the table of tables."""
    data = bytearray(path.read_bytes())
    for _ in range(3):
        data[random.randrange(random.choice((100, 4096)))] = random.randrange(256)
    path.write_bytes(data)
    return "header"


def cut(path: Path, random: Random) -> str:
    """Cut off the end, or put other things there."""
    data = path.read_bytes()
    path.write_bytes(data[: random.randrange(len(data))] + random.choice((b"", os.urandom(5000))))
    return "cut"


def page_swapped(path: Path, random: Random) -> str:
    """Put one page in place of another, as a disk may."""
    data = bytearray(path.read_bytes())
    one, other = (random.randrange(len(data) // 4096) * 4096 for _ in range(2))
    data[one : one + 4096] = data[other : other + 4096]
    path.write_bytes(data)
    return "page"


def changed(path: Path, random: Random) -> str:
    """Change a value in a table, whatever its type should be."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        schema = db.execute("SELECT rowid, sql, name FROM sqlite_schema WHERE type = 'table'").fetchall()
    table = random.choice([name for _, _, name in schema])
    loose = [
        (sql.replace(" STRICT,", "").replace(" STRICT", "").replace("NOT NULL", ""), n)
        for n, sql, _ in schema
    ]
    _schema(path, loose)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        column = random.choice([row[1] for row in db.execute(f"PRAGMA table_info({table})")])
    what = _run(path, f"UPDATE OR REPLACE {table} SET {column} = ?", random, random.choice(VALUES))  # noqa: S608
    _schema(path, [(sql, n) for n, sql, _ in schema])
    return what


def _schema(path: Path, statements: list[tuple[str, int]]) -> None:
    """Let other statements stand for those that made the tables."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.executemany("UPDATE sqlite_schema SET sql = ? WHERE rowid = ?", statements)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def reshaped(path: Path, random: Random) -> str:
    """Put JSON of another shape somewhere into a body."""
    table = random.choice(("records", "records", "present", "past"))
    where = random.choice(
        ("$.command", "$.delta", "$.on", "$.command.on", "$.outcomes", "$.commands", "$.started")
    )
    where = random.choice(
        (where, "$.instructions", "$.claims", "$.outcomes[0]", "$.content", "$.actor", "$.run")
    )
    sql = f"UPDATE {table} SET body = CAST(json_set(CAST(body AS TEXT), '{where}', json(?)) AS BLOB)"  # noqa: S608
    return _run(
        path,
        f"{sql} WHERE json_valid(CAST(body AS TEXT)) AND body LIKE '{{%'",
        random,
        random.choice(JSON[:7]),
    )


def dropped(path: Path, random: Random) -> str:
    """Take a row, a table, an index or a trigger out."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        rows = db.execute(
            "SELECT type, name FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
        ).fetchall()
        type_, name = random.choice(rows)
    if type_ == "table" and random.random() < 0.7:
        return _run(path, f"DELETE FROM {name}", random)  # noqa: S608
    return _run(path, f"DROP {type_} {name}", random)


def rubbish_beside(path: Path, random: Random) -> str:
    """Put rubbish where the write-ahead log is."""
    Path(f"{path}-wal").write_bytes(os.urandom(random.choice((1, 32, 5000))))
    return "wal"


def _run(path: Path, sql: str, random: Random, *arguments: object) -> str:
    """Run a statement, on one row as often as on all."""
    if random.random() < 0.5 and sql.startswith(("UPDATE", "DELETE")):
        keys = {
            "records": "position",
            "open": "position",
            "present": "since",
            "past": "since",
            "segments": "first",
        }
        key = next((key for table, key in keys.items() if f" {table}" in sql), "1")
        sql += f" {'AND' if ' WHERE ' in sql else 'WHERE'} {key} % 7 = {random.randrange(7)}"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        try:
            db.execute(sql, arguments)
        except sqlite3.Error as error:
            return f"{sql} ({error})"
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return f"{sql} {arguments!r:.80}"


DAMAGES = (
    bytes_flipped,
    header_flipped,
    cut,
    page_swapped,
    changed,
    changed,
    reshaped,
    reshaped,
    dropped,
    rubbish_beside,
)


@pytest.mark.slow
def test_no_damage_ends_in_a_traceback(cli: "Cli", tmp_path: Path) -> None:
    """Every verb that reads gives of each damaged copy an answer, or one sentence and exit code 1."""
    fill(cli)
    good, failed = tmp_path / "good.db", 0
    shutil.copyfile(cli.path, good)
    wrong = list[tuple[int, str, list[str], str, list[str]]]()
    first = int(os.environ.get("FUZZ_SEED", "0"))
    for seed in range(first, first + COPIES):
        random = Random(seed)  # noqa: S311 - no secret
        for suffix in ("", "-wal", "-shm"):
            Path(f"{cli.path}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(good, cli.path)
        what = random.choice(DAMAGES)(cli.path, random)
        for verb in VERBS:
            try:
                ran = cli(*verb)
            except Exception as error:
                wrong.append((seed, what, verb, f"{type(error).__name__}: {error}", _where(error)))
                continue
            failed += ran.code
            last = ran.err.splitlines()[-1:]
            if ran.code not in (0, 1) or (ran.code and not last[0].startswith("lasercats: ")):
                wrong.append((seed, what, verb, str(ran), []))
    assert failed > COPIES
    assert wrong == []


def _where(error: BaseException) -> list[str]:
    """Return where in the product an error was raised."""
    frames = [frame for frame in extract_tb(error.__traceback__) if "/lasercats/" in frame.filename]
    return [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-4:]]
