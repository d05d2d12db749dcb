"""A NETCONF session (RFC 6241) by ncclient, for use in a thread."""

import base64
import hashlib
import logging
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lasercats.core.errors import MachineError, Unreachable
from lasercats.core.identity import Identity, fact
from lasercats.core.loose import ODD
from lasercats.core.text import clean
from lasercats.instructions.netconf import BASE, Models, filters, identity
from lasercats.instructions.netconf_edit import text
from lasercats.machines.url import Url, secret
from lasercats.machines.worker import MOST

CANDIDATE = ":candidate"
CONFIRMED = ":confirmed-commit:1.1"
PORT = 830
"""As registered for NETCONF over SSH (RFC 6242, 6)."""


class Refusal(Exception):
    """Raised when the device answered with an error."""

    def __init__(self, reason: str, tag: str) -> None:
        """Carry what it said in one line, and its tag."""
        super().__init__(reason)
        self.tag = tag


class Lost(Exception):
    """Raised when the session went away."""


class Client:
    """One session."""

    def __init__(
        self, url: Url, where: str, count: Callable[[], None], meet: Callable[[Identity], None]
    ) -> None:
        """Connect, and read what the device can do; `meet` is told who it is, and may refuse it.

        Raises:
            Unreachable: there is no answer.
            MachineError: it lets nobody in, or its host key is not known.

        """
        self._where, self._count, self._meet = where, count, meet
        at = f"{where} ({url.host}:{url.port or PORT})"
        self._manager = _opened(_arguments(url, where), at)
        self._manager.timeout = url.seconds("timeout", 60)
        try:
            meet(_key_of(self._manager))
            self.capabilities = [f"{one}" for one in self._manager.server_capabilities or ()]
            namespaces = {one.partition("?")[0] for one in self.capabilities}
            self.models = Models(namespaces, url.options.get("instance", "default"))
            self._check(at)
        except MachineError:
            self.close()
            raise

    def _check(self, at: str) -> None:
        """Check that the device can do what is asked of it.

        Raises:
            MachineError: it cannot, with the reason.

        """
        lacks = None
        if not self.can(CANDIDATE):
            lacks = "no candidate datastore, so a batch cannot be taken as a whole"
        elif self.models.base is None:
            lacks = "neither ietf-interfaces nor openconfig-interfaces"
        if lacks is not None:
            raise MachineError(f"{at} has {lacks}; it is not supported")

    def can(self, capability: str) -> bool:
        """Tell whether the device has a capability, as `:validate` or `:confirmed-commit:1.1`."""
        return any(f"capability{capability}" in one for one in self.capabilities)

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        """Make one RPC.

        Raises:
            Refusal: the device answered with an error.
            Lost: the session went away, or no answer came in time.

        """
        from ncclient.operations import RPCError  # noqa: PLC0415

        self._count()
        self._manager._session.left = MOST
        try:
            yield self._manager
        except RPCError as error:
            raise Refusal(_refusal(error), str(error.tag)) from None
        except Exception as error:  # no answer, or one that the library makes nothing of
            raise Lost(_reason(error)) from None

    def read(self) -> Any:  # noqa: ANN401 - an element of lxml
        """Return the `<data>` of all that is configured and told."""
        spec = f'<filter xmlns="{BASE}" type="subtree">{filters(self.models)}</filter>'
        with self._asking() as session:
            data = session.get(filter=spec).data_ele
        if data is None:
            raise Lost("its answer has no data")
        found: Identity = {}
        with suppress(*ODD):  # what cannot be understood of it is reported by who reads it
            found = identity(data)
        self._meet(found)
        return data

    def lock(self) -> None:
        """Lock the candidate."""
        with self._asking() as session:
            session.lock("candidate")

    def unlock(self) -> None:
        """Unlock it."""
        with self._asking() as session:
            session.unlock("candidate")

    def edit(self, config: ET.Element) -> None:
        """Edit the candidate."""
        option = "rollback-on-error" if self.can(":rollback-on-error") else None
        with self._asking() as session:
            session.edit_config(text(config), format="xml", target="candidate", error_option=option)

    def validate(self) -> None:
        """Validate the candidate."""
        with self._asking() as session:
            session.validate("candidate")

    def commit(self, *, token: str | None = None, seconds: float = 0, pending: bool = False) -> None:
        """Commit the candidate, for good, or until it is confirmed by a token within some seconds.

        Where one is `pending` under the token, this one joins it; the time begins anew (RFC 6241, 8.4.5.1).
        """
        more: dict[str, Any] = {}
        if token is not None:
            named = "persist_id" if pending else "persist"
            more = {"confirmed": True, "timeout": f"{max(int(seconds), 1)}", named: token}
        with self._asking() as session:
            session.commit(**more)

    def confirm(self, token: str) -> None:
        """Confirm what was committed with a token."""
        with self._asking() as session:
            session.commit(persist_id=token)

    def cancel(self, token: str) -> None:
        """Take back what was committed with a token."""
        with self._asking() as session:
            session.cancel_commit(persist_id=token)

    def discard(self) -> None:
        """Make the candidate as the running configuration is."""
        with self._asking() as session:
            session.discard_changes()

    def close(self) -> None:
        """End the session."""
        try:
            self._manager.close_session()
        except Exception:
            self.give_up()

    def give_up(self) -> None:
        """Close the connection, whatever is going on."""
        with suppress(Exception):
            self._manager._session.transport.close()  # its own `close` waits for what it reads


