"""The laws of the host kinds that need no machine."""

from typing import ClassVar

from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.registry import Kinds
from lasercats.domains.host import DOMAIN, directory, file, package, service, symlink
from lasercats.domains.host.directory import Create
from lasercats.domains.host.execute import Exec
from lasercats.testing.laws import KindLaws

NAMES = ("m:/t/a", "m:/t/a/b", "m:/t/a/b/c", "m:/t/d", "n:/t/a")
OWNERS = {name: st.sampled_from(["root", "daemon", "0"]) for name in ("owner", "group")}
GROUND = (Create(on=(Address("directory/m:/t"), Address("directory/n:/t"))),)
BARRIERS = (
    Exec(on=(Address("exec/m:"),), argv=("reload",)),
    Exec(on=(Address("exec/m:"), Address("exec/n:")), argv=("restart",)),
    Exec(on=(Address("exec/n:"),), argv=("uptime",), elidable=True),
)


class TestFile(KindLaws):
    """Files keep the laws."""

    kinds, kind, barriers = Kinds([DOMAIN]), file.KIND, BARRIERS
    names, fields, ground = NAMES, OWNERS, GROUND


class TestDirectory(KindLaws):
    """Directories keep the laws."""

    kinds, kind, barriers = Kinds([DOMAIN]), directory.KIND, BARRIERS
    names, fields, ground = NAMES, OWNERS, GROUND


class TestSymlink(KindLaws):
    """Symbolic links keep the laws."""

    kinds, kind, barriers = Kinds([DOMAIN]), symlink.KIND, BARRIERS
    names, fields, ground = NAMES, OWNERS, GROUND


class TestPackage(KindLaws):
    """Packages keep the laws."""

    kinds, kind, barriers = Kinds([DOMAIN]), package.KIND, BARRIERS
    names = ("m:nginx", "m:g++", "n:nginx")
    fields: ClassVar = {"version": st.sampled_from(["1.0", "2:1.0~rc1-1+b2", "2.0"])}


class TestService(KindLaws):
    """Services keep the laws."""

    kinds, kind, barriers = Kinds([DOMAIN]), service.KIND, BARRIERS
    names = ("m:nginx.service", "m:web@1.service", "n:nginx.service")
