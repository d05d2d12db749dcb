"""Sets of VLANs and ranges of names are read as they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasercats.core.errors import BadInput
from lasercats.instructions import vlans

NUMBERS = st.integers(vlans.FIRST, vlans.LAST)


@given(st.frozensets(NUMBERS, max_size=60))
def test_a_set_is_read_as_it_is_written(numbers: frozenset[int]) -> None:
    """Writing a set and reading it gives it back, and the text is the one form of it."""
    text = vlans.write(numbers)
    assert vlans.parse(text) == numbers
    assert vlans.one_form(text) == text


@pytest.mark.parametrize(
    ("text", "form"),
    [("20,10,11-12", "10-12,20"), ("1-4094", "all"), ("10-10", "10"), ("5,5", "5"), (" 7 , 9", "7,9")],
)
def test_the_one_form(text: str, form: str) -> None:
    """What people write is brought to one form."""
    assert vlans.one_form(text) == form


@pytest.mark.parametrize("text", ["", "0", "4095", "10-", "-10", "20-10", "a", "10,,20", "10.5", "1e3", "٣"])
def test_what_is_no_set(text: str) -> None:
    """What is no number from 1 to 4094, or no range of them, is refused."""
    with pytest.raises(ValueError, match=r"no VLAN|before it begins"):
        vlans.parse(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("eth1-3,5", ["eth1", "eth2", "eth3", "eth5"]),
        ("eth1,mgmt,eth3-4", ["eth1", "mgmt", "eth3", "eth4"]),
        ("ge-0/0/8-10", ["ge-0/0/8", "ge-0/0/9", "ge-0/0/10"]),
        (
            "GigabitEthernet1/0/1-2,4",
            ["GigabitEthernet1/0/1", "GigabitEthernet1/0/2", "GigabitEthernet1/0/4"],
        ),
        ("p08-10", ["p08", "p09", "p10"]),
        ("10,20-22", ["10", "20", "21", "22"]),
        ("xe-0/0/1", ["xe-0/0/1"]),
        ("eth1,eth1-2", ["eth1", "eth2"]),
    ],
)
def test_the_names_of_a_range(text: str, names: list[str]) -> None:
    """The last number counts, and a number alone has the stem of what is before it."""
    assert vlans.names(text) == names


@pytest.mark.parametrize("text", ["eth9-1", "eth1-99999"])
def test_what_is_no_range(text: str) -> None:
    """A range that ends before it begins, or stands for too much, is refused."""
    with pytest.raises(BadInput):
        vlans.names(text)


@given(st.lists(st.tuples(st.sampled_from(["eth", "ge-0/0/", "Po", ""]), NUMBERS), min_size=1, unique=True))
def test_names_are_read_as_they_are_told(pairs: list[tuple[str, int]]) -> None:
    """Names told as ranges are read as the same names."""
    names = [f"{stem}{number}" for stem, number in pairs if stem or number]
    written = vlans.ranges(sorted(names, key=lambda name: bool(name.rstrip("0123456789"))))
    assert sorted(vlans.names(written)) == sorted(names)
