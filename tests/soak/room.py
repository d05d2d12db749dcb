"""A room with a rack and a technician, who keeps a notebook of what was really done."""

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from tests.soak.peer import Facts, Peer, Ran, Reality, Step

DEVICES = ("d1", "d2", "d3")
UNITS = 12
NOWHERE: Facts = {"unit": None}
"""Of a device that was unmounted and may be mounted again."""


class Room(Peer):
    """Devices in a rack; what is real is what the technician did."""

    url = "human:"

    def __init__(self) -> None:
        super().__init__("human")
        self.notebook: Reality = {}
        self._did: set[tuple[int, int]] = set()

    def begin(self, run: Callable[..., str]) -> None:
        """Put up a rack."""
        run("rack", "create", "r1", "--height", f"{UNITS}")

    def owns(self, address: str) -> bool:
        """Tell whether an address is a device."""
        return address.startswith("rack.device/")

    def work(self, rng: random.Random, there: Reality) -> list[Step | Ran]:
        """Mount, move and unmount."""
        free = sorted(set(range(1, UNITS + 1)) - {facts["unit"] for facts in there.values()})
        steps: list[Step | Ran] = []
        for name in rng.sample(DEVICES, rng.randint(1, len(DEVICES))):
            address = f"rack.device/{name}"
            unit = free.pop(rng.randrange(len(free)))
            sets: Facts = {"unit": unit}
            if there.get(address, NOWHERE) == NOWHERE:
                command: dict[str, Any] = {"command": "rack.mount", "rack": "rack/r1", "unit": unit}
            elif rng.random() < 0.5:
                command = {"command": "rack.move", "unit": unit}
            else:
                command, sets = {"command": "rack.unmount"}, NOWHERE
            steps.append(Step({**command, "on": address}, address, sets, makes=True))
        return steps

    def reality(self) -> Reality:
        """Open the notebook."""
        return dict(self.notebook)

    def stated(self, address: str, resource: Mapping[str, Any]) -> Facts:
        """Return the unit."""
        return {"unit": resource.get("unit")}

    def orders(self, run: Callable[..., str]) -> list[dict[str, Any]]:
        """Return the work orders that wait."""
        data: list[dict[str, Any]] = json.loads(run("work", "list", "--json"))
        return data

    def carry_out(self, order: Mapping[str, Any], rng: random.Random) -> list[str]:
        """Do some steps of an order, and return what is reported then; nobody does a step twice."""
        left = [step for step in order["steps"] if step["status"] == "open"]
        number, first = order["order"], left[0]["step"]
        if (number, first) not in self._did and rng.random() < 0.15:
            return ["fail", f"{number}", f"{first}", "--why", "no time"]
        some = left[: rng.randint(1, len(left))]
        for step in some:
            self._do(number, step)
        return ["done", f"{number}", *(f"{step['step']}" for step in some)]

    def _do(self, order: int, step: Mapping[str, Any]) -> None:
        """Do a step with one's hands, unless it was done and only the report was lost."""
        if (order, step["step"]) in self._did:
            return
        self._did.add((order, step["step"]))
        does = step["instruction"]
        address, place = f"rack.device/{does['device']}", {"unit": does.get("place", {}).get("unit")}
        found = self.notebook.get(address, NOWHERE)
        match does["do"]:
            case "work.mount":
                assert found == NOWHERE, f"sent twice to mount {address}"
                self.notebook[address] = place
            case "work.move":
                assert found == {"unit": does["source"]["unit"]}, f"sent twice to move {address}"
                self.notebook[address] = place
            case "work.unmount":
                assert found == place, f"sent twice to unmount {address}"
                self.notebook[address] = NOWHERE
