"""What stands in racks, and what is cabled to what; its machinery is a person."""

from lasercats.core.registry import Domain
from lasercats.domains.rack import cable, device_programs, device_type, feed, rack
from lasercats.instructions.work_order import VOCABULARY

DOMAIN = Domain(
    "rack",
    kinds=(rack.KIND, device_type.KIND, device_programs.KIND, cable.KIND, feed.KIND),
    instructions=VOCABULARY,
)
