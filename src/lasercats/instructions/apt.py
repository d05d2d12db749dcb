r"""Packages of a host by apt and dpkg: all that are looked at are one query, all that are set one call.

The exit status of apt tells little of a package: one that is broken fails all later calls, though they did
their work. So what was done is judged by what dpkg says then. Before apt changes anything it is asked what it
would do; where it would remove or downgrade anything else than what it was told to, nothing is done.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from lasercats.core.instruction import Failure
from lasercats.core.ports import Vault
from lasercats.core.text import escape
from lasercats.instructions.shell import TELL, Act, Fields, ManyLook

WAIT = 120
"""Seconds that apt waits for whoever has the lock of dpkg."""

APT = r"""
apt_lacks() {
  for apt_one in apt-get apt-mark dpkg dpkg-query awk; do
    if ! command -v $apt_one >/dev/null; then
      echo "it has no $apt_one, and packages are only known by apt" >&2
      return 0
    fi
  done
  return 1
}
apt_run() { # ARGUMENT...  Never ask; keep configuration files that somebody changed; wait for the lock.
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none \
    apt-get -q -o DPkg::Lock::Timeout=WAIT -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef \
    -o Dpkg::Options::=--force-confold "$@" </dev/null
}
apt_words() { # +|- NAME[=VERSION]...  as apt takes them
  while [ $# -gt 1 ]; do
    case $1 in -) printf ' %s-' "$2" ;; *) printf ' %s' "$2" ;; esac
    shift 2
  done
}
# Tell what apt would do: `Remv NAME`, `Down NAME TO`, `Inst NAME` of what is new, or `E: why not`.
apt_plan() { # +|- NAME[=VERSION]...
  apt_run -s install $(apt_words "$@") 2>&1 | awk '
    /^The following packages will be DOWNGRADED:/ { down = 1; next }
    /^[^ ]/ { down = 0 }
    down { for (i = 1; i <= NF; i++) older[$i] = 1 }
    /^Inst / && older[$2] { print "Down", $2, substr($4, 2) }
    /^Remv / || /^Inst / && $3 !~ /^\[/ { print $1, $2 }
    /^E: / { print }'
}
# Of a plan, pass on what apt was not asked to: to remove, to downgrade, or to install.
apt_unasked() { # +|- NAME[=VERSION]...
  awk -v "asked=$*" '
    BEGIN {
      n = split(asked, word, " ")
      for (i = 1; i < n; i += 2) { sub(/=.*/, "", word[i + 1]); sort[word[i + 1]] = word[i] }
    }
    $1 == "E:" { next }
    { sub(/:.*/, "", $2) }
    sort[$2] != ($1 == "Remv" ? "-" : "+")'
}
apt_look() { # =|+|- NAME[=VERSION]...  Tell what is installed, and what would go along with what is + or -.
  if apt_lacks; then return 1; fi
  dpkg --print-architecture
  apt_some= apt_names=
  for apt_one do
    case $apt_one in
      [=+-]) apt_sort=$apt_one; continue ;;
      *) apt_names="$apt_names ${apt_one%%=*}" ;;
    esac
    if [ "$apt_sort" != = ]; then apt_some="$apt_some $apt_sort $apt_one"; fi
  done
  dpkg-query -W -f "FORM" -- $apt_names 2>/dev/null
  if [ -z "$apt_some" ]; then return 0; fi
  apt_found=$(apt_plan $apt_some)
  case $apt_found in *E:\ * | *Remv* | *Down*) ;; *) return 0 ;; esac
  set -- $apt_some
  while [ $# -gt 1 ]; do # Who is it that cannot be had, or takes others along?
    printf '@\t%s\n' "${2%%=*}"
    apt_found=$(apt_plan "$1" "$2")
    printf '%s\n' "$apt_found" | grep '^E: '
    printf '%s\n' "$apt_found" | apt_unasked $apt_some | while read -r apt_sort apt_one apt_to; do
      if [ "$apt_sort" != Inst ]; then printf '%s\t' "$apt_to"; dpkg-query -W -f "FORM" -- "$apt_one"; fi
    done
    shift 2
  done
  return 0
}
apt_is() { # +|- NAME[=VERSION]  Tell whether it is so already; set apt_held.
  apt_now=$(dpkg-query -W -f '${db:Status-Want} ${db:Status-Status} ${db:Status-Eflag} ${Version}' \
    -- "${2%%=*}" 2>/dev/null)
  case $apt_now in 'hold '*) apt_held=y ;; *) apt_held= ;; esac
  case "$1 ${apt_now#* }" in
    '- ' | '- not-installed '* | '- config-files '*) return 0 ;;
    '+ installed ok '* | '+ triggers-'*' ok '*)
      case $2 in *=*) [ "${apt_now##* }" = "${2#*=}" ] ;; esac ;;
    *) return 1 ;;
  esac
}
apt_orphans() { apt_run -s "$@" 2>/dev/null | sed -n 's/^Remv \([^ :]*\).*/\1/p'; }
apt_do() { # +|-|? NAME[=VERSION]...  In one transaction; ? is what goes where nothing needs it any more.
  if apt_lacks; then return 1; fi
  apt_rest= apt_gone= apt_maybe=
  while [ $# -gt 1 ]; do
    case $1 in
      '?') apt_maybe="$apt_maybe $2" ;;
      -) apt_gone="$apt_gone $2" apt_rest="$apt_rest - $2" ;;
      *) apt_rest="$apt_rest + $2" ;;
    esac
    shift 2
  done
  if [ -n "$apt_gone" ] && [ -n "$apt_maybe" ]; then
    apt_before=" $(echo $(apt_orphans autoremove)) "
    for apt_one in $(apt_orphans --auto-remove remove $apt_gone); do
      case "$apt_before $apt_rest " in *" $apt_one "*) continue ;; esac
      case "$apt_maybe " in *" $apt_one "*) apt_rest="$apt_rest - $apt_one" ;; esac
    done
  fi
  apt_found=$(apt_plan $apt_rest)
  apt_more=$(printf '%s\n' "$apt_found" | apt_unasked $apt_rest)
  case $apt_more in
    *Remv* | *Down*)
      apt_more=$(printf '%s\n' "$apt_more" | sed -n 's/^[RD][a-z]* \([^ ]*\).*/\1/p')
      echo apt would also remove or downgrade $apt_more >&2
      return 1 ;;
  esac
  case $apt_rest in *=*) apt_how=--allow-downgrades ;; *) apt_how= ;; esac
  echo brought: $(printf '%s\n' "$apt_more" | sed -n 's/^Inst //p') >&2
  apt_run -y $apt_how install $(apt_words $apt_rest)
}
apt_set() { # hold|unhold|- +|- NAME[=VERSION] [? BROUGHT]...
  if apt_lacks; then return 1; fi
  apt_hold=$1
  shift
  if ! apt_is "$@"; then
    if [ -n "$apt_held" ] && [ $apt_hold != - ]; then echo "${2%%=*} install" | dpkg --set-selections; fi
    apt_said=$(apt_do "$@" 2>&1)
    printf '%s\n' "$apt_said" >&2
    if ! apt_is "$@"; then
      printf '%s\n' "$apt_said" | grep -e '^E: ' -e '^apt would' -e ' subprocess .*returned' |
        grep -v '^E: Sub-process' | tail -n 1 >&2
      return 1
    fi
  fi
  if [ "$1" = - ]; then return 0; fi
  if awk -v "name=${2%%=*}" '$1 == "Package:" { here = $2 == name }
    here && $1 == "Auto-Installed:" && $2 == 1 { found = 1 }
    END { exit !found }' /var/lib/apt/extended_states 2>/dev/null; then apt-mark -qq manual "${2%%=*}"; fi
  case $apt_hold$apt_held in
    hold) echo "${2%%=*} hold" | dpkg --set-selections ;;
    unholdy) echo "${2%%=*} install" | dpkg --set-selections ;;
  esac
}
"""
FORM = "".join(
    f"${{{field}}}\\t"
    for field in (
        "Package",
        "Architecture",
        "Version",
        "db:Status-Want",
        "db:Status-Status",
        "db:Status-Eflag",
    )
)
APT = APT.lstrip().replace("=WAIT", f"={WAIT}").replace('"FORM"', f"'{FORM}\\n'")
"""The shell functions that ask apt and dpkg, and call them."""


class PackageStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host says of a package."""

    version: str | None = None
    """The version that is installed; None where none is."""
    hold: bool = False
    along: tuple[tuple[str, str, bool, str], ...] = ()
    """What would go along: its name, its version, whether it is held, and its new version, if any."""
    brought: tuple[str, ...] = ()
    """What was installed along with it."""
    notes: tuple[str, ...] = ()
    """What an operator should know of how it was done, in a sentence each."""


