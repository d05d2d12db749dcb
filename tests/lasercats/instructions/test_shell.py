"""Words of a script and frames of an answer hold whatever bytes they are made of."""

import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasercats.core import content as contents
from lasercats.core.instruction import Failure
from lasercats.core.text import escape
from lasercats.instructions.look import LOOK
from lasercats.instructions.path import Answers, PathStatus, Question
from lasercats.instructions.prelude import PRELUDE
from lasercats.instructions.shell import FRAMES, TELL, ending, gathered, printable, raw, records
from lasercats.instructions.tools import PROBE
from lasercats.machines.shell import new_mark

WORDS = st.binary(max_size=30).map(lambda data: data.replace(b"\0", b""))
SPECIAL = st.sampled_from([b"'", b'"', b"\\", b"$x", b"`x`", b"\n", b"=", b"\r\xe9"])
PIECES = st.lists(st.one_of(WORDS, SPECIAL))
SHELLS = (["dash"], ["busybox", "ash"], ["bash"])
MARK, OTHER = new_mark(), new_mark()


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@settings(max_examples=40, deadline=None)
@given(st.lists(PIECES.map(b"".join), min_size=1, max_size=20))
def test_a_shell_reads_words_as_they_are(shell: list[str], words: list[bytes]) -> None:
    """A word in a script that is sent, and in one that is printed, is the same bytes to every shell."""
    for quoted in ([raw(word) for word in words], [printable(word).encode() for word in words]):
        script = b"export LC_ALL=C\nprintf '%s\\0' " + b" ".join(quoted) + b"\n"
        ran = subprocess.run([*shell, "-s"], input=script, capture_output=True, check=True)
        assert ran.stdout == b"".join(word + b"\0" for word in words)


@given(PIECES.map(b"".join))
def test_a_printed_word_shows_all_that_is_in_it(word: bytes) -> None:
    """A printed word is text without controls, other than line breaks and tabs."""
    shown = printable(word)
    assert shown.encode().decode() == shown
    assert not any(ord(one) < 0x20 and one not in "\n\t" for one in shown)
    assert "\x7f" not in shown


def framed(key: bytes, *fields: bytes) -> bytes:
    """Return a record as a shell prints it."""
    return MARK + b"=" + key + b"".join(MARK + b"." + field for field in fields) + MARK + b";\n"


@given(st.lists(st.tuples(WORDS, st.lists(WORDS, max_size=3)), max_size=6), WORDS)
def test_records_are_exact(entries: list[tuple[bytes, list[bytes]]], noise: bytes) -> None:
    """Whatever keys and fields are made of, and whatever stands between, records come out as they went in."""
    output = noise + noise.join(framed(key, *fields) for key, fields in entries) + noise
    assert list(records(output, MARK)) == [(key, tuple(fields)) for key, fields in entries]


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4), st.data())
def test_what_is_cut_is_no_record(entries: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    """An answer that is cut anywhere holds only records that were whole."""
    output = b"".join(framed(key, field) for key, field in entries)
    cut = data.draw(st.integers(0, len(output)))
    whole = [(key, (field,)) for key, field in entries]
    found = list(records(output[:cut], MARK))
    assert found == whole[: len(found)]


NAMES = st.binary(min_size=1, max_size=20).map(lambda data: data.replace(b"\0", b"x"))
MODES = st.sampled_from([0o100644, 0o120777, 0o040755, 0o010600])


@given(
    NAMES,
    NAMES,
    NAMES,
    NAMES,
    st.binary(max_size=50),
    st.sampled_from([0o100644, 0o120777, 0o040755, 0o010600]),
)
def test_a_status_is_exact(
    name: bytes, owner: bytes, group: bytes, target: bytes, data: bytes, mode: int
) -> None:
    """A name, an owner, a group, a target and a content of any bytes are told as they are."""
    path = b"/" + name
    blob = path + OTHER + f"{mode:x} 1 2 7 -1".encode() + OTHER + owner + OTHER + group + OTHER + b"\n"
    digest = contents.digest_of(data).removeprefix("sha256:").encode()
    body = subprocess.run(["base64"], input=data, capture_output=True, check=True).stdout
    answer = framed(b"stat", blob) + framed(b"link " + path, target)
    answer += framed(b"sum " + path, digest) + framed(b"body " + path, body)
    status = Answers(gathered(answer, MARK), OTHER).status(Question(path, "-"))
    assert isinstance(status, PathStatus)
    assert (status.uid, status.gid, status.size, status.modified) == (1, 2, 7, -1)
    assert status.owner == ("1" if owner == b"UNKNOWN" else escape(owner))
    assert status.group == ("2" if group == b"UNKNOWN" else escape(group))
    assert status.mode == f"{mode & 0o7777:04o}"
    assert status.target == (escape(target) if status.type == "symlink" else None)
    assert status.content == (contents.encode(data) if status.type == "file" else None)


def test_a_content_that_is_not_the_one_told_fails() -> None:
    """A content whose digest is another than the one that was told of it is not believed."""
    blob = b"/f" + OTHER + b"81a4 0 0 1 1" + OTHER + b"root" + OTHER + b"root" + OTHER
    answer = framed(b"stat", blob) + framed(b"sum /f", b"0" * 64) + framed(b"body /f", b"eA==\n")
    status = Answers(gathered(answer, MARK), OTHER).status(Question(b"/f", "-"))
    assert status == Failure(reason="the content changed while it was looked at, or came damaged")


@pytest.mark.parametrize("names", [r"(?m)^(lc_\w+)\(\)", r"\b(lc_\w+)="])
def test_no_name_of_the_shell_means_two_things(names: str) -> None:
    """What looks, what acts and what frames share one shell, so each has names of its own."""
    found = [set(re.findall(names, part)) for part in (FRAMES, TELL, LOOK, "".join(PRELUDE), PROBE)]
    assert sum(map(len, found)) == len(set().union(*found))


def test_what_others_wrote_does_not_end_a_here_document() -> None:
    """Whatever lines a body has, a shell reads it whole, and runs none of it."""
    body = "a\nEND\nEND_\ntouch /nowhere; exit 7\ncat <<'END'\nEND__x"
    end = ending(body, "END")
    ran = subprocess.run(
        ["sh"], input=f"cat <<'{end}'\n{body}\n{end}\n", text=True, capture_output=True, check=True
    )
    assert ran.stdout == f"{body}\n"
