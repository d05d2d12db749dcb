"""A NETCONF server that answers anything: our own errors, in time, and nobody else suffers."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from random import Random
from types import SimpleNamespace
from typing import Any

import asyncssh
import pytest
from lxml import etree  # type: ignore[import-untyped]

from lasercats.core.errors import MachineError
from lasercats.core.instruction import Failure
from lasercats.instructions import netconf as xml
from lasercats.instructions.switch import Seen
from lasercats.machines import netconf_client
from lasercats.machines.netconf import NetconfMachine
from tests.lasercats.machines.garbage.common import CHANGES, judged
from tests.lasercats.machines.napalm.common import Vault

LIMIT = 200_000


MODELS = (xml.IETF, xml.OC, xml.ETHERNET, xml.AGGREGATE, xml.VLAN, xml.INSTANCE, xml.LACP)
SWITCHED = (
    f'<switched-vlan xmlns="{xml.VLAN}"><config><interface-mode>TRUNK</interface-mode>'
    "<native-vlan>1</native-vlan><trunk-vlans>10..20</trunk-vlans></config></switched-vlan>"
)
DATA = (
    f'<data xmlns="{xml.BASE}"><interfaces xmlns="{xml.IETF}">'
    + "".join(
        f"<interface><name>eth{n}</name><description>to eth{n}</description></interface>" for n in (1, 2, 3)
    )
    + f'</interfaces><interfaces xmlns="{xml.OC}">'
    + "".join(
        f"<interface><name>eth{n}</name><config><mtu>1500</mtu></config>"
        f'<ethernet xmlns="{xml.ETHERNET}">{SWITCHED}</ethernet></interface>'
        for n in (1, 2, 3)
    )
    + f'</interfaces><network-instances xmlns="{xml.INSTANCE}"><network-instance><name>default</name><vlans>'
    "<vlan><vlan-id>20</vlan-id><config><name>web servers/DMZ</name></config></vlan></vlans>"
    "</network-instance></network-instances></data>"
)


def _mangled(random: Random) -> Any:  # noqa: ANN401 - an element of lxml
    """Return the data with elements missing, doubled, moved, of another namespace, or of another text."""
    root = etree.fromstring(DATA)
    for element in list(root.iter()):
        parent = element.getparent()
        if parent is None or random.random() > 0.05:
            continue
        match random.randrange(5):
            case 0:
                parent.remove(element)
            case 1:
                parent.append(etree.fromstring(etree.tostring(element)))
            case 2:
                element.tag = "{urn:other}" + etree.QName(element).localname
            case 3:
                junk = [
                    "",
                    "twenty",
                    "-1",
                    "9" * 5000,
                    "4095..1",
                    "x" * 3000,
                    "two\nlines",
                    "vm1-2,3",
                    "\x85",
                ]
                element.text = random.choice(junk)
            case 4:
                parent[random.randrange(len(parent))].append(element)
    return root


class FakeManager:
    """What ncclient makes of a session, with a read that is spoiled."""

    def __init__(self, data: Callable[[], Any]) -> None:
        self.server_capabilities = [":candidate", "urn:x:capability:candidate:1.0", *MODELS]
        self._data, self._session, self.timeout = data, SimpleNamespace(transport=None), 1

    def get(self, **_more: object) -> SimpleNamespace:
        return SimpleNamespace(data_ele=self._data())

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_given, **_more: None


def netconf_machine(url: str = "netconf://me@127.0.0.1:1") -> NetconfMachine:
    """Return a machine that is not connected yet."""
    return NetconfMachine("m", NetconfMachine.check_url(url), Vault())


@pytest.mark.parametrize("seed", range(120))
def test_netconf_data_of_another_form(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements that are missing, doubled, elsewhere or of another text fail for themselves."""
    random = Random(seed)  # noqa: S311 - as above
    monkeypatch.setattr(netconf_client, "_connect", lambda _arguments: FakeManager(lambda: _mangled(random)))
    judged(netconf_machine())
    judged(netconf_machine(), CHANGES)


