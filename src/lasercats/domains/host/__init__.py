"""What stands on a host: files, directories, symbolic links; packages and services; and raw commands."""

from lasercats.core.registry import Domain
from lasercats.domains.host import directory, execute, file, package, service, symlink
from lasercats.instructions.apt import ReadPackage, SetPackage
from lasercats.instructions.host import VOCABULARY
from lasercats.instructions.systemd import ReadUnit, SetUnit

DOMAIN = Domain(
    "host",
    kinds=(file.KIND, directory.KIND, symlink.KIND, package.KIND, service.KIND),
    instructions=(*VOCABULARY, ReadPackage, SetPackage, ReadUnit, SetUnit),
    commands=(execute.Exec,),
)
