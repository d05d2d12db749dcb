"""The vault seals deterministically, each secret under keys of its own, and nothing of a key is ever lost."""

import base64
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lasercats.core.errors import BadInput
from lasercats.core.secret import Sealed
from lasercats.machines.vault import KeyVault
from lasercats.machines.vault_seal import key_of

HERE = ["file/web1:/etc/key secret"]
THERE = ["file/web2:/etc/key secret"]
places = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4, unique=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.binary(max_size=200), places)
def test_what_is_sealed_is_opened(tmp_path: Path, secret: bytes, where: list[str]) -> None:
    """Any bytes come back at each of their places and nowhere else, and equal secrets have equal tokens."""
    vault = KeyVault(tmp_path / "key")
    sealed = vault.seal(secret, where)
    assert vault.seal(secret, [*reversed(where)]) == sealed
    assert sorted(vault.places(sealed)) == sorted(where)
    for place in where:
        assert KeyVault(tmp_path / "key").open(sealed, place) == secret
    other = "".join(where) + "!"
    assert not vault.is_for(sealed, other)
    with pytest.raises(BadInput, match="sealed for"):
        vault.open(sealed, other)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.binary(max_size=40), st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_token_opens_nothing(tmp_path: Path, secret: bytes, where: int, bits: int) -> None:
    """A token in which any byte was changed, or whose key was exchanged, is not opened."""
    vault = KeyVault(tmp_path / "key")
    sealed = vault.seal(secret, HERE)
    other = key_of(vault.seal(secret, THERE).token)
    form, id_, body = sealed.token.split(".")
    data = bytearray(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    data[where % len(data)] ^= bits
    changed = base64.urlsafe_b64encode(bytes(data)).decode().rstrip("=")
    for token, place in ((f"{form}.{id_}.{changed}", HERE[0]), (f"{form}.{other}.{body}", THERE[0])):
        with pytest.raises(BadInput, match="was not sealed with the key"):
            vault.open(Sealed(token), place)


def test_short_secrets_have_tokens_of_one_length(tmp_path: Path) -> None:
    """Of a secret of up to 31 bytes the token does not tell how long it is."""
    vault = KeyVault(tmp_path / "key")
    assert len({len(vault.seal(b"x" * size, HERE).token) for size in range(32)}) == 1


def test_equal_secrets_of_two_places_have_different_tokens(tmp_path: Path) -> None:
    """That two secrets are equal cannot be told from their tokens, as each has its own key."""
    vault = KeyVault(tmp_path / "key")
    one, two = (vault.seal(b"hunter2", where).token.split(".") for where in (HERE, THERE))
    assert one[1:] != two[1:]
    assert one[2] != two[2]


def test_what_is_known_stays_as_it_is(tmp_path: Path) -> None:
    """A secret that is known to be sealed for the place is not sealed again, also where it is for more."""
    vault = KeyVault(tmp_path / "key")
    both = vault.seal(b"hunter2", [*HERE, *THERE])
    vault = KeyVault(tmp_path / "key", standing=lambda _: [both])
    assert vault.seal(b"hunter2", HERE) == both
    assert vault.seal(b"hunter3", HERE) != both
    assert not vault.is_for(vault.seal(b"hunter3", HERE), THERE[0])


def test_the_keys_are_private(tmp_path: Path) -> None:
    """Only the owner can read the keys, whatever the umask, and what others can read is refused."""
    before = os.umask(0)
    try:
        sealed = KeyVault(tmp_path / "key").seal(b"x", HERE)
    finally:
        os.umask(before)
    for name in ("key", "keys"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        (tmp_path / name).chmod(0o640)
        with pytest.raises(BadInput, match=f"chmod 600 {tmp_path / name}"):
            KeyVault(tmp_path / "key").open(sealed, HERE[0])
        (tmp_path / name).chmod(0o600)
    assert KeyVault(tmp_path / "key").open(sealed, HERE[0]) == b"x"


def test_a_folder_of_a_group_shares_its_keys(tmp_path: Path) -> None:
    """Where a group shares the folder on purpose, it shares the keys, and nobody else does."""
    tmp_path.chmod(0o2770)
    sealed = KeyVault(tmp_path / "key").seal(b"x", HERE)
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("key", "keys")} == {0o660}
    assert KeyVault(tmp_path / "key").open(sealed, HERE[0]) == b"x"
    (tmp_path / "key").chmod(0o664)
    with pytest.raises(BadInput, match="can be read by others"):
        KeyVault(tmp_path / "key").open(sealed, HERE[0])


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    """A wrong, missing or damaged key, keyring or token is told, with the file to bring back."""
    token = KeyVault(tmp_path / "one").seal(b"x", HERE)
    KeyVault(tmp_path / "two").seal(b"y", HERE)
    with pytest.raises(BadInput, match=f"is not in {tmp_path}/twos; bring that file"):
        KeyVault(tmp_path / "two").open(token, HERE[0])
    with pytest.raises(BadInput, match=f"is not in {tmp_path}/nones; bring that file"):
        KeyVault(tmp_path / "none").open(token, HERE[0])
    with pytest.raises(BadInput, match="was not sealed with the key"):
        KeyVault(tmp_path / "one").open(Sealed(token.token[:-4]), HERE[0])
    with pytest.raises(BadInput, match="was not sealed with the key"):
        KeyVault(tmp_path / "one").open(Sealed("hunter2"), HERE[0])
    good = (tmp_path / "one").read_bytes()
    for bad, message in (
        ((tmp_path / "two").read_bytes(), "is not the one that the keyring beside it is locked with"),
        (b"hunter2\n", "is damaged; bring back a copy"),
        (b"", "is damaged; bring back a copy"),
    ):
        (tmp_path / "one").write_bytes(bad)
        with pytest.raises(BadInput, match=message):
            KeyVault(tmp_path / "one").open(token, HERE[0])
    (tmp_path / "one").unlink()
    with pytest.raises(BadInput, match=r"cannot be read \(No such file or directory\); secrets need it"):
        KeyVault(tmp_path / "one").open(token, HERE[0])
    with pytest.raises(BadInput, match="cannot be read"):
        KeyVault(tmp_path / "one").seal(b"z", THERE)
    (tmp_path / "one").write_bytes(good)
    (tmp_path / "one").chmod(0o600)
    assert KeyVault(tmp_path / "one").open(token, HERE[0]) == b"x"


def test_a_damaged_keyring_is_told(tmp_path: Path) -> None:
    """What is damaged in a keyring is told with its line, is not written over, and opens nothing."""
    token = KeyVault(tmp_path / "key").seal(b"x", HERE)
    KeyVault(tmp_path / "key").seal(b"x", THERE)
    ring = tmp_path / "keys"
    good = ring.read_bytes()
    for bad, message in (
        (b"junk\n" + good, "is damaged in line 1"),
        (b"", "is damaged in line 1"),
        (good.replace(b'"id":"', b'"id":', 2), "is damaged in line 1"),
        (good.replace(b'"places":["file/web1', b'"places":"file/web1'), "is damaged in line 2"),
        (good.replace(b'"lasercats_keys":1', b'"lasercats_keys":9'), "a later LaserCats"),
        (good.replace(b"/etc/key", b"/etc/kez", 1), "is damaged; bring back a copy"),
    ):
        ring.write_bytes(bad)
        with pytest.raises(BadInput, match=message):
            KeyVault(tmp_path / "key").open(
                token, HERE[0].replace("key", "kez") if b"kez" in bad else HERE[0]
            )
        assert ring.read_bytes() == bad
    ring.write_bytes(good)
    assert KeyVault(tmp_path / "key").open(token, HERE[0]) == b"x"


def test_no_key_is_made_in_place_of_a_lost_one(tmp_path: Path) -> None:
    """Where the log holds tokens and the file of their keys is missing, nothing is sealed without it."""
    sealed = KeyVault(tmp_path / "key").seal(b"x", HERE)
    (tmp_path / "keys").rename(tmp_path / "away")
    with pytest.raises(BadInput, match=f"the keyring {tmp_path}/keys is missing, and the log holds secrets"):
        KeyVault(tmp_path / "key", lambda: [sealed.token]).seal(b"y", THERE)
    (tmp_path / "key").unlink()
    with pytest.raises(BadInput, match=f"the key file {tmp_path}/key is missing, and the log holds secrets"):
        KeyVault(tmp_path / "key", lambda: ["bm9uZQ=="]).seal(b"y", THERE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["away", "keys.lock"]


def _old(key: bytes, secret: bytes) -> Sealed:
    """Return a token as it was made up to format 4 of the log."""
    body = AESSIV(key).encrypt(secret or b"\0", None if secret else [b"empty"])
    return Sealed(("" if secret else "0.") + base64.urlsafe_b64encode(body).decode())


@pytest.mark.parametrize("secret", [b"hunter2", b"", b"\0\x80\xff"])
def test_tokens_of_before_stay_readable(tmp_path: Path, secret: bytes) -> None:
    """A token of the one key of a project is opened for any place, and still after new keys were made."""
    old = os.urandom(64)
    (tmp_path / "key").write_bytes(base64.b64encode(old) + b"\n")
    (tmp_path / "key").chmod(0o600)
    token = _old(old, secret)
    vault = KeyVault(tmp_path / "key", standing=lambda at: [token] if at == HERE[0] else [])
    for _ in range(2):
        assert vault.open(token, HERE[0]) == secret
        assert vault.places(token) == ()
        assert vault.is_for(token, THERE[0])
        assert vault.seal(secret, HERE) == token
        vault.seal(b"new", HERE)
    vault.keys.move("file")
    assert KeyVault(tmp_path / "key").open(token, HERE[0]) == secret
    assert base64.b64encode(old) not in (tmp_path / "key").read_bytes()
    vault.keys.destroy(["project"])
    with pytest.raises(BadInput, match="its key was destroyed"):
        KeyVault(tmp_path / "key").open(token, HERE[0])


def test_versions_of_a_secret(tmp_path: Path) -> None:
    """A new version seals what is new; one before is readable until it is destroyed, and then tells so."""
    vault = KeyVault(tmp_path / "key", by=lambda: "ada")
    first = vault.seal(b"one", HERE)
    new = vault.candidate(HERE, b"two")
    assert vault.seal(b"one", HERE) == first  # nothing is kept of it yet
    vault.keys.keep(new.key)
    other = KeyVault(tmp_path / "key")
    assert other.open(new.sealed, HERE[0]) == b"two"
    assert other.seal(b"two", HERE) == new.sealed
    assert other.renewed(first, HERE[0]) == other.seal(b"one", HERE) != first
    assert other.open(first, HERE[0]) == b"one"
    with pytest.raises(BadInput, match="somebody else has just changed"):
        vault.keys.keep(new.key)
    assert vault.keys.destroy([key_of(first.token) or ""])
    for one in (vault, other, KeyVault(tmp_path / "key")):
        assert one.open(new.sealed, HERE[0]) == b"two"
        assert one.renewed(first, HERE[0]) == first
    with pytest.raises(BadInput, match=r"a past value of file/web1:/etc/key secret cannot be .* by ada at "):
        KeyVault(tmp_path / "key").open(first, HERE[0])


def test_a_secret_with_a_name_is_for_all_that_name_it(tmp_path: Path) -> None:
    """A secret with a name opens at any place, and stands in the keyring only as its token."""
    vault = KeyVault(tmp_path / "key")
    with pytest.raises(BadInput, match="no secret is called 'db'"):
        vault.named("db")
    made = vault.candidate(["secret:db"], b"hunter2")
    vault.keys.keep(made.key)
    assert KeyVault(tmp_path / "key").named("db") == made.sealed
    assert vault.open(made.sealed, HERE[0]) == vault.open(made.sealed, THERE[0]) == b"hunter2"
    assert b"hunter2" not in (tmp_path / "keys").read_bytes()


def test_what_was_destroyed_cannot_be_had_back_from_the_old_key_file(tmp_path: Path) -> None:
    """After a key was destroyed, neither file holds anything of before: the root key is a new one."""
    vault = KeyVault(tmp_path / "key")
    sealed = vault.seal(b"one", HERE)
    kept = vault.seal(b"two", THERE)
    root, ring = (tmp_path / "key").read_bytes(), (tmp_path / "keys").read_bytes()
    vault.keys.destroy([key_of(sealed.token) or ""])
    assert (tmp_path / "key").read_bytes() != root
    wrapped = [line.split(b'"wrapped":"')[1] for line in ring.splitlines()[1:]]
    assert not any(part in (tmp_path / "keys").read_bytes() for part in wrapped)
    assert KeyVault(tmp_path / "key").open(kept, THERE[0]) == b"two"


SEALING = """
import sys
from pathlib import Path
from lasercats.machines.vault import KeyVault
folder, name, count, shared = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]
for n in range(count):
    vault = KeyVault(folder / "key")
    where = f"file/{'all' if shared else name}:/{n} secret"
    print(where, vault.seal(name.encode() if not shared else b"same", [where]).token, sep="|", flush=True)
"""


def _sealing(folder: Path, name: str, count: int, *more: str) -> "subprocess.Popen[str]":
    line = [sys.executable, "-c", SEALING, str(folder), name, str(count), *more]
    return subprocess.Popen(line, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_eight_processes_lose_no_key(tmp_path: Path) -> None:
    """Of eight processes that seal at once each token is opened, and of one place all have one key."""
    own = [_sealing(tmp_path, f"p{n}", 20) for n in range(4)]
    shared = [_sealing(tmp_path, f"s{n}", 20, "shared") for n in range(4)]
    said = [process.communicate()[0].splitlines() for process in own + shared]
    assert [process.returncode for process in own + shared] == [0] * 8
    vault = KeyVault(tmp_path / "key")
    for number, lines in enumerate(said):
        assert len(lines) == 20
        for line in lines:
            place, _, token = line.partition("|")
            assert vault.open(Sealed(token), place) == (f"p{number}" if number < 4 else "same").encode()
    assert len({tuple(lines) for lines in said[4:]}) == 1
    assert len(vault.keys.all()) == 4 * 20 + 20


@pytest.mark.crash
@pytest.mark.slow
def test_a_kill_loses_no_key_of_a_token_that_was_told(tmp_path: Path) -> None:
    """However often a process is killed while it seals, each token that it told of is opened."""
    lines = list[str]()
    for n in range(12):
        with _sealing(tmp_path, f"p{n}", 100_000) as process:
            assert process.stdout is not None
            lines += [process.stdout.readline() for _ in range(1 + 3 * n)]
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.readlines()
    vault = KeyVault(tmp_path / "key")
    for line in lines:
        if line.endswith("\n"):
            place, _, token = line.rstrip().partition("|")
            assert vault.open(Sealed(token), place) == place.partition("/")[2].partition(":")[0].encode()
    assert sum(line.endswith("\n") for line in lines) > 200


def test_half_a_line_is_of_a_process_that_was_killed(tmp_path: Path) -> None:
    """What was written of a key before the process died is passed over, and the next key is whole."""
    vault = KeyVault(tmp_path / "key")
    one = vault.seal(b"1", HERE)
    with (tmp_path / "keys").open("ab") as file:
        file.write(b'{"id":"abc","places":["file/x')
    two = KeyVault(tmp_path / "key").seal(b"2", THERE)
    fresh = KeyVault(tmp_path / "key")
    assert (fresh.open(one, HERE[0]), fresh.open(two, THERE[0])) == (b"1", b"2")
    assert b"file/x" not in (tmp_path / "keys").read_bytes()


RELOCKING = """
import sys
from pathlib import Path
from lasercats.machines.vault import KeyVault
while True:
    KeyVault(Path(sys.argv[1]) / "key").keys.move("file")
    print(flush=True)
"""


@pytest.mark.crash
@pytest.mark.slow
def test_a_kill_while_all_is_locked_anew_loses_nothing(tmp_path: Path) -> None:
    """A process killed while it locks all keys anew leaves them locked with a root key that is there."""
    sealed = KeyVault(tmp_path / "key").seal(b"x", HERE)
    for n in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", RELOCKING, str(tmp_path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            for _ in range(1 + n % 7):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        assert KeyVault(tmp_path / "key").open(sealed, HERE[0]) == b"x"
    KeyVault(tmp_path / "key").keys.move("file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "keys", "keys.lock"]
    assert (tmp_path / "key").read_bytes().count(b"\n") == 1


@pytest.mark.slow
def test_who_reads_while_all_is_locked_anew_opens_all(tmp_path: Path) -> None:
    """A secret is opened at any time while another process locks the keys with new root keys."""
    sealed = KeyVault(tmp_path / "key").seal(b"x", HERE)
    with subprocess.Popen(
        [sys.executable, "-c", RELOCKING, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        try:
            seen = set[bytes]()
            while len(seen) < 40:
                assert KeyVault(tmp_path / "key").open(sealed, HERE[0]) == b"x"
                seen.add((tmp_path / "keys").read_bytes()[:80])
        finally:
            process.kill()
