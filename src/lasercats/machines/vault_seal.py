"""How secrets and keys are sealed: AES-SIV (RFC 5297), and HKDF (RFC 5869) from the root key.

It is deterministic on purpose: equal secrets under one key give equal tokens, so that they can be compared.
It needs no nonce that could be used twice. A token is `2.KEY.BODY`: the id of its key, and what was sealed,
in base 64 for URLs. What the key is for, and its id, are authenticated with it. The secret is padded to a
multiple of 32 bytes (ISO/IEC 7816-4), so that the token of a short one does not tell its length.

Up to format 4 of the log a token was the body alone, under the one key of the project: `BODY`, and `0.BODY`
of an empty secret.
"""

import base64
import binascii
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

FORM = "2"
SIZES = (64, 48, 32)
"""Of keys, in bytes; ours have the first, and older ones of a project may be any that AES-SIV takes."""
BLOCK = 32
PARTS = 3


class Unopened(Exception):
    """What is sealed was not sealed with this key, for this, or is damaged."""


def new_key() -> bytes:
    """Return a new random key."""
    return os.urandom(SIZES[0])


def new_id() -> str:
    """Return a new random id of a key."""
    return to_text(os.urandom(9))


def key_of(token: str) -> str | None:
    """Return the id of the key of a token; None for one of an earlier form."""
    parts = token.split(".")
    return parts[1] if len(parts) == PARTS and parts[0] == FORM else None


def seal(key: bytes, id_: str, places: Sequence[str], secret: bytes) -> str:
    """Return the token of a secret."""
    return f"{FORM}.{id_}.{to_text(_cipher(key).encrypt(_padded(secret), [_bound(id_, places)]))}"


def unseal(key: bytes, id_: str, places: Sequence[str], token: str) -> bytes:
    """Return the secret of a token.

    Raises:
        Unopened: it is not of this key, for these places.

    """
    return _unpadded(_open(key, to_bytes(token.rsplit(".", maxsplit=1)[-1]), [_bound(id_, places)]))


def unseal_old(key: bytes, token: str) -> bytes:
    """Return the secret of a token of an earlier form.

    Raises:
        Unopened: it is not of this key.

    """
    empty = token.startswith("0.")
    secret = _open(key, to_bytes(token.removeprefix("0.")), [b"empty"] if empty else None)
    return b"" if empty else secret


def wrap(root: bytes, id_: str, places: Sequence[str], key: bytes) -> str:
    """Return a key, wrapped by the root key."""
    return to_text(_cipher(_derived(root, b"wrap", 64)).encrypt(key, [_bound(id_, places)]))


def unwrap(root: bytes, id_: str, places: Sequence[str], wrapped: str) -> bytes:
    """Return a key that the root key wrapped.

    Raises:
        Unopened: it did not, or what is said of the key was changed.

    """
    return _open(_derived(root, b"wrap", 64), to_bytes(wrapped), [_bound(id_, places)])


def root_id(root: bytes) -> str:
    """Return what tells a root key from another, and nothing of it."""
    return _derived(root, b"id", 8).hex()


def read_key(text: bytes) -> bytes | None:
    """Return the key that stands in base 64 in a text; None where none does."""
    try:
        key = base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        return None
    return key if len(key) in SIZES else None


def to_text(data: bytes) -> str:
    """Return bytes in base 64 for URLs, without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def to_bytes(text: str) -> bytes:
    """Return what stands in base 64 for URLs, with or without padding.

    Raises:
        Unopened: nothing does.

    """
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Unopened from None


def _open(key: bytes, body: bytes, bound: list[bytes] | None) -> bytes:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - heavy; only for secrets

    try:
        secret: bytes = _cipher(key).decrypt(body, bound)
    except (InvalidTag, ValueError):
        raise Unopened from None
    return secret


def _cipher(key: bytes) -> "AESSIV":
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV  # noqa: PLC0415

    return AESSIV(key)


def _derived(root: bytes, use: bytes, size: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    return HKDF(SHA256(), size, None, b"lasercats keyring " + use).derive(root)


def _bound(id_: str, places: Sequence[str]) -> bytes:
    return json.dumps([FORM, id_, sorted(places)]).encode()


def _padded(secret: bytes) -> bytes:
    return secret + b"\x80" + bytes(-(len(secret) + 1) % BLOCK)


def _unpadded(padded: bytes) -> bytes:
    return padded.rstrip(b"\0")[:-1]