class ReadPackage(ManyLook, frozen=True, tag="host.read_package"):
    """Look at a package; where it is about to be set or removed, also at what apt would remove along."""

    shell: ClassVar[tuple[str, ...]] = (TELL, APT)
    answer: ClassVar[Any] = PackageStatus
    call: ClassVar[tuple[bytes, ...]] = (b"apt_look",)

    name: str
    version: str | None = None
    """The version that it is about to have."""
    goes: bool | None = None
    """Whether it is about to be removed, or set; None where neither is."""

    def subject_words(self) -> tuple[bytes, ...]:
        """Return what is asked."""
        sort = {None: "=", True: "-", False: "+"}[self.goes]
        return sort.encode(), _word(self.name, self.version)

    @classmethod
    def process_many(cls, asked: Sequence[Fields], output: bytes) -> Mapping[Fields, Any]:
        """Return what dpkg and apt say of each."""
        architecture, _, rest = escape(output, lines=True).partition("\n")
        listed, *plans = rest.split("@\t")
        there = dict(_rows(listed, architecture))
        of: dict[str, list[str]] = {}
        for plan in plans:
            name, *lines = plan.splitlines()
            of[name] = lines
        return {words: _status(words, there, of, architecture) for words in asked}

    def predict(self) -> PackageStatus:
        """Expect it to be there as asked."""
        return PackageStatus(None if self.goes else self.version or "any")


