"""Odd things on a host, made by Python there and seen on its disk, with no help of ours."""

import json
import os
import random
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lasercats.testing.lab import Host

USERS = (rb"corp\bob", b"ann@corp.example", rb"dom\xffain", b"caf\xe9 user", b"two.dots.", b"$(id)")
GROUPS = (b"domain users", rb"CORP\all staff", b"gr\xc3\xbcn", b"\xff\xfe", b"*")
FIRST_ID = 61_000
"""The number of the first of these users, and of the first of these groups."""
NAMELESS = 4_000_000_000
"""A number that no user and no group has."""
PIECES = (
    *(
        b"-n",
        b"--",
        b" ",
        b"  ",
        b"\n",
        b"\t",
        b"\r",
        b"\x1b[31m",
        b"\x7f",
        b"*",
        b"?",
        b"[a]",
        b"~",
        b"#",
        b"'",
    ),
    *(b'"', b"`id`", b"$(id)", b"$HOME", b"\\", rb"\xff", rb"\x5cxff", rb"\n", b"\xff", b"\xe9", b"\xc3"),
    *(
        b":",
        b";",
        b"&",
        b"|",
        b"=",
        b"%",
        b"%00",
        b"{",
        b"caf\xc3\xa9",
        b"\xe2\x80\xae",
        b"\xc2\x9b",
        b"!",
        b"@",
    ),
    *(
        b"\xed\xb3\xbf",
        b"\xf0\x9f\x98\xba",
        b"data:;base64,",
        b"sha256:",
        b"null",
        b"- x",
        b"..",
        b"a",
        b"0",
        b"~",
    ),
)
TIMES = (0, -1, -(2**31), -86_400 * 366 * 1900, 253_402_300_800, 2**40, 1_700_000_000, 2**31)
MODES = (0o644, 0o600, 0, 0o4755, 0o2755, 0o1777, 0o7777, 0o062, 0o444)
ON_HOST = r"""
import json, os, sys
def names(path, first, given, shape):
    lines = open(path, "rb").read()
    with open(path, "ab") as out:
        for n, name in enumerate(map(bytes.fromhex, given), first):
            line = name + shape % ((n, n) if shape.count(b"%d") == 2 else (n,))
            if line not in lines:
                out.write(line)
def make(thing):
    path = bytes.fromhex(thing["path"])
    if thing["type"] == "directory":
        os.mkdir(path)
    elif thing["type"] == "symlink":
        os.symlink(bytes.fromhex(thing["target"]), path)
    else:
        with open(path, "xb") as out:
            out.write(bytes.fromhex(thing["content"]))
    os.lchown(path, thing["uid"], thing["gid"])
    if thing["type"] != "symlink":
        os.chmod(path, thing["mode"])
        os.utime(path, (0, thing["modified"]))
asked = json.load(sys.stdin)
names("/etc/passwd", asked["first"], asked["users"], b":x:%d:%d::/:/bin/sh\n")
names("/etc/group", asked["first"], asked["groups"], b":x:%d:\n")
os.makedirs(asked["folder"], exist_ok=True)
for thing in asked["make"]:
    make(thing)
"""


class Thing(NamedTuple):
    """What stands at a path."""

    type: str
    uid: int
    gid: int
    mode: int = 0
    modified: int = 0
    target: bytes = b""
    content: bytes = b""


Things = Mapping[bytes, Thing]


def things(seed: int, folder: bytes, count: int) -> dict[bytes, Thing]:
    """Return things at odd paths in a folder, some of them in odd directories; the same for a seed."""
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    made, folders = dict[bytes, Thing](), [folder]
    while len(made) < count:
        name = _name(rng)
        path = rng.choice(folders) + b"/" + name
        if path in made or name in (b".", b".."):
            continue
        type_ = rng.choice(("file", "file", "symlink", "directory"))
        made[path] = _thing(rng, type_)
        if type_ == "directory":
            folders.append(path)
    return made


def _name(rng: random.Random) -> bytes:
    if rng.random() < 0.1:  # the longest that there is
        return b"-" + b"\xff" * 254
    return b"".join(rng.choices(PIECES, k=rng.randint(1, 4))).replace(b"/", b"_")


def _thing(rng: random.Random, type_: str) -> Thing:
    uids = [0, 1, NAMELESS, *range(FIRST_ID, FIRST_ID + len(USERS))]
    gids = [0, 1, NAMELESS, *range(FIRST_ID, FIRST_ID + len(GROUPS))]
    uid, gid = rng.choice(uids), rng.choice(gids)
    if type_ == "symlink":
        return Thing(type_, uid, gid, target=b"/".join(_name(rng) for _ in range(rng.randint(1, 3))))
    content = rng.choice([rng.randbytes(rng.randint(0, 99)), _name(rng), b"one\r\ntwo\n\n", b"", b"\0"])
    thing = Thing(type_, uid, gid, rng.choice(MODES), rng.choice(TIMES))
    return thing._replace(content=content) if type_ == "file" else thing


def make(host: Host, folder: str, some: Things) -> None:
    """Make a folder on a host and things in it, and the users and groups that they may belong to."""
    asked = {
        "folder": folder,
        "first": FIRST_ID,
        "users": [name.hex() for name in USERS],
        "groups": [name.hex() for name in GROUPS],
        "make": [_plain(path, thing) for path, thing in some.items()],
    }
    output = host.ssh(f"/usr/bin/python3 -SI -c {_quoted(ON_HOST)}", json.dumps(asked).encode())
    assert output.returncode == 0, output.stderr


def seen(host: Host, folder: str) -> dict[bytes, Thing]:
    """Return all that stands in a folder that was made on a host, as the disk of the host has it."""
    disk = os.fsencode(host.upper)
    walk = os.walk(disk + folder.encode())
    paths = [top + b"/" + name for top, folders, files in walk for name in folders + files]
    return {path.removeprefix(disk): _seen(path) for path in paths}


def _seen(path: bytes) -> Thing:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return Thing(
            "symlink", status.st_uid, status.st_gid, target=os.fsencode(Path(os.fsdecode(path)).readlink())
        )
    type_ = "directory" if stat.S_ISDIR(status.st_mode) else "file"
    content = Path(os.fsdecode(path)).read_bytes() if type_ == "file" else b""
    modified, mode = status.st_mtime_ns // 10**9, stat.S_IMODE(status.st_mode)
    return Thing(type_, status.st_uid, status.st_gid, mode, modified, content=content)


def _plain(path: bytes, thing: Thing) -> dict[str, Any]:
    hexed = {"path": path.hex(), "target": thing.target.hex(), "content": thing.content.hex()}
    return thing._asdict() | hexed


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"
