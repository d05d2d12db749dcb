"""Where the values come from that commands and documents name: files and secrets of this machine."""

from collections.abc import Sequence
from pathlib import Path

from lasercats.core import content
from lasercats.core.errors import BadInput
from lasercats.core.secret import NAMED, Sealed, label, of_text
from lasercats.machines.sources import Sources
from lasercats.machines.vault import KeyVault
from lasercats.operate import files


class LocalInputs:
    """Values that a command or document names, from the files and variables of this machine."""

    def __init__(
        self,
        folder: Path,
        vault: KeyVault,
        sources: Sources | None = None,
        resealed: dict[str, str] | None = None,
    ) -> None:
        """Find relative paths in `folder`, and seal with a vault.

        Into `resealed` go the places for which a secret is sealed that was given for others, and those.
        """
        self._folder, self._vault = folder, vault
        self._resealed: dict[str, str] = {} if resealed is None else resealed
        self._sources = sources or Sources(folder, named=vault.open_named)

    def source(self, path: str) -> str:
        """Return the content string of a local file."""
        return content.encode(self._read(path))

    def secret(self, reference: str, places: Sequence[str]) -> Sealed:
        """Return the secret that a reference names, sealed for some places.

        It is one of a source (`lasercats.machines.sources`), or what is sealed already; where that is for
        other places, it is sealed again for these, and told. A secret that stands at the places already stays
        sealed as it is, and one with a name is the same wherever it is named.
        """
        given = of_text(reference)
        if given is not None:
            return self._for(given, places)
        if reference.startswith(NAMED):
            return self._vault.named(reference.removeprefix(NAMED))
        return self._vault.seal(self._sources.read(reference), places)

    def _for(self, given: Sealed, places: Sequence[str]) -> Sealed:
        """Return what is given sealed, for some places."""
        standing = [one for place in places for one in self._vault.standing(place)]
        if all(self._vault.is_for(given, place) for place in places):
            secret = self._vault.open(given, places[0])
            same = (one for one in standing if self._vault.holds(one, secret))
            return next(same, None) or self._vault.renewed(given, places[0])
        before = self._vault.places(given)
        sealed = self._vault.seal(self._vault.open(given, before[0]), places)
        if sealed not in standing:
            self._resealed |= dict.fromkeys(places, ", ".join(map(label, before)))
        return sealed

    def _read(self, path: str) -> bytes:
        def read() -> bytes:
            full = self._folder / Path(path).expanduser()
            if full.stat().st_size > content.LIMIT:
                raise BadInput(
                    f"{path} has more than {content.LIMIT} bytes, the most that is kept in the log"
                )
            return full.read_bytes()

        return files.had(path, read)
