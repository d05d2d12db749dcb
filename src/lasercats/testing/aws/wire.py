"""Requests and answers of the EC2 Query API, API version 2016-11-15."""

import dataclasses
import re
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

XMLNS = "http://ec2.amazonaws.com/doc/2016-11-15"
CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
"""The states of an instance."""


class Refusal(Exception):
    """AWS says no."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code)
        self.answer = Answer(status, error(code, message))


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer: its HTTP status and its body."""

    status: int
    body: bytes
    endless: bool = False
    """Whether the body is told again and again, until nobody listens any more."""


@dataclasses.dataclass(frozen=True)
class Call:
    """A request: the parameters as they came, and the headers that name its region."""

    params: dict[str, str]
    headers: dict[str, str]

    @property
    def action(self) -> str:
        """The operation: `RunInstances`."""
        return self.params.get("Action", "")

    @property
    def region(self) -> str:
        """The region that the request is signed for."""
        found = re.search(r"Credential=[^/]+/\d+/([^/]+)/", self.headers.get("Authorization", ""))
        return found[1] if found else ""

    @property
    def service(self) -> str:
        """The service that the request is signed for: `ec2`."""
        found = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", self.headers.get("Authorization", ""))
        return found[1] if found else ""

    @property
    def dry(self) -> bool:
        """Whether it only asks whether it might."""
        return self.params.get("DryRun", "") == "true"

    @property
    def instances(self) -> list[str]:
        """The instances that it names, not those that it filters by."""
        named = re.compile(r"(InstanceId|ResourceId)(\.\d+)?$")
        return [v for k, v in self.params.items() if named.match(k) and v.startswith("i-")]

    def having(self, **changes: str) -> "Call":
        """Return the call with other parameters."""
        return Call({**self.params, **changes}, self.headers)


def error(code: str, message: str) -> bytes:
    """Return the body of an error."""
    error = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    text = f"<Response><Errors>{error}</Errors><RequestID>strict-ec2</RequestID></Response>"
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode()


def parse(answer: Answer) -> ET.Element:
    """Read an answer, with plain names."""
    return ET.fromstring(answer.body.replace(f' xmlns="{XMLNS}"'.encode(), b"", 1))  # noqa: S314  # moto's own


def write(root: ET.Element) -> bytes:
    """Return the body of an answer."""
    root.set("xmlns", XMLNS)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def set_state(item: ET.Element, name: str, state: str) -> None:
    """Write a state into an element of a description."""
    for found in item.findall(name):
        for part, text in (("code", str(CODES[state])), ("name", state)):
            for element in found.findall(part):
                element.text = text


def without_state_filters(call: Call) -> tuple[set[str], Call]:
    """Return the states that a call filters by, and the call letting all of them through."""
    wanted, params = set(CODES), dict(call.params)
    for key, name in call.params.items():
        if not (key.startswith("Filter.") and name in ("instance-state-name", "instance-state-code")):
            continue
        prefix = key.removesuffix("Name") + "Value."
        values = {params.pop(k) for k in call.params if k.startswith(prefix)}
        wanted &= {state for state, code in CODES.items() if state in values or str(code) in values}
        params[key] = "instance-state-name"  # moto fails on the other one
        params |= {f"{prefix}{n}": state for n, state in enumerate(CODES, 1)}
    return wanted, Call(params, call.headers)


def without_filter(call: Call, name: str) -> tuple[set[str] | None, Call]:
    """Return the values of a filter, None where it is not asked for, and the call without it."""
    for key, value in call.params.items():
        if key.startswith("Filter.") and value == name:
            prefix = key.removesuffix("Name")
            values = {v for k, v in call.params.items() if k.startswith(f"{prefix}Value.")}
            rest = {k: v for k, v in call.params.items() if not k.startswith(prefix)}
            return values, Call(rest, call.headers)
    return None, call
