"""Signatures of OpenSSH (its PROTOCOL.sshsig), made and checked by `ssh-keygen -Y`."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from lasercats.core.errors import BadInput, LaserCatsError

NAMESPACE = "lasercats-head"
"""What a signature is for, so that one for something else is none."""
KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_KEY = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def default_key() -> Path:
    """Return the key of this user that `ssh` would take first.

    Raises:
        BadInput: there is none.

    """
    folder = Path("~/.ssh").expanduser()
    found = next((folder / name for name in KEYS if (folder / name).is_file()), None)
    if found is None:
        raise BadInput(f"there is no key in {folder}; name one, as `--sign ~/.ssh/id_ed25519`")
    return found


def sign(text: bytes, key: Path) -> bytes:
    """Sign a text with a private key, or, by the agent, with that of a public one; return the signature.

    Raises:
        LaserCatsError: it cannot be signed.

    """
    done = _run(["sign", "-n", NAMESPACE, "-f", str(key)], text)
    if done.returncode or not done.stdout:
        raise LaserCatsError(f"the head cannot be signed with {key}: {_why(done)}; give another key")
    return done.stdout


def signer(text: bytes, signature: bytes) -> str | None:
    """Return whose key signed a text, as `ssh:SHA256:…`; None where the signature is not one of that text."""
    with TemporaryDirectory(prefix="lasercats-") as folder:
        file = Path(folder) / "signature"
        file.write_bytes(signature)
        done = _run(["check-novalidate", "-n", NAMESPACE, "-s", str(file)], text)
    match = _KEY.search(done.stdout.decode(errors="replace"))
    return f"ssh:{match[0]}" if done.returncode == 0 and match else None


def principal(text: bytes, signature: bytes, allowed: Path) -> str | None:
    """Return who signed a text, of those in a file of allowed signers (ssh-keygen(1)); None if nobody did."""
    with TemporaryDirectory(prefix="lasercats-") as folder:
        file = Path(folder) / "signature"
        file.write_bytes(signature)
        given = ["-s", str(file), "-f", str(allowed)]
        found = _run(["find-principals", *given], text).stdout.decode(errors="replace").split("\n")
        for name in filter(None, map(str.strip, found)):
            if _run(["verify", "-n", NAMESPACE, "-I", name, *given], text).returncode == 0:
                return name
    return None


def _run(arguments: Sequence[str], text: bytes) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(["ssh-keygen", "-Y", *arguments], input=text, capture_output=True, check=False)  # noqa: S607 - the tool of this machine, as `ssh` is
    except OSError as error:
        raise LaserCatsError(
            f"ssh-keygen cannot be run ({error.strerror}); signed heads need OpenSSH 8.2 or later"
        ) from None


def _why(done: "subprocess.CompletedProcess[bytes]") -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"ssh-keygen ended with {done.returncode}"
