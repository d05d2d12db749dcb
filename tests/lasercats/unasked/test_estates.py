"""Estates that Terraform made: taken in, changed by others, and led back with nothing lost unasked."""

import os
from typing import TYPE_CHECKING

import pytest

from lasercats.testing import terraform
from lasercats.testing.aws import StrictEc2
from lasercats.testing.unasked import check_unasked
from tests.lasercats.cli.conftest import bare, cli
from tests.lasercats.domains.ec2.conftest import aws, moto
from tests.lasercats.unasked.estates import Estate
from tests.lasercats.unasked.test_clouds import ec2

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from tests.lasercats.cli.conftest import Cli

__all__ = ["aws", "bare", "cli", "ec2", "moto"]
SCENES = 2 if "UNASKED" not in os.environ else 8
WALKS = max(1, int(os.environ.get("UNASKED", "1")) // 5)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(terraform.why_not() is not None, reason=f"{terraform.why_not()}"),
]


@pytest.mark.parametrize("seed", range(WALKS))
def test_an_estate_is_led_back(cli: "Cli", aws: StrictEc2, ec2: "EC2Client", seed: int) -> None:
    """What was taken in asks for nothing; whatever others change, no way back takes more than it told."""
    cli.done("machine", "add", "aws", "aws://us-east-1?poll=0.05&grace=1")
    world = Estate(cli, aws, ec2, seed)
    world.make(cli.folder / "terraform")
    document = cli.file("all.yaml", cli.done("document").out)
    assert "nothing to do" in cli.done("plan", document, "--refresh").err
    checked = check_unasked(world, world.scenes(SCENES))
    print(checked)
    assert checked.spared
    cli.verifies()
