"""What is in doubt is settled before anything is decided on it: what a process was told late."""

from collections.abc import Collection

from lasercats.core.address import Address
from lasercats.core.errors import LogConflict
from lasercats.operate.project import Project


async def settle_at(project: Project, addresses: Collection[Address]) -> None:
    """Settle what was told late about some addresses, before something is decided on what is known of them.

    Raises:
        LogConflict: it cannot be settled now, with the reason.

    """
    wanted = set(addresses)
    late = [p for p, o in project.log.open().items() if o.late and wanted & set(o.claims)]
    if not late:
        return
    from lasercats.operate.late import settle  # noqa: PLC0415 - it brings all of `recover`, and is seldom needed

    for one in await settle(project, late):
        if one.status == "open":
            address, fact = next(iter(one.facts.items()))
            raise LogConflict(
                f"{address} is in doubt: what a process was told of it came late (position {one.position}), "
                f"and it cannot be looked at: {fact}",
                remedy="run `lasercats recover` when it can",
                subject=address,
            )
