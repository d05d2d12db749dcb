"""What stands in an account and region of Amazon EC2."""

from lasercats.core.kind import Domain
from lasercats.domains.ec2 import instance_programs
from lasercats.instructions.aws import VOCABULARY

DOMAIN = Domain("ec2", kinds=(instance_programs.KIND,), instructions=VOCABULARY)
