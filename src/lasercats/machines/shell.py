"""A batch as one shell script, and its output as outcomes. No I/O: the two halves of a round trip.

The whole script stands in one `{ … }`, so that a shell that gets only a part of it runs nothing. Looks come
first, many paths in one call; then the changes in order, each followed by a mark with its status; then one
look at all that was changed.
"""

import re
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from lasercats.core import content as contents
from lasercats.core.instruction import Batch, Failure, Instruction
from lasercats.core.ports import Vault
from lasercats.core.secret import is_sealed
from lasercats.instructions.host import PRELUDE, PathStatus, ReadPath, WriteFile

CHUNK = 1000
"""Paths in one look: a shell moves its arguments on each shift, so more would be slow."""

LOOK = r"""
lc_look() { # PATH EXPECT ...  EXPECT: sha256 of the content, '-' for unknown, '' when it is not wanted
  lc_types "$@"
  echo "$lc_seen"
  # A process is started only for what is there to be looked at.
  case $lc_seen in *[!a]*) lc_some exist "$@" | xargs -0 -r stat -c '%a %u %g %s %Y %U %G' -- ;; esac
  case $lc_seen in *a*) lc_some absent "$@" | xargs -0 -r stat -c . -- 2>&1 ;; esac
  case $lc_seen in *l*) lc_links "$@" ;; esac
  case $lc_wanted$lc_seen in y*f*) lc_some read "$@" | xargs -0 -r sha256sum -- | lc_contents "$@" ;; esac
}
lc_types() {
  lc_seen= lc_wanted=n
  while [ $# -gt 0 ]; do
    if [ -L "$1" ]; then lc_seen=${lc_seen}l
    elif [ -f "$1" ] && [ -n "$2" ] && [ ! -r "$1" ]; then lc_seen=${lc_seen}u
    elif [ -f "$1" ]; then lc_seen=${lc_seen}f
    elif [ -d "$1" ]; then lc_seen=${lc_seen}d
    elif [ -e "$1" ]; then lc_seen=${lc_seen}o
    else lc_seen=${lc_seen}a; fi
    if [ -n "$2" ]; then lc_wanted=y; fi
    shift 2
  done
}
lc_some() {
  lc_which=$1; shift
  while [ $# -gt 0 ]; do
    case $lc_which in
      exist) if [ -e "$1" ] || [ -L "$1" ]; then printf '%s\0' "$1"; fi ;;
      absent) if [ ! -e "$1" ] && [ ! -L "$1" ]; then printf '%s\0' "$1"; fi ;;
      read) if lc_reads "$1" "$2"; then printf '%s\0' "$1"; fi ;;
    esac
    shift 2
  done
}
lc_reads() { [ -n "$2" ] && [ -f "$1" ] && [ ! -L "$1" ] && [ -r "$1" ]; }
lc_links() {
  while [ $# -gt 0 ]; do
    if [ -L "$1" ]; then readlink -n -- "$1"; echo; fi
    shift 2
  done
}
lc_contents() {
  while [ $# -gt 0 ]; do
    if lc_reads "$1" "$2"; then
      read -r lc_digest lc_name || lc_digest=?
      lc_digest=${lc_digest#\\}
      if [ "$lc_digest" = "$2" ]; then echo same
      else echo "$lc_digest"; head -c LIMIT -- "$1" | base64; echo .; fi
    fi
    shift 2
  done
}
""".replace("LIMIT", str(contents.LIMIT + 1)).lstrip()

_TYPES: Mapping[str, Any] = {"f": "file", "d": "directory", "l": "symlink", "o": "other"}


