"""A real Open vSwitch for tests: its own database server and switch daemon, in a folder of their own.

By default it has no data path of the kernel: its ports are dummies, which need no rights. `ofproto/trace`
still tells by which ports a frame would leave.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
TOOLS = ("ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-appctl")


def why_not() -> str | None:
    """Return why this machine has no Open vSwitch to run, None where it has."""
    missing = [tool for tool in TOOLS if _found(tool) is None]
    if missing or not SCHEMA.exists():
        return f"openvswitch-switch is not installed: {', '.join(missing) or SCHEMA}"
    return None


def _found(tool: str) -> str | None:
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


class OvsLab:
    """One database server and one switch daemon, used as a context manager."""

    def __init__(self, *, dummy: bool = True, daemon: bool = True, prefix: Sequence[str] = ()) -> None:
        """Say whether ports are dummies, whether ovs-vswitchd runs, and what commands are run by."""
        self._dummy, self._daemon, self._prefix = dummy, daemon, list(prefix)
        self.folder = Path(tempfile.mkdtemp(prefix="lasercats-ovs-"))
        self.port = free_port()
        self.socket = self.folder / "db.sock"
        self.tls_port = free_port()
        self._pids: list[int] = []

    @property
    def tls_url(self) -> str:
        """The URL of the server by TLS, with the files of a client that it trusts."""
        names = (("key", "client-key.pem"), ("cert", "client.pem"), ("ca", "ca.pem"))
        files = "&".join(f"{option}={self.folder}/{name}" for option, name in names)
        return f"ovsdb://127.0.0.1:{self.tls_port}?{files}"

    @property
    def url(self) -> str:
        """The URL of the server by TCP, without a bridge."""
        return f"ovsdb://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        """The URL of the server by its socket, without a bridge."""
        return f"ovsdb://{self.socket}"

    def __enter__(self) -> Self:
        """Start both."""
        folder, log = self.folder, ["--detach", "--no-chdir", "-vconsole:off"]
        self.tool("ovsdb-tool", "create", f"{folder}/conf.db", str(SCHEMA))
        self.start_server()
        self.vsctl("--no-wait", "init")
        if self._daemon:
            dummy = ["--enable-dummy=override"] if self._dummy else ["--disable-system"]
            paths = [f"--pidfile={folder}/v.pid", f"--unixctl={folder}/v.ctl", f"--log-file={folder}/v.log"]
            self.tool("ovs-vswitchd", f"unix:{self.socket}", *dummy, *paths, *log)
            self._pids.append(self._pid("v"))
        return self

    def start_server(self) -> None:
        """Start the database server."""
        folder, log = self.folder, ["--detach", "--no-chdir", "-vconsole:off"]
        if not (folder / "ca.pem").exists():
            sign(folder, ("server", "client"))
        tls = [f"--private-key={folder}/server-key.pem", f"--certificate={folder}/server.pem"]
        tls += [f"--ca-cert={folder}/ca.pem", f"--remote=pssl:{self.tls_port}:127.0.0.1"]
        remotes = [f"--remote=punix:{self.socket}", f"--remote=ptcp:{self.port}:127.0.0.1"]
        paths = [f"--pidfile={folder}/o.pid", f"--unixctl={folder}/o.ctl", f"--log-file={folder}/o.log"]
        self.tool("ovsdb-server", f"{folder}/conf.db", *remotes, *tls, *paths, *log)
        self._pids.append(self._pid("o"))

    def stop_server(self, signal_: signal.Signals = signal.SIGKILL) -> None:
        """End the database server."""
        _end(self._pid("o"), signal_)

    def pause_daemon(self) -> None:
        """Let ovs-vswitchd stand still."""
        os.kill(self._pid("v"), signal.SIGSTOP)

    def resume_daemon(self) -> None:
        """Let ovs-vswitchd go on."""
        os.kill(self._pid("v"), signal.SIGCONT)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End both."""
        for pid in reversed(self._pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            _end(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _pid(self, name: str) -> int:
        return int((self.folder / f"{name}.pid").read_text())

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the tools find it."""
        names = ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")
        return {**os.environ, **dict.fromkeys(names, str(self.folder))}

    def tool(self, name: str, *arguments: str) -> str:
        """Run a tool of Open vSwitch and return what it printed.

        Raises:
            AssertionError: it failed.

        """
        command = [*self._prefix, _found(name) or name, *arguments]
        ran = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{command}: {ran.stderr}"
        return ran.stdout

    def vsctl(self, *arguments: str) -> str:
        """Run ovs-vsctl and return what it printed, without the last line's end."""
        return self.tool("ovs-vsctl", f"--db=unix:{self.socket}", *arguments).strip()

    def appctl(self, *arguments: str) -> str:
        """Run ovs-appctl on the switch daemon and return what it printed."""
        return self.tool("ovs-appctl", "-t", str(self.folder / "v.ctl"), *arguments)

    def add_switch(self, bridge: str, ports: Sequence[str]) -> None:
        """Make a bridge with ports."""
        kind, port = ("dummy", "dummy") if self._dummy else ("netdev", "internal")
        said = ["add-br", bridge, "--", "set", "Bridge", bridge, f"datapath_type={kind}"]
        for name in ports:
            said += ["--", "add-port", bridge, name, "--", "set", "Interface", name, f"type={port}"]
        self.vsctl(*(said if self._daemon else ["--no-wait", *said]))

    def remove_switch(self, bridge: str) -> None:
        """Remove a bridge and its ports."""
        self.vsctl(*([] if self._daemon else ["--no-wait"]), "--if-exists", "del-br", bridge)

    def transactions(self) -> int:
        """Return how many transactions are in the database's log, the first that made it included."""
        output = self.tool("ovsdb-tool", "show-log", f"{self.folder}/conf.db")
        return sum(line.startswith("record ") for line in output.splitlines())

    def leaves(self, bridge: str, port: str, vlan: int | None = None) -> set[str]:
        """Return the ports by which a broadcast frame that enters by a port would leave."""
        flow = f"in_port={port},dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff"
        output = self.appctl("ofproto/trace", bridge, flow + ("" if vlan is None else f",dl_vlan={vlan}"))
        actions = next(line for line in output.splitlines() if line.startswith("Datapath actions:"))
        shown = self.appctl("dpif/show")
        numbers = {}
        for line in shown.splitlines():
            words = line.split()
            if len(words) > 1 and "/" in words[1] and words[1].strip(":").split("/")[1].isdecimal():
                numbers[words[1].strip(":").split("/")[1]] = words[0]
        out = actions.partition(":")[2].replace(" ", "").split(",")
        return {numbers[word] for word in out if word in numbers}


def sign(folder: Path, names: Sequence[str]) -> None:
    """Make an authority in a folder, `ca.pem`, and for each name a key and a certificate that it signs."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    authority, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{folder.name} ca")])
    for name in ("ca", *names):
        key = authority if name == "ca" else ec.generate_private_key(ec.SECP256R1())
        subject = issuer if name == "ca" else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
            .sign(authority, hashes.SHA256())
        )
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        pem = serialization.Encoding.PEM
        (folder / f"{name}-key.pem").write_bytes(key.private_bytes(pem, form, plain))
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))


def _end(pid: int, signal_: signal.Signals) -> None:
    """End a process that is not our child, and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal_)
        for _ in range(500):
            if _ended(pid):
                return
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)


def _ended(pid: int) -> bool:
    """Tell whether a process is over, also where whoever adopted it has not asked yet what became of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return True
