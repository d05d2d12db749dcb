"""Which log a project has: `log` in its `lasercats.toml` is a URL, whose scheme names a store by entry point.

Without one it is `sqlite:.lasercats/log.db`. Each environment has a log of its own, beside that of the
default one, as the store has it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lasercats.core.errors import BadInput
from lasercats.core.stores import LogPlace, OpenLog
from lasercats.operate import plugins
from lasercats.operate.trust import FILE, FOLDER

DEFAULT_LOG = f"sqlite:{FOLDER}/log.db"


def log_url(path: Path, settings: Mapping[str, Any]) -> str:
    """Return the URL of the log that the settings of a project, read from a path, name.

    Raises:
        BadInput: they are malformed.

    """
    url = settings.get("log", DEFAULT_LOG)
    if not isinstance(url, str):
        raise BadInput(f'{path} is malformed: `log` must be a URL, such as "{DEFAULT_LOG}"')
    return url


def place(url: str, root: Path, environment: str = "") -> LogPlace:
    """Return where the log of an environment is, empty for the default one; nothing is opened.

    Raises:
        BadInput: the URL is none of a log.
        UnknownName: no store of that scheme is installed.

    """
    scheme, colon, _ = url.partition(":")
    if not colon:
        raise BadInput(
            f"{url!r} is no URL of a log",
            remedy=f"give one in {FILE} such as {DEFAULT_LOG} or postgresql://HOST/DATABASE",
        )
    open_log: OpenLog = plugins.load("logs", scheme, "log store")
    return open_log(url, str(root), environment)
