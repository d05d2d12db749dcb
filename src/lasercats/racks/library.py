"""The NetBox community device-type library, read from a folder: every good file, and what ails the others.

    device-types/Acme/Server-1.yaml  →  rack.device_type/acme-server-1

A bad file does not keep the others from being read.
"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from lasercats.core import address as addresses
from lasercats.core.address import Address
from lasercats.core.errors import BadDocument, BadInput
from lasercats.core.reading import Tree, load_yaml, where
from lasercats.domains.rack import device_type
from lasercats.domains.rack.device_type import DeviceType
from lasercats.domains.rack.library import Flaw, read
from lasercats.operate import files

SUFFIXES = (".yaml", ".yml")
TYPES = "device-types"
"""The folder of the library that holds a folder of types for each maker."""


class Library(NamedTuple):
    """What was read."""

    types: dict[Address, DeviceType]
    problems: list[tuple[str, str]]
    """Where something is wrong, `file:line:column`, and what."""


class _Problem(Exception):
    """What is wrong with a file; the slug is told as far as it could be read."""

    def __init__(self, place: str, fact: str, slug: str | None = None) -> None:
        super().__init__(fact)
        self.place, self.fact, self.slug = place, fact, slug


def read_library(folder: Path, only: Sequence[str] = ()) -> Library:
    """Read a library, its `device-types`, the folder of one maker or one file; what is bad is left out.

    The patterns of `only` choose by `MAKER/SLUG`, where the maker is the name of the folder. A file whose
    slug cannot be read is told of whatever its slug may be.

    Raises:
        BadInput: there is nothing to read, or nothing that a pattern fits.

    """
    library, sources = Library({}, []), dict[str, Path]()
    for path in _files(folder, library.problems):
        maker = path.absolute().parent.name
        if only and not any(_may_fit(maker, pattern) for pattern in only):
            continue
        try:
            slug, found = _read(path, sources)
        except _Problem as problem:
            if problem.slug is None or _fits(maker, problem.slug, only):
                library.problems.append((problem.place, problem.fact))
            continue
        if _fits(maker, slug, only):
            library.types[addresses.make(device_type.KIND.name, slug)] = found
    if not library.types and not library.problems:
        fact = f"{', '.join(only)} fits nothing in {folder}; a pattern is MAKER/SLUG, as in 'Acme/*'"
        raise BadInput(fact if only else _nothing(folder))
    return library


def _files(folder: Path, problems: list[tuple[str, str]]) -> Iterator[Path]:
    """Iterate over the files of a folder and of those in it; a maker that cannot be listed is a problem."""
    if not folder.is_dir():
        if not folder.exists():
            raise BadInput(f"{folder} is not there; give the folder of a device-type library")
        yield folder
        return
    base = folder / TYPES if (folder / TYPES).is_dir() else folder
    try:
        entries = sorted(base.iterdir())
    except OSError as error:
        raise BadInput(f"{base} cannot be read: {error.strerror}; give a folder that can") from None
    for entry in entries:
        if entry.is_dir() and not entry.name.startswith("."):
            try:
                yield from (p for p in sorted(entry.iterdir()) if p.suffix in SUFFIXES and not p.is_dir())
            except OSError as error:
                problems.append((str(entry), f"cannot be read: {error.strerror}"))
        elif entry.suffix in SUFFIXES:
            yield entry


def _read(path: Path, sources: dict[str, Path]) -> tuple[str, DeviceType]:
    name = str(path)
    data, tree = _load(path, name)
    try:
        slug, found = read(data)
    except Flaw as flaw:
        named = data.get("slug") if isinstance(data, dict) and flaw.path != ("slug",) else None
        raise _Problem(where(tree, name, flaw.path), flaw.fact, named) from None
    if sources.setdefault(slug, path) is not path:
        fact = f"the slug {slug!r} is that of {sources[slug]} too; give one of them another"
        raise _Problem(where(tree, name, ["slug"]), fact, slug)
    return slug, found


def _load(path: Path, name: str) -> tuple[Any, Tree]:
    """Return the data of a file, and what tells of its lines."""
    try:
        data, tree = load_yaml(files.read(path).decode(), name)
    except UnicodeDecodeError:
        raise _Problem(name, "this is not UTF-8 text") from None
    except OSError as error:
        raise _Problem(name, f"cannot be read: {error.strerror}") from None
    except BadDocument as error:
        place, _, fact = str(error).removeprefix(name).partition(": ")
        raise _Problem(name + place, fact) from None
    return data, tree


def _fits(maker: str, slug: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatchcase(f"{maker}/{slug}", pattern) for pattern in only)


def _may_fit(maker: str, pattern: str) -> bool:
    """Tell whether a pattern can fit any type of a maker, so that others need not be read."""
    first, slash, _ = pattern.partition("/")
    return not slash or "[" in first or fnmatchcase(maker, first)


def _nothing(folder: Path) -> str:
    return f"there is no device type in {folder}; give the folder that holds {TYPES}/MAKER/*.yaml"
