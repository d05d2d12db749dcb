"""Hosts that do not answer, are not who they were, let nobody in, or are full."""

from typing import TYPE_CHECKING

import pytest

from lasercats.testing.lab import Lab

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

pytestmark = pytest.mark.lab


def write(cli: "Cli", url: str, reason: str) -> None:
    """Write to a machine that cannot be reached: it is told, logged as failed, and the log is whole."""
    cli.done("machine", "add", "h", url)
    message = cli.fails("file", "write", "h:/tmp/x", "--content", "x", status="failed")
    assert message.startswith("file/h:/tmp/x: machine h (")
    assert reason in message
    assert cli("machine", "check", "h").code == 1
    assert cli.done("state", "--json").data == {"resources": {}}


def test_a_host_that_does_not_answer(cli: "Cli", lab: Lab) -> None:
    """A host that answers nothing is given up after connect_timeout."""
    network = lab.hosts[0].address.rpartition(".")[0]
    url = lab.hosts[0].url.replace(lab.hosts[0].address, f"{network}.250")
    write(cli, f"{url}&connect_timeout=0.3", "cannot be reached: no answer within 0.3 s")


def test_a_port_that_is_closed(cli: "Cli", lab: Lab) -> None:
    """A host that refuses the connection is told so at once."""
    url = lab.hosts[0].url.replace(":22?", ":2?")
    write(cli, url, "cannot be reached: Connection refused")


def test_a_wrong_host_key(cli: "Cli", lab: Lab) -> None:
    """A host with another key than the known one is not spoken to."""
    key = (lab.directory / "id.pub").read_text().split()
    known = cli.file("known_hosts", f"{lab.hosts[0].address} {key[0]} {key[1]}\n")
    url = lab.hosts[0].url.replace(str(lab.known_hosts), known)
    write(cli, url, "its host key has changed")


def test_an_unknown_host_key(cli: "Cli", lab: Lab) -> None:
    """A host whose key is not known is not spoken to."""
    url = lab.hosts[0].url.replace(str(lab.known_hosts), cli.file("known_hosts", ""))
    write(cli, url, "its host key is unknown")


def test_no_key_is_accepted(cli: "Cli", lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that accepts none of the keys is told as such."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    url = lab.hosts[0].url.replace(f"{lab.directory}/id&", f"{lab.directory}/hostkey&")
    write(cli, url, "it lets this user in with none of the keys at hand")


def test_a_key_file_that_is_missing(cli: "Cli", lab: Lab) -> None:
    """A key file that is not there is told by its name."""
    url = lab.hosts[0].url.replace(f"{lab.directory}/id&", "/nope/id&")
    write(cli, url, "/nope/id")


def test_no_space_left(cli: "Cli", lab: Lab) -> None:
    """A file that the host has no room for is told as such, and no part of it is left."""
    cli.done("machine", "add", "h", lab.hosts[1].url)
    source = cli.folder / "big"
    source.write_bytes(b"x" * 100_000)
    failure = cli.fails("file", "write", "h:/full/big", "--source", str(source), status="failed")
    assert "No space left on device" in failure
    assert lab.hosts[1].ssh("ls -A /full").stdout == b""
    assert cli.done("state", "--json").data == {"resources": {}}


def test_a_host_that_prints_for_ever(cli: "Cli", lab: Lab) -> None:
    """A host that prints for ever is given up and told; its neighbours are served meanwhile."""
    first, second, third = lab.hosts
    urls = (first.url, f"{second.url}{'&' if '?' in second.url else '?'}timeout=5", third.url)
    for name, url in zip(("h", "endless", "i"), urls, strict=True):
        cli.done("machine", "add", name, url)
    second.ssh("printf '#!/bin/sh\\nexec yes\\n' >/usr/local/bin/stat; chmod 755 /usr/local/bin/stat")
    try:
        ran = cli("file", "write", "h:/tmp/e", "endless:/tmp/e", "i:/tmp/e", "--content", "x", "--json")
    finally:
        second.ssh("rm /usr/local/bin/stat")
    assert ran.code == 1
    (result,) = ran.data["results"]
    assert sorted(result["delta"]) == ["file/h:/tmp/e", "file/i:/tmp/e"]
    assert "the host printed more than 64 MiB" in result["problems"]["file/endless:/tmp/e"]
    assert second.ssh("test -e /tmp/e || pidof yes").returncode == 1


def test_check_tells_what_a_shell_prints(cli: "Cli", lab: Lab) -> None:
    """A shell that prints is told by `machine check`, which does not fail for it."""
    cli.done("machine", "add", "h", lab.hosts[0].url)
    lab.hosts[0].ssh("echo 'echo Welcome' >/root/.bashrc")
    try:
        data = cli.done("machine", "check", "h", "--json").data
        shown = cli.done("machine", "check", "h").out
    finally:
        lab.hosts[0].ssh("rm /root/.bashrc")
    assert data[0]["error"] is None
    assert "prints 'Welcome' before our script" in data[0]["told"]
    assert "Welcome" in shown


def test_one_host_of_two_does_not_answer(cli: "Cli", lab: Lab) -> None:
    """What can be done is done; what cannot is told."""
    cli.done("machine", "add", "h", lab.hosts[0].url)
    cli.done("machine", "add", "dead", lab.hosts[0].url.replace(":22?", ":2?"))
    ran = cli("file", "write", "h:/tmp/two", "dead:/tmp/two", "--content", "x", "--json")
    assert ran.code == 1
    (result,) = ran.data["results"]
    assert list(result["delta"]) == ["file/h:/tmp/two"]
    assert list(result["problems"]) == ["file/dead:/tmp/two"]
    assert lab.hosts[0].ssh("cat /tmp/two").stdout == b"x"
    cli.done("undo", "HEAD")
    assert lab.hosts[0].ssh("test -e /tmp/two").returncode == 1
