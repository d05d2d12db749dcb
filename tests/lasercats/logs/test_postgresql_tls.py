"""A log on a server that is spoken to by TLS: whom one talks to is proven, or nothing is told."""

import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lasercats.core.errors import LogError
from lasercats.logs import postgresql_link
from lasercats.logs.postgresql_place import PostgresqlPlace
from lasercats.testing.logs import event
from lasercats.testing.peers import need
from lasercats.testing.postgresql import Server, unavailable


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of this host that vouches for itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return paths


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server on a port of this host, with a certificate of its own."""
    need(unavailable())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Server(port=port, listen="127.0.0.1")
    try:
        for path, setting in zip(certificate(tmp_path), ("ssl_cert_file", "ssl_key_file"), strict=True):
            there = shutil.copy(path, made.folder)
            shutil.chown(there, made.owner)
            Path(there).chmod(0o600)
            made.sql(f"ALTER SYSTEM SET {setting} = '{there}'")
        made.sql("ALTER SYSTEM SET ssl = on")
        made.sql("SELECT pg_reload_conf()")
        yield made
    finally:
        made.stop()


def test_the_server_is_proven(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `verify-full` a log is spoken to by TLS where the certificate is known, and else not at all."""
    monkeypatch.setattr(postgresql_link, "FIRST", 0.1)
    url = f"postgresql://lab@127.0.0.1:{server.port}/postgres?sslmode=verify-full&sslrootcert="
    log = PostgresqlPlace(f"{url}{tmp_path}/cert.pem", "").open(create=True)
    assert log.append([event()]) == 1
    used = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = "
    assert server.sql(f"{used}'lasercats'") == "t"
    log.close()
    (tmp_path / "other").mkdir()
    certificate(tmp_path / "other")
    with pytest.raises(LogError, match="certificate verify failed"):
        PostgresqlPlace(f"{url}{tmp_path}/other/cert.pem", "").open()
