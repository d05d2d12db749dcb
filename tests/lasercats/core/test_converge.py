"""Convergence, ordering and retraction, given states / when / then commands."""

import pytest

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Forget, decide
from lasercats.core.converge import converge, retract, wanted
from lasercats.core.parts import ordered
from lasercats.core.registry import Kinds
from lasercats.core.state import State
from lasercats.domains.host.directory import Create, Directory
from lasercats.domains.host.directory import Remove as RemoveDirectory
from lasercats.domains.host.file import Chmod, File, Remove, Write

D, F = Address("directory/m:/a"), Address("file/m:/a/f")
X, Y = Address("directory/m:/x"), Address("file/m:/x")
DIRECTORY, FILE = Directory(mode="0755"), File(content="1", mode="0644")


def test_deltas_must_meet() -> None:
    """A delta that starts from something else than was left cannot be composed."""
    first = Delta({F: Change(None, FILE)})
    assert first.then(Delta({F: Change(FILE, None)})) == Delta()
    with pytest.raises(ValueError, match="do not meet at file/m:/a/f"):
        first.then(Delta({F: Change(None, FILE)}))


def test_what_is_needed_is_made_first(kinds: Kinds) -> None:
    """A directory is created before the file in it, and removed after it."""
    there = State.of({D: DIRECTORY, F: FILE})
    made = converge(kinds, wanted(State(), {F: FILE, D: DIRECTORY}), State(), exact=False)
    assert [type(c) for c in made] == [Create, Write]
    gone = converge(kinds, wanted(there, {}, prune=[D, F]), there)
    assert [type(c) for c in gone] == [Remove, RemoveDirectory]


def test_a_rival_goes_before(kinds: Kinds) -> None:
    """Where a file becomes a directory, the file is removed first."""
    delta = Delta({X: Change(None, DIRECTORY), Y: Change(FILE, None)})
    assert [part.address for part in ordered(kinds, delta, State.of({Y: FILE}))] == [Y, X]


def test_a_directory_in_use_is_forgotten(kinds: Kinds) -> None:
    """Pruning a directory in which something stays takes it out of the state and leaves it on the disk."""
    state = State.of({D: DIRECTORY, F: FILE})
    assert converge(kinds, wanted(state, {F: FILE}, prune=[D]), state) == [Forget(on=(D,))]


def test_only_what_differs_is_commanded(kinds: Kinds) -> None:
    """A mode that differs is a chmod, not a write."""
    state = State.of({F: FILE})
    assert converge(kinds, wanted(state, {F: File(mode="0600")}), state) == [Chmod(on=(F,), mode="0600")]
    assert not wanted(state, {F: File(mode="0644")})


def test_undo_takes_back_only_its_own_fields() -> None:
    """A field that something else changed since stays; one that was changed again is a conflict."""
    delta = Delta({F: Change(FILE, File(content="2", mode="0644"))})
    now = State.of({F: File(content="2", mode="0600")})
    assert retract(delta, now).delta[F].after == File(content="1", mode="0600")
    moved = retract(delta, State.of({F: File(content="3", mode="0644")}))
    assert moved.conflicts == {F: "content changed again since"}
    assert not moved.delta


@pytest.mark.parametrize(
    ("change", "now", "message"),
    [
        (Change(None, FILE), File(content="2", mode="0644"), "content changed since"),
        (Change(FILE, None), File(content="2"), "something is there again"),
        (Change(FILE, File(content="2", mode="0644")), None, "it has been removed since"),
    ],
)
def test_conflicts_are_told(change: Change[File], now: File | None, message: str) -> None:
    """What stands in the way of an undo is told."""
    state = State.of({F: now}) if now else State()
    assert retract(Delta({F: change}), state).conflicts == {F: message}


def test_what_is_forgotten_is_not_known_to_be_absent() -> None:
    """A removed directory is known to be absent; a forgotten one may well be there."""
    state = State.of({D: DIRECTORY})
    removed = state.apply(decide(RemoveDirectory(on=(D,)), state).delta)
    assert removed.known_absent(D)
    assert "does not exist" in decide(Write(on=(F,), content="x"), removed).refusals[F]
    assert not state.forget([D]).known_absent(D)
    assert not decide(Write(on=(F,), content="x"), state.forget([D])).refusals
