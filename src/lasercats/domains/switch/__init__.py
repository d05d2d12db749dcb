"""What is configured on a network switch: its ports, VLANs and LAGs, whoever made it."""

from lasercats.core.registry import Domain
from lasercats.domains.switch import lag, port, vlan
from lasercats.instructions.switch import VOCABULARY

DOMAIN = Domain("switch", kinds=(port.KIND, vlan.KIND, lag.KIND), instructions=VOCABULARY)
