r"""Machine URLs: `SCHEME:` or `SCHEME://USER@HOST:PORT?OPTION=VALUE` (RFC 3986, and RFC 6874 for IPv6 zones).

Every part is decoded: `corp%5Cbob` is the user `corp\bob`, `[fe80::1%25eth0]` the host `fe80::1%eth0`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from lasercats.core.errors import BadInput, MachineError, UnknownName
from lasercats.machines.sources import HERE, Sources


@dataclass(frozen=True)
class Url:
    """A machine URL, taken apart."""

    text: str
    scheme: str
    host: str | None
    port: int | None
    user: str | None
    options: dict[str, str]
    path: str = ""
    sources: Sources = HERE
    """Where the secrets come from that its options name."""

    def check(self) -> "Url":
        """Check the options whose values have a form.

        Raises:
            BadInput: a time that is no positive number, a flag that is neither true nor false.

        """
        for option in ("timeout", "connect_timeout"):
            self.seconds(option, 1)
        if self.options.get("sudo", "true") not in ("true", "false"):
            raise BadInput(f"option 'sudo' in {self.text!r} must be true or false")
        return self

    @property
    def is_here(self) -> bool:
        """Whether the host is this one, so that nothing goes over a network."""
        try:
            return self.host is None or ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def seconds(self, option: str, default: float) -> float:
        """Return an option that is a number of seconds.

        Raises:
            BadInput: it is no positive number.

        """
        try:
            value = float(self.options.get(option, default))
        except ValueError:
            value = -1
        if not value > 0:
            raise BadInput(f"option {option!r} in {self.text!r} must be a positive number of seconds")
        return value


def parse(text: str, options: Collection[str] | None = None) -> Url:
    """Take a URL apart.

    Raises:
        BadInput: it is malformed, carries a password, or has an option that is not one of `options`.

    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadInput(f"{text!r} is no machine URL: {error}") from None
    if not parts.scheme or ":" not in text:
        raise BadInput(f"{text!r} is no machine URL; write local: or ssh://user@host:port")
    if parts.password is not None:
        raise BadInput("a machine URL must not carry a password; use a key or an agent")
    pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
    given = {_decoded(name, text) or "": _decoded(value, text) or "" for name, _, value in pairs}
    for name in given:
        if options is not None and name not in options:
            raise UnknownName("option of a machine URL", name, options)
    host, user, path = (_decoded(part, text) for part in (parts.hostname, parts.username, parts.path))
    return Url(text, parts.scheme, host, port, user, given, path or "").check()


def _decoded(part: str | None, text: str) -> str | None:
    """Return a part of a URL with its `%XX` decoded (RFC 3986, section 2.1); a `+` is a plus.

    Raises:
        BadInput: it stands for what can be in no name.

    """
    if part is None:
        return None
    decoded = unquote(part, errors="surrogateescape")
    if any(character < " " or character == "\x7f" for character in decoded):
        raise BadInput(f"{text!r} is no machine URL: it holds a control character")
    return decoded


def secret(reference: str | None, where: str, sources: Sources) -> str | None:
    """Return the secret that a reference stands for, without the newlines at its end: no password has any.

    Raises:
        MachineError: it cannot be had.

    """
    if reference is None:
        return None
    try:
        return sources.read(reference).decode().rstrip("\n")
    except UnicodeDecodeError:
        raise MachineError(f"{where}: its password is no UTF-8 text; write it in UTF-8") from None
    except BadInput as error:
        raise MachineError(f"{where}: {error}") from None
