"""1,000 racks with 30,000 devices, as whole processes; and a full rack that is rearranged.

The state is put there through SqliteLog, as a run would have recorded it; the document is what
`lasercats document` prints. Beside a plan stands what Python takes only to read that document.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import median

from msgspec.structs import replace

from benchmarks.common import lasercats, process, spread, table, timed, verdict, workshop
from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command
from lasercats.core.record import NULL, Event, raw
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource
from lasercats.core.state import State
from lasercats.domains.rack import DOMAIN
from lasercats.domains.rack.device import Device, MountDevice, MoveDevice, UnmountDevice
from lasercats.domains.rack.device_type import DeviceType, PortType
from lasercats.domains.rack.rack import Rack
from lasercats.logs.sqlite import SqliteLog
from lasercats.operate.plan import plan_delta

RACKS, DEVICES, HEIGHT = 1000, 30, 48
RUNS = 7
PLAN_GOAL, SHOW_GOAL = 3.0, 0.2
TYPE = Address("rack.device_type/acme-rs-1100")


def run() -> None:
    """Measure and print."""
    with workshop() as folder:
        project = folder / "project"
        _project(project)
        for form, options in (("yaml", []), ("json", ["--json"])):
            text = process(lasercats(), "-C", "project", "document", *options, folder=folder)
            (folder / f"doc.{form}").write_text(text)
        rows = [
            _row("plan doc.yaml", _verb(folder, "plan", "doc.yaml", "--detailed-exitcode"), PLAN_GOAL),
            _row("plan doc.json", _verb(folder, "plan", "doc.json", "--detailed-exitcode"), PLAN_GOAL),
            _row("  only to read doc.yaml", _read(folder, _YAML, "doc.yaml")),
            _row("  only to read doc.json", _read(folder, _JSON, "doc.json")),
            _row("rack show r0500", _verb(folder, "rack", "show", "r0500"), SHOW_GOAL),
            _row("rack show r0500 --svg", _verb(folder, "rack", "show", "r0500", "--svg", "-"), SHOW_GOAL),
            _row("rack mount --check", _verb(folder, *_MOUNT, "--check")),
        ]
    table(
        f"racks: {RACKS:,} racks with {RACKS * DEVICES:,} devices, whole processes, median of {RUNS}",
        ("", "seconds", "goal"),
        rows,
    )
    table(
        f"racks: plans that rearrange a full rack of {HEIGHT} units; lifts beside the devices that move",
        ("", "seconds", "devices that move", "lifts", "fewest that can be"),
        [*_rearranged()],
    )


_MOUNT = ("rack", "mount", "new", "--rack", "r0500", "--unit", "48")
_YAML = "import sys, yaml; yaml.load(open(sys.argv[1]), yaml.CSafeLoader)"
_JSON = "import sys, json; json.load(open(sys.argv[1]))"


def _row(name: str, figures: list[float], goal: float | None = None) -> list[str]:
    cell = "" if goal is None else f"{goal:g} {verdict(median(figures) < goal)}"
    return [name, spread(figures, ".3f"), cell]


def _verb(folder: Path, *words: str) -> list[float]:
    command = (lasercats(), "-C", "project", *words)
    return [timed(*command, folder=folder) for _ in range(RUNS + 1)][1:]


def _read(folder: Path, code: str, document: str) -> list[float]:
    return [timed(sys.executable, "-c", code, document, folder=folder) for _ in range(RUNS + 1)][1:]


def _project(folder: Path) -> None:
    process(lasercats(), "init", str(folder))
    process(lasercats(), "-C", str(folder), "machine", "add", "human", "human:")
    log = SqliteLog(folder / ".lasercats" / "log.db")
    ports = (
        PortType(name="PSU1", sort="power-port", maximum_draw=300),
        PortType(name="eth0", sort="interface"),
    )
    log.append([_event(TYPE, DeviceType(manufacturer="Acme", model="RS-1100", u_height=1, ports=ports))])
    for number in range(RACKS):
        log.append([_event(address, resource) for address, resource in _rack(number)])
    log.close()


def _rack(number: int) -> Iterator[tuple[Address, Resource]]:
    rack = f"rack/r{number:04}"
    yield Address(rack), Rack(height=HEIGHT, numbering="below", width=19, max_weight=900)
    for unit in range(1, DEVICES + 1):
        device = _device(rack, unit)
        yield Address(f"rack.device/d{number:04}-{unit:02}"), device


def _device(rack: str, unit: float, height: float = 1) -> Device:
    return Device(
        rack=rack,
        unit=unit,
        face="front",
        height=height,
        depth="full",
        type=TYPE,
        weight=17,
        draw=300,
        status="mounted",
        serial=f"SN{rack[6:]}{unit:02}",
    )


def _event(address: Address, resource: Resource) -> Event:
    return Event(type="rack.device.mounted", delta={address: (NULL, raw(resource))}, actor="ada@desk")


def _rearranged() -> Iterator[list[str]]:
    """Plan permutations of a rack that is full of devices of one unit: each circle takes one lift more."""
    random = Random(48)  # noqa: S311 - a shuffle, no secret
    turn = [*range(2, HEIGHT + 1), 1]
    swaps = [unit + 1 if unit % 2 else unit - 1 for unit in range(1, HEIGHT + 1)]
    for name, to in (
        ("turned by one", turn),
        ("24 swaps", swaps),
        ("shuffled", random.sample(range(1, HEIGHT + 1), HEIGHT)),
    ):
        moved = sum(old != new for old, new in enumerate(to, 1))
        start = time.perf_counter()
        commands = _plan(to)
        seconds = time.perf_counter() - start
        lifts = sum(isinstance(command, MoveDevice | UnmountDevice | MountDevice) for command in commands)
        yield [name, f"{seconds:.3f}", f"{moved}", f"{lifts}", f"{moved + _circles(to)}"]


def _plan(to: Sequence[int]) -> Sequence[Command]:
    rack = Address("rack/r1")
    there: dict[Address, Resource] = {rack: Rack(height=HEIGHT, numbering="below")}
    changes = {}
    for unit, new in enumerate(to, 1):
        address, device = Address(f"rack.device/d{unit:02}"), replace(_device(rack, unit), type=None)
        there[address] = device
        if new != unit:
            changes[address] = Change[Resource](device, replace(device, unit=new))
    plan = plan_delta(Kinds([DOMAIN]), Delta(changes), State.of(there))
    assert not plan.problems, plan.problems
    return plan.commands


def _circles(to: Sequence[int]) -> int:
    seen, count = set[int](), 0
    for start in range(1, len(to) + 1):
        if start in seen or to[start - 1] == start:
            continue
        count += 1
        unit = start
        while unit not in seen:
            seen.add(unit)
            unit = to[unit - 1]
    return count
