"""What a host must have: the tools that our shell functions call, in the form that they need."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from lasercats.core.ports import Vault
from lasercats.core.text import escape
from lasercats.instructions.lock import PLACES
from lasercats.instructions.shell import Look, Records

OPTIONAL = {
    "flock": "so that only /proc can tell whether what was cut off is still at work there",
    "folder for locks": "so that nobody can tell whether what was cut off is still at work there",
}
"""What a host can do without, and what then is so."""

PROBE = (
    PLACES
    + r"""
lc_lacks() { lc_say lacks "$1"; }
lc_probe() {
  for lc_w in base64 cat chmod chown head id ln mkdir mv readlink rm rmdir sha256sum stat xargs; do
    if ! command -v "$lc_w" >/dev/null; then lc_lacks "$lc_w"; fi
  done
  case $(stat -L -c '%f %s' -- / 2>/dev/null) in [0-9a-f]*' '[0-9]*) ;; *) lc_lacks 'stat -c' ;; esac
  case $(readlink -n -- / 2>/dev/null; echo $?) in 1) ;; *) lc_lacks 'readlink -n' ;; esac
  case $(printf 'a\0b\0' | xargs -0 -r printf '%s.' 2>/dev/null) in a.b.) ;; *) lc_lacks 'xargs -0 -r' ;; esac
  case $(printf ab | head -c 1 2>/dev/null) in a) ;; *) lc_lacks 'head -c' ;; esac
  case $(printf x | base64 2>/dev/null) in eA==) ;; *) lc_lacks base64 ;; esac
  case $(printf eA== | base64 -d 2>/dev/null) in x) ;; *) lc_lacks 'base64 -d' ;; esac
  case $(printf x | sha256sum 2>/dev/null) in 2d711642b726b044*-) ;; *) lc_lacks sha256sum ;; esac
  # A mv that knows -T says that there is no such file; one that does not, that there is no such option.
  case $(mv -fT -- /dev/null/a /dev/null/b 2>&1) in
    *'ot a directory'* | *non-directory*) ;;
    *) lc_lacks 'mv -T' ;;
  esac
  if ! command -v flock >/dev/null; then lc_lacks flock; fi
  lc_find_places one
  if [ -z "$lc_places" ]; then lc_lacks 'folder for locks'; fi
}
"""
)


class ProbeTools(Look, frozen=True, tag="host.probe"):
    """Ask which tools are missing; changes nothing."""

    shell: ClassVar[tuple[str, ...]] = (PROBE,)
    answer: ClassVar[Any] = tuple[str, ...]

    def line(self) -> str:
        """Return the call."""
        return "lc_probe"

    def predict(self) -> tuple[str, ...]:
        """Expect that nothing is missing."""
        return ()

    @classmethod
    def ask(cls, looks: Sequence[Any], vault: Vault, mark: bytes) -> Iterator[bytes]:
        """Return the call."""
        yield b"lc_probe"

    @classmethod
    def read(cls, looks: Sequence[Any], records: Records, vault: Vault, mark: bytes) -> Iterator[Any]:
        """Return what is missing."""
        lacks = dict.fromkeys(escape(field) for fields in records.get(b"lacks", ()) for field in fields)
        # Of a tool that is not there at all, no option is reported.
        missing = tuple(name for name in lacks if " " not in name or name.partition(" ")[0] not in lacks)
        for _ in looks:
            yield missing
