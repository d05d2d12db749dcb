"""A repository of small Debian packages, made on the spot: for tests of what apt does on hosts of the lab."""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from lasercats.testing.lab import Host


class Repository:
    """A folder of packages on a host, and the list of them by which its apt knows them."""

    def __init__(self, root: Path, folder: str = "srv/packages") -> None:
        """Make an empty one below the root of a host, and have the host's apt use no other."""
        self._folder = root / folder
        self._folder.mkdir(parents=True)
        (root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:/{folder} ./\n")
        self._index: dict[tuple[str, str], str] = {}
        self.write()

    def add(
        self,
        name: str,
        version: str = "1.0",
        files: Mapping[str, str] | None = None,
        scripts: Mapping[str, str] | None = None,
        **fields: str,
    ) -> None:
        """Add a package with files by their paths, scripts by their names, and fields such as `Depends`."""
        stanza = {"Package": name, "Version": version, "Architecture": "all", "Maintainer": "lab <lab@lab>"}
        stanza |= {field.replace("_", "-"): value for field, value in fields.items()} | {"Description": name}
        control = "".join(f"{field}: {value}\n" for field, value in stanza.items())
        conffiles = "".join(f"/{path}\n" for path in files or () if path.startswith("etc/"))
        parts = {"control": control, "conffiles": conffiles, **(scripts or {})}
        parts = {path: text for path, text in parts.items() if text}
        members = {
            "debian-binary": b"2.0\n",
            "control.tar": _tar(parts, 0o755),
            "data.tar": _tar(files or {}, 0o644),
        }
        deb = b"!<arch>\n" + b"".join(map(_member, members, members.values()))
        file = f"{name}_{version.replace(':', '%3a')}_all.deb"
        (self._folder / file).write_bytes(deb)
        digest = hashlib.sha256(deb).hexdigest()
        self._index[name, version] = f"{control}Filename: ./{file}\nSize: {len(deb)}\nSHA256: {digest}\n"

    def take(self, name: str, version: str) -> None:
        """Take a package out of the list."""
        del self._index[name, version]

    def write(self) -> None:
        """Write the list; the host must read it (`apt-get update`)."""
        (self._folder / "Packages").write_text("\n".join(self._index.values()))


SERVICE = """\
[Unit]
Description=lab

[Service]
ExecStart=/bin/sleep infinity

[Install]
WantedBy=multi-user.target
"""


class Debian:
    """A host with small packages for each thing that apt may do, and the means to begin afresh."""

    def __init__(self, host: Host) -> None:
        """Give a host of the lab that systemd booted its packages."""
        self.host = host
        packages = Repository(host.root)
        for version in ("1.0", "2:1.0~rc1+b2"):
            packages.add("lc-one", version)
            packages.add("lc-conf", version, {"etc/lc-conf": f"of {version}\n"})
        packages.add("lc-library")
        packages.add("lc-app", Depends="lc-library")
        packages.add("lc-other", Depends="lc-library")
        packages.add("lc-rival", Conflicts="lc-app")
        packages.add("lc-older", Depends="lc-one (<< 2:0)")
        packages.add("lc-asks", scripts={"postinst": "#!/bin/sh\nread -r answer || exit 0\nexit 1\n"})
        packages.add("lc-bad", scripts={"postinst": "#!/bin/sh\nexit 1\n"})
        packages.add("lc-web", files={"lib/systemd/system/lc-web.service": SERVICE})
        packages.write()
        self.run("apt-get -q update")

    def run(self, command: str) -> str:
        """Run a command by plain ssh, which must succeed; return what it prints."""
        ran = self.host.ssh(command)
        assert ran.returncode == 0, ran
        return ran.stdout.decode()

    def fresh(self) -> None:
        """Take away what was installed of these packages, and what was set of these services."""
        self.run(
            "systemctl -q stop 'lc-*' 2>/dev/null; rm -f /etc/apt/preferences.d/lc /etc/lc-*;"
            "dpkg-query -W -f '${Package} install\n' 'lc-*' 2>/dev/null | dpkg --set-selections;"
            "dpkg --force-all --purge $(dpkg-query -W -f '${Package}\n' 'lc-*' 2>/dev/null) >/dev/null 2>&1;"
            "find /etc/systemd/system -name 'lc-*' -delete; systemctl daemon-reload; systemctl reset-failed"
        )

    def installed(self) -> dict[str, str]:
        """Return the versions of those of these packages that are installed, as dpkg tells."""
        output = self.run("dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' 'lc-*' || true")
        rows = (line.split() for line in output.splitlines())
        return {row[1]: row[2] for row in rows if row[0][1] == "i"}


def _tar(files: Mapping[str, str], mode: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        above = {str(p) for path in files for p in Path(path).parents}
        for folder in sorted(above):
            info = tarfile.TarInfo("./" if folder == "." else f"./{folder}/")
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for path, text in files.items():
            info = tarfile.TarInfo(f"./{path}")
            info.size, info.mode = len(text.encode()), mode
            tar.addfile(info, io.BytesIO(text.encode()))
    return packed.getvalue()


def _member(name: str, data: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
    return head + data + b"\n" * (len(data) % 2)
