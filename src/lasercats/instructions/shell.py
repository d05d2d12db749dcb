r"""How instructions are carried out by a shell: their words, their questions, and the frames of the answer.

An instruction that a shell carries out derives from `Act`, which changes something, or from `Look`, which is
asked of many at once. Both say themselves what is sent and how the answer is read; what sends them
(`lasercats.machines.shell`) knows of no instruction in particular.

A shell answers in records: a key and some fields, all of them bytes. Each part begins with the mark of the
batch, 64 random bits that nobody can know who made what the bytes tell of:

    @7b40…=KEY@7b40….FIELD@7b40….FIELD@7b40…;        what comes after the `;` is no part of it

So it does not matter what else is printed, or what bytes a name, a link or an owner is made of.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from lasercats.core.instruction import Failure, Instruction
from lasercats.core.ports import Vault
from lasercats.core.text import escape

Fields = tuple[bytes, ...]
Records = Mapping[bytes, Sequence[Fields]]
"""What a shell answered: the fields of all records of a key."""

FRAMES = r"""
# The answer goes to descriptor 3, in parts that begin with $lc_m; messages go to standard error.
lc_at=
lc_key() { printf '%s=%s%s%s.' "$lc_m" "$lc_at" "$1" "$lc_m" >&3; }
lc_end() { printf '%s;\n' "$lc_m" >&3; }
lc_say() { # KEY FIELD
  printf '%s=%s%s%s.%s%s;\n' "$lc_m" "$lc_at" "$1" "$lc_m" "$2" "$lc_m" >&3
}
lc_did() { # INDEX STATUS
  lc_say "did $1" "$2"
  printf '%s%s;' "$lc_m" "$1" >&2
}
""".lstrip()
"""Shell functions that print records."""
TELL = r"""
lc_tell() { # KEY COMMAND...  Tell what it prints, its status and its messages.
  lc_key "$1"
  shift
  lc_messages=$("$@" 2>&1 >&3)
  printf '%s.%s%s.%s%s;\n' "$lc_m" $? "$lc_m" "$lc_messages" "$lc_m" >&3
}
""".lstrip()
"""The shell function that asks a command."""
ENVIRONMENT = 'export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"\n'
"""The variables of a script: tools are found, and speak as our readers understand them."""
WORK = (
    ENVIRONMENT
    + r"""
umask 022
lc_home=$PWD lc_quit=
lc_line='
'
trap '$lc_quit; $lc_unlock' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
lc_bad() { printf '%s\n' "$lc_path: $*" >&2; return 1; }
lc_note() { printf 'note: %s\n' "$lc_path: $*" >&2; }
lc_try() { # COMMAND...
  if "$@" 2>/dev/null || lc_why=$("$@" 2>&1); then return 0; fi
  case $lc_why in
    '') lc_bad "$1 failed" ;;
    *nvalid* | *unknown*) lc_bad "${lc_why#*: }" ;;
    *) lc_bad "${lc_why##*: }" ;;
  esac
}
""".lstrip()
)
"""What all acts share: how they fail, what they note, and what is done at the end.

