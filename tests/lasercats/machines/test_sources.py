"""Secrets come from variables, files, commands, age, HashiCorp Vault and AWS, and no error holds one."""

import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import boto3
import pyrage
import pytest

from lasercats.core.errors import BadInput, MachineError
from lasercats.machines.sources import Sources
from lasercats.machines.url import parse
from lasercats.machines.url import secret as password
from lasercats.testing.aws import MotoServer, environment
from lasercats.testing.peers import need

CLEAR = "hunter2-in-clear"


def refusal(reference: str, sources: Sources) -> str:
    """Return what is told of a secret that cannot be had; it never holds one."""
    with pytest.raises(BadInput) as caught:
        sources.read(reference)
    assert CLEAR not in str(caught.value)
    return str(caught.value)


def test_what_is_given_in_clear_is_never_repeated(tmp_path: Path) -> None:
    """What is no reference is refused in one sentence, without what was given."""
    for clear in (CLEAR, f"{CLEAR}:x", f"x:{CLEAR}", f"-{CLEAR}", "", "-", ":"):
        assert refusal(clear, Sources(tmp_path)).startswith(
            "a secret is never written in clear; give env:NAME"
        )


def test_variables_and_files_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any bytes of a variable or a file are the secret, also a newline at the end of it."""
    monkeypatch.setenv("LC_SECRET", "caf\udce9\n")
    (tmp_path / "f").write_bytes(b"\0\xff\r\n")
    sources = Sources(tmp_path)
    assert sources.read("env:LC_SECRET") == b"caf\xe9\n"
    assert sources.read("file:f") == sources.read(f"file:{tmp_path}/f") == b"\0\xff\r\n"
    assert refusal("env:LC_NONE", sources).endswith("the variable LC_NONE, which is not set; export it")
    assert refusal("file:none", sources) == "none cannot be read: No such file or directory"
    assert refusal("file:a\0b", sources).startswith("a\0b cannot be read")
    assert refusal("file:", sources) == " cannot be read: Is a directory"
    assert "has more than" in refusal("file:/dev/zero", sources)


def test_a_command_prints_a_secret(tmp_path: Path) -> None:
    """A command runs in the folder, without a shell and standard input, and loses one newline at its end."""
    sources = Sources(tmp_path)
    assert sources.read("cmd:echo 'a  b' '$HOME;x'") == b"a  b $HOME;x"
    assert sources.read("cmd:printf 'a\\n\\n'") == b"a\n"
    assert sources.read("cmd:pwd") == str(tmp_path).encode()
    assert sources.read("cmd:cat") == b""
    assert "names no command" in refusal("cmd:", sources)
    assert "cannot be read" in refusal("cmd:echo 'a", sources)
    assert "the command 'no-such-program' cannot be run" in refusal(f"cmd:no-such-program {CLEAR}", sources)
    failing = shlex.quote(f"echo {CLEAR}; exit 3")
    assert "failed with status 3; run it by hand" in refusal(f"cmd:sh -c {failing}", sources)


def test_a_command_runs_only_where_it_may(tmp_path: Path) -> None:
    """What refuses commands is asked before one runs."""

    def never(command: object) -> None:
        raise BadInput(f"no {command}")

    sources = Sources(tmp_path, may_run=never)
    assert refusal("cmd:touch ran", sources) == "no ['touch', 'ran']"
    assert not (tmp_path / "ran").exists()


def test_standard_input_is_a_source_only_where_it_is_given(tmp_path: Path) -> None:
    """`-` reads what was typed, without one newline at its end."""
    assert Sources(tmp_path, stdin=lambda: b"x\n\n").read("-") == b"x\n"
    assert Sources(tmp_path, stdin=lambda: b"").read("-") == b""
    assert "never written in clear" in refusal("-", Sources(tmp_path))


def test_a_password_of_a_machine_comes_from_any_source(tmp_path: Path) -> None:
    """The option of a machine URL that names a secret takes every source, and no newline at its end."""
    (tmp_path / "f").write_text("pass\n\n")
    named = Sources(tmp_path, named=lambda name: name.encode() + b"\n")
    url = parse("netconf://me@sw?password=cmd:echo%20pass")
    assert password(url.options["password"], "machine sw", named) == "pass"
    assert password("file:f", "machine sw", named) == "pass"
    assert password("secret:db", "machine sw", named) == "db"
    assert password(None, "machine sw", named) is None
    with pytest.raises(MachineError, match="machine sw: the secret is to come from the variable LC_NONE"):
        password("env:LC_NONE", "machine sw", named)
    with pytest.raises(MachineError, match="machine sw: a secret is never written in clear") as caught:
        password(CLEAR, "machine sw", named)
    assert CLEAR not in str(caught.value)


@pytest.fixture
def recipient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The public key of an age identity in a file, as `age-keygen` writes it."""
    made = pyrage.x25519.Identity.generate()
    file = tmp_path / "age.txt"
    file.write_text(f"# created: today\n# public key: {made.to_public()}\n{made}\n")
    file.chmod(0o600)
    monkeypatch.setenv("LASERCATS_AGE_IDENTITY", str(file))
    return str(made.to_public())


