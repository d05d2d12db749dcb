"""Whatever stands on a real host, nothing that LaserCats reads there can harm a project, or the host."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from lasercats.core import content as contents
from lasercats.core.text import escape, unescape
from lasercats.domains.host.file import time_of
from lasercats.testing.lab import Host, Lab
from tests.lasercats.cli.conftest import Cli
from tests.lasercats.domains.host.odd import FIRST_ID, GROUPS, USERS, Things, make, seen, things

pytestmark = pytest.mark.lab
FOLDER = "/odd/t"
COUNT, NEIGHBOURS = 50, 10


@pytest.fixture
def cli(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lab: Lab) -> Cli:
    """Make a project with the hosts m and n, both with an empty folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))
    monkeypatch.chdir(tmp_path)
    cli = Cli(tmp_path, capfd, monkeypatch)
    cli.done("init")
    for name, host in zip("mn", lab.hosts, strict=False):
        cli.done("machine", "add", name, host.url)
        host.ssh("rm -rf /odd")
    return cli


@pytest.mark.parametrize("seed", range(2))
def test_what_is_odd_is_seen_told_changed_and_put_back(cli: Cli, lab: Lab, seed: int) -> None:
    """Odd names, owners, links, contents, modes and times are lived with, to the byte and by every verb."""
    host, other = lab.hosts[:2]
    made = things(seed, FOLDER.encode(), COUNT)
    make(host, FOLDER, made)
    first = seen(host, FOLDER)
    assert _kept(first) == _kept(made)
    ours = dict(list(made.items())[:-NEIGHBOURS])  # the others are neighbours that nobody manages
    addresses = _addresses(ours)
    cli.done("observe", "--in-clear", *addresses)
    _is_shown(cli, {path: first[path] for path in ours})
    (cli.folder / "site.yaml").write_text(cli.done("document").out)
    assert "nothing to do" in cli.done("plan", "--refresh", "site.yaml").err
    assert seen(host, FOLDER) == first
    _are_changed_and_put_back(cli, host, first, ours)
    _are_made_elsewhere(cli, other, first, ours)
    _are_removed_and_put_back(cli, host, first, ours)
    cli.done("forget", *cli.done("state", "--json").data["resources"])
    assert cli.done("state", "--json").data == {"resources": {}}
    cli.verifies()


def _are_changed_and_put_back(cli: Cli, host: Host, first: Things, ours: Things) -> None:
    """Each command changes what it is given and nothing else, and its undo puts it back."""
    for line, changed in _changes():
        some = [path for path, thing in ours.items() if thing.type == line[0]]
        cli.done(*line[:2], *[f"m:{escape(path)}" for path in some], *line[2:])
        wanted = {path: thing._replace(**changed) for path, thing in first.items() if path in some}
        assert _kept(_ownerless(seen(host, FOLDER))) == _kept(_ownerless({**first, **wanted}))
        cli.done("undo", "HEAD")
        assert _kept(_ownerless(seen(host, FOLDER))) == _kept(_ownerless(first))


def _are_removed_and_put_back(cli: Cli, host: Host, first: Things, ours: Things) -> None:
    """What nothing is below is removed, and its undo puts it back."""
    leaves = [path for path in ours if not any(one.startswith(path + b"/") for one in first)]
    for type_ in ("file", "symlink", "directory"):
        some = [path for path in leaves if ours[path].type == type_]
        cli.done(type_, "remove", *[f"m:{escape(path)}" for path in some])
        left = {path: thing for path, thing in first.items() if path not in some}
        assert _kept(_ownerless(seen(host, FOLDER))) == _kept(_ownerless(left))
        cli.done("undo", "HEAD")
        assert _kept(_ownerless(seen(host, FOLDER))) == _kept(_ownerless(first))


def _changes() -> Iterable[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Return commands, without the addresses, and what each makes of a thing."""
    yield ("file", "write", "--content", "new\n"), {"content": b"new\n"}
    yield ("file", "chmod", "--mode", "0640"), {"mode": 0o640}
    yield ("directory", "chmod", "--mode", "3755"), {"mode": 0o3755}
    for n, (kind, user, group) in enumerate(zip(("file", "directory"), USERS, GROUPS, strict=False)):
        owner = ("--owner", escape(user), "--group", escape(group))
        yield (kind, "chown", *owner), {"uid": FIRST_ID + n, "gid": FIRST_ID + n}
    target = ("--target", "-tab\tnew\n" + r"\xff\x5cxff")
    yield ("symlink", "link", *target), {"target": b"-tab\tnew\n\xff" + rb"\xff"}


def _addresses(some: Things) -> list[str]:
    return [f"{thing.type}/m:{escape(path)}" for path, thing in some.items()]


def _kept(some: Things) -> Things:
    """Return what a host has without times, which change when something is put back."""
    return {path: thing._replace(modified=0) for path, thing in some.items()}


def _ownerless(some: Things) -> Things:
    """Return what a host has without the owners of links, which are not managed."""
    return {
        path: thing._replace(uid=0, gid=0) if thing.type == "symlink" else thing
        for path, thing in some.items()
    }


def _is_shown(cli: Cli, there: Things) -> None:
    """The state says of each thing what there is."""
    state = cli.done("state", "--json").data["resources"]
    assert state.keys() == set(_addresses(there))
    for address, (_, thing) in zip(_addresses(there), there.items(), strict=True):
        shown = state[address]
        if thing.type == "symlink":
            assert shown == {"target": escape(thing.target)}
            continue
        assert shown["mode"] == f"{thing.mode:04o}"
        assert unescape(shown["owner"]) == _name(thing.uid, USERS, {0: b"root", 1: b"daemon"})
        assert unescape(shown["group"]) == _name(thing.gid, GROUPS, {0: b"root", 1: b"daemon"})
        if thing.type == "file":
            assert contents.decode(shown["content"]) == thing.content
            assert shown["modified"] == time_of(thing.modified)


def _name(number: int, names: Sequence[bytes], others: Mapping[int, bytes]) -> bytes:
    if FIRST_ID <= number < FIRST_ID + len(names):
        return names[number - FIRST_ID]
    return others.get(number, b"%d" % number)


def _are_made_elsewhere(cli: Cli, host: Host, first: Things, ours: Things) -> None:
    """The document makes the same on another host, and nothing else."""
    make(host, FOLDER, {})
    text = (cli.folder / "site.yaml").read_text().replace("/m:", "/n:")
    (cli.folder / "other.yaml").write_text(text)
    cli.done("apply", "--yes", "other.yaml")
    wanted = {path: first[path] for path in ours}
    assert _kept(_ownerless(seen(host, FOLDER))) == _kept(_ownerless(wanted))