@pytest.mark.parametrize(
    "data",
    [None, 7, "text", etree.fromstring("<other/>")],
    ids=["None", "a number", "text", "another element"],
)
def test_netconf_data_that_is_none(data: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no data is our own error, or nothing."""
    monkeypatch.setattr(netconf_client, "_connect", lambda _arguments: FakeManager(lambda: data))
    judged(netconf_machine())
    judged(netconf_machine(), CHANGES)


def test_one_netconf_port_that_makes_no_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that is none fails for its port; its neighbours and what is not modelled of them stay."""
    odd = DATA.replace("<mtu>1500</mtu>", "<mtu>wide</mtu>", 1)
    monkeypatch.setattr(
        netconf_client, "_connect", lambda _arguments: FakeManager(lambda: etree.fromstring(odd))
    )
    outcomes = judged(netconf_machine())
    assert isinstance(outcomes, list)
    assert isinstance(outcomes[0], Failure)
    assert isinstance(outcomes[1], Seen)
    assert outcomes[1].settings is not None
    assert outcomes[1].settings.allowed == "10-20"


HELLO = (
    f'<hello xmlns="{xml.BASE}"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability>'
    "<capability>urn:ietf:params:netconf:capability:candidate:1.0</capability>"
    f"<capability>{xml.IETF}</capability></capabilities><session-id>7</session-id></hello>]]>]]>"
).encode()
BOMB = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)
REPLY = (
    '<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="{id}">{body}</rpc-reply>]]>]]>'
)
TALKS: dict[str, tuple[bytes, str, bool]] = {
    "no hello": (b"SSH is what I do\n" * 10, "", False),
    "an endless hello": (b"<hello>" * 5000, "", True),
    "entities": (HELLO, BOMB + REPLY.replace("{body}", "<data>&i;</data>"), False),
    "a file": (
        HELLO,
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        + REPLY.replace("{body}", "<data>&x;</data>"),
        False,
    ),
    "no XML": (HELLO, "{}]]>]]>", False),
    "no data": (HELLO, REPLY.replace("{body}", "<ok/>"), False),
    "another's answer": (HELLO, REPLY.replace("{id}", "4711").replace("{body}", "<ok/>"), False),
    "an endless answer": (HELLO, "<rpc-reply>" + "<data>" * 5000, True),
    "an odd error": (HELLO, REPLY.replace("{body}", "<rpc-error><error-tag/></rpc-error>"), False),
    "half an answer": (HELLO, "<rpc-reply><da", False),
}


class Open(asyncssh.SSHServer):
    """Lets anybody in, and notes who is there."""

    def __init__(self, there: list[asyncssh.SSHServerConnection]) -> None:
        self._there = there

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._there.append(conn)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return True


async def _speak(
    process: asyncssh.SSHServerProcess[bytes], hello: bytes, answer: str, *, endless: bool
) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        process.stdout.write(hello)
        await process.stdout.drain()
        while endless and not answer:
            process.stdout.write(hello)
            await process.stdout.drain()
        heard = b""
        while data := await process.stdin.read(65536):
            heard += data
            if heard.count(b"]]>]]>") < 2:
                continue
            id_ = heard.partition(b'message-id="')[2].partition(b'"')[0].decode()
            heard = b"]]>]]>"
            while True:
                process.stdout.write(answer.replace("{id}", id_).encode())
                await process.stdout.drain()
                if not endless:
                    break


@contextlib.contextmanager
def speaking(what: str) -> Iterator[int]:
    """Run an SSH server whose subsystem says something, in a thread; give its port."""
    hello, answer, endless = TALKS[what]
    loop, ports, there = asyncio.new_event_loop(), list[int](), list[asyncssh.SSHServerConnection]()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        listening = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: Open(there),
            server_host_keys=[key],
            process_factory=lambda process: _speak(process, hello, answer, endless=endless),
            encoding=None,
        )
        ports.append(listening.get_port())
        ready.set()
        await stop.wait()
        listening.close()
        await listening.wait_closed()
        for one in there:
            one.abort()
            await one.wait_closed()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@pytest.mark.parametrize("what", TALKS)
def test_netconf_sessions_that_are_none(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that says what it must not ends in our own error, in time, and reads no file of ours."""
    monkeypatch.setenv("NETCONF_PASSWORD", "any")
    monkeypatch.setattr(netconf_client, "MOST", LIMIT)
    with speaking(what) as at:
        url = f"netconf://me@127.0.0.1:{at}?known_hosts=none&password=env:NETCONF_PASSWORD&timeout=1&connect_timeout=3"
        error = judged(netconf_machine(url))
    assert isinstance(error, MachineError) or "root:" not in repr(error)
