"""What this user has seen of logs: for the place of each its id and its last head, outside of the project.

Whoever can write a log can cut off its end, or bring an older copy back, and no hash in it tells. So who acts
on a log, or verifies it, notes its head in a folder of their own, `$XDG_STATE_HOME/lasercats/heads`, and the
next one compares. It is a file of some hundred bytes for each place, replaced at once.
"""

import fcntl
import hashlib
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from lasercats.core.errors import LogRewound
from lasercats.core.head import Head
from lasercats.core.ports import Log
from lasercats.core.text import clean

_LOOSE = 0o022
"""The rights of others with which they could plant what is in a folder."""


_ACCEPT = "take this one knowingly with `lasercats verify --accept`"


class Seen(msgspec.Struct, frozen=True):
    """The last that was seen at a place."""

    log: str
    place: str
    """In the one-line form of `lasercats.core.text`, as a name of a file may be any bytes."""
    position: int
    hash: str
    """In hexadecimal; empty where the log was empty."""
    begun: bool = False
    """True where what is open in the log was begun by this user, as far as that is known."""


def state_folder() -> Path | None:
    """Return the folder for what is kept for this user from one command to the next; it may have to be made.

    It is `$XDG_STATE_HOME/lasercats`, by default in `~/.local/state`. A folder of somebody else is not used:
    by `sudo` that of the home of root is taken, which is not the one of the environment. None where there is
    none.
    """
    return _own("XDG_STATE_HOME", ".local/state")


def config_folder() -> Path | None:
    """Return the folder for what this user decides for all, `$XDG_CONFIG_HOME/lasercats`, as above."""
    return _own("XDG_CONFIG_HOME", ".config")


def _own(variable: str, default: str) -> Path | None:
    """Return our folder in the one that a variable names (XDG Base Directory), unless somebody else's."""
    bases = [os.environ.get(variable, ""), os.path.join(os.environ.get("HOME", ""), default)]  # noqa: PTH118
    with suppress(KeyError):
        bases.append(f"{pwd.getpwuid(os.geteuid()).pw_dir}/{default}")
    folders = (Path(base) / "lasercats" for base in bases if base.startswith("/"))
    return next(filter(_is_ours, folders), None)


def recall(place: Path | str) -> Seen | None:
    """Return what was seen at a place; None where that is not known."""
    folder = state_folder()
    try:
        return None if folder is None else msgspec.json.decode(_file(folder, place).read_bytes(), type=Seen)
    except (OSError, msgspec.DecodeError):
        return None


def remember(log: Log, place: Path | str, *, anyway: bool = False) -> None:
    """Note the head of a log; of two who note at once the later one stays, unless it is to be `anyway`.

    Then what was seen of copies of it is forgotten, too, where that does not stand in this one. Where that
    cannot be noted, nothing is: no command fails for it.
    """
    head = log.mark()
    with suppress(OSError), _alone() as folder:
        known = recall(place)
        begun = known is not None and known.log == log.id and known.begun
        now = Seen(log.id, clean(str(place)), head.position, head.hash.hex(), begun)
        if anyway:
            for other in copies(log, place):
                other.file.unlink(missing_ok=True)
        if folder is None or known == now:
            return
        if not anyway and known is not None and known.log == log.id and known.position >= head.position:
            return
        _write(_file(folder, place), msgspec.json.encode(now))


def begin(log: Log, place: Path | str) -> None:
    """Note that this user is at home in a log: what will be open in it is his. Its head is noted by others.

    Where another log was seen at the place, nothing is noted: that is told first.
    """
    with suppress(OSError), _alone() as folder:
        known = recall(place)
        if folder is None or (known is not None and (known.begun or known.log != log.id)):
            return
        known = Seen(log.id, clean(str(place)), 0, "") if known is None else known
        _write(_file(folder, place), msgspec.json.encode(msgspec.structs.replace(known, begun=True)))


