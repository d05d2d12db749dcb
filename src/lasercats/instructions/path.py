"""What a host says of a path: how a shell is asked, many paths in one call, and how the answer is read.

A process is started for all paths together, and one more only for what a link points at and for a content
that is not the expected one. What cannot be looked at fails for itself alone, with the reason that is told.
"""

import base64
import binascii
import re
import stat as bits
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from lasercats.core import content as contents
from lasercats.core.instruction import Failure
from lasercats.core.text import escape
from lasercats.instructions.shell import Told, Unread, raw

PathType = Literal["absent", "file", "directory", "symlink", "other"]

CHUNK, BYTES = 1000, 90_000
"""The most paths in one call, and the most bytes of them: what can be the arguments of a process."""
BUDGET = 32 * 1024 * 1024
"""Bytes of contents after which a host leaves the others for the next round trip."""

LOOK = r"""
lc_nl='
'
lc_later= lc_sent= lc_left=BUDGET
lc_stat() { # PATH...
  lc_gone= lc_odd= lc_bad= lc_links=
  for lc_p do
    if [ -L "$lc_p" ]; then lc_links=y
    elif [ ! -e "$lc_p" ]; then lc_gone=x$lc_gone; fi
    case $lc_p in *"$lc_nl"*) lc_odd=y ;; esac
  done
  lc_form="%n$lc_s%f %u %g %s %Y$lc_s%U$lc_s%G$lc_s"
  lc_key stat
  if [ -z "$lc_gone" ]; then stat -c "$lc_form" -- "$@" >&3 || lc_bad=y
  else lc_why=$(stat -c "$lc_form" -- "$@" 2>&1 >&3 | head -c 400000); fi
  lc_end
  if [ -n "$lc_gone$lc_bad" ]; then lc_absent "$@"; fi
  if [ -z "$lc_links" ]; then return; fi
  for lc_p do
    if [ -L "$lc_p" ]; then lc_key "link $lc_p"; readlink -n -- "$lc_p" >&3; lc_end; fi
  done
}
lc_absent() { # PATH...  What cannot be found because of an error is not absent.
  IFS=$lc_nl; set -f
  for lc_p in $lc_why; do
    case $lc_p in
      *': No such file or directory' | *': Not a directory') lc_gone=${lc_gone#x} ;;
      *) lc_odd=y ;;
    esac
  done
  unset IFS; set +f
  for lc_p do
    if [ -e "$lc_p" ] || [ -L "$lc_p" ]; then if [ -z "$lc_bad" ]; then continue; fi; fi
    if [ -z "$lc_gone$lc_odd$lc_bad" ]; then lc_say "gone $lc_p" ''
    else
      lc_w=$(stat -c . -- "$lc_p" 2>&1 | head -c 9000)
      if [ "$lc_w" != . ]; then lc_say "absent $lc_p" "$lc_w"; fi
    fi
  done
}
lc_read() { # EXPECTS PATH...  For each path: sha256 of the content, or '-'.
  lc_w=$1 lc_n=0
  shift
  for lc_e in $lc_w; do lc_n=$((lc_n + 1)); eval "lc_e$lc_n=\$lc_e"; done
  lc_n=0 lc_odd= lc_some= lc_any=
  for lc_p do
    lc_n=$((lc_n + 1)); eval "lc_p$lc_n=\$lc_p lc_z$lc_n= lc_d$lc_n="
    if [ -L "$lc_p" ] || [ ! -f "$lc_p" ]; then lc_some=y; eval "lc_d$lc_n=-"
    else lc_any=y; fi
    case $lc_p in *"$lc_nl"*) lc_odd=y ;; esac
  done
  if [ -z "$lc_any" ]; then return; fi
  lc_each lc_readable
  if [ -z "$lc_some" ]; then lc_w=$(stat -L -c %s -- "$@")
  else lc_w=$(lc_each lc_path | xargs -0 -r stat -L -c %s --); fi
  lc_fill z "$lc_w" || lc_each lc_size
  lc_each lc_large
  if [ -n "$lc_odd" ]; then lc_w= # a name with a line break may be printed on two lines
  elif [ -z "$lc_some" ]; then lc_w=$(sha256sum -- "$@" | head -c 9000000)
  else lc_w=$(lc_each lc_path | xargs -0 -r sha256sum -- | head -c 9000000); fi
  lc_fill d "$lc_w" || lc_each lc_sum
  lc_each lc_content
}
lc_each() { # FUNCTION  Call it for each file.
  lc_i=0
  while [ $lc_i -lt $lc_n ]; do
    lc_i=$((lc_i + 1)); eval "lc_p=\$lc_p$lc_i lc_e=\$lc_e$lc_i lc_z=\$lc_z$lc_i lc_d=\$lc_d$lc_i"
    $1
  done
}
lc_path() { if [ -z "$lc_d" ]; then printf '%s\0' "$lc_p"; fi; }
lc_fill() { # ARRAY LINES  Take one line for each file, if there is one for each.
  lc_array=$1
  IFS=$lc_nl; set -f
  set -- $2
  unset IFS; set +f
  lc_i=0 lc_wanted=0
  while [ $lc_i -lt $lc_n ]; do
    lc_i=$((lc_i + 1)); eval "lc_d=\$lc_d$lc_i"
    if [ -z "$lc_d" ]; then lc_wanted=$((lc_wanted + 1)); fi
  done
  if [ $# != $lc_wanted ]; then return 1; fi
  lc_i=0
  while [ $lc_i -lt $lc_n ]; do
    lc_i=$((lc_i + 1)); eval "lc_d=\$lc_d$lc_i"
    if [ -z "$lc_d" ]; then lc_w=${1%% *}; eval "lc_$lc_array$lc_i=\${lc_w#\\\\}"; shift; fi
  done
}
lc_why() { # REASON
  lc_say "why $lc_p" "$1"; eval "lc_d$lc_i=-"; lc_some=y
}
lc_readable() { if [ -z "$lc_d" ] && [ ! -r "$lc_p" ]; then lc_why 'Permission denied'; fi; }
lc_size() {
  if [ -n "$lc_d" ]; then return; fi
  lc_w=$(stat -L -c %s -- "$lc_p" 2>&1 | head -c 9000)
  case $lc_w in '' | *[!0-9]*) lc_why "$lc_w" ;; *) eval "lc_z$lc_i=\$lc_w" ;; esac
}
lc_large() { # Nobody wants to wait until 10 TB are read.
  if [ -z "$lc_d" ] && [ "$lc_z" -gt LIMIT ]; then
    lc_say "large $lc_p" "$lc_z"; eval "lc_d$lc_i=-"; lc_some=y
  fi
}
lc_sum() {
  if [ -n "$lc_d" ]; then return; fi
  lc_w=$({ sha256sum <"$lc_p"; } 2>&1 | head -c 9000)
  case $lc_w in *' '*-) eval "lc_d$lc_i=\${lc_w%% *}" ;; *) lc_why "$lc_w" ;; esac
}
lc_content() {
  if [ "$lc_d" = - ]; then return; fi
  lc_say "sum $lc_p" "$lc_d"
  if [ "$lc_d" = "$lc_e" ]; then return; fi
  lc_left=$((lc_left - lc_z))
  if [ $lc_left -lt 0 ] && [ -n "$lc_sent" ]; then lc_later=y; lc_say "later $lc_p" ''; return; fi
  lc_sent=y
  lc_key "body $lc_p"; head -c MOST -- "$lc_p" | base64 >&3; lc_end
}
""".lstrip()
for _word, _value in (("BUDGET", BUDGET), ("LIMIT", contents.LIMIT), ("MOST", contents.LIMIT + 1)):
    LOOK = LOOK.replace(f"={_word}\n", f"={_value}\n").replace(f" {_word} ", f" {_value} ")