class SetPackage(Act, frozen=True, tag="host.set_package"):
    """Have a package at a version, or at any; held or not; or have none."""

    shell: ClassVar[tuple[str, ...]] = (APT,)
    answer: ClassVar[Any] = PackageStatus
    patience: ClassVar[float] = 1800
    together: ClassVar[bytes] = b"apt_do"

    name: str
    version: str | None = None
    hold: bool | None = None
    absent: bool = False
    brought: tuple[str, ...] = ()
    """What was installed along with it, and goes with it where nothing needs it any more."""

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call."""
        hold = {None: b"-", True: b"hold", False: b"unhold"}[self.hold]
        return b"apt_set", hold, *self.share()

    def share(self) -> tuple[bytes, ...]:
        """Return what it adds to one transaction."""
        goes = (word for name in self.brought for word in (b"?", name.encode()))
        return b"-" if self.absent else b"+", _word(self.name, self.version), *goes

    def after(self) -> ReadPackage:
        """Return the look at it."""
        return ReadPackage(machine=self.machine, name=self.name)

    def settled(self, answer: Any, said: bytes, vault: Vault) -> Any:  # noqa: ANN401
        """Add what came along, and tell of a configuration file that was kept."""
        if not isinstance(answer, PackageStatus):
            return answer
        brought = re.findall(rb"(?m)^brought:(.*)$", said)
        names = dict.fromkeys(escape(name) for line in brought for name in line.split())
        kept = re.findall(rb"(?m)^Configuration file '(.*)'$(?=(?:\n ==> .*)*\n ==> Keeping old)", said)
        notes = tuple(f"{escape(path)} was changed on the host and is kept as it was" for path in kept)
        return msgspec.structs.replace(answer, brought=tuple(names), notes=notes)

    def predict(self) -> PackageStatus:
        """Expect it as asked."""
        return PackageStatus(None if self.absent else self.version or "any", bool(self.hold))


def _word(name: str, version: str | None) -> bytes:
    return f"{name}={version}".encode() if version else name.encode()


def _rows(text: str, architecture: str) -> Iterator[tuple[str, list[str]]]:
    """Iterate over the packages that dpkg tells of, of this architecture or of all."""
    for line in text.splitlines():
        name, its, *fields = line.split("\t")
        if its in (architecture, "all", ""):
            yield name, fields


def _status(
    words: Fields, there: Mapping[str, list[str]], plans: Mapping[str, list[str]], architecture: str
) -> PackageStatus | Failure:
    name = escape(words[1]).partition("=")[0]
    version, want, status, flag, *_ = there.get(name, ["", "", "not-installed", "ok"])
    plan = plans.get(name, [])
    why = [line.removeprefix("E: ") for line in plan if line.startswith("E: ")]
    if why:
        return Failure(reason=f"apt: {why[0]}")
    if status in ("not-installed", "config-files"):
        version = ""
    elif flag != "ok" or status not in ("installed", "triggers-awaited", "triggers-pending"):
        return Failure(reason=f"it is {status}; mend it with `dpkg --configure -a` or `apt-get -f install`")
    along = []
    for line in plan:
        becomes, _, row = line.partition("\t")
        along += [(other, f[0], f[1] == "hold", becomes) for other, f in _rows(row, architecture)]
    return PackageStatus(version or None, want == "hold", tuple(along))
