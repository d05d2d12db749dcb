"""A batch as one shell script, and what it answers as outcomes. No I/O: the two halves of a round trip.

The whole script stands in one `{ … }`: a shell that gets only a part of it runs nothing. It begins with
the mark that all parts of its answer begin with, so what a login shell or sudo printed before is passed over.
Looks come first, all of a class in one call; then the changes in order, each with its status; then a look at
all that was changed. What an instruction is asked, and how it reads its answer, is its own business.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from lasercats.core.identity import Identity
from lasercats.core.instruction import Batch, Failure, Item, not_tried
from lasercats.core.ports import Vault
from lasercats.core.text import escape
from lasercats.instructions import who
from lasercats.instructions.lock import LOCK, SETTLE
from lasercats.instructions.prelude import PRELUDE
from lasercats.instructions.shell import (
    ENVIRONMENT,
    FRAMES,
    WORK,
    Act,
    Look,
    Records,
    gathered,
    last_line,
    raw,
    raw_command,
)

MOST = 64 * 1024 * 1024
"""The most bytes of a script; a batch that needs more is several."""
HEARD = 64 * 1024 * 1024
"""The most bytes that a host may answer, besides what is told of each item."""
EACH = 12 * 1024
"""The most bytes that are told of one item, contents not counted."""

_SAID = b"; printf '%s;' $lc_m >&2"
"""Behind what no change has said."""
_BEGIN = b"{ exec 3>&1 1>&2 </dev/null\nlc_m=%s"
_END = b"lc_say end 0\nexit 0\n}\n"
OVER = "nothing was done, because what was to become of it was judged by now"
LATER = b'if [ -n "$lc_later" ]; then lc_say end 0; exit 0; fi'
"""Ends a script before it changes anything, when a look has to be asked for once more."""


def new_mark() -> bytes:
    """Return a mark that nobody knows."""
    return b"@" + secrets.token_hex(8).encode()


NOBODY: Identity = {}
_TELL = b'lc_say who "$lc_id"'
_LEAVE = b"lc_say end 0; exit 0"


def identity(output: bytes | bytearray, mark: bytes) -> Identity:
    """Return who the host is that printed something."""
    return who.identity(gathered(output, mark).get(b"who", ()))


class BatchScript:
    """The script of a batch, and the reader of what it prints."""

    def __init__(self, batch: Batch, vault: Vault, lock: bytes = b"", must: Identity = NOBODY) -> None:
        """Write the script of a batch: secrets come out of the vault, a lock is taken before it changes.

        It does nothing on a host that is not what it `must` be.
        """
        self._batch, self._vault, self._lock, self._must = batch, vault, lock, must
        self.mark, self._other = new_mark(), new_mark()
        self._looks = [i for i, item in enumerate(batch) if isinstance(item.instruction, Look)]
        self._acts = [i for i, item in enumerate(batch) if isinstance(item.instruction, Act)]
        self._asks = [_look_of(item.instruction) for item in batch]
        last = {self._asks[i]: i for i in self._acts}
        self._last = list(last.values())
        self._runs = dict(_side_by_side(batch, self._acts))
        self._run_of = {i: first for first, some in self._runs.items() for i in some}
        self._passed_by = {i for i in self._acts if last[self._asks[i]] != i}
        """Changes after which a later item changes the same again: they are looked at on the spot."""
        self.patience = max((batch[i].instruction.patience for i in self._acts), default=0.0)  # type: ignore[attr-defined]
        """Seconds for which the host may be silent over what it is to do."""

    @property
    def most(self) -> int:
        """The most bytes that may be heard of it."""
        return HEARD + EACH * len(self._batch)

    def encode(self) -> bytes:
        """Return the script."""
        return b"\n".join([_BEGIN % self.mark, *self._lines(), _END])

    def outcomes(self, output: bytes | bytearray, messages: bytes | bytearray, why: Failure) -> list[Any]:
        """Read the outcomes from what the script printed, apart from its messages.

        `why` is what became of an item of which nothing came. None stands for one that is to be sent again.
        """
        records = gathered(output, self.mark)
        if b"over" in records:
            why = Failure(reason=OVER)
        elif b"end" in records:
            why = Failure(reason="the host told nothing of it", in_doubt=True)
        results: list[Any] = [self._missing(i, why) for i in range(len(self._batch))]
        again = self._read(records, b"", self._looks, results)
        if again and b"end" in records:
            for i in self._acts:
                results[i] = None
            return results
        after = results.copy()
        self._read(records, b"after ", self._last, after)
        for i in self._passed_by:
            self._read(records, b"at%d " % i, [i], after)
        said = _messages(messages, self.mark)
        for i in self._acts:
            done = self._act(i, records, after[i], said)
            results[i] = results[i] if done is None else done
        return results

    def _lines(self) -> Iterator[bytes]:
        instructions: list[Any] = [item.instruction for item in self._batch]
        yield FRAMES.encode() + b"lc_say begin $$"
        yield who.asking(self._must, _TELL, _LEAVE)
        yield from (part.encode() for part in parts((*instructions, *self._asks)))
        yield from self._ask(b"", self._looks)
        if self._looks and self._acts:
            yield LATER
        if self._lock and self._acts:
            yield LOCK.encode() + b"if ! lc_lock %s; then lc_say over 0; lc_say end 0; exit; fi" % self._lock
        for i in self._acts:
            yield from self._together(i)
            yield from self._act_lines(i)
            if i in self._passed_by:
                yield from self._ask(b"at%d " % i, [i])
        yield from self._ask(b"after ", self._last)

    def _act_lines(self, i: int) -> Iterator[bytes]:
        act: Any = self._batch[i].instruction
        call = raw_command(act.words(self._vault))
        if act.apart:
            call = b"$lc_quit; ( %s )" % call
        yield b"lc_%d=skipped\n%s{ %s\nlc_%d=$?; }\nlc_did %d $lc_%d" % (i, self._guards(i), call, i, i, i)

    def _guards(self, i: int) -> bytes:
        return b"".join(b'[ "$lc_%d" = 0 ] && ' % j for j in self._batch[i].after)

    def _together(self, first: int) -> Iterator[bytes]:
        """Return the lines that do at once what stands side by side and begins there."""
        side_by_side = self._runs.get(first, ())
        some = [i for i in side_by_side if not set(self._batch[i].after) & set(side_by_side)]
        if len(some) > 1:
            yield b"set --"
            for i in some:
                act: Any = self._batch[i].instruction
                yield self._guards(i) + b'set -- "$@" ' + b" ".join(map(raw, act.share()))
            yield b"$lc_quit; ( %s \"$@\" )\nprintf '%%st%d;' $lc_m >&2" % (act.together, first)

    def _ask(self, section: bytes, indices: Sequence[int]) -> Iterator[bytes]:
        if not indices:
            return
        for space, kind, some in self._by_class(section, indices):
            yield b"lc_at='%s'" % space
            yield from kind.ask([self._asks[i] for i in some], self._vault, self._other)
        yield b"lc_at=" + _SAID

    def _by_class(
        self, section: bytes, indices: Sequence[int]
    ) -> Iterator[tuple[bytes, type[Look], list[int]]]:
        """Iterate over the classes of looks; the answers to each have keys of their own."""
        kinds: dict[type[Look], list[int]] = {}
        for i in indices:
            kinds.setdefault(type(self._asks[i]), []).append(i)
        for n, (kind, some) in enumerate(kinds.items()):
            yield section + (b"%d/" % n if n else b""), kind, some

    def _missing(self, i: int, why: Failure) -> Failure:
        return Failure(reason=why.reason, in_doubt=why.in_doubt and i in self._acts)

    def _read(self, records: Records, section: bytes, indices: Sequence[int], results: list[Any]) -> bool:
        """Read the answers to looks into `results`; return whether some are to be asked again."""
        again = False
        for space, kind, some in self._by_class(section, indices):
            size = len(space)
            here = {key[size:]: fields for key, fields in records.items() if key.startswith(space)}
            answers = kind.read([self._asks[i] for i in some], here, self._vault, self._other)
            for i, answer in zip(some, answers, strict=True):
                # Of one that was cut off, it is not the path that failed.
                if b"end" in records or not isinstance(answer, Failure):
                    results[i] = answer
                again = again or answer is None
        return again

    def _act(self, i: int, records: Records, after: Any, messages: Mapping[bytes, bytes]) -> Any:  # noqa: ANN401
        """Return the outcome of a change, None where nothing was reported of it."""
        statuses = records.get(b"did %d" % i, ())
        if len(statuses) != 1 or len(statuses[0]) != 1:
            return None
        status, said = statuses[0][0], messages.get(b"%d" % i, b"")
        if status == b"skipped":
            return not_tried()
        if status != b"0":
            return Failure(reason=last_line(said) or f"failed with status {escape(status)}")
        act: Any = self._batch[i].instruction
        together = messages.get(b"t%d" % self._run_of[i], b"")
        return act.settled(after, together + said, self._vault)


class Command:
    """The script that executes one command, and passes by what is printed before it begins."""

    def __init__(self, words: Sequence[bytes], lock: bytes = b"", must: Identity = NOBODY) -> None:
        """Take the command, word by word, and the lock that is held as long as it runs.

        It is not run on a host that is not what it `must` be.
        """
        self.mark = new_mark()
        self._words, self._lock, self._must = words, lock, must

    def encode(self) -> bytes:
        """Return the script: the command has no input, and its messages go where its output goes.

        The shell outlives it, so that the lock does, and the command does not have the lock.
        """
        tell = b"printf '%%s=who%%s.%%s%%s;' %s %s \"$lc_id\" %s" % ((self.mark,) * 3)
        lines = [b"{", who.asking(self._must, tell, b"exit 1")]
        if self._lock:
            lines += [LOCK.encode() + b"trap : HUP INT TERM"]
            judged = b"printf '%%s;' %sover; $lc_unlock; exit 1" % self.mark
            lines += [b"if ! lc_lock %s; then %s; fi" % (self._lock, judged)]
        lines += [b"printf '%%s%%s;' %s $$\nexec 2>&1 </dev/null" % self.mark]
        lines += [b"( exec 9>&-\n%s\n)\nlc_s=$?\n$lc_unlock\nexit $lc_s\n}\n" % raw_command(self._words)]
        return b"\n".join(lines)

    def judged(self, output: bytes | bytearray) -> bool:
        """Tell whether nothing was done because it was judged already."""
        return self.mark + b"over;" in output


class Settling:
    """The script that finds out whether anything is at work for a batch, and sweeps after it."""

    def __init__(
        self, lock: bytes, seconds: int, folders: Sequence[bytes], must: Identity = NOBODY, *, end: bool
    ) -> None:
        """Wait so many seconds for the end of a batch, then end it if that is wanted; then sweep folders.

        It does nothing on a host that is not what it `must` be.
        """
        self.mark, self._must = new_mark(), must
        self._lock, self._folders = lock, folders
        self._how = b"%d %s" % (seconds, b"end" if end else b"wait")

    def encode(self) -> bytes:
        """Return the script."""
        settle = b"lc_settle %s %s || { lc_say end 0; exit 0; }" % (self._lock, self._how)
        lines = [_BEGIN % self.mark, FRAMES.encode() + b"lc_say begin $$"]
        lines += [who.asking(self._must, _TELL, _LEAVE), *map(str.encode, PRELUDE), SETTLE.encode()]
        lines += [settle] if self._lock else []
        return b"\n".join([*lines, *(b"lc_swept " + raw(folder) for folder in self._folders), _END])

    def read(self, output: bytes | bytearray) -> Records | None:
        """Return what is `still` at work, or why that is `unknown`; None where the host tells nothing."""
        records = gathered(output, self.mark)
        return records if b"end" in records else None


def ending(pid: int) -> bytes:
    """Return the script that ends a shell with its group, where it leads one, or else its children."""
    return _ENDING % pid


_ENDING = b"""{ p=%d
if kill -s TERM -- "-$p" 2>/dev/null; then exit; fi
for f in /proc/[0-9]*/stat; do
  if read -r c _ _ parent _ <$f && [ "$parent" = "$p" ]; then kill -s TERM -- "$c"; fi
done
kill -s TERM -- "$p"
exit
}
"""


def parts(instructions: Iterable[Any]) -> list[str]:
    """Return the parts of shell functions that instructions need, each once."""
    found = {part: None for one in instructions for part in one.shell}
    acts = any(isinstance(one, Act) for one in instructions)
    return [WORK if acts else ENVIRONMENT, *(part for part in found if part != WORK)]


def _look_of(instruction: Any) -> Look:  # noqa: ANN401 - a look, or an act
    """Return the look that tells of an instruction: itself, or the one after it."""
    look: Look = instruction.after() if isinstance(instruction, Act) else instruction
    return look


def _side_by_side(batch: Batch, acts: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Iterate over the acts that can be done at once and stand side by side, each by its first."""

    def sort(i: int) -> Any:  # noqa: ANN401 - the class of an act that can be done together with others
        return type(batch[i].instruction) if batch[i].instruction.together else i  # type: ignore[attr-defined]

    for _, group in groupby(acts, sort):
        some = list(group)
        yield some[0], some


def weight(item: Item, vault: Vault) -> int:
    """Return how many bytes of a script an item takes, about."""
    instruction = item.instruction
    words = instruction.words(vault) if isinstance(instruction, Act) else (instruction.line().encode(),)
    return 200 + sum(len(raw(word)) for word in words)


def _messages(messages: bytes | bytearray, mark: bytes) -> dict[bytes, bytes]:
    """Return what was said in the course of each change; a mark with its index follows it.

    So does one with a `t` and the index of the first where several were done together.
    """
    said: dict[bytes, bytes] = {}
    before, *ends = (bytes(part) for part in messages.split(mark))
    for end in ends:
        index, _, rest = end.partition(b";")
        if index.lstrip(b"t").isdigit():
            said.setdefault(bytes(index), before)
        before = rest
    return said