`lc_try` runs a command; only where it fails is it run once more to hear why, as listening takes another
process. `$lc_quit` leaves what was shared before something runs that is apart.
"""
BYTES = 90_000
"""The most bytes of what can be the arguments of a process."""

_PLAIN = re.compile(rb"[A-Za-z0-9@%+=:,./_-]+")
_RESERVED = b"if then else elif fi do done case esac while until for in select function time coproc".split()
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+"
)
"""What is not seen as it is: controls but tab and newline, turns of direction, bytes that are no text."""


def ending(body: str, word: str) -> str:
    """Return the word that ends a here-document: one that is no line of its body."""
    lines = set(body.split("\n"))
    while word in lines:
        word += "_"
    return word


def raw(word: bytes) -> bytes:
    """Return a word as it stands in a script that is sent: every byte itself."""
    if _PLAIN.fullmatch(word):
        return word
    return b"'" + word.replace(b"'", b"'\"'\"'") + b"'"


def printable(word: bytes) -> str:
    """Return a word as it stands in a script that is printed: what is not seen is written by its bytes."""
    if _PLAIN.fullmatch(word):
        return word.decode()
    text = word.decode(errors="surrogateescape").replace("'", "'\"'\"'")
    parts = _ODD.split(text)
    odd = [f"\"$(printf '{_octal(found)}')\"" for found in _ODD.findall(text)]
    shown = [f"'{part}'" if part else "" for part in parts]
    return "".join(a + b for a, b in zip(shown, [*odd, ""], strict=True)) or "''"


def _octal(text: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in text.encode(errors="surrogateescape"))


def raw_command(words: Sequence[bytes]) -> bytes:
    """Return a command as it stands in a script that is sent."""
    return b" ".join([_program(words[0]) or raw(words[0]), *map(raw, words[1:])])


def printable_command(words: Sequence[bytes]) -> str:
    """Return a command as it stands in a script that is printed."""
    first = (_program(words[0]) or b"").decode() or printable(words[0])
    return " ".join([first, *map(printable, words[1:])])


def _program(word: bytes) -> bytes | None:
    """Return a first word quoted where a shell would take it for an assignment or a word of its grammar."""
    plain = _PLAIN.fullmatch(word) and b"=" not in word and word not in _RESERVED
    return None if plain or not _PLAIN.fullmatch(word) else b"'" + word + b"'"


class Unread(Exception):
    """What a shell answered cannot be understood, or tells that something could not be looked at."""


class Act(Instruction, frozen=True):
    """An instruction that changes something: the call of a shell function, or of a program."""

    shell: ClassVar[tuple[str, ...]] = ()
    """The shell functions that it needs, in parts; of a batch, each part is sent once."""
    apart: ClassVar[bool] = True
    """True where it runs in a subshell, in the folder in which the script began: it meets no neighbour.

    What works in rooms (`lasercats.instructions.room`) shares them with its neighbours instead.
    """
    patience: ClassVar[float] = 0
    """Seconds for which its host may be silent over it; never less than it may be silent over anything."""
    together: ClassVar[bytes] = b""
    """The shell function that does several that stand side by side at once, ahead of each, if there is one.

    It is given the `share` of each. It is a shortcut and decides nothing: each is still done by itself after
    it, finds itself done or does it, and has a status of its own.
    """

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call, word by word; without a vault a secret is not told."""
        raise NotImplementedError

    def line(self) -> str:
        """Return the call as it is printed."""
        return " ".join(printable(word) for word in self.words(None))

    def after(self) -> "Look":
        """Return the look that tells what it has done."""
        raise NotImplementedError

    def settled(self, answer: Any, said: bytes, vault: Vault) -> Any:  # noqa: ANN401
        """Return the outcome, where `answer` is that of the look and `said` the messages of the change."""
        del said, vault
        return answer

    def folders(self) -> tuple[bytes, ...]:
        """Return the folders in which it leaves a room where its shell dies."""
        return ()

    def share(self) -> tuple[bytes, ...]:
        """Return the words that it adds to a call that does several at once."""
        return ()


