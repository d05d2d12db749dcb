"""The vault: seals secrets under keys of their own, which a keyring holds, wrapped by a root key.

    root key ──wraps──▶ the keys of each secret (`keys`) ──seal──▶ tokens in log, state and documents

A secret is a set of places, mostly one field of one address, or has a name of its own. Each has keys in
versions: what is new is sealed with the last one, and what was sealed with one before is readable until that
is destroyed. Equal secrets under one key have equal tokens.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from lasercats.core.errors import BadInput
from lasercats.core.secret import NAMED, Sealed
from lasercats.machines import vault_seal
from lasercats.machines.sources import Sources
from lasercats.machines.vault_keys import Keys, Tokens
from lasercats.machines.vault_ring import Key


class Candidate(NamedTuple):
    """A new version of a secret that is not kept yet."""

    key: Key
    sealed: Sealed
    """Its value."""


class KeyVault:
    """Seals with the keys of a keyring, which is made when the first secret is sealed."""

    def __init__(
        self,
        path: Path,
        tokens: Tokens = tuple,
        asked: Sources | None = None,
        by: Callable[[], str] = str,
        standing: Callable[[str], Iterable[Sealed]] = lambda _: (),
        check: Callable[[], object] = lambda: None,
    ) -> None:
        """Use the keyring beside a root key in the file at `path`.

        `tokens` tells which are in use, so that no key is made in place of one that was lost; `asked` is what
        a command that prints the root key may use, `by` tells who is at work, and `standing` what stands
        at a place. `check` raises where no secret may be sealed or opened.
        """
        self.keys = Keys(path, tokens, asked or Sources(path.parent), by)
        self.standing, self._check = standing, check
        self._met: dict[str, dict[Sealed, None]] = {}

    def seal(self, secret: bytes, places: Sequence[str]) -> Sealed:
        """Return a secret, sealed for some places; one that stands there already, as it was.

        So does what was opened for the places, as a machine was about to write it or to compare with it: what
        a machine is found to hold is told as what it is.

        Raises:
            BadInput: the keys are missing, cannot be read, or no new one can be written.

        """
        self._check()
        for one in (one for place in places for one in self._at(place)):
            if all(self.is_for(one, place) for place in places) and self.holds(one, secret):
                return one
        return self._sealed(self.keys.current(tuple(sorted(set(places)))), secret)

    def places(self, sealed: Sealed) -> tuple[str, ...]:
        """Return the places that a secret is sealed for; none where it is not bound, as up to format 4.

        Raises:
            BadInput: its key is not in the keyring.

        """
        id_ = vault_seal.key_of(sealed.token)
        return () if id_ is None else self.keys.key(id_).places

    def is_for(self, sealed: Sealed, place: str) -> bool:
        """Tell whether a secret may be opened for a place; one with a name may be for any."""
        try:
            bound = self.places(sealed)
        except BadInput:
            return False
        return place in bound or not bound or bound[0].startswith(NAMED)

    def open(self, sealed: Sealed, place: str) -> bytes:
        """Return the secret that is sealed for a place.

        Raises:
            BadInput: it is sealed for another, its key was destroyed, or is not at hand.

        """
        bound = self.places(sealed)
        if not self.is_for(sealed, place):
            raise BadInput(f"a secret is sealed for {bound[0]} and not for {place}")
        secret = self._opened(sealed)
        self._met.setdefault(place, {})[sealed] = None
        return secret

    def holds(self, sealed: Sealed, secret: bytes) -> bool:
        """Tell whether what is sealed is known to be a secret; what cannot be opened is not."""
        try:
            return self._opened(sealed) == secret
        except BadInput:
            return False

    def gone(self, sealed: Sealed) -> str | None:
        """Return why a secret cannot be read any more; None where its key was not destroyed."""
        key = self.keys.find(sealed.token)
        return None if key is None or key.wrapped is not None else self.keys.destroyed(key)

    def renewed(self, sealed: Sealed, place: str) -> Sealed:
        """Return a secret as it is sealed now: under its last key; as it is where it cannot be opened.

        One of before is sealed under the key that its place has got since, if it has one.
        """
        key = self.keys.find(sealed.token)
        last = None if key is None else self.keys.last(key.places or (place,))
        if key is None or last is None or last.id == key.id or key.wrapped is None:
            return sealed
        return self._sealed(last, self._opened(sealed))

    def owned(self, sealed: Sealed, place: str) -> Sealed:
        """Return a secret of before, sealed under the key of its place.

        Raises:
            BadInput: it cannot be opened.

        """
        return self._sealed(self.keys.current((place,)), self.open(sealed, place))

    def named(self, name: str) -> Sealed:
        """Return the value of a secret with a name.

        Raises:
            BadInput: there is none.

        """
        key = self.keys.last((NAMED + name,))
        if key is None or key.value is None:
            raise BadInput(
                f"no secret is called {name!r}; set it with `lasercats secret set {name} REFERENCE`"
            )
        return Sealed(key.value)

    def open_named(self, name: str) -> bytes:
        """Return a secret with a name.

        Raises:
            BadInput: there is none, or it cannot be opened.

        """
        return self._opened(self.named(name))

    def candidate(self, places: Sequence[str], secret: bytes) -> Candidate:
        """Return a new version of a secret with a value; nothing is kept of it until `keys.keep`."""
        key = self.keys.candidate(places)
        sealed = self._sealed(key, secret)
        named = key.places[0].startswith(NAMED)
        return Candidate(replace(key, value=sealed.token) if named else key, sealed)

    def _at(self, place: str) -> Iterable[Sealed]:
        """Iterate over what is known to stand at a place, and what was to stand there, the newest first."""
        yield from self.standing(place)
        yield from reversed(self._met.get(place, {}))

    def _sealed(self, key: Key, secret: bytes) -> Sealed:
        self._check()
        return Sealed(vault_seal.seal(self.keys.secret(key), key.id, key.places, secret))

    def _opened(self, sealed: Sealed) -> bytes:
        self._check()
        id_ = vault_seal.key_of(sealed.token)
        try:
            if id_ is None:
                return vault_seal.unseal_old(self.keys.project(), sealed.token)
            key = self.keys.key(id_)
            return vault_seal.unseal(self.keys.secret(key), key.id, key.places, sealed.token)
        except vault_seal.Unopened:
            raise BadInput(
                f"a secret was not sealed with the key in {self.keys.path}, or is damaged; bring the right "
                "keys there"
            ) from None
