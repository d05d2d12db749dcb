"""Who a machine is: what machines say is bounded data, and only what both tell can differ."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasercats.core.errors import OtherMachine
from lasercats.core.identity import FACTS, MOST, Who, are_one, clash, fact, facts

SAID = st.one_of(st.none(), st.integers(), st.text(), st.binary(), st.lists(st.text()))


@given(SAID)
def test_whatever_is_said_is_a_line_within_bounds(said: object) -> None:
    """A fact is one line of text that any log can hold, and the same each time that it is said."""
    line = fact(said)
    assert line == fact(said)
    assert len(line) <= MOST
    assert line.isprintable() or not any(ord(letter) < 32 or ord(letter) == 127 for letter in line)
    line.encode()


def test_what_is_too_long_is_known_by_all_of_it() -> None:
    """Of a huge fact only the beginning is kept, and yet another end is another fact."""
    one, other = fact("x" * 10_000_000 + "a"), fact("x" * 10_000_000 + "b")
    assert one != other
    assert len(one) < MOST


def test_what_is_not_said_is_no_fact() -> None:
    """Nothing, an empty text and what is no text make no fact."""
    assert facts(a="", b=None, c=" \n", d=7, machine_id="x") == {"machine-id": "x"}


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_only_what_both_tell_differs(one: dict[str, str], other: dict[str, str]) -> None:
    """Two identities are of two machines just where a fact of both differs, whichever comes first."""
    differing = {name for name in one.keys() & other.keys() if one[name] != other[name]}
    assert set(clash(one, other)) == set(clash(other, one)) == differing
    assert are_one(one, other) == are_one(other, one) == (bool(one.keys() & other.keys()) and not differing)


def test_it_must_be_what_is_on_record_and_what_it_told() -> None:
    """What contradicts the record, or what was told before, is refused with both; what is new is news."""
    who = Who("web1")
    who.known = {"machine-id": "a"}
    who.meet({})
    assert who.news is None
    who.meet({"machine-id": "a", "ssh-ed25519": "k"})
    assert who.news == {"machine-id": "a", "ssh-ed25519": "k"}
    with pytest.raises(
        OtherMachine, match=r"web1 is another .*\(machine-id is b and was a\).*machine accept web1"
    ):
        who.meet({"machine-id": "b"})
    with pytest.raises(OtherMachine, match="ssh-ed25519 is l and was k"):
        who.meet({"ssh-ed25519": "l"})
    assert who.news == {"machine-id": "a", "ssh-ed25519": "k"}


def test_facts_are_bounded_in_number() -> None:
    """A machine that tells ever more facts is known by the first of them."""
    who = Who("odd")
    who.meet({f"{n}": "x" for n in range(1000)})
    assert len(who.reported) == FACTS
