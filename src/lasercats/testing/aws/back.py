"""moto behind the proxy, asked in the name of a call."""

import base64
import http
import xml.etree.ElementTree as ET
from urllib.parse import urlencode

from lasercats.testing.aws.moto import MotoServer
from lasercats.testing.aws.wire import Answer, Call, Refusal, parse


class Back:
    """A running moto."""

    def __init__(self, server: MotoServer) -> None:
        self._server = server

    def forward(self, call: Call) -> Answer:
        """Pass a call on, in the words of moto."""
        params = dict(call.params)
        if params.get("Attribute") == "userData" and "Value" in params:  # moto leaves that encoded
            del params["Attribute"]
            params["UserData.Value"] = params.pop("Value")
        if "UserData.Value" in params:  # moto decodes that once more than EC2 does
            params["UserData.Value"] = base64.b64encode(params["UserData.Value"].encode()).decode()
        return Answer(*self._server.post("/", call.headers, urlencode(params).encode()))

    def ask(self, call: Call, action: str, **params: str) -> ET.Element:
        """Ask on our own account, in the region of a call; a refusal is ours."""
        version = {"Version": call.params.get("Version", "2016-11-15")}
        dotted = {key.replace("_", "."): value for key, value in params.items()}
        answer = self.forward(Call({"Action": action, **version, **dotted}, call.headers))
        if answer.status != http.HTTPStatus.OK:
            refusal = Refusal("InternalError", "")
            refusal.answer = answer
            raise refusal
        return parse(answer)

    def find(self, call: Call, kind: str, by: str, value: str) -> list[ET.Element]:
        """Return the descriptions of what a filter finds."""
        plural = "Addresses" if kind == "Address" else f"{kind}s"
        found = self.ask(call, f"Describe{plural}", **{"Filter.1.Name": by, "Filter.1.Value.1": value})
        return [item for items in found if items.tag != "requestId" for item in items]

    def reset(self) -> None:
        """Forget every resource."""
        self._server.reset()
