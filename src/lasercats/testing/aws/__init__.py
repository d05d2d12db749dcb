"""An EC2 endpoint for tests that behaves as AWS does where moto does not.

`MotoServer` runs moto, which keeps the instances. `StrictEc2` is a proxy before it: it refuses what AWS
refuses, keeps client tokens, takes time over changes of state, and fails on demand.

    with MotoServer() as moto, StrictEc2(moto, delay=0.2) as aws:
        ec2 = boto3.client("ec2", endpoint_url=aws.endpoint, ...)
        aws.cut("RunInstances", when="after")
"""

from lasercats.testing.aws.faults import Hold
from lasercats.testing.aws.moto import MotoServer, environment, why_not
from lasercats.testing.aws.strict import StrictEc2

__all__ = ["Hold", "MotoServer", "StrictEc2", "environment", "why_not"]
