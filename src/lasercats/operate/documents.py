"""Documents: what they desire, read from files, folders and standard input."""

from collections.abc import Sequence
from pathlib import Path

from lasercats.core.address import Address
from lasercats.core.document import parse
from lasercats.core.errors import BadDocument
from lasercats.core.resource import Resource
from lasercats.operate import files
from lasercats.operate.project import Project


def read_documents(
    project: Project, names: Sequence[str], stdin: str = "", *, mebibytes: int = files.MOST
) -> dict[Address, Resource]:
    """Read documents; `-` is standard input, a folder is every YAML or JSON file in it.

    Raises:
        BadDocument: one cannot be read, or an address stands in two of them.
        BadInput: one has more `mebibytes` than it may.

    """
    desired: dict[Address, Resource] = {}
    for name in names:
        for path in _files(name):
            text = stdin if path is None else _read(path, mebibytes)
            folder = Path() if path is None else path.parent
            label = "standard input" if path is None else str(path)
            for address, resource in parse(text, project.kinds, project.inputs(folder), label).items():
                if address in desired:
                    raise BadDocument(label, f"{address} stands in another of the documents too")
                desired[address] = resource
    return desired


def _files(name: str) -> list[Path | None]:
    if name == "-":
        return [None]
    path = Path(name)
    if files.had(name, path.is_dir):
        found = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml", ".json"))
        if not found:
            raise BadDocument(name, "there is no YAML or JSON file in this folder")
        return list(found)
    return [path]


def _read(path: Path, mebibytes: int) -> str:
    try:
        return files.text(path, mebibytes)
    except UnicodeDecodeError:
        raise BadDocument(str(path), "this is not UTF-8 text") from None
    except files.FAILURES as error:
        raise BadDocument(str(path), f"cannot be read: {files.why(error)}") from None