def test_a_file_that_age_encrypted(tmp_path: Path, recipient: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is opened with the identity of the operator, and what stands in the way is told."""
    sources = Sources(tmp_path)
    (tmp_path / "s.age").write_bytes(
        pyrage.encrypt(CLEAR.encode(), [pyrage.x25519.Recipient.from_str(recipient)])
    )
    assert sources.read("age:s.age") == CLEAR.encode()
    other = pyrage.x25519.Identity.generate()
    (tmp_path / "o.age").write_bytes(pyrage.encrypt(CLEAR.encode(), [other.to_public()]))
    assert "o.age cannot be opened with the age identity in" in refusal("age:o.age", sources)
    (tmp_path / "junk.age").write_bytes(b"junk")
    assert "junk.age cannot be opened" in refusal("age:junk.age", sources)
    assert refusal("age:none", sources) == "none cannot be read: No such file or directory"
    (tmp_path / "age.txt").chmod(0o644)
    assert "can be read by others" in refusal("age:s.age", sources)
    (tmp_path / "age.txt").chmod(0o600)
    (tmp_path / "age.txt").write_text("AGE-CLEAR-KEY-NONE\n")
    assert "s.age cannot be opened with the age identity" in refusal("age:s.age", sources)
    monkeypatch.delenv("LASERCATS_AGE_IDENTITY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert f"{tmp_path}/config/lasercats/age.txt cannot be read" in refusal("age:s.age", sources)


def test_what_the_age_program_encrypts_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the age program, for its own identities and for SSH keys, armored or not, are read."""
    need(None if Path("/usr/bin/age").exists() else "age is not installed")

    def run(command: list[str], given: bytes = b"") -> bytes:
        return subprocess.run(command, check=True, capture_output=True, cwd=tmp_path, input=given).stdout

    run(["age-keygen", "-o", "id.txt"])
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "id_ssh"])
    public = run(["age-keygen", "-y", "id.txt"]).decode().strip()
    for name, to in (("id.txt", ["-r", public]), ("id_ssh", ["-R", "id_ssh.pub"])):
        for form in ([], ["-a"]):
            run(["age", *form, *to, "-o", "s.age"], CLEAR.encode())
            monkeypatch.setenv("LASERCATS_AGE_IDENTITY", str(tmp_path / name))
            assert Sources(tmp_path).read("age:s.age") == CLEAR.encode()