def _connect(arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - a manager of ncclient
    """Begin a session that reads a bounded answer; ncclient itself reads one that never ends for ever."""
    from ncclient import manager, transport  # noqa: PLC0415

    class Session(transport.SSHSession):  # type: ignore[misc]
        left = MOST

        def _transport_read(self) -> Any:  # noqa: ANN401
            data = super()._transport_read()
            self.left -= len(data or b"")
            if self.left < 0:
                raise transport.SessionError(f"its answer is larger than {MOST >> 20} MiB")
            return data

    for name in ("ncclient", "paramiko"):  # they log what they raise; that is told once, by us
        logging.getLogger(name).addHandler(logging.NullHandler())
    handler = manager.make_device_handler(None, [])
    session = Session(handler)
    try:
        session.connect(**arguments)
    except Exception:
        if session.transport:
            session.close()
        raise
    return manager.Manager(session, handler, timeout=arguments["timeout"])


def _arguments(url: Url, where: str) -> dict[str, Any]:
    """Return what the library is told to connect to a URL.

    Raises:
        MachineError: the file of a key cannot be read.

    """
    option = url.options.get
    arguments: dict[str, Any] = {
        "host": url.host,
        "port": url.port or PORT,
        "username": url.user,
        "timeout": url.seconds("connect_timeout", 10),
        "password": secret(option("password"), where, url.sources),
        "key_filename": None if option("key") is None else str(Path(option("key", "")).expanduser()),
        "allow_agent": option("key") is None,
        "look_for_keys": option("key") is None,
    }
    known = option("known_hosts")
    if arguments["key_filename"] is not None and not Path(arguments["key_filename"]).is_file():
        raise MachineError(f"{where}: {arguments['key_filename']} cannot be read: no such file")
    if known == "none":
        arguments["hostkey_verify"] = False
    elif known is not None:
        arguments["hostkey_b64"] = _host_key(known, url, where)
    return arguments


def _opened(arguments: dict[str, Any], at: str) -> Any:  # noqa: ANN401 - the library has no types
    """Connect.

    Raises:
        Unreachable: there is no answer.
        MachineError: it lets nobody in, or its host key is not known.

    """
    from ncclient import transport  # noqa: PLC0415 - heavy

    try:
        return _connect(arguments)
    except transport.AuthenticationError:
        user = arguments["username"] or "you"
        raise MachineError(f"{at} does not let {user} in; check user, key and password") from None
    except transport.SSHUnknownHostError:
        raise MachineError(
            f"{at} has a host key that is not known; add it to the file of known hosts, "
            "or take any with ?known_hosts=none"
        ) from None
    except Exception as error:  # whatever the library makes of an answer that is none
        raise Unreachable(f"{at} cannot be reached: {_reason(error)}") from None


def _key_of(manager: Any) -> dict[str, str]:  # noqa: ANN401
    """Return by which host key a device is known, by its sort; nothing where the library does not tell."""
    try:
        key = manager._session.transport.get_remote_server_key()
        digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
        return {fact(key.get_name()): fact(f"SHA256:{digest}")}
    except Exception:  # whatever it is: that it is not told says nothing
        return {}


def _host_key(file: str, url: Url, where: str) -> str:
    """Return the host key that a file of known hosts has for a device.

    Raises:
        MachineError: it has none, or cannot be read.

    """
    from paramiko.hostkeys import HostKeys, InvalidHostKey  # noqa: PLC0415

    path, port = Path(file).expanduser(), url.port or PORT
    try:
        known = HostKeys(str(path))
    except OSError as error:
        raise MachineError(f"{where}: {path} cannot be read: {error.strerror}") from None
    except InvalidHostKey:
        raise MachineError(f"{where}: {path} is no file of known hosts") from None
    found = known.lookup(f"[{url.host}]:{port}") or known.lookup(url.host or "")
    if not found:
        raise MachineError(f"{where}: {path} has no key of [{url.host}]:{port}; add it with ssh-keyscan")
    key: str = next(iter(found.values())).get_base64()
    return key


def _refusal(error: Any) -> str:  # noqa: ANN401 - RPCError of ncclient
    message = _line(f"{error.message or error.tag or error}")
    path = f" at {_line(error.path)}" if getattr(error, "path", None) else ""
    return f"{message} ({error.tag}{path})" if error.tag else message


def _reason(error: BaseException) -> str:
    return _line(str(error)) or type(error).__name__


def _line(message: str) -> str:
    """Return what a switch says in one line, as much of it as a person reads."""
    return clean(" ".join(message[:2000].split()))[:400]