_SORTS: Mapping[int, PathType] = {bits.S_IFREG: "file", bits.S_IFDIR: "directory", bits.S_IFLNK: "symlink"}
_STATUS = re.compile(rb"([0-9a-f]{1,8}) ([0-9]{1,20}) ([0-9]{1,20}) ([0-9]{1,20}) (-?[0-9]{1,20})", re.ASCII)
_ABSENT = (b": No such file or directory", b": Not a directory")


class PathStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host says of a path."""

    type: PathType
    mode: str | None = None
    """Permission bits in octal, four digits."""
    owner: str | None = None
    """User name, or the number of a user without one."""
    group: str | None = None
    uid: int | None = None
    gid: int | None = None
    size: int | None = None
    """Bytes."""
    modified: int | None = None
    """Seconds since 1970 UTC."""
    target: str | None = None
    """Where a symbolic link points."""
    content: str | None = None
    """The content string, or its sealed token, when it is not the one that was expected."""
    same: bool = False
    """True when the content is the expected one."""


class Question(NamedTuple):
    """A path, and what of its content is wanted: the digest that is expected, `-` for all, or nothing."""

    path: bytes
    expect: str = ""


def ask(questions: Sequence[Question], separator: bytes) -> Iterator[bytes]:
    """Return the lines of a script that ask for some paths."""
    wanted: dict[bytes, str] = {}
    for path, expect in questions:
        before = wanted.get(path, "")
        wanted[path] = expect if before in ("", expect) else before if expect == "" else "-"
    if wanted:
        yield b"lc_s=" + separator
    for some in _chunks(list(wanted)):
        yield b"lc_stat " + b" ".join(raw(path) for path in some)
        read = [path for path in some if wanted[path]]
        if read:
            expects = " ".join(wanted[path] for path in read)
            yield b"lc_read " + raw(expects.encode()) + b" " + b" ".join(raw(path) for path in read)


def _chunks(paths: Sequence[bytes]) -> Iterator[list[bytes]]:
    some, size = list[bytes](), 0
    for path in paths:
        if some and (len(some) >= CHUNK or size + len(path) > BYTES):
            yield some
            some, size = [], 0
        some.append(path)
        size += len(path) + 1
    if some:
        yield some


class Answers:
    """What a host told of the paths that it was asked for."""

    def __init__(self, told: Told, separator: bytes) -> None:
        """Take what it told."""
        self._told = told
        self._stats: dict[bytes, set[tuple[bytes, ...]]] = {}
        for (blob,) in (fields for fields in told.get(b"stat", ()) if len(fields) == 1):
            parts = blob.split(separator)
            for path, *status in zip(*[iter(parts)] * 4, strict=False):
                # Each begins on a line of its own; the name comes first.
                self._stats.setdefault(path.removeprefix(b"\n"), set()).add(tuple(status))

    def status(self, question: Question) -> PathStatus | Failure | None:
        """Return what is at a path, a failure with the reason, or None where it is to be asked again."""
        try:
            return self._status(*question)
        except Unread as unread:
            return Failure(reason=str(unread))

    def _status(self, path: bytes, expect: str) -> PathStatus | Failure | None:
        stats = self._stats.get(path)
        if not stats:
            return self._absent(path)
        if len(stats) > 1 or self._one(b"gone ", path) is not None:
            raise Unread("the host answered twice, and not the same")
        found = _parsed(*next(iter(stats)))
        if found.type == "symlink":
            target = self._one(b"link ", path)
            if not target:
                raise Unread("the symbolic link changed while it was looked at")
            return msgspec.structs.replace(found, target=escape(target))
        if found.type == "file" and expect:
            return self._content(path, expect, found)
        return found

    def _absent(self, path: bytes) -> PathStatus:
        why = self._one(b"absent ", path)
        if self._one(b"gone ", path) is not None:
            return PathStatus("absent")
        if why is None:
            raise Unread("the path changed while it was looked at, or the host's tools answer otherwise")
        if why.rstrip(b"\n").endswith(_ABSENT):
            return PathStatus("absent")
        raise Unread(_reason(why))

    def _content(self, path: bytes, expect: str, found: PathStatus) -> PathStatus | None:
        why, large, total = (self._one(key, path) for key in (b"why ", b"large ", b"sum "))
        if why is not None:
            raise Unread(f"the content cannot be read: {_reason(why)}")
        if large is not None:
            token = contents.unread(found.size or 0, found.modified or 0)
            same = expect == token.removeprefix("sha256:")
            return msgspec.structs.replace(found, same=same, content=None if same else token)
        if total is not None and total.decode(errors="replace") == expect:
            return msgspec.structs.replace(found, same=True)
        if self._one(b"later ", path) is not None:
            return None
        body = self._one(b"body ", path)
        if body is None or total is None:
            raise Unread("the content changed while it was looked at, or the host's tools answer otherwise")
        return msgspec.structs.replace(found, content=_whole(body, total))

    def _one(self, key: bytes, path: bytes) -> bytes | None:
        told = self._told.get(key + path, ())
        if len(told) > 1 or any(len(fields) != 1 for fields in told):
            raise Unread("the host answered twice, and not the same")
        return told[0][0] if told else None


def _parsed(status: bytes, owner: bytes, group: bytes) -> PathStatus:
    found = _STATUS.fullmatch(status)
    if found is None:
        raise Unread(f"the host's stat answers otherwise: {escape(status[:80])}")
    mode = int(found[1], 16)
    uid, gid, size, modified = (int(found[n]) for n in range(2, 6))
    return PathStatus(
        _SORTS.get(bits.S_IFMT(mode), "other"),
        mode=f"{bits.S_IMODE(mode):04o}",
        owner=str(uid) if owner in (b"UNKNOWN", b"") else escape(owner),
        group=str(gid) if group in (b"UNKNOWN", b"") else escape(group),
        uid=uid,
        gid=gid,
        size=size,
        modified=modified,
    )


def _whole(body: bytes, total: bytes) -> str:
    """Return the content that was sent, where it is the one whose digest was told."""
    try:
        data = base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        raise Unread("the content came damaged") from None
    if contents.digest_of(data) != "sha256:" + total.decode(errors="replace"):
        raise Unread("the content changed while it was looked at, or came damaged")
    return contents.encode(data)


def _reason(why: bytes) -> str:
    """Return what a tool said without its name and the path: `Permission denied`."""
    text = escape(why.strip())
    if text.endswith("not found"):
        return f"a tool is missing on the host ({text}); `lasercats machine check` tells which"
    return text.rpartition(": ")[2] or "the host did not tell why"
