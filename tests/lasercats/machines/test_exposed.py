"""What is told of the way to a machine: open to others, or not."""

import pytest

from lasercats.operate.machines import exposed


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ovsdb://sw1.example:6640?bridge=br0", "it is plain TCP"),
        ("ovsdb://192.0.2.7?bridge=br0", "?key=FILE&cert=FILE&ca=FILE"),
        ("ovsdb://[2001:db8::1]", "it is plain TCP"),
        ("netconf://ada@sw1?known_hosts=none", "any host key is taken"),
        ("eos://ada@sw1?transport=http", "http is not encrypted"),
        ("ios://ada@sw1?transport=telnet", "telnet is not encrypted"),
        ("junos://ada@sw1?verify=false", "any host key or certificate is taken"),
        (
            "aws://us-east-1?endpoint=http://10.0.0.1:4566",
            "the endpoint http://10.0.0.1:4566 is not encrypted",
        ),
    ],
)
def test_an_open_way_is_told_of(url: str, message: str) -> None:
    """Whoever is on the way, and what to do about it, stands in the sentence."""
    assert message in str(exposed(url))


@pytest.mark.parametrize(
    "url",
    [
        "ovsdb://sw1:6640?key=/k&cert=/c&ca=/a",
        "ovsdb:///run/openvswitch/db.sock?bridge=br0",
        "ovsdb://127.0.0.1:6640",
        "ovsdb://[::1]",
        "ovsdb://localhost",
        "netconf://ada@sw1",
        "netconf://ada@sw1?known_hosts=/etc/switches",
        "eos://ada@sw1",
        "nxos://ada@sw1?transport=https",
        "aws://us-east-1",
        "aws://us-east-1?endpoint=http://127.0.0.1:5000",
        "aws://us-east-1?endpoint=https://ec2.example",
        "ssh://ada@web1?sudo=true",
        "local:",
        "human:",
    ],
)
def test_a_way_that_is_not_open(url: str) -> None:
    """Nothing is told where the transport protects itself, or nothing leaves this machine."""
    assert exposed(url) is None
