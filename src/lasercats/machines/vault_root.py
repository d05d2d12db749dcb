"""Where the root key is kept, which wraps all others: a file, age, the keyring of the system, or a command.

The keyring says which (`Root`). A keeper makes a new root key beside the old one, so that whatever is cut off
in between, the key that the keyring names is there; the old one is dropped when nothing needs it any more.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Protocol

from lasercats.core.errors import BadInput, UnknownName
from lasercats.machines import age, sources, vault_file, vault_seal
from lasercats.machines.vault_ring import Root

SERVICE = "lasercats"


class Keeper(Protocol):
    """Keeps root keys."""

    def fetch(self, root: Root) -> bytes:
        """Return a root key.

        Raises:
            BadInput: it is not there, or is another.

        """
        ...

    def renew(self, like: Root) -> tuple[Root, bytes]:
        """Make a new root key, kept as another one is; a keeper that cannot returns the one that is there."""
        ...

    def drop(self, root: Root, now: Root) -> None:
        """Keep a root key no longer, as another is used now."""
        ...

    def place(self, root: Root) -> str:
        """Return where a root key is kept, in words."""
        ...


class InFile:
    """Keeps root keys in a file, one a line: two only while one takes the place of the other."""

    def __init__(self, path: Path) -> None:
        """Keep them in the file at `path`."""
        self._path = path

    def fetch(self, root: Root) -> bytes:
        """Return the root key with the id."""
        for key in self.keys():
            if vault_seal.root_id(key) == root.id:
                return key
        raise BadInput(
            f"the key in {self._path} is not the one that the keyring beside it is locked with; bring back "
            f"the key file that belongs to it (its id is {root.id})"
        )

    def keys(self) -> list[bytes]:
        """Return the keys in the file.

        Raises:
            BadInput: it cannot be read, or holds something else.

        """
        try:
            lines = vault_file.read(self._path).split(b"\n")
        except OSError as error:
            raise BadInput(
                f"the key file {self._path} cannot be read ({error.strerror}); secrets need it"
            ) from None
        keys = [vault_seal.read_key(line) for line in lines if line.strip()]
        if not keys or None in keys:
            raise BadInput(f"the key file {self._path} is damaged; bring back a copy of it")
        return [key for key in keys if key is not None]

    def renew(self, like: Root) -> tuple[Root, bytes]:
        """Add a new key to the file."""
        key = vault_seal.new_key()
        old = self.keys() if self._path.exists() else []
        self._write([key, *old])
        return Root("file", vault_seal.root_id(key)), key

    def drop(self, root: Root, now: Root) -> None:
        """Leave in the file only what is used now, else no file; so goes what a killed process left."""
        left = [key for key in self.keys() if vault_seal.root_id(key) == now.id]
        if left:
            self._write(left)
        else:
            vault_file.remove(self._path)

    def place(self, root: Root) -> str:
        """Return the name of the file."""
        return f"the file {self._path}"

    def _write(self, keys: list[bytes]) -> None:
        vault_file.write(self._path, b"".join(base64.b64encode(key) + b"\n" for key in keys))


class WithAge:
    """Keeps a root key in the keyring itself, encrypted to recipients of age."""

    def fetch(self, root: Root) -> bytes:
        """Open it with one of our identities."""
        return _right(age.decrypt(base64.b64decode(root.sealed), "the root key"), root, age.identity())

    def renew(self, like: Root) -> tuple[Root, bytes]:
        """Make a new key, encrypted to the same recipients."""
        key = vault_seal.new_key()
        sealed = base64.b64encode(age.encrypt(key, like.recipients)).decode()
        return Root("age", vault_seal.root_id(key), recipients=like.recipients, sealed=sealed), key

    def drop(self, root: Root, now: Root) -> None:
        """Do nothing: it stood in the keyring, which was written anew."""

    def place(self, root: Root) -> str:
        """Return who can open it."""
        return f"age, for {', '.join(root.recipients)}"


class InKeyring:
    """Keeps root keys in the keyring of the system, each under its id."""

    def fetch(self, root: Root) -> bytes:
        """Ask for it."""
        text = _asked(lambda library: library.get_password(SERVICE, root.id))
        key = None if text is None else vault_seal.read_key(text.encode())
        if key is None:
            raise BadInput(
                f"the keyring of the system has no key {root.id!r} of the service {SERVICE!r}, with which "
                "the secrets are locked; unlock it, or work where it is"
            )
        return _right(key, root, "the keyring of the system")

    def renew(self, like: Root) -> tuple[Root, bytes]:
        """Put a new key there."""
        key = vault_seal.new_key()
        root = Root("keyring", vault_seal.root_id(key))
        _asked(lambda library: library.set_password(SERVICE, root.id, base64.b64encode(key).decode()))
        return root, key

    def drop(self, root: Root, now: Root) -> None:
        """Delete it there."""
        if _asked(lambda library: library.get_password(SERVICE, root.id)) is not None:
            _asked(lambda library: library.delete_password(SERVICE, root.id))

    def place(self, root: Root) -> str:
        """Return that it is there."""
        return "the keyring of the system"


class ByCommand:
    """Has a root key printed by a command; what that reads from is in the hands of the operator."""

    def __init__(self, asked: sources.Sources) -> None:
        """Run commands as sources of secrets run."""
        self._asked = asked

    def fetch(self, root: Root) -> bytes:
        """Run the command."""
        return _right(self._printed(root.command), root, f"what {sources.program(root.command)!r} prints")

    def renew(self, like: Root) -> tuple[Root, bytes]:
        """Return what the command prints now."""
        key = self._printed(like.command)
        return Root("cmd", vault_seal.root_id(key), command=like.command), key

    def drop(self, root: Root, now: Root) -> None:
        """Do nothing: what the command reads from is not ours."""

    def place(self, root: Root) -> str:
        """Return the command."""
        return f"what `{root.command}` prints"

    def _printed(self, command: str) -> bytes:
        key = vault_seal.read_key(sources.cmd(command, self._asked))
        if key is None:
            raise BadInput(
                f"the command {sources.program(command)!r} prints no root key; it is to print 64 random "
                "bytes in base 64, as of `head -c 64 /dev/urandom | base64`"
            )
        return key


def keepers(path: Path, asked: sources.Sources) -> dict[str, Keeper]:
    """Return the keepers by what they are called."""
    return {"file": InFile(path), "age": WithAge(), "keyring": InKeyring(), "cmd": ByCommand(asked)}


def wanted(text: str) -> Root:
    """Return where a root key is to be kept: `file`, `age:RECIPIENT,…`, `keyring` or `cmd:COMMAND`.

    Raises:
        BadInput: it is none of these.

    """
    sort, _, rest = text.partition(":")
    if sort == "age" and rest.strip():
        return Root("age", "", recipients=tuple(one.strip() for one in rest.split(",")))
    if sort == "cmd" and rest.strip():
        return Root("cmd", "", command=rest)
    if sort in ("file", "keyring") and not rest:
        return Root(sort, "")
    if sort in ("age", "cmd"):
        raise BadInput(f"{sort}: needs more; write age:RECIPIENT,… or cmd:'COMMAND'")
    raise UnknownName("place for a root key", sort, ("file", "age:RECIPIENT", "keyring", "cmd:COMMAND"))


def _right(key: bytes, root: Root, where: object) -> bytes:
    """Return a key if it is the right one."""
    if vault_seal.root_id(key) != root.id:
        raise BadInput(f"the root key from {where} is another than the keyring is locked with; bring it back")
    return key


def _asked(do: Callable[[ModuleType], str | None]) -> str | None:
    """Ask the keyring of the system for something."""
    try:
        import keyring  # noqa: PLC0415 - an extra, and heavy
    except ImportError:
        raise BadInput(
            "the keyring of the system needs a library; install it with `pip install 'lasercats[keyring]'`"
        ) from None
    try:
        return do(keyring)
    except (keyring.errors.KeyringError, RuntimeError, OSError) as error:
        raise BadInput(
            f"the keyring of the system does not answer: {str(error).partition(chr(10))[0]}"
        ) from None
