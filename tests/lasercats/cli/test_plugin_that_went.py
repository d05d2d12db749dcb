"""What a plugin recorded is kept when the plugin is not installed any more."""

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from lasercats.core.address import Address
from lasercats.core.record import NULL, Accepted, Ended, Event, Finished, Started, raw
from lasercats.logs.sqlite import SqliteLog

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

ZONE = Address("dns.record/a:www.example.org")
SET = {"command": "dns.set", "on": [ZONE], "type": "A", "values": ["192.0.2.7"], "wild": {"ttl": 1.5}}
HELD = {"type": "A", "values": ["192.0.2.7"], "ttl": 12345678901234567890123, "note": None}


def accepted() -> Accepted:
    """Return the acceptance of a command of the plugin, by a process that is dead."""
    return Accepted(
        command=raw(SET), actor="other", run="r1", process=f"{2**22 + 1}+1@nowhere", claims=(ZONE,)
    )


@pytest.fixture
def went(cli: "Cli") -> "Cli":
    """A project in which a plugin made a record, and was cut off while it made it anew."""
    cli.done("file", "write", f"a:{cli.folder}/f", "--content", "one")
    log = SqliteLog(cli.path)
    first = log.append([accepted()])
    sent = log.append([Started(machine="a", commands=(first,), instructions=(raw({"do": "dns.put"}),))])
    log.append([Finished(started=sent, outcomes=(raw({"id": "Z1"}),))])
    log.append([Event(type="dns.record.set", delta={ZONE: (NULL, raw(HELD))}, command=first)])
    log.append([Ended(command=first, status="done")])
    second = log.append([accepted()])
    again = log.append([Started(machine="a", commands=(second,), instructions=(raw({"do": "dns.put"}),))])
    log.append([Finished(started=again, outcomes=(raw({"id": "Z2"}),))])
    log.close()
    cli.second = second  # type: ignore[attr-defined]
    return cli


def test_it_is_shown(went: "Cli") -> None:
    """State, history and documents tell of it what is recorded."""
    assert went.done("state", "--json").data["resources"][ZONE]["ttl"] == HELD["ttl"]
    assert "192.0.2.7" in went.done("state", ZONE).out
    assert "192.0.2.7" in went.done("blame", ZONE).out
    assert "dns set a:www.example.org" in went.done("log").out
    assert [c["type"] for c in went.log()].count("dns.set") == 2
    assert went.log()[1]["command"] == SET
    for verb in ("show", "trace"):
        went.done(verb, str(went.second))  # type: ignore[attr-defined]
    assert "Z2" in went.done("trace", str(went.second), "--json").out  # type: ignore[attr-defined]
    went.verifies()


def test_a_document_tells_of_it_in_a_comment(went: "Cli") -> None:
    """What is printed is accepted again, though nothing of the plugin can be planned."""
    text = went.done("document").out
    assert f"# {ZONE} is of no kind that is installed" in text
    assert "nothing to do" in went.done("plan", "-", stdin=text).err
    assert "no kind is called 'dns.record'" in went.refuses("plan", "-", stdin=f"resources: {{{ZONE}: {{}}}}")


def test_it_is_queried(went: "Cli") -> None:
    """One table holds what is of no kind that is installed, now and at any time."""
    rows = went.done("query", "SELECT address, kind, recorded FROM unknown_kinds", "--format", "json").data
    assert [(row["address"], row["kind"]) for row in rows] == [(ZONE, "dns.record")]
    assert json.loads(rows[0]["recorded"])["values"] == ["192.0.2.7"]
    assert went.done(
        "query", "SELECT count(*) AS n FROM unknown_kinds", "--as-of", "1", "--format", "json"
    ).data == [{"n": 0}]


def test_it_is_never_acted_on(went: "Cli") -> None:
    """Undo and replay say that the plugin is missing; a rewrite keeps its commands as they are."""
    first = next(c["position"] for c in went.log() if c["type"] == "dns.set")
    ran = went("undo", str(first))
    assert ran.code == 1
    assert "installed" in ran.err
    assert "no plugin is installed for dns.set" in went.refuses("replay", str(first))
    went.done("recover", "--force")
    assert msgspec.json.encode(SET).decode() in went.done("rewrite").out


def test_its_open_commands_are_ended_by_force_only(went: "Cli") -> None:
    """Recover lists them, and with --force ends them; what was sent and answered stays in the log."""
    ran = went("recover")
    assert ran.code == 1
    assert "no plugin is installed for dns.set" in ran.out
    ended = went.done("recover", "--force")
    assert "ended without its plugin" in ended.out
    assert went.done("recover").err == "nothing is open\n"
    assert "Z2" in went.done("trace", str(went.second), "--json").out  # type: ignore[attr-defined]


def test_it_is_forgotten(went: "Cli") -> None:
    """It goes out of the state, and that is undone with every value as it was."""
    went.done("recover", "--force")
    went.done("forget", ZONE)
    assert ZONE not in went.done("state", "--json").data["resources"]
    assert went.done("query", "SELECT * FROM unknown_kinds", "--format", "json").data == []
    went.verifies()
