"""The root key is kept in a file, by age, in the keyring of the system or by a command, and can be moved."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import keyring
import pyrage
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from lasercats.core.errors import BadInput, UnknownName
from lasercats.core.secret import Sealed
from lasercats.machines.vault import KeyVault

HERE = "file/web1:/etc/key secret"


class MemoryKeyring(KeyringBackend):
    """A keyring of the system, as the library sees one."""

    priority: ClassVar[float] = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]


@pytest.fixture
def system() -> Iterator[MemoryKeyring]:
    """A keyring of the system."""
    before, backend = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def recipient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The public key of an age identity of the operator."""
    made = pyrage.x25519.Identity.generate()
    (tmp_path / "age.txt").write_text(f"{made}\n")
    (tmp_path / "age.txt").chmod(0o600)
    monkeypatch.setenv("LASERCATS_AGE_IDENTITY", str(tmp_path / "age.txt"))
    return str(made.to_public())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of keys."""
    (tmp_path / "p").mkdir(mode=0o700)
    return tmp_path / "p"


def opened(folder: Path, *tokens: Sealed) -> list[bytes]:
    """Return what is sealed, as another process opens it."""
    vault = KeyVault(folder / "key")
    return [vault.open(token, HERE) for token in tokens]


def test_the_root_key_goes_round_all_its_places(
    folder: Path, tmp_path: Path, recipient: str, system: MemoryKeyring
) -> None:
    """Wherever the root key is moved, tokens stay as they are, and where it was none is left."""
    printed = tmp_path / "printed"
    printed.write_bytes(base64.encodebytes(os.urandom(64)))  # wrapped at 76 columns
    first, tokens = KeyVault(folder / "key").seal(b"0", [HERE]), list[Sealed]()
    places = [f"age:{recipient}", "keyring", f"cmd:cat {printed}", "file", "keyring", "file"]
    for number, place in enumerate(places):
        kept = KeyVault(folder / "key").keys.move(place)
        assert kept == KeyVault(folder / "key").keys.kept()
        assert (folder / "key").exists() == (place == "file")
        assert bool(system.held) == (place == "keyring")
        tokens.append(KeyVault(folder / "key").seal(b"%d" % number, [f"{HERE}{number}"]))
        assert KeyVault(folder / "key").seal(b"0", [HERE]) == first
        assert opened(folder, first) == [b"0"]
    for number, token in enumerate(tokens):
        assert KeyVault(folder / "key").open(token, f"{HERE}{number}") == b"%d" % number


def test_each_recipient_of_age_opens(folder: Path, tmp_path: Path, recipient: str) -> None:
    """Everybody to whom the root key is encrypted opens the secrets, and nobody else, nor without pyrage."""
    sealed = KeyVault(folder / "key").seal(b"x", [HERE])
    mine, other = (tmp_path / "age.txt").read_text(), pyrage.x25519.Identity.generate()
    stranger = pyrage.x25519.Identity.generate()
    KeyVault(folder / "key").keys.move(f"age:{recipient},{other.to_public()}")
    for who in (other, mine):
        (tmp_path / "age.txt").write_text(f"{who}\n")
        assert opened(folder, sealed) == [b"x"]
    (tmp_path / "age.txt").write_text(f"{stranger}\n")
    with pytest.raises(BadInput, match="the root key cannot be opened with the age identity in"):
        opened(folder, sealed)
    held = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"AGE-SECRET" not in held
    assert not (folder / "key").exists()


def test_the_root_key_is_not_moved_where_it_cannot_be_had_from(
    folder: Path, tmp_path: Path, recipient: str, system: MemoryKeyring
) -> None:
    """A place from which the operator could not get the key back is refused, and all stays as it is."""
    sealed = KeyVault(folder / "key").seal(b"x", [HERE])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    stranger = pyrage.x25519.Identity.generate().to_public()
    (tmp_path / "short").write_text(base64.b64encode(b"short").decode())
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    for place, message in (
        (f"age:{stranger}", "the root key cannot be opened with the age identity"),
        ("age:nobody", "'nobody' is no recipient of age"),
        ("age:", "age: needs more"),
        ("cmd:", "cmd: needs more"),
        ("cmd:no-such-program", "cannot be run"),
        (f"cmd:cat {tmp_path}/short", "prints no root key; it is to print 64 random bytes"),
        ("keyring", "the keyring of the system does not answer"),
    ):
        with pytest.raises(BadInput, match=message):
            KeyVault(folder / "key").keys.move(place)
        assert opened(folder, sealed) == [b"x"]
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    with pytest.raises(UnknownName, match="no place for a root key is called 'cloud'"):
        KeyVault(folder / "key").keys.move("cloud")


def test_a_root_key_that_went_is_told(folder: Path, tmp_path: Path, system: MemoryKeyring) -> None:
    """Where the keyring of the system or a command gives no key, or another, that is told."""
    sealed = KeyVault(folder / "key").seal(b"x", [HERE])
    printed = tmp_path / "printed"
    printed.write_bytes(base64.b64encode(os.urandom(64)))
    KeyVault(folder / "key").keys.move("keyring")
    held, system.held = system.held, {}
    with pytest.raises(BadInput, match="the keyring of the system has no key"):
        opened(folder, sealed)
    system.held = held
    KeyVault(folder / "key").keys.move(f"cmd:cat {printed}")
    good = printed.read_bytes()
    printed.write_bytes(base64.b64encode(os.urandom(64)))
    with pytest.raises(BadInput, match="the root key from what 'cat' prints is another"):
        opened(folder, sealed)
    printed.write_bytes(good)
    assert opened(folder, sealed) == [b"x"]


def test_a_new_root_key_of_a_command_is_taken_up(folder: Path, tmp_path: Path) -> None:
    """A command that prints another key is taken up by moving there again, while the old one is at hand."""
    first, second = tmp_path / "1", tmp_path / "2"
    for path in (first, second):
        path.write_bytes(base64.b64encode(os.urandom(64)))
    sealed = KeyVault(folder / "key").seal(b"x", [HERE])
    KeyVault(folder / "key").keys.move(f"cmd:cat {first}")
    assert not KeyVault(folder / "key").keys.destroy([])  # it has no other root key to take
    KeyVault(folder / "key").keys.move(f"cmd:cat {second}")
    first.unlink()
    assert opened(folder, sealed) == [b"x"]
