"""Terraform with the AWS provider, where the machine has both: to compare with, and as other eyes."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "LASERCATS_TERRAFORM_MIRROR"
"""Names the folder of a filesystem mirror of providers."""
_PROVIDER = "*/hashicorp/aws"


def why_not() -> str | None:
    """Return why Terraform cannot run here, None when it can."""
    if shutil.which("terraform") is None:
        return "there is no terraform"
    if mirror() is None:
        return f"there is no mirror of Terraform's AWS provider here; {VARIABLE} may name one"
    return None


def mirror() -> Path | None:
    """Return the folder of a mirror that has the AWS provider, None where there is none."""
    return next((folder for folder in _folders() if any(folder.glob(_PROVIDER))), None)


def configuration() -> str:
    """Return what the file has to say that TF_CLI_CONFIG_FILE names: providers come from the mirror."""
    installation = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror()}"\n  }}\n}}\n'
    return f"disable_checkpoint = true\n{installation}"


def _folders() -> Iterator[Path]:
    """Iterate over where mirrors are: as told, in Terraform's own places, and in /opt."""
    if VARIABLE in os.environ:
        yield Path(os.environ[VARIABLE])
    yield Path.home() / ".terraform.d" / "plugins"
    yield Path("/usr/local/share/terraform/plugins")
    yield Path("/usr/share/terraform/plugins")
    yield from sorted(Path("/opt").glob("*/"))