class Look(Instruction, frozen=True):
    """An instruction that looks: a call, and the reader of what that prints.

    Equal ones are asked once. Where many are to be asked in one call, a class says so by `ask` and `read`,
    or derives from `ManyLook`.
    """

    looks: ClassVar[bool] = True
    shell: ClassVar[tuple[str, ...]] = (TELL,)
    """The shell functions that it needs, in parts; `TELL` where it does not override `ask`."""

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call, word by word. It runs in a subshell; where it fails, so does the look."""
        raise NotImplementedError

    def process(self, output: bytes) -> Any:  # noqa: ANN401
        """Return the answer that is read from what the call printed.

        Raises:
            Unread: it cannot be understood, with the reason.

        """
        raise NotImplementedError

    def line(self) -> str:
        """Return the call as it is printed."""
        return " ".join(printable(word) for word in self.words(None))

    @classmethod
    def ask(cls, looks: Sequence[Any], vault: Vault, mark: bytes) -> Iterator[bytes]:
        """Return the lines of a script that ask all of these; `mark` is for what a tool is to print."""
        for n, words in enumerate(dict.fromkeys(look.words(vault) for look in looks)):
            yield b"lc_tell %d " % n + raw_command(words)

    @classmethod
    def read(cls, looks: Sequence[Any], answered: Records, vault: Vault, mark: bytes) -> Iterator[Any]:
        """Return an answer to each: a `Failure` where there is none, None where it is to be asked again."""
        places = {words: n for n, words in enumerate(dict.fromkeys(look.words(vault) for look in looks))}
        for look in looks:
            try:
                yield look.process(printed(answered, b"%d" % places[look.words(vault)]))
            except Unread as unread:
                yield Failure(reason=str(unread))


class ManyLook(Look, frozen=True):
    """A look that one call makes for many subjects: `dpkg-query`, `systemctl show`."""

    call: ClassVar[tuple[bytes, ...]] = ()
    """What is called, with the words of all subjects behind it."""

    def subject_words(self) -> tuple[bytes, ...]:
        """Return the words by which it is asked for."""
        raise NotImplementedError

    @classmethod
    def process_many(cls, asked: Sequence[Fields], output: bytes) -> Mapping[Fields, Any]:
        """Return the answer to each that was asked for, read from what the call printed.

        Raises:
            Unread: none of it can be understood, with the reason.

        """
        raise NotImplementedError

    def words(self, vault: Vault | None) -> tuple[bytes, ...]:
        """Return the call for this one alone."""
        return (*self.call, *self.subject_words())

    @classmethod
    def ask(cls, looks: Sequence[Any], vault: Vault, mark: bytes) -> Iterator[bytes]:
        """Return one call for all; several, where their words are too many for one process."""
        for n, some in enumerate(_chunks(looks)):
            yield b"lc_tell %d " % n + raw_command((*cls.call, *(word for words in some for word in words)))

    @classmethod
    def read(cls, looks: Sequence[Any], answered: Records, vault: Vault, mark: bytes) -> Iterator[Any]:
        """Return the answer to each."""
        answers: dict[tuple[bytes, ...], Any] = {}
        for n, some in enumerate(_chunks(looks)):
            try:
                answers |= cls.process_many(some, printed(answered, b"%d" % n))
            except Unread as unread:
                answers |= dict.fromkeys(some, Failure(reason=str(unread)))
        for look in looks:
            yield answers.get(look.subject_words(), Failure(reason="the host told nothing of it"))


def _chunks(looks: Sequence[Any]) -> Iterator[list[tuple[bytes, ...]]]:
    """Split what is asked for into what can be the arguments of a process each."""
    some, size = list[tuple[bytes, ...]](), 0
    for words in dict.fromkeys(look.subject_words() for look in looks):
        more = sum(len(word) + 1 for word in words)
        if some and size + more > BYTES:
            yield some
            some, size = [], 0
        some.append(words)
        size += more
    if some:
        yield some


def printed(answered: Records, key: bytes) -> bytes:
    """Return what a call printed that was made by `lc_tell`.

    Raises:
        Unread: it failed, or the host told nothing of it.

    """
    answers = answered.get(key, ())
    if len(answers) != 1 or len(answers[0]) != 3:  # noqa: PLR2004 - output, status, messages
        raise Unread(
            "the host told nothing of it" if not answers else "the host answered twice, and not the same"
        )
    output, status, said = answers[0]
    if status != b"0":
        raise Unread(last_line(said) or f"failed with status {escape(status)}")
    return output


def last_line(said: bytes) -> str:
    """Return what a tool said last, or that there is no space left."""
    lines = [line for line in said.strip().splitlines() if line.strip()]
    last = [line for line in lines if b"No space left" in line] or lines[-1:]
    return escape(last[0].strip()[:2000]) if last else ""


def records(output: bytes | bytearray, mark: bytes) -> Iterator[tuple[bytes, Fields]]:
    """Return the whole records in what a shell printed; what is none, or is cut, is passed over."""
    key: bytes | None = None
    fields: list[bytes] = []
    for part in output.split(mark)[1:]:
        sort = part[:1]
        if sort == b"=":
            key, fields = bytes(part[1:]), []
        elif sort == b"." and key is not None:
            fields.append(bytes(part[1:]))
        elif sort == b";" and key is not None:
            yield key, tuple(fields)
            key = None
        else:
            key = None


def gathered(output: bytes | bytearray, mark: bytes) -> Records:
    """Return the records in what a shell printed, by key. What came twice in the same words came once."""
    found: dict[bytes, list[Fields]] = {}
    for key, fields in records(output, mark):
        same = found.setdefault(key, [])
        if fields not in same:
            same.append(fields)
    return found
