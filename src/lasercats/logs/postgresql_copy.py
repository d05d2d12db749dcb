"""A log in PostgreSQL as it is copied to another store, and one that is filled from another."""

from collections.abc import Callable, Iterator

from lasercats.core.head import Signature
from lasercats.core.stores import Copy
from lasercats.logs.postgresql_link import Link
from lasercats.logs.schema import COLUMNS

_OWN = ("id", "format", "token")
_PAGE = 200
_READ = f"SELECT {COLUMNS} FROM @.records"  # noqa: S608 - made of ours


def give(link: Link, sql: Callable[[str], str], head: int) -> Copy:
    """Return all that a log holds up to its head, and that does not follow from the records."""
    about = dict(link.rows(sql("SELECT name, value FROM @.about")))
    ((reads, writes, token),) = link.rows(sql("SELECT reads, writes, token FROM @.head"))
    page = sql(f"{_READ} WHERE position > %s AND position <= %s ORDER BY position LIMIT {_PAGE}")

    def rows() -> Iterator[tuple[object, ...]]:
        last = 0
        while found := link.rows(page, (last, head)):
            yield from found
            last = found[-1][0]

    stretches = sql("SELECT first, format, program FROM @.stretches WHERE first <= %s ORDER BY 1")
    signed = link.rows(sql("SELECT position, signer, hash, time, signature FROM @.heads ORDER BY 1, 2"))
    more = {name: value for name, value in about.items() if name not in _OWN}
    return Copy(
        about["id"],
        " ".join(reads),
        " ".join(writes),
        {**more, **({"token": str(token)} if token else {})},
        link.rows(stretches, (head,)),
        [Signature(*one) for one in signed],
        rows(),
    )


def take(link: Link, sql: Callable[[str], str], copy: Copy) -> None:
    """Fill an empty log; it is called in a transaction, before what follows from the records is made."""
    link.run(sql("UPDATE @.about SET value = %s WHERE name = 'id'"), (copy.log,))
    for fact in copy.about.items():
        if fact[0] not in _OWN:
            link.run(sql("INSERT INTO @.about VALUES (%s, %s)"), fact)
    last: tuple[object, ...] = (0, 0, "", b"", b"", None, None, None, None)
    with (
        link.connection().cursor() as cursor,
        cursor.copy(sql(f"COPY @.records ({COLUMNS}) FROM STDIN")) as to,
    ):
        for row in copy.rows:
            to.write_row(row)
            last = row
    for stretch in copy.stretches:
        link.run(sql("INSERT INTO @.stretches VALUES (%s, %s, %s)"), stretch)
    for signed in copy.signatures:
        link.run(sql("INSERT INTO @.heads VALUES (%s, %s, %s, %s, %s)"), signed)
    position, latest, _, _, digest, _, clock, *_ = last
    _, format_, program = copy.stretches[-1] if copy.stretches else (0, 0, "")
    token, words = int(copy.about.get("token", "0")), (copy.reads.split(), copy.writes.split())
    facts = (copy.log, position, latest, latest if clock is None else clock, digest, token, format_, program)
    link.run(
        sql(
            "UPDATE @.head SET log = %s, position = %s, time = %s, clock = %s, hash = %b, token = %s, "
            "format = %s, program = %s, reads = %s, writes = %s"
        ),
        (*facts, *words),
    )
