"""What stands in an account and region of Amazon EC2."""

from lasercats.core.registry import Domain
from lasercats.domains.ec2 import (
    elastic_ip,
    instance_programs,
    key_pair,
    security_group,
    subnet,
    volume,
    vpc,
)
from lasercats.instructions.aws import VOCABULARY

DOMAIN = Domain(
    "ec2",
    kinds=(
        instance_programs.KIND,
        volume.KIND,
        elastic_ip.KIND,
        vpc.KIND,
        subnet.KIND,
        security_group.KIND,
        key_pair.KIND,
    ),
    instructions=VOCABULARY,
)
