"""The keys of a vault: found, made, kept, destroyed, and locked by another root key."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from lasercats.core.errors import BadInput
from lasercats.machines import vault_file, vault_ring, vault_root, vault_seal
from lasercats.machines.sources import Sources
from lasercats.machines.vault_ring import PROJECT, Key, Ring, RingFile, Root

Tokens = Callable[[], Iterable[str]]


class Keys:
    """The keys in a keyring, which is made when the first is wanted."""

    def __init__(self, path: Path, tokens: Tokens, asked: Sources, by: Callable[[], str]) -> None:
        """Use the keyring beside a root key in the file at `path`; for the rest see `KeyVault`."""
        self.path, self._tokens, self._by = path, tokens, by
        self.file = RingFile(path.with_name(f"{path.name}s"))
        self._keepers = vault_root.keepers(path, asked)
        self._roots: dict[str, bytes] = {}
        self._opened: dict[str, bytes] = {}

    def all(self) -> list[Key]:
        """Return all keys that there are, or were, the oldest of each secret first."""
        ring = self._seen()
        return [] if ring is None else [key for keys in ring.versions.values() for key in keys]

    def find(self, token: str) -> Key | None:
        """Return the key of a token; None where it is not in the keyring."""
        ring = self._seen()
        return None if ring is None else ring.keys.get(vault_seal.key_of(token) or PROJECT)

    def key(self, id_: str) -> Key:
        """Return the key with an id.

        Raises:
            BadInput: it is not in the keyring.

        """
        for get in (self.file.get, self.file.fresh):
            ring = get()
            if ring is not None and id_ in ring.keys:
                return ring.keys[id_]
        raise BadInput(
            f"the key {id_} of a secret is not in {self.file.path}; bring that file, and the root key that "
            "locks it, from where the secret was sealed"
        )

    def last(self, places: tuple[str, ...]) -> Key | None:
        """Return the key with which a secret is sealed now; None where there is none."""
        ring = self.file.get()
        return None if ring is None else ring.current(places)

    def current(self, places: tuple[str, ...]) -> Key:
        """Return the key with which a secret is sealed now; it is made, and kept, if need be.

        Raises:
            BadInput: it cannot be read or written.

        """
        key = self.last(places)
        if key is not None:
            return key
        with vault_file.locked(self.file.path):
            ring = self._ring()
            key = ring.current(places)
            if key is None:
                key = self._new(ring, places)
                self.file.add(key)
        return key

    def candidate(self, places: Sequence[str]) -> Key:
        """Return a new version of a secret, of which nothing is kept yet."""
        with vault_file.locked(self.file.path):
            return self._new(self._ring(), tuple(sorted(places)))

    def keep(self, key: Key) -> None:
        """Keep a new version: what is new is sealed with it.

        Raises:
            BadInput: somebody else made one meanwhile.

        """
        with vault_file.locked(self.file.path):
            if self._ring().next(key.places) != key.version:
                raise BadInput(
                    f"somebody else has just changed {', '.join(key.places)}; look at it and do it again"
                )
            self.file.add(key)

    def destroy(self, ids: Iterable[str]) -> bool:
        """Destroy keys, and lock the others with a new root key; return whether there is a new one.

        Raises:
            BadInput: the keyring cannot be read or written.

        """
        gone, now = set(ids), _now()
        with vault_file.locked(self.file.path):
            ring = self._ring()
            old = self._root(ring.root)
            left = [
                replace(key, wrapped=None, value=None, gone=now, gone_by=self._by())
                if key.id in gone
                else key
                for key in ring.keys.values()
            ]
            for id_ in gone:
                self._opened.pop(id_, None)
            return self._lock(left, old, ring.root, ring.root)

    def move(self, to: str) -> str:
        """Keep a new root key somewhere else, and lock all keys with it; return where, in words.

        Raises:
            BadInput: it cannot be kept there, or could not be had from there.

        """
        like = vault_root.wanted(to)
        with vault_file.locked(self.file.path):
            ring = self._ring()
            self._lock(ring.keys.values(), self._root(ring.root), ring.root, like)
        return self.kept() or ""

    def kept(self) -> str | None:
        """Return where the root key is kept, in words; None where there is none yet."""
        ring = self._seen()
        return None if ring is None else self._keepers[ring.root.kept].place(ring.root)

    def secret(self, key: Key) -> bytes:
        """Return a key itself.

        Raises:
            BadInput: it was destroyed, or the root key is not at hand.

        """
        if key.id in self._opened:
            return self._opened[key.id]
        if key.wrapped is None:
            raise BadInput(self.destroyed(key))
        try:
            self._opened[key.id] = self._unwrapped(key, self.file.get())
        except BadInput:  # somebody may just have locked all with another root key
            ring = self.file.fresh()
            again = key if ring is None else ring.keys.get(key.id, key)
            self._opened[key.id] = self._unwrapped(again, ring)
        return self._opened[key.id]

    def destroyed(self, key: Key) -> str:
        """Return what is told of a secret whose key was destroyed."""
        by = f" by {key.gone_by}" if key.gone_by else ""
        return (
            f"a past value of {', '.join(key.places) or 'a secret'} cannot be read any more: its key was "
            f"destroyed{by} at {key.gone}; give the secret anew"
        )

    def project(self) -> bytes:
        """Return the one key that a project had up to format 4 of the log.

        Raises:
            BadInput: it was destroyed, or is not at hand.

        """
        ring = self.file.get()
        if ring is not None and PROJECT in ring.keys:
            return self.secret(ring.keys[PROJECT])
        (key, *_) = vault_root.InFile(self.path).keys()
        return key

    def _unwrapped(self, key: Key, ring: Ring | None) -> bytes:
        if ring is None or key.wrapped is None:
            raise BadInput(f"the keyring {self.file.path} is missing; bring it back")
        return self._unlocked(key, self._root(ring.root))

    def _unlocked(self, key: Key, root: bytes) -> bytes:
        try:
            return vault_seal.unwrap(root, key.id, key.places, key.wrapped or "")
        except vault_seal.Unopened:
            raise BadInput(
                f"the key {key.id} in {self.file.path} is damaged; bring back a copy of that file"
            ) from None

    def _lock(self, keys: Iterable[Key], old: bytes, was: Root, like: Root) -> bool:
        """Lock keys with a new root key, kept like another one; return whether there is a new one."""
        root, new = self._keepers[like.kept].renew(like)
        if self._keepers[root.kept].fetch(root) != new:
            raise BadInput("the new root key does not come back from where it is kept; nothing was changed")
        anew = [
            replace(key, wrapped=vault_seal.wrap(new, key.id, key.places, self._unlocked(key, old)))
            if key.wrapped
            else key
            for key in keys
        ]
        self.file.write(vault_ring.made(root, anew))
        if (root.kept, root.id) != (was.kept, was.id):
            self._keepers[was.kept].drop(was, root)
        return root.id != was.id

    def _new(self, ring: Ring, places: tuple[str, ...]) -> Key:
        id_, secret = vault_seal.new_id(), vault_seal.new_key()
        wrapped = vault_seal.wrap(self._root(ring.root), id_, places, secret)
        self._opened[id_] = secret
        return Key(id_, places, ring.next(places), _now(), self._by(), wrapped)

    def _seen(self) -> Ring | None:
        """Return the keyring; of a project of before, as it is going to be made."""
        ring = self.file.get()
        return self._first() if ring is None and self.path.exists() else ring

    def _ring(self) -> Ring:
        """Return the keyring, which is made if need be. Only for who has it locked."""
        ring = self.file.latest()
        if ring is not None:
            return ring
        lost = next(iter(self._lost()), None)
        if lost is not None:
            raise BadInput(
                f"{lost} is missing, and the log holds secrets that it sealed; bring it back before you seal "
                "another one"
            )
        ring = self._first()
        self.file.write(ring)
        return ring

    def _first(self) -> Ring:
        """Return a new keyring; a key file that is there sealed all secrets before there were keyrings."""
        keeper = vault_root.InFile(self.path)
        if not self.path.exists():
            return vault_ring.made(keeper.renew(Root("file", ""))[0], ())
        (old, *_) = keeper.keys()
        wrapped = vault_seal.wrap(old, PROJECT, (), old)
        key = Key(PROJECT, (), 1, _now(), wrapped=wrapped)
        return vault_ring.made(Root("file", vault_seal.root_id(old)), [key])

    def _lost(self) -> Iterator[str]:
        """Iterate over the files of keys that are missing, though there are tokens that they sealed."""
        for token in self._tokens():
            if vault_seal.key_of(token) is not None:
                yield f"the keyring {self.file.path}"
            elif not self.path.exists():
                yield f"the key file {self.path}"

    def _root(self, root: Root) -> bytes:
        if root.id not in self._roots:
            self._roots[root.id] = self._keepers[root.kept].fetch(root)
        return self._roots[root.id]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