class Script:
    """The script of a batch, and the reader of what it prints."""

    def __init__(self, batch: Batch, vault: Vault) -> None:
        """Write the script of a batch; secrets are taken out of the vault."""
        self._batch, self._vault = batch, vault
        self._mark = f"@{secrets.token_hex(8)}"
        self._looks = [i for i, item in enumerate(batch) if isinstance(item.instruction, ReadPath)]
        self._acts = [i for i, item in enumerate(batch) if not item.instruction.looks]
        last = {self._path(i): i for i in self._acts}
        self._last = list(last.values())
        self._passed_by = [i for i in self._acts if last[self._path(i)] != i]
        """Changes of a path that a later item changes again: they are looked at on the spot."""

    def encode(self) -> bytes:
        """Return the script."""
        return ("{ exec 2>&1\n" + "\n".join(self._lines()) + "\nexit 0\n}\n").encode()

    def outcomes(self, output: bytes, status: int | None) -> list[Any]:
        """Read the outcomes from what the script printed; `status` is None when the connection was lost."""
        parts = re.split(rf"^{self._mark} (\S+) (\S+)\n", output.decode(errors="replace"), flags=re.MULTILINE)
        printed = {label: (code, text) for text, label, code in zip(*[iter(parts)] * 3, strict=False)}
        results: list[Any] = [self._missing(i, output, status) for i in range(len(self._batch))]
        self._read_looks(printed, "look", self._looks, results)
        done = [i for i in self._acts if printed.get(str(i), ("",))[0] == "0"]
        for i in self._acts:
            if str(i) in printed and i not in done:
                results[i] = _failure(*printed[str(i)])
        after = results.copy()
        self._read_looks(printed, "after", self._last, after)
        for i in self._passed_by:
            self._read_looks(printed, f"at{i}-", [i], after)
        for i in done:
            results[i] = _noted(self._checked(i, after[i]), self._path(i), printed[str(i)][1])
        return results

    def _lines(self) -> Iterator[str]:
        yield PRELUDE + LOOK
        yield from self._look("look", self._looks, [self._expect(i) for i in self._looks])
        for i in self._acts:
            item = self._batch[i]
            guards = "".join(f'[ "$lc_{j}" = 0 ] && ' for j in item.after)
            yield f"lc_{i}=skipped"
            yield f"{guards}{{ {self._call(item.instruction)}\nlc_{i}=$?; }}"
            yield f'printf "\\n%s\\n" "{self._mark} {i} $lc_{i}"'
            if i in self._passed_by:
                yield from self._look(f"at{i}-", [i], [""])
        yield from self._look("after", self._last, [""] * len(self._last))

    def _look(self, label: str, indices: Sequence[int], expects: Sequence[str]) -> Iterator[str]:
        for n, start in enumerate(range(0, len(indices), CHUNK)):
            words = []
            for i, expect in zip(indices[start : start + CHUNK], expects[start : start + CHUNK], strict=True):
                words.append(f"{shlex.quote(self._path(i))} {expect or chr(39) * 2}")
            yield f"lc_look {' '.join(words)}"
            yield f'echo "{self._mark} {label}{n} 0"'

    def _path(self, i: int) -> str:
        path: str = self._batch[i].instruction.path  # type: ignore[attr-defined]
        return path

    def _expect(self, i: int) -> str:
        look = self._batch[i].instruction
        if not isinstance(look, ReadPath) or not look.whole:
            return ""
        if look.expect is None:
            return "-"
        digest = contents.digest_of(self._vault.open(look.expect)) if look.sealed else look.expect
        return digest.removeprefix("sha256:")

    def _call(self, instruction: Instruction) -> str:
        if isinstance(instruction, WriteFile) and is_sealed(instruction.content):
            return instruction.filled(self._vault.open(instruction.content))
        return instruction.line()

    def _missing(self, i: int, output: bytes, status: int | None) -> Failure:
        if status is None:
            return Failure(reason="the connection was lost", in_doubt=i in self._acts)
        last = output.decode(errors="replace").strip().splitlines()[-1:] or ["no output"]
        return Failure(reason=f"the shell ended with status {status}: {last[0]}", in_doubt=i in self._acts)

    def _read_looks(
        self, printed: Mapping[str, tuple[str, str]], label: str, indices: Sequence[int], results: list[Any]
    ) -> None:
        for n, start in enumerate(range(0, len(indices), CHUNK)):
            if f"{label}{n}" not in printed:
                return
            some = indices[start : start + CHUNK]
            try:
                statuses = self._statuses(some, label == "look", printed[f"{label}{n}"][1].split("\n"))
            except (StopIteration, ValueError, IndexError):
                lost = "the path changed while it was looked at, or the host's tools answer otherwise"
                statuses = [Failure(reason=lost) for _ in some]
            for i, status in zip(some, statuses, strict=True):
                results[i] = status

    def _statuses(self, indices: Sequence[int], whole: bool, text: list[str]) -> list[Any]:
        lines = iter(line for line in text if line)
        types = next(lines)
        if len(types) != len(indices):
            raise ValueError(types)
        stats = [None if t == "a" else next(lines).split(" ") for t in types]
        absent = [next(lines) if t == "a" else "" for t in types]
        links = [next(lines) if t == "l" else None for t in types]
        statuses: list[Any] = []
        for i, t, stat, why, link in zip(indices, types, stats, absent, links, strict=True):
            if stat is None:
                statuses.append(_absent(why))
                continue
            fields: dict[str, Any] = {}
            if t == "f" and whole and self._expect(i):
                fields = self._content(i, lines)
            if t == "u":
                statuses.append(Failure(reason="permission denied: the content cannot be read"))
            else:
                statuses.append(_status(_TYPES[t], stat, target=link, **fields))
        return statuses

    def _content(self, i: int, lines: Iterator[str]) -> dict[str, Any]:
        digest = next(lines)
        if digest == "same":
            return {"same": True}
        encoded = ""
        while (line := next(lines)) != ".":
            encoded += line
        content = contents.encode(contents.decode("data:;base64," + encoded))
        if len(encoded) // 4 * 3 > contents.LIMIT:
            content = "sha256:" + digest
        look = self._batch[i].instruction
        if isinstance(look, ReadPath) and look.sealed and not contents.is_digest(content):
            content = self._vault.seal(contents.decode(content))
        return {"content": content}

    def _checked(self, i: int, status: Any) -> Any:  # noqa: ANN401
        """Check that a file that was written is as long as what was written."""
        write = self._batch[i].instruction
        if isinstance(write, WriteFile) and isinstance(status, PathStatus):
            sealed = is_sealed(write.content)
            data = self._vault.open(write.content) if sealed else contents.decode(write.content)
            if status.size != len(data):
                return Failure(reason=f"the file has {status.size} bytes after {len(data)} were written")
        return status


