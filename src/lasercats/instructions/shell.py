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

from lasercats.core.instruction import Instruction
from lasercats.core.ports import Vault

Fields = tuple[bytes, ...]
Told = Mapping[bytes, Sequence[Fields]]
"""What a shell answered: the fields of all records of a key."""

FRAMES = r"""
# The answer goes to descriptor 3, in parts that begin with $lc_m; messages go to standard error.
lc_at=
lc_key() { printf '%s=%s%s%s.' "$lc_m" "$lc_at" "$1" "$lc_m" >&3; }
lc_end() { printf '%s;\n' "$lc_m" >&3; }
lc_say() { # KEY FIELD
  printf '%s=%s%s%s.%s%s;\n' "$lc_m" "$lc_at" "$1" "$lc_m" "$2" "$lc_m" >&3
}
lc_told() { # INDEX STATUS
  lc_say "did $1" "$2"
  printf '%s%s;' "$lc_m" "$1" >&2
}
""".lstrip()
"""Shell functions that print records."""

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
    """An instruction that changes something: the call of a shell function."""

    prelude: ClassVar[str] = ""
    """The shell functions that it needs."""

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


class Look(Instruction, frozen=True):
    """An instruction that looks; equal ones and others of its class are asked in one call."""

    looks: ClassVar[bool] = True
    prelude: ClassVar[str] = ""
    """The shell functions that it needs."""

    @classmethod
    def ask(cls, looks: Sequence[Any], vault: Vault, mark: bytes) -> Iterator[bytes]:
        """Return the lines of a script that ask all of these; `mark` is for what a tool is to print."""
        raise NotImplementedError

    @classmethod
    def read(cls, looks: Sequence[Any], told: Told, vault: Vault, mark: bytes) -> Iterator[Any]:
        """Return an answer to each: a `Failure` where there is none, None where it is to be asked again."""
        raise NotImplementedError


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


def gathered(output: bytes | bytearray, mark: bytes) -> Told:
    """Return the records in what a shell printed, by key. What came twice in the same words came once."""
    told: dict[bytes, list[Fields]] = {}
    for key, fields in records(output, mark):
        same = told.setdefault(key, [])
        if fields not in same:
            same.append(fields)
    return told
