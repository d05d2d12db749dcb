"""The vault: seals secrets under the project's key, with AES-SIV (RFC 5297).

The key is a file of the project, mode 0600, that must not be committed. Without it the tokens in log and
documents tell nothing; destroying it destroys every secret in the history.
"""

import base64
import binascii
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lasercats.core.errors import BadInput
from lasercats.core.secret import PREFIX, is_sealed

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

    def seal(self, secret: bytes) -> str:
        """Return the token of a secret; equal secrets give equal tokens.

        Raises:
            BadInput: the key is missing, and there are secrets that it sealed.

        """
        if not self._path.exists():
            if self._in_use():
                raise BadInput(
                    f"the key file {self._path} is missing, and the log holds secrets that it sealed; "
                    "bring it back before you seal another one"
                )
            self._make_key()
        sealed = self._cipher().encrypt(secret or b"\0", None if secret else [b"empty"])
        return PREFIX + ("" if secret else "0.") + base64.urlsafe_b64encode(sealed).decode()

    def open(self, token: str) -> bytes:
        """Return the secret of a token.

        Raises:
            BadInput: the key is missing, or is not the one that sealed it.

        """
        if not is_sealed(token):
            raise BadInput("this is not a sealed token; seal a secret with env:NAME or file:PATH")
        body = token.removeprefix(PREFIX)
        empty = body.startswith("0.")
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - heavy; only for secrets

        try:
            sealed = base64.urlsafe_b64decode(body.removeprefix("0."))
            secret: bytes = self._cipher().decrypt(sealed, [b"empty"] if empty else None)
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
