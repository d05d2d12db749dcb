"""The law that nothing is destroyed unasked, on an endpoint as strict as EC2, as boto3 sees it."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lasercats.testing.aws import StrictEc2, environment
from lasercats.testing.unasked import check_unasked
from tests.lasercats.cli.conftest import bare, cli
from tests.lasercats.domains.ec2.conftest import aws, moto
from tests.lasercats.unasked.clouds import Cloud

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from tests.lasercats.cli.conftest import Cli

__all__ = ["aws", "bare", "cli", "moto"]
WALKS = int(os.environ.get("UNASKED", "1"))
pytestmark = pytest.mark.slow


@pytest.fixture
def ec2(aws: StrictEc2, monkeypatch: pytest.MonkeyPatch) -> Iterator["EC2Client"]:
    """A plain client, as anybody else has one."""
    from boto3.session import Session
    from botocore.config import Config

    for name, value in environment(aws.endpoint).items():
        monkeypatch.setenv(name, value)
    session = Session("testing", "testing", region_name="us-east-1")
    client = session.client(
        "ec2", endpoint_url=aws.endpoint, config=Config(retries={"total_max_attempts": 9})
    )
    yield client
    client.close()


@pytest.mark.parametrize("seed", range(WALKS))
def test_nothing_is_taken_down_unasked(cli: "Cli", aws: StrictEc2, ec2: "EC2Client", seed: int) -> None:
    """Whatever verbs in whatever order: what is gone, stopped, detached or unprotected was asked for."""
    cli.done("machine", "add", "aws", "aws://us-east-1?poll=0.05&grace=1")
    world = Cloud(cli, aws, ec2, seed)
    world.estate()
    checked = check_unasked(world, world.walk(15))
    print(checked)
    assert checked.spared
    cli.verifies()
