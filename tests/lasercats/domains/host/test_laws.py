"""The laws of the host kinds that need no machine."""

from hypothesis import strategies as st

from lasercats.core.address import Address
from lasercats.core.registry import Kinds
from lasercats.domains.host import DOMAIN, directory, file, symlink
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
