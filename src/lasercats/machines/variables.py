"""Secrets in variables of the environment: for this process alone, and not for what it starts.

A shell, a guard, or what a raw command leaves running would keep them for as long as it lives, in
`/proc/PID/environ`. So a variable that is read as a secret is taken out of the environment; the process
itself still knows it, as several commands may name it.
"""

import os

NEEDED = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "TMPDIR"})
"""What no program can do without, and is no secret: it stays."""
_TAKEN: dict[str, bytes] = {}


def take(name: str) -> bytes:
    """Return the value of a variable, which what is started from now on does not get.

    Raises:
        KeyError: it is not set.

    """
    if name in os.environ:
        _TAKEN[name] = os.environb[os.fsencode(name)]
        if name not in NEEDED:
            del os.environ[name]
    return _TAKEN[name]