class _Vault(BaseHTTPRequestHandler):
    """As much of the HTTP API of HashiCorp Vault as a reader meets, as its documentation tells it."""

    kv2: ClassVar[dict[str, object]] = {
        "db": {"password": CLEAR, "port": 5432},
        "one": {"only": CLEAR},
        "team/app": {"k": "v"},
    }
    kv1: ClassVar[dict[str, object]] = {"db": {"password": "of-version-1"}}
    other: ClassVar[dict[str, object]] = {"creds/role": {"username": "u", "password": CLEAR}}

    def do_GET(self) -> None:
        """Answer a read."""
        path = self.path.removeprefix("/v1/")
        if self.headers.get("X-Vault-Token") != "good":
            self._say(403, {"errors": ["permission denied"]})
        elif path.startswith("sys/internal/ui/mounts/"):
            self._mount(path.removeprefix("sys/internal/ui/mounts/").partition("/")[0])
        elif path.startswith("secret/data/"):
            found = self.kv2.get(path.removeprefix("secret/data/").partition("?")[0])
            whole = {"data": {"data": found, "metadata": {"version": 1, "deletion_time": ""}}}
            self._say(200 if found else 404, whole if found else {"errors": []})
        else:
            mount, _, name = path.partition("/")
            found = {"kv": self.kv1, "database": self.other}.get(mount, {}).get(name)
            self._say(200 if found else 404, {"data": found} if found else {"errors": []})

    def _mount(self, name: str) -> None:
        kinds = {
            "secret": ("kv", {"version": "2"}),
            "kv": ("kv", {"version": "1"}),
            "database": ("database", None),
        }
        if name not in kinds:
            self._say(403, {"errors": ["preflight capability check returned 403"]})
            return
        type_, options = kinds[name]
        self._say(200, {"data": {"path": f"{name}/", "type": type_, "options": options}})

    def _say(self, status: int, data: object) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that answers as HashiCorp Vault; the real one cannot be had where the suite runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Vault)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name in [name for name in os.environ if name.startswith("VAULT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VAULT_ADDR", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("VAULT_TOKEN", "good")
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_hashicorp_vault(tmp_path: Path, vault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields of both versions of its key-value store, and of other engines, are read by its client."""
    sources = Sources(tmp_path)
    assert sources.read("vault:secret/db#password") == CLEAR.encode()
    assert sources.read("vault:/secret/db#port") == b"5432"
    assert sources.read("vault:secret/one") == CLEAR.encode()
    assert sources.read("vault:secret/team/app#k") == b"v"
    assert sources.read("vault:kv/db#password") == b"of-version-1"
    assert sources.read("vault:database/creds/role#password") == CLEAR.encode()
    assert refusal("vault:secret/db", sources) == (
        "vault:secret/db has the fields password, port; name one, as vault:secret/db#password"
    )
    assert "has no field 'x'; it has password, port" in refusal("vault:secret/db#x", sources)
    assert "vault:secret/none cannot be read from Vault" in refusal("vault:secret/none#x", sources)
    assert "vault:nowhere/x cannot be read from Vault" in refusal("vault:nowhere/x#y", sources)
    monkeypatch.setenv("VAULT_TOKEN", "bad")
    assert "permission denied" in refusal("vault:secret/db#password", sources)
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    assert "cannot be read from Vault" in refusal("vault:secret/db#password", sources)


def test_a_client_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source whose library is missing tells how to install it."""
    for name in ("hvac", "pyrage"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "f").write_text("x")
    assert "pip install 'lasercats[vault]'" in refusal("vault:secret/db#x", Sources(tmp_path))
    assert "pip install 'lasercats[age]'" in refusal("age:f", Sources(tmp_path))


@pytest.mark.slow
def test_aws_secrets_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts, bytes and keys of JSON objects are read from Secrets Manager, by name and by ARN."""
    with MotoServer() as moto:
        for name, value in environment(moto.endpoint).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", moto.endpoint)
        client = boto3.session.Session().client("secretsmanager", region_name="eu-west-1")
        arn = client.create_secret(Name="db/text", SecretString=CLEAR)["ARN"]
        sources = Sources(tmp_path)
        assert sources.read(f"aws:{arn}") == CLEAR.encode()
        assert "aws:db/text cannot be read from Secrets Manager" in refusal("aws:db/text", sources)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        client.create_secret(Name="json", SecretString=json.dumps({"password": CLEAR, "port": 5432}))
        client.create_secret(Name="bytes", SecretBinary=b"\0\xff")
        assert sources.read("aws:db/text") == CLEAR.encode()
        assert sources.read("aws:json#password") == CLEAR.encode()
        assert sources.read("aws:json#port") == b"5432"
        assert sources.read("aws:bytes") == b"\0\xff"
        assert "has no field 'x'; it has password, port" in refusal("aws:json#x", sources)
        assert "is no JSON object" in refusal("aws:db/text#x", sources)
    assert "cannot be read from Secrets Manager" in refusal("aws:db/text", sources)
