"""What is destroyed and was not named is announced and asked, on real files, by every verb."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from lasercats.core.address import Address
from lasercats.core.content import LIMIT
from lasercats.core.loss import Loss
from lasercats.core.record import Accepted
from lasercats.operate.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lasercats.cli.conftest import Cli

Place = Callable[[str], str]


@pytest.fixture
def big(cli: "Cli") -> "Path":
    """A file of which the log cannot hold the content."""
    path = cli.folder / "t/big"
    path.write_bytes(b"x" * (LIMIT + 1))
    return path


def there(path: "Path") -> bool:
    """Tell whether it is still what it was."""
    return path.is_file() and path.stat().st_size == LIMIT + 1


def test_what_nobody_knew_of_is_found_by_the_look(cli: "Cli", place: Place, big: "Path") -> None:
    """A write over a file that nobody manages and cannot come back is refused, and done with --yes."""
    ran = cli("file", "write", place("big"), "--content", "new")
    assert ran.code == 1
    assert "its unrecorded content would be lost for good; that was not announced" in ran.err
    assert there(big)
    assert cli.log()[-1]["status"] == "refused"
    ran = cli.done("file", "write", place("big"), "--content", "new", "--yes")
    assert f"! file/{place('big')}: its unrecorded content would be lost for good" in ran.err
    assert big.read_text() == "new"
    cli.verifies()


def test_a_direct_removal_names_what_it_removes(cli: "Cli", place: Place, big: "Path") -> None:
    """Where the operator wrote the address out, it acts at once."""
    cli.done("file", "remove", place("big"))
    assert not big.exists()


def test_a_pattern_and_a_query_ask(cli: "Cli", place: Place, big: "Path") -> None:
    """What a pattern for machines, a query or a file of commands means was not written out."""
    cli.done("observe", f"file/{place('big')}")
    machine, _, rest = place("big").partition(":")
    lines = cli.file("more.jsonl", json.dumps({"command": "file.remove", "on": f"file/{place('big')}"}))
    for line in (
        ("file", "remove", f"{machine}*:{rest}"),
        ("for", "SELECT address FROM file", "file", "remove"),
        ("issue", lines),
    ):
        refusal = cli.refuses(*line)
        lost = "its unrecorded content would be lost for good; agree with --yes"
        assert refusal == f"not carried out, because of file/{place('big')}: {lost}"
        assert there(big)
        data = cli(*line[:-1], line[-1], "--check", "--json").data if line[0] != "for" else None
        if data is not None:
            assert [loss["sort"] for loss in data["losses"]] == ["loses"]
    cli.done("issue", lines, "--yes")
    assert not big.exists()


def test_what_was_agreed_to_is_on_record_and_replayed(cli: "Cli", place: Place, big: "Path") -> None:
    """The losses stand with the command that had them, and a replay is refused and allowed as it was then."""
    cli("file", "write", place("big"), "--content", "new")
    cli.done("file", "write", place("big"), "--content", "new", "--yes")
    assert not there(big)
    project = Project(cli.folder)
    found = [r.entry for r in project.log.read(names=("accepted",)) if isinstance(r.entry, Accepted)]
    project.close()
    loss = Loss(Address(f"file/{place('big')}"), "loses", "its unrecorded content")
    assert [(entry.agreed, entry.direct) for entry in found] == [((), True), ((), True), ((loss,), True)]
    for position in ("HEAD~2", "HEAD~1", "HEAD"):
        assert "as recorded" in cli.done("replay", position).err


def test_a_document_asks_and_live_knows_better(cli: "Cli", place: Place, big: "Path") -> None:
    """What only the look finds is not covered by a --yes that was given to the plan."""
    site = cli.file("site.yaml", f"resources:\n  file/{place('big')}: {{content: small}}\n")
    ran = cli("apply", site, "--yes")
    assert ran.code == 1
    assert "that was not announced, so nothing was done" in ran.err
    assert there(big)
    cli.done("observe", f"file/{place('big')}")
    assert "agree with --yes" in cli("apply", site).err
    assert there(big)
    cli.done("apply", site, "--yes")
    assert big.read_text() == "small"


def test_a_guard_leaves_what_it_would_lose(cli: "Cli", place: Place, big: "Path") -> None:
    """What somebody put in the place of a held file is not removed with it; all else is taken back."""
    big.unlink()
    cli.done("file", "write", place("big"), place("f"), "--content", "new", "--confirm-within", "1h")
    big.write_bytes(b"x" * (LIMIT + 1))
    cli.done("confirm", "--reject")
    assert there(big)
    assert not (cli.folder / "t/f").exists()
    hold = next(one for one in cli.log() if one["command"]["command"] == "hold")
    assert f"but for file/{place('big')}: content changed since" in hold["error"]
    cli.verifies()


def test_protection_by_verb_and_document(cli: "Cli", place: Place) -> None:
    """Nothing removes what is protected, until somebody says so by its name."""
    address = f"file/{place('f')}"
    site = cli.file("site.yaml", f"resources:\n  {address}: {{content: x, protect: true}}\n")
    cli.done("apply", site, "--yes")
    state = json.loads(cli.done("state", address, "--json").out)["resources"][address]
    assert state["protect"] is True
    assert state["modified"]
    text = f"it is protected; `lasercats unprotect {address}` lifts that"
    empty = cli.file("empty.yaml", "resources: {}\n")
    for line in (
        ("file", "remove", place("f")),
        ("apply", empty, "--prune", "--yes"),
        ("apply", empty, "--prune", "--recreate", "--yes"),
    ):
        ran = cli(*line)
        assert ran.code == 1, line
        assert text in ran.err, line
    assert "protect changed since" in cli("undo", "1", "--yes").err
    assert cli("plan", site, "--detailed-exitcode").code == 0
    lifts = cli.file("lifts.yaml", f"resources:\n  {address}: {{protect: false}}\n")
    assert "agree with --yes" in cli("apply", lifts).err
    cli.done("unprotect", address)
    cli.done("undo", "HEAD")
    cli.done("unprotect", address)
    cli.done("file", "remove", place("f"))
    cli.verifies()


def test_a_drift_does_not_end_a_protection(cli: "Cli", place: Place) -> None:
    """What is only on record is no matter of the machine: a look changes nothing of it."""
    address = f"file/{place('f')}"
    cli.done("file", "write", place("f"), "--content", "x")
    cli.done("protect", address)
    (cli.folder / "t/f").write_text("theirs")
    cli.done("observe", address)
    state = json.loads(cli.done("state", address, "--json").out)["resources"][address]
    assert (state["content"], state["protect"]) == ("theirs", True)
    cli.done("undo", str(cli.head()))
    assert (cli.folder / "t/f").read_text() == "x"
    assert json.loads(cli.done("state", address, "--json").out)["resources"][address]["protect"] is True


def test_what_was_agreed_to_is_told_as_data(cli: "Cli", place: Place, big: "Path") -> None:
    """Whatever verb carried it out, --json tells the losses that were agreed to, and is one value."""
    cli.done("file", "write", place("big"), "--content", "new", "--yes")
    big.write_bytes(b"x" * (LIMIT + 1))
    data = cli.done("drift", "--revert", "--json", "--yes").data
    (loss,) = data["losses"]
    assert (loss["address"], loss["sort"]) == (f"file/{place('big')}", "loses")
    assert list(data["drift"]) == [f"file/{place('big')}"]
    assert big.read_text() == "new"


def test_what_is_forgotten_is_no_longer_protected(cli: "Cli", place: Place) -> None:
    """Forgetting lifts a protection: by its address it says so, from a query it asks."""
    cli.done("file", "write", place("kept"), "--content", "x")
    cli.done("protect", f"file/{place('kept')}")
    query = ("for", "SELECT address FROM file", "forget")
    assert "its protection (protect) would be lifted" in cli.refuses(*query)
    cli.done(*query, "--yes")
    cli.done("undo", "HEAD")
    cli.done("forget", f"file/{place('kept')}")


def test_no_document_forgets_a_protection(cli: "Cli", place: Place) -> None:
    """What must stay for something else is forgotten by --prune, but not with its protection unsaid."""
    cli.done("directory", "create", place("d"))
    cli.done("protect", f"directory/{place('d')}")
    cli.done("file", "write", place("d/f"), "--content", "x")
    site = cli.file("site.yaml", json.dumps({"resources": {f"file/{place('d/f')}": {"content": "x"}}}))
    assert "it is protected; lift that first" in cli("plan", site, "--prune").err
    assert cli("apply", site, "--prune").code == 1
    assert cli.done("state", "--json").data["resources"][f"directory/{place('d')}"]["protect"]


def test_a_revert_that_is_refused_adopts_nothing(cli: "Cli", place: Place, big: "Path") -> None:
    """What nobody agreed to put back is drift as before, and `drift --revert --yes` then does it."""
    big.write_text("as decided")
    cli.done("observe", f"file/{place('big')}")
    big.write_bytes(b"x" * (LIMIT + 1))
    for line in (("drift", "--revert"), ("drift", "--revert", "--json")):
        before = cli.log()
        ran = cli(*line)
        assert ran.code == 1
        assert "its unrecorded content would be lost for good; agree with --yes" in ran.out + ran.err
        assert there(big)
        assert cli.log() == before
    assert "1 changed outside; --adopt records it, --revert puts it back" in cli("drift").err
    cli.done("drift", "--revert", "--yes")
    assert big.read_text() == "as decided"
    cli.verifies()


def test_what_nobody_decided_is_kept_where_it_can_be(cli: "Cli", place: Place) -> None:
    """A file of which only the mode was decided is overwritten without a loss: its content is read before."""
    small = cli.folder / "t/small"
    small.write_text("as it was")
    cli.done("file", "chmod", place("small"), "--mode", "0640")
    cli.done("file", "write", place("small"), "--content", "new")
    cli.done("undo", "HEAD")
    assert small.read_text() == "as it was"
    site = cli.file("site.yaml", f"resources:\n  file/{place('small')}: {{content: other}}\n")
    cli.done("apply", site, "--yes")
    cli.done("undo", "HEAD")
    assert small.read_text() == "as it was"
    cli.verifies()
