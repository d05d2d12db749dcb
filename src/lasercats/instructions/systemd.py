r"""Units of systemd: all that are looked at are asked in one call, all that are set are reloaded for once.

What systemctl answers to `start` and `enable` tells little: a service that dies at once was started well, and
to enable a static unit does nothing. So what was done is judged by what systemd says of it a moment later.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from lasercats.core.instruction import Failure
from lasercats.core.ports import Vault
from lasercats.core.text import escape
from lasercats.instructions.shell import TELL, Act, Fields, ManyLook

SYSTEMD = r"""
systemd_lacks() {
  if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then return 1; fi
  echo 'it is not run by systemd, by which services are known' >&2
}
systemd_look() { # UNIT...
  if systemd_lacks; then return 1; fi
  systemctl show -p Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload -- "$@"
}
systemd_is() { # enable|disable|- start|stop|- UNIT
  case $1 in
    enable) case $(systemctl is-enabled -- "$3" 2>/dev/null) in enabled*) ;; *) return 1 ;; esac ;;
    disable) case $(systemctl is-enabled -- "$3" 2>/dev/null) in enabled*) return 1 ;; esac ;;
  esac
  case $2 in
    start) systemctl -q is-active -- "$3" ;;
    stop) if systemctl -q is-active -- "$3"; then return 1; fi ;;
  esac
}
systemd_do() { # enable|disable|- start|stop|- UNIT...  What was changed on disk is read first.
  if systemd_lacks; then return 1; fi
  systemctl daemon-reload
  systemd_started=
  while [ $# -gt 2 ]; do
    if ! systemd_is "$1" "$2" "$3"; then
      case $1 in -) ;; *) systemctl -q "$1" -- "$3" ;; esac
      case $2 in
        start) systemctl --no-block start -- "$3" && systemd_started="$systemd_started $3" ;;
        stop) systemctl stop -- "$3" ;;
      esac
    fi
    shift 3
  done
  for systemd_unit in $systemd_started; do systemctl start -- "$systemd_unit"; done
  if [ -n "$systemd_started" ]; then sleep 0.3 2>/dev/null || sleep 1; fi # until what dies at once is dead
}
systemd_set() { # enable|disable|- start|stop|- UNIT
  if systemd_lacks; then return 1; fi
  if systemd_is "$@"; then return 0; fi
  systemd_said=$(systemd_do "$@" 2>&1)
  printf '%s\n' "$systemd_said" >&2
  if systemd_is "$@"; then return 0; fi
  systemd_why=$(systemctl show -p LoadState,ActiveState,UnitFileState,Result -- "$3" | tr '\n' ' ')
  case $systemd_why in
    *LoadState=not-found*) echo "there is no unit $3" >&2 ;;
    *) echo "systemd did not do it: $systemd_why" >&2 ;;
  esac
  return 1
}
""".lstrip()
"""The shell functions that ask systemd, and call it."""


class UnitStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host says of a unit."""

    load: str
    """Whether there is one, `loaded`, `not-found` or `masked`."""
    active: str = ""
    """`active`, `inactive`, `failed`, or on the way to one of them."""
    file: str = ""
    """What becomes of it at boot: `enabled`, `disabled`, `static`, `masked`."""
    reload: bool = False
    """True where its file changed since it was read."""


class ReadUnit(ManyLook, frozen=True, tag="host.read_unit"):
    """Look at a unit of systemd."""

    shell: ClassVar[tuple[str, ...]] = (TELL, SYSTEMD)
    answer: ClassVar[Any] = UnitStatus
    call: ClassVar[tuple[bytes, ...]] = (b"systemd_look",)

    name: str

    def subject_words(self) -> tuple[bytes, ...]:
        """Return its name."""
        return (self.name.encode(),)

    @classmethod
    def process_many(cls, asked: Sequence[Fields], output: bytes) -> Mapping[Fields, Any]:
        """Return what systemd says of each: it answers in the order in which it was asked."""
        blocks = escape(output, lines=True).strip().split("\n\n")
        if len(blocks) != len(asked):
            return {}
        return dict(_statuses(asked, blocks))

    def predict(self) -> UnitStatus:
        """Expect one that does nothing."""
        return UnitStatus("loaded", "inactive", "disabled")


class SetUnit(Act, frozen=True, tag="host.set_unit"):
    """Have a unit enabled or not, and started or not."""

    shell: ClassVar[tuple[str, ...]] = (SYSTEMD,)
    answer: ClassVar[Any] = UnitStatus
    patience: ClassVar[float] = 300
    together: ClassVar[bytes] = b"systemd_do"

    name: str
    enabled: bool | None = None
    running: bool | None = None

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call."""
        return b"systemd_set", *self.share()

    def share(self) -> tuple[bytes, ...]:
        """Return what it adds to a call for many."""
        enable = {None: b"-", True: b"enable", False: b"disable"}[self.enabled]
        start = {None: b"-", True: b"start", False: b"stop"}[self.running]
        return enable, start, self.name.encode()

    def after(self) -> ReadUnit:
        """Return the look at it."""
        return ReadUnit(machine=self.machine, name=self.name)

    def predict(self) -> UnitStatus:
        """Expect it as asked."""
        active = "active" if self.running else "inactive"
        return UnitStatus("loaded", active, "enabled" if self.enabled else "disabled")


def _statuses(
    asked: Sequence[Fields], blocks: Sequence[str]
) -> Iterator[tuple[Fields, UnitStatus | Failure]]:
    for words, block in zip(asked, blocks, strict=True):
        properties = dict(line.partition("=")[::2] for line in block.splitlines())
        name, unit = escape(words[0]), properties.get("Id", "")
        if unit != name and properties.get("LoadState") == "loaded":
            yield words, Failure(reason=f"{name} is another name of {unit}; say that one")
        else:
            load, active, file = (
                properties.get(f"{sort}State", "") for sort in ("Load", "Active", "UnitFile")
            )
            yield words, UnitStatus(load, active, file, properties.get("NeedDaemonReload") == "yes")
