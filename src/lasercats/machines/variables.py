"""Secrets in variables of the environment: for this process alone, and not for what it starts.

A shell, a guard, or what a raw command leaves running would keep them for as long as it lives, in
`/proc/PID/environ`. So a variable that is read as a secret is taken out of the environment; the process
itself still knows it, as several commands may name it.
"""

import os

_TAKEN: dict[str, bytes] = {}


def take(name: str) -> bytes:
    """Return the value of a variable, which what is started from now on does not get.

    Raises:
        KeyError: it is not set.

    """
    if name in os.environ:
        _TAKEN[name] = os.environb.pop(os.fsencode(name))
    return _TAKEN[name]
