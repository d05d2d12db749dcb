"""age (age-encryption.org/v1): files and keys that are encrypted to those who hold an identity.

An identity is in the file that LASERCATS_AGE_IDENTITY names, else in `lasercats/age.txt` of the user's own
configuration; it is of age's own form, or an SSH key.
"""

import os
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from lasercats.core.errors import BadInput
from lasercats.machines import sources, vault_file

VARIABLE = "LASERCATS_AGE_IDENTITY"


def decrypt(data: bytes, what: str) -> bytes:
    """Return what is encrypted to one of our identities.

    Raises:
        BadInput: there is no identity, none fits, or it is nothing of age's.

    """
    library, path = _library(), identity()
    try:
        secret: bytes = library.decrypt(data, list(_identities(library, path)))
    except Exception as error:
        raise BadInput(
            f"{what} cannot be opened with the age identity in {path} ({_reason(error)}); name the file of "
            f"another one in {VARIABLE}"
        ) from None
    return secret


def encrypt(data: bytes, recipients: Iterable[str]) -> bytes:
    """Return what the holders of some recipients can open.

    Raises:
        BadInput: one is no recipient.

    """
    library = _library()
    sealed: bytes = library.encrypt(data, [_recipient(library, text) for text in recipients])
    return sealed


def identity() -> Path:
    """Return the file with our identities."""
    configured = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    named = os.environ.get(VARIABLE)
    return Path(named or f"{configured}/lasercats/age.txt").expanduser()


def source(name: str, asked: sources.Sources) -> bytes:
    """Return what a file holds that is encrypted to one of our identities: the source `age:`.

    Raises:
        BadInput: it cannot be read or opened.

    """
    return decrypt(sources.file(name, asked), name)


def _identities(library: ModuleType, path: Path) -> Iterator[Any]:
    try:
        text = vault_file.read(path)
    except OSError as error:
        raise BadInput(
            f"the age identity {path} cannot be read ({error.strerror}); name its file in {VARIABLE}"
        ) from None
    if text.lstrip().startswith(b"-----BEGIN"):
        yield library.ssh.Identity.from_buffer(text)
        return
    for line in text.decode(errors="replace").splitlines():
        if line.strip() and not line.startswith("#"):
            yield library.x25519.Identity.from_str(line.strip())


def _recipient(library: ModuleType, text: str) -> Any:  # noqa: ANN401
    form = library.ssh if text.startswith("ssh-") else library.x25519
    try:
        return form.Recipient.from_str(text.strip())
    except library.RecipientError:
        raise BadInput(f"{text!r} is no recipient of age; write age1… or an SSH public key") from None


def _library() -> ModuleType:
    try:
        return import_module("pyrage")  # an extra
    except ImportError:
        raise BadInput("age needs pyrage; install it with `pip install 'lasercats[age]'`") from None


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__