def is_at_home(log: Log, place: Path | str) -> bool:
    """Tell whether what is open in a log was begun by this user, as far as he noted."""
    known = recall(place)
    return known is not None and known.log == log.id and known.begun


def check(log: Log, place: Path | str) -> None:
    """Check that a log holds what was seen of it.

    Raises:
        LogRewound: it is another one, or its end was cut off, or it went another way.

    """
    known = recall(place)
    if fact := "" if known is None else difference(log, known):
        raise LogRewound(fact, remedy=f"bring back the log that was there, or {_ACCEPT}")


def check_alone(log: Log, place: Path | str) -> None:
    """Check that no copy of a log goes on at another place, as far as this user saw.

    Raises:
        LogRewound: one does.

    """
    for other in copies(log, place):
        raise LogRewound(apart(log, other.seen), remedy=f"go on in that one, or {_ACCEPT}")


def difference(log: Log, known: Seen) -> str:
    """Return in words how a log is not what was seen at its place; nothing where it is, or was empty."""
    if not known.position:
        return ""
    if known.log != log.id:
        return (
            f"the log {known.place} is another one than this user saw there: {log.id}, and not {known.log}, "
            f"which ended at position {known.position}"
        )
    head = log.mark()
    if head.position < known.position:
        return (
            f"the log {known.place} ends at position {head.position}, but this user saw it end at "
            f"{known.position} (hash {known.hash}): its end was cut off, or an older copy was brought back"
        )
    if log.mark(known.position) != Head(known.position, bytes.fromhex(known.hash)):
        return (
            f"the log {known.place} is not as this user saw it at position {known.position} (hash "
            f"{known.hash}): it was cut off before and went on another way, or was written anew"
        )
    return ""


class Copy(NamedTuple):
    """What was seen of a log at another place, and the file where that is noted."""

    file: Path
    seen: Seen


def copies(log: Log, place: Path | str) -> Iterator[Copy]:
    """Iterate over what was seen of the same log at other places, where that does not stand here.

    What was moved, so that nothing is at the other place any more, is no copy.
    """
    here = clean(str(place))
    for file, seen in _all():
        if seen.log != log.id or seen.place == here or not seen.position:
            continue
        if seen.place.startswith("/") and not Path(seen.place).exists():
            continue
        if seen.position > log.mark().position or log.mark(seen.position).hash.hex() != seen.hash:
            yield Copy(file, seen)


def apart(log: Log, other: Seen) -> str:
    """Return in words how a log and a copy of it are not the same any more."""
    head = log.mark().position
    how = f"went on to position {other.position}" if other.position > head else "went another way"
    return (
        f"this log, which ends at position {head}, and the one at {other.place} are two copies of one log "
        f"({log.id}), and the other {how}: what it did would be taken for a change from outside"
    )


def _all() -> Iterator[tuple[Path, Seen]]:
    folder = state_folder()
    for file in sorted(folder.glob("heads/*.json")) if folder is not None else ():
        with suppress(OSError, msgspec.DecodeError):
            yield file, msgspec.json.decode(file.read_bytes(), type=Seen)


def _file(folder: Path, place: Path | str) -> Path:
    name = hashlib.sha256(os.fsencode(place)).hexdigest()[:40]
    return folder / "heads" / f"{name}.json"


def _is_ours(folder: Path) -> bool:
    """Tell whether a folder, or what it would be made in, belongs to this user and to nobody else."""
    for there in (folder, *folder.parents):
        try:
            found = there.stat()
        except OSError:
            continue
        return found.st_uid == os.geteuid() and (there != folder or not found.st_mode & _LOOSE)
    return False


@contextmanager
def _alone() -> Iterator[Path | None]:
    """Make the folder, and let nobody else write to it meanwhile."""
    folder = state_folder()
    if folder is None:
        yield None
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "heads").mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder / "heads", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(handle)


def _write(file: Path, data: bytes) -> None:
    """Replace a file at once; only one writes at a time."""
    new = file.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(data)
    new.replace(file)
