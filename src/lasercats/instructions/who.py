"""Who a host is: the part of a script that tells its machine-id, and ends where it is another one.

It is a part of every script, so it costs no round trip, and what answers is what is asked. The machine-id
(machine-id(5)) is made when a system is installed. One that is not there, as in many containers, or is not
made yet, is not told. A word of 128 bytes is read of it, whatever it is, and not more.
"""

from collections.abc import Sequence

from lasercats.core.identity import Identity, facts
from lasercats.core.text import unescape
from lasercats.instructions.shell import Fields, raw

MACHINE_ID = "machine-id"
WHO = r"""
lc_who() { # sets $lc_id
  lc_id=
  [ -f /etc/machine-id ] || return 0
  lc_id=$(head -c 128 /etc/machine-id 2>/dev/null)
  set -f
  set -- $lc_id
  set +f
  lc_id=${1-}
  [ "$lc_id" != uninitialized ] || lc_id=
}
lc_who
""".lstrip()


def asking(must: Identity, tell: bytes, leave: bytes) -> bytes:
    """Return the lines that have a host `tell` its $lc_id, and `leave` where that is not what it must be."""
    lines = [WHO.encode() + tell]
    if MACHINE_ID in must:
        same = raw(unescape(must[MACHINE_ID])) or b"''"
        lines.append(b"case $lc_id in ''|%s) ;; *) %s;; esac" % (same, leave))
    return b"\n".join(lines)


def identity(answers: Sequence[Fields]) -> Identity:
    """Return who a host is by the fields that it reported."""
    return facts(machine_id=next((fields[0] for fields in answers if fields), b""))