def _failure(code: str, text: str) -> Failure:
    if code == "skipped":
        return Failure(reason="not tried, because what it depends on failed", skipped=True)
    lines = [line for line in text.strip().splitlines() if line]
    told = [line for line in lines if "No space left" in line] or lines[-1:]
    return Failure(reason=told[0] if told else f"failed with status {code}")


def _noted(outcome: Any, path: str, text: str) -> Any:  # noqa: ANN401
    """Return an outcome with what the shell function noted while it did what it should."""
    begin = f"note: {path}: "
    notes = tuple(part.partition("\n")[0] for part in f"\n{text}".split(f"\n{begin}")[1:])
    return replace(outcome, notes=notes) if notes and isinstance(outcome, PathStatus) else outcome


def _absent(why: str) -> Any:  # noqa: ANN401
    if "No such file" in why or "Not a directory" in why:
        return PathStatus("absent")
    return Failure(reason=why.partition(": ")[2] or why)


def _status(type_: Any, stat: list[str], **more: Any) -> PathStatus:  # noqa: ANN401
    mode, uid, gid, size, modified, owner, group = stat
    return PathStatus(
        type_,
        mode=mode.zfill(4),
        owner=uid if owner == "UNKNOWN" else owner,
        group=gid if group == "UNKNOWN" else group,
        uid=int(uid),
        gid=int(gid),
        size=int(size),
        modified=int(modified),
        **more,
    )
