"""Whose a project is: one of somebody else can be looked at, and never acts by itself.

Who writes a `lasercats.toml` decides which programs are run, and who writes a log decides what is taken back.
So, as in git since CVE-2022-24765, all of a project must belong to this user, or its folder be marked in the
user's own configuration (`lasercats project trust`); else no machine is talked to, nothing is written, and
no secret is opened.

A copy that somebody gave us belongs to us, but what is open in its log was begun by others. So the logs that
this user has begun, or acted in while nothing was open, are remembered in his own folder, each with its
place; in others `recover` and its like show what they would do and ask.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from lasercats.core.errors import BadInput, LaserCatsError, Untrusted
from lasercats.core.ports import Log
from lasercats.operate import files, own, seen

FILE = "lasercats.toml"
FOLDER = ".lasercats"


def closed(root: Path) -> str:
    """Return why the project in a folder can only be looked at; nothing where it may act."""
    why = doubt(root)
    if not why:
        return ""
    try:
        return "" if is_marked(root) else why
    except LaserCatsError as error:
        return f"{why} ({error})"


def doubt(root: Path, group: int | None = None) -> str:
    """Return why the project in a folder may be somebody else's; nothing where all of it is ours.

    What we share with a group (`init --shared`, or the `group` that it is about to be) may be written by it.
    """
    shared = sharing(root) if group is None else group
    return next((why for part in _parts(root) if (why := own.fault(part, shared))), "")


def sharing(root: Path) -> int | None:
    """Return the group that we share the project in a folder with, if we do.

    Only the owner of a folder can have made it so: new files in it are the group's, which may write there.
    """
    with suppress(OSError):
        found = os.lstat(root / FOLDER)
        if is_shared(found) and found.st_uid in own.users():
            return found.st_gid
    return None


def is_shared(found: os.stat_result) -> bool:
    """Tell whether a folder is one that a group shares."""
    return stat.S_ISDIR(found.st_mode) and found.st_mode & _SHARED == _SHARED


_SHARED = stat.S_ISGID | stat.S_IWGRP


def _parts(root: Path) -> Iterator[Path]:
    yield from (root, root / FILE, root / FOLDER)
    for folder, folders, names in os.walk(root / FOLDER):
        yield from (Path(folder) / name for name in sorted([*folders, *names]))


def untrusted(root: Path, why: str) -> Untrusted:
    """Return the error for what may not be done in a project that can only be looked at."""
    return Untrusted(
        f"{why}, so the project in {root} can only be looked at",
        remedy=f"where you trust all who can write to it, mark it with `lasercats project trust {root}`",
        subject=str(root),
    )


def looseness(root: Path) -> str:
    """Return what others can read of a project that is ours, with the remedy; nothing where they cannot."""
    with suppress(OSError):
        found = (root / FOLDER).stat()
        allowed = 0o770 if is_shared(found) else 0o700
        if found.st_uid in own.users() and stat.S_IMODE(found.st_mode) & 0o777 & ~allowed:
            right = "2770" if is_shared(found) else "700"
            return (
                f"others can enter {root / FOLDER}, which holds the log and the keys (mode "
                f"{stat.S_IMODE(found.st_mode):04o}); close it with `chmod {right} {root / FOLDER}`"
            )
    return ""


def mode_of_files(root: Path) -> int:
    """Return which mode the files have that are made in the folder of a project."""
    with suppress(OSError):
        return 0o660 if is_shared((root / FOLDER).stat()) else 0o600
    return 0o600


def marked() -> list[Path]:
    """Return the folders of projects that the user trusts.

    Raises:
        LaserCatsError: his configuration is not his alone, or is malformed.

    """
    import tomllib  # noqa: PLC0415 - start-up stays light where all is ours

    text = _configuration()
    try:
        projects = tomllib.loads(text).get("projects", {})
        trusted: Any = projects.get("trusted", []) if isinstance(projects, dict) else None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{config_file()} is malformed: {error}") from None
    if not isinstance(trusted, list) or not all(isinstance(one, str) for one in trusted):
        raise BadInput(f"{config_file()} is malformed: `trusted` in `[projects]` must be a list of folders")
    return [Path(one) for one in trusted]


def is_marked(root: Path) -> bool:
    """Tell whether the user trusts the project in a folder, whoever it belongs to.

    Raises:
        LaserCatsError: his configuration is not his alone, or is malformed.

    """
    return root in marked()


def mark(root: Path) -> None:
    """Trust the project in a folder, whoever it belongs to.

    Raises:
        LaserCatsError: the configuration cannot be written.

    """
    if root not in marked():
        _edit([*map(str, marked()), _text(root)])


def unmark(root: Path) -> None:
    """Trust the project in a folder no more.

    Raises:
        BadInput: it was not marked.

    """
    if root not in marked():
        raise BadInput(f"{root} is not marked; `lasercats project list` shows which are")
    _edit([str(one) for one in marked() if one != root])


def _text(root: Path) -> str:
    try:
        str(root).encode()
    except UnicodeEncodeError:
        raise BadInput(
            f"the name of {root} is no UTF-8, so it cannot stand in {config_file()}; name it otherwise"
        ) from None
    return str(root)


def _configuration() -> str:
    """Return the text of the user's configuration, which only he may have written."""
    path = config_file()
    if path is None:
        return ""
    why = own.fault(path)
    if why:
        raise LaserCatsError(f"{why}, so your configuration is not read; make it yours alone")
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except files.FAILURES as error:
        raise BadInput(f"{path} cannot be read: {files.why(error)}") from None


def config_file() -> Path | None:
    """Return the file of the user's configuration; None where there is no folder of his for it."""
    folder = seen.config_folder()
    return None if folder is None else folder / "config.toml"


def _edit(trusted: list[str]) -> None:
    """Write the list into the configuration, and leave all else in it as it is."""
    import tomlkit  # noqa: PLC0415 - only to edit

    document = tomlkit.parse(_configuration())
    table: Any = document.setdefault("projects", tomlkit.table())
    table["trusted"] = trusted
    path = config_file()
    if path is None:
        raise LaserCatsError("you have no folder for your configuration; set XDG_CONFIG_HOME to one of yours")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.replace(path.resolve(), tomlkit.dumps(document).encode(), 0o600)
    except OSError as error:
        raise LaserCatsError(f"{path} cannot be written: {error.strerror}") from None


def knows(log: Log, place: Path | str, root: Path) -> bool:
    """Tell whether what is open in a log was begun by this user, or he trusts whoever did."""
    if seen.is_at_home(log, place):
        return True
    with suppress(LaserCatsError):
        return is_marked(root)
    return False


def meet(log: Log, place: Path | str) -> None:
    """Note a log that the user acts in, unless somebody else left something open in it."""
    if not seen.is_at_home(log, place) and not log.open():
        seen.begin(log, place)
