"""A connection to a switch through NAPALM, for use in a thread: opening, asking, and what its errors say."""

import contextlib
import logging
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lasercats.core.errors import MachineError, OtherMachine, Unreachable
from lasercats.core.identity import Who, facts
from lasercats.core.ports import Vault
from lasercats.core.secret import of_text, place
from lasercats.core.text import clean
from lasercats.machines.url import Url, secret

_LOST = {
    "ConnectionException",
    "CommandTimeoutException",
    "SSHException",
    "ReadException",
    "WriteException",
    "ConnectError",
    "ConnectionError",
    "RpcTimeoutError",
    "NXAPIConnectionError",
    "NXAPIPostError",
    "TransportError",
    "TimeoutExpiredError",
}
"""Names of errors, of NAPALM and of what it works with, that say that a connection is lost."""
_LOGGERS = ("jnpr", "ncclient", "netmiko", "paramiko", "pyeapi")
"""What works below NAPALM and logs the errors that it raises; that is told once, by us."""
MOST = 400
"""Letters of what a switch says that are told."""


class Client:
    """A switch as NAPALM's driver for it speaks to it."""

    def __init__(
        self, who: Who, url: Url, vault: Vault, make: Callable[[], Any], count: Callable[[], None]
    ) -> None:
        """Bind it; `make` returns NAPALM's class for such switches, and `count` counts calls."""
        self.name, self._who, self._count = who.name, who, count
        self._url, self._vault, self._make = url, vault, make
        self._driver: Any = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._driver is not None

    def connect(self) -> None:
        """Connect, where that is not so already.

        Raises:
            Unreachable: there is no answer, or it does not let us in.
            MachineError: NAPALM is not installed, or a secret is not there.
            OtherMachine: it is another switch than before.

        """
        if self._driver is None:
            driver, identity = self._open()
            try:
                self._who.meet(identity)
            except OtherMachine:
                with contextlib.suppress(Exception):
                    driver.close()
                raise
            self._driver = driver

    def call(self, method: str, **arguments: Any) -> Any:  # noqa: ANN401 - each method has its own
        """Call a method of the driver."""
        self._count()
        return getattr(self._driver, method)(**arguments)

    def name_session(self, token: str | None) -> None:
        """Name the configuration session of EOS, which only its own session confirms or takes back."""
        if hasattr(self._driver, "config_session"):
            self._driver.config_session = token and f"lasercats_{re.sub('[^A-Za-z0-9]', '_', token)}"

    def drop(self, *, pending: bool) -> None:
        """Disconnect; what is `pending`, and waits for being confirmed, goes on waiting."""
        if self._driver is None:
            return
        if pending:
            self.name_session(None)  # or else EOS would take it back
        driver, self._driver = self._driver, None
        with contextlib.suppress(Exception):
            driver.close()

    def _open(self) -> tuple[Any, dict[str, str]]:
        """Return a driver of NAPALM that is connected, and who the switch is.

        One that does not tell it, or not in words that NAPALM knows, is asked on a connection of its own, so
        that what went wrong there does not go on.
        """
        driver = self._opened()
        try:
            return driver, _identity(driver)
        except Exception:  # whatever it is: that it is not told says nothing
            with contextlib.suppress(Exception):
                driver.close()
            return self._opened(), {}

    def _opened(self) -> Any:  # noqa: ANN401 - a driver of NAPALM
        make, url, arguments = self._make(), self._url, self._arguments()
        password, timeout = self._secret("password") or "", math.ceil(url.seconds("timeout", 60))
        for name in _LOGGERS:
            logging.getLogger(name).addHandler(logging.NullHandler())
        try:
            driver = make(url.host, url.user, password, timeout=timeout, optional_args=arguments)
            if hasattr(getattr(driver, "device", None), "_hostkey_verify"):  # Junos checks none by itself
                driver.device._hostkey_verify = arguments["ssh_strict"]
            driver.open()
        except Exception as error:
            text = " because ".join(reason(one) for one in (error, error.__context__) if one is not None)
            if any("Auth" in kind.__name__ for kind in type(error).__mro__):
                text = f"it does not let {url.user} in; check user, password and key"
            elif re.search("known_hosts|host key|CERTIFICATE_VERIFY_FAILED", text, re.IGNORECASE):
                text = f"its key is not a known one ({text}); make it known, or write ?verify=false"
            raise self.unreachable(text[:MOST]) from None
        return driver

    def _arguments(self) -> dict[str, Any]:
        option, timeout = self._url.options.get, self._url.seconds("timeout", 60)
        strict = option("verify") != "false"
        arguments: dict[str, Any] = {"ssh_strict": strict, "system_host_keys": True, "ssl_verify": strict}
        arguments |= {"enforce_verification": strict, "read_timeout_override": timeout}
        arguments |= {"inline_transfer": option("inline_transfer") == "true"}
        if self._url.port is not None:
            arguments["port"] = self._url.port
        if "transport" in self._url.options:
            arguments["transport"] = option("transport")
        if "key" in self._url.options:
            arguments |= {"use_keys": True, "key_file": str(Path(option("key", "")).expanduser())}
        elif "password" not in self._url.options:
            arguments["allow_agent"] = True
        if "secret" in self._url.options:
            arguments["secret"] = arguments["enable_password"] = self._secret("secret")
        if self._url.scheme == "junos":
            arguments["ignore_warning"] = ["statement not found"]  # of what is deleted and was not there
        return arguments

    def _secret(self, option: str) -> str | None:
        """Return a secret that an option names.

        Raises:
            MachineError: it is not there.

        """
        value = self._url.options.get(option)
        sealed = None if value is None else of_text(value)
        if sealed is not None:
            return self._vault.open(sealed, place(f"machine/{self.name}", option)).decode()
        return secret(value, f"machine {self.name}", self._url.sources)

    def unusable(self, error: Exception) -> MachineError:
        """Return what an error means for the machine."""
        if is_lost(error):
            return self.unreachable(f"the connection is lost: {reason(error)}")
        return MachineError(f"machine {self.name} cannot be used: {reason(error)}")

    def unreachable(self, why: str) -> Unreachable:
        """Return that the switch cannot be reached, and why."""
        where = f"{self._url.host}:{self._url.port}" if self._url.port else self._url.host
        return Unreachable(f"machine {self.name} ({where}) cannot be reached: {why}", subject=self.name)


