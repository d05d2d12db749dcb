"""What stands in an account and region of Amazon EC2."""

from lasercats.core.kind import Domain
from lasercats.domains.ec2 import elastic_ip, instance_programs, volume
from lasercats.instructions.aws import VOCABULARY

DOMAIN = Domain("ec2", kinds=(instance_programs.KIND, volume.KIND, elastic_ip.KIND), instructions=VOCABULARY)
