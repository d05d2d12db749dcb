"""The vault: seals secrets under the project's key, with AES-SIV (RFC 5297).

The key is a file of the project, mode 0600, that must not be committed. Without it the tokens in log and
documents tell nothing; destroying it destroys every secret in the history.
"""

import base64
import binascii
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lasercats.core.errors import BadInput
from lasercats.core.secret import Sealed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV


class KeyVault:
    """Seals with the key in a file, which is made when the first secret is sealed."""

    def __init__(
        self,
        path: Path,
        in_use: Callable[[], bool] = lambda: False,
        mode: int = 0o600,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        """Use the key at `path`; `in_use` tells whether there are tokens that a key has sealed.

        One that is made has the `mode`. `check` raises where no secret may be sealed or opened.
        """
        self._path, self._in_use, self._mode, self._check = path, in_use, mode, check

    def seal(self, secret: bytes, places: Sequence[str], known: Iterable[Sealed] = ()) -> Sealed:
        """Return a secret, sealed for some places; as it was, where one of the `known` holds it.

        Raises:
            BadInput: the key is missing, and there are secrets that it sealed.

        """
        for one in known:
            if all(self.is_for(one, place) for place in places) and self.open(one, places[0]) == secret:
                return one
        if not self._path.exists():
            if self._in_use():
                raise BadInput(
                    f"the key file {self._path} is missing, and the log holds secrets that it sealed; "
                    "bring it back before you seal another one"
                )
            self._make_key()
        bound = json.dumps(sorted(places)).encode()
        body = self._cipher().encrypt(secret or b"\0", [bound, b"" if secret else b"empty"])
        parts = ("1" if secret else "1e", _text(bound), _text(body))
        return Sealed(".".join(parts))

    def places(self, sealed: Sealed) -> tuple[str, ...]:
        """Return the places that a secret is sealed for; none where it is not bound, as up to format 4."""
        parts = sealed.token.split(".")
        return tuple(json.loads(_bytes(parts[1]))) if len(parts) == 3 else ()  # noqa: PLR2004

    def is_for(self, sealed: Sealed, place: str) -> bool:
        """Tell whether a secret is sealed for a place."""
        bound = self.places(sealed)
        return place in bound or not bound

    def open(self, sealed: Sealed, place: str) -> bytes:
        """Return the secret that is sealed for a place.

        Raises:
            BadInput: the key is missing, or is not the one that sealed it, or it is for another place.

        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - heavy; only for secrets

        if not self.is_for(sealed, place):
            raise BadInput(f"a secret is sealed for {self.places(sealed)[0]} and not for {place}")
        token = sealed.token
        try:
            if self.places(sealed):
                form, bound, body = token.split(".")
                more = [_bytes(bound), b"empty" if form == "1e" else b""]
                secret: bytes = self._cipher().decrypt(_bytes(body), more)
                return b"" if form == "1e" else secret
            empty = token.startswith("0.")
            secret = self._cipher().decrypt(_bytes(token.removeprefix("0.")), [b"empty"] if empty else None)
        except (InvalidTag, binascii.Error, ValueError):
            raise BadInput(
                f"a secret was not sealed with the key in {self._path}; bring the right key file there"
            ) from None
        return b"" if empty else secret

    def _make_key(self) -> None:
        self._check()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(self._path, flags, self._mode), "w") as file:
            os.fchmod(file.fileno(), self._mode)
            file.write(base64.b64encode(os.urandom(64)).decode() + "\n")

    def _cipher(self) -> "AESSIV":
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV  # noqa: PLC0415

        self._check()
        try:
            return AESSIV(base64.b64decode(self._path.read_text()))
        except OSError as error:
            raise BadInput(
                f"the key file {self._path} cannot be read ({error.strerror}); secrets need it"
            ) from None


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text)