def _identity(driver: Any) -> dict[str, str]:  # noqa: ANN401 - a driver of NAPALM
    """Return who a switch is by its serial number; NAPALM says `Unknown` or nothing where it found none."""
    found = driver.get_facts()
    serial = found.get("serial_number") if isinstance(found, dict) else None
    if isinstance(serial, list | tuple):  # of each member of a stack
        serial = " ".join(sorted(f"{one}" for one in serial))
    known = isinstance(serial, str) and serial.strip().lower() not in ("", "unknown", "none", "n/a")
    return facts(serial=serial) if known else {}


def is_lost(error: BaseException) -> bool:
    """Tell whether an error says that the connection is lost."""
    known = isinstance(error, OSError | EOFError)
    return known or any(kind.__name__ in _LOST for kind in type(error).__mro__)


def reason(error: BaseException) -> str:
    """Return what an error says in one line."""
    text = error.args[0] if error.args else ""
    try:
        if isinstance(text, list):  # Junos tells several errors, each with much about it
            text = "; ".join(f"{one.get('message') if isinstance(one, dict) else one}" for one in text)
        else:
            text = getattr(error, "message", None) or error
        text = f"{text}"[: 10 * MOST]
    except Exception:  # an error that cannot even be told
        text = ""
    return clean(" ".join(text.split()))[:MOST] or type(error).__name__
