"""What stands on a host: files, directories, symbolic links; and raw commands."""

from lasercats.core.registry import Domain
from lasercats.domains.host import directory, execute, file, symlink
from lasercats.instructions.host import VOCABULARY

DOMAIN = Domain(
    "host",
    kinds=(file.KIND, directory.KIND, symlink.KIND),
    instructions=VOCABULARY,
    commands=(execute.Exec,),
)
