"""`init`: makes a project, or what is missing of one that was cut off, or that was cloned without its log."""

import grp
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lasercats.core.errors import BadInput, LaserCatsError, LogError
from lasercats.core.stores import LogPlace
from lasercats.operate import files, own, places, seen, trust
from lasercats.operate.project import FILE, FOLDER
from lasercats.operate.settings import read as read_settings

_TEMPLATE = """\
# A LaserCats project. `lasercats machine add NAME URL` adds a machine here.
{log}
[environments.default.machines]
local = "local:"
"""


def init(
    folder: Path,
    group: str | None = None,
    log: str | None = None,
    readers: Sequence[str] = (),
    writers: Sequence[str] = (),
) -> list[str]:
    """Make a project in a folder, which is made too if need be; return what of it was missing.

    Its log is that of a URL, if one is given; one that is there already is shared. The `readers` and
    `writers` are roles of its database, which may read it, or also append to it, from then on.

    Each part is made at once, and `lasercats.toml`, which makes it a project, last: so what was killed is
    finished by the next call. With a `group`, its members share the project, also one that is there.

    Raises:
        LaserCatsError: nothing was missing, the folder is somebody else's, or it cannot be written.
        BadInput: the URL names no log, or the project has another.

    """
    shared = None if group is None else _group(group)
    there = files.had(folder, folder.exists)
    if there and (why := trust.doubt(folder, shared)) and not trust.is_marked(folder):
        raise trust.untrusted(folder, why)
    url = _url(folder, log)
    place = places.place(url, folder)
    try:
        made = _make(folder, shared, place, url)
        if shared is not None:
            _share(folder, shared, whole=not there)
    except OSError as error:
        raise LaserCatsError(f"no project can be made in {folder}: {error.strerror}") from None
    if readers or writers:
        place.admit(readers, writers)
    elif not made and shared is None:
        raise LaserCatsError(f"{folder / FILE} is there already; this is a project")
    return made


def _url(folder: Path, given: str | None) -> str:
    """Return the URL of the log that a project has, or is to have."""
    if not files.had(folder, (folder / FILE).is_file) or not (folder / FILE).stat().st_size:
        return given or places.DEFAULT_LOG
    known = places.log_url(folder / FILE, read_settings(folder / FILE))
    if given is not None and given != known:
        raise BadInput(
            f"the project in {folder} has the log {known}; change `log` in its {FILE} to have {given} instead"
        )
    return known


def _make(folder: Path, shared: int | None, place: LogPlace, url: str) -> list[str]:
    """Make what is missing, and return that."""
    inner = folder / FOLDER
    _make_folder(folder, 0o775)  # by the umask, and never for everybody to write, as that would be theirs
    _make_folder(inner, 0o700)
    if shared is not None:
        _give(inner, shared, 0o2770)
    mode = trust.mode_of_files(folder)
    made = [place.name.removeprefix(f"{folder}/")] if _make_log(place, mode) else []
    settings = _TEMPLATE.format(log="" if url == places.DEFAULT_LOG else f"log = {_quoted(url)}\n")
    for path, text, own_mode in ((inner / ".gitignore", "*\n", mode), (folder / FILE, settings, None)):
        made += [str(path.relative_to(folder))] if _make_file(path, text, own_mode) else []
    return made


def _make_folder(path: Path, mode: int) -> None:
    path.mkdir(mode=mode, parents=True, exist_ok=True)


def _quoted(text: str) -> str:
    """Return a text as TOML has it."""
    import tomlkit  # noqa: PLC0415 - only to write

    return tomlkit.item(text).as_string()


def _make_log(place: LogPlace, mode: int) -> bool:
    """Make the log, unless there is a whole one; return whether it was made."""
    try:
        log, made = place.open(), False
    except LogError:  # where there is one that cannot be used, that is told once more
        log, made = place.open(create=True, exist_ok=True, mode=mode), True
    try:
        if made:
            seen.remember(log, place.name, anyway=True)
        trust.meet(log, place.name)
    finally:
        log.close()
    return made


def _make_file(path: Path, text: str, mode: int | None) -> bool:
    """Write a file, unless there is one that is not empty: what was killed leaves it empty, or whole."""
    with suppress(FileNotFoundError):
        if path.stat().st_size:
            return False
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o664 if mode is None else mode), "w", encoding="utf-8") as file:
        if os.fstat(file.fileno()).st_size:
            return False
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return True


def has_new_log(made: list[str]) -> bool:
    """Tell whether the log is among what was missing of a project."""
    return any(part not in (FILE, f"{FOLDER}/.gitignore") for part in made)


def _group(name: str) -> int:
    """Return the number of a group.

    Raises:
        BadInput: there is none of that name.

    """
    try:
        return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise BadInput(f"no group is called {name!r}; `getent group` lists them") from None


def _share(folder: Path, group: int, *, whole: bool) -> None:
    """Let a group write what is in a project; with `whole`, also make and replace files beside it."""
    for path, _, names in os.walk(folder / FOLDER):
        _give(Path(path), group, 0o2770)
        for name in names:
            _give(Path(path) / name, group, 0o660)
    _give(folder / FILE, group, stat.S_IMODE((folder / FILE).stat().st_mode) | 0o060)
    if whole:
        _give(folder, group, stat.S_IMODE(folder.stat().st_mode) | 0o2070)


def _give(path: Path, group: int, mode: int) -> None:
    """Give a group the right to what is at a path; the group is first, as that takes set-group-id away."""
    os.chown(path, -1, group, follow_symlinks=False)
    path.chmod(mode)


def left_out(folder: Path) -> str:
    """Return what those whom a project is shared with cannot do yet, with the remedy; or nothing."""
    shared, found = (folder / FOLDER).stat(), folder.stat()
    if found.st_gid == shared.st_gid and found.st_mode & stat.S_IWGRP:
        return ""
    name = own.group_name(shared.st_gid)
    return (
        f"the members of {name} cannot add machines, as {folder} was there before and is not theirs to "
        f"write; let them with `chgrp {name} {folder} && chmod g+rwxs {folder}`"
    )
