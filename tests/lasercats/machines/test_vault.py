"""The vault seals deterministically under a key of the project."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lasercats.core.errors import BadInput
from lasercats.core.secret import Sealed
from lasercats.machines.vault import KeyVault

HERE = ["file/web1:/etc/key secret"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.binary(max_size=100))
def test_what_is_sealed_is_opened(tmp_path: Path, secret: bytes) -> None:
    """Any bytes come back, and equal secrets have equal tokens."""
    vault = KeyVault(tmp_path / "key")
    assert vault.open(vault.seal(secret, HERE), HERE[0]) == secret
    assert vault.seal(secret, HERE) == vault.seal(secret, HERE)


def test_the_key_is_private(tmp_path: Path) -> None:
    """Only the owner can read the key."""
    KeyVault(tmp_path / "key").seal(b"x", HERE)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    """A wrong, missing or damaged key, and a damaged token, are told."""
    token = KeyVault(tmp_path / "one").seal(b"x", HERE)
    KeyVault(tmp_path / "two").seal(b"y", HERE)
    with pytest.raises(BadInput, match="was not sealed with the key"):
        KeyVault(tmp_path / "two").open(token, HERE[0])
    with pytest.raises(BadInput, match="cannot be read"):
        KeyVault(tmp_path / "none").open(token, HERE[0])
    with pytest.raises(BadInput, match="was not sealed with the key"):
        KeyVault(tmp_path / "one").open(Sealed(token.token[:-4]), HERE[0])
    with pytest.raises(BadInput, match="was not sealed with the key"):
        KeyVault(tmp_path / "one").open(Sealed("hunter2"), HERE[0])
