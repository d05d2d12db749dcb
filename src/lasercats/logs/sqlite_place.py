"""Where a log in SQLite is: `sqlite:.lasercats/log.db`, and the logs of other environments beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lasercats.core.errors import BadInput
from lasercats.core.stores import Copy
from lasercats.logs.sqlite import SqliteLog

FOLDER = ".lasercats"


class SqlitePlace:
    """A file in the folder of a project; in another, nobody would see to it that it is the user's own."""

    by_file = True

    def __init__(self, url: str, root: str, environment: str = "") -> None:
        """Find the file; that of another environment is called after it.

        Raises:
            BadInput: the URL names none.

        """
        path = Path(url.removeprefix("sqlite:"))
        if path.parent != Path(FOLDER) or path.suffix != ".db":
            raise BadInput(
                f"{url!r} is no place for a log: one in SQLite lies in {FOLDER}",
                remedy=f"give sqlite:{FOLDER}/NAME.db",
            )
        if environment.casefold() == path.stem.casefold():
            raise BadInput(
                f"the log of the environment {environment!r} would be that of the default one",
                remedy="give either another name",
            )
        self._url, self._root, self._default = url, root, path
        self._path = Path(root) / (path.with_name(f"{environment}.db") if environment else path)
        self.name = str(self._path)

    def is_begun(self) -> bool:
        """Tell whether there is a file."""
        return self._path.exists()

    def open(
        self, *, create: bool = False, exist_ok: bool = False, barred: str = "", mode: int = 0o600
    ) -> SqliteLog:
        """Open the log, or make it."""
        return SqliteLog(self._path, create=create, exist_ok=exist_ok, barred=barred, mode=mode)

    def fill(self, copy: Copy, *, mode: int = 0o600) -> SqliteLog:
        """Make the log of what came from another store."""
        log = self.open(create=True, exist_ok=True, mode=mode)
        log.fill(copy)
        return log

    def admit(self, readers: Sequence[str], writers: Sequence[str]) -> None:
        """Refuse, as a file knows no roles.

        Raises:
            BadInput: always.

        """
        del readers, writers
        raise BadInput(
            f"the log {self.name} is a file",
            remedy="share it with a group by `lasercats init --shared GROUP`",
        )

    def environments(self) -> Mapping[str, "SqlitePlace"]:
        """Return where the logs of all environments are, by name, empty for the default one."""
        stems = (path.stem for path in sorted((Path(self._root) / FOLDER).glob("*.db")))
        names = ("" if stem == self._default.stem else stem for stem in stems)
        return {name: SqlitePlace(self._url, self._root, name) for name in names}
