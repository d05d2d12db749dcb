"""What EC2 answers, within bounds: how much of it is read, and what is made of what cannot be understood.

An answer that has an end, and not too much before it, is read whole; its numbers and times are taken as they
are told where they are none, so that one odd value does not hide what stands beside it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from botocore import exceptions as boto
from botocore.parsers import (
    DEFAULT_TIMESTAMP_PARSER,
    EC2QueryParser,
    ResponseParserError,
    ResponseParserFactory,
)
from urllib3 import exceptions as urllib

from lasercats.instructions.aws import trimmed

MOST_BYTES = 32 * 1024 * 1024
"""The longest answer that is read; a page of 1,000 instances has about 6 MB."""
MOST_PAGES = 1000
MOST_KEPT = 128 * 1024 * 1024
"""The most that is kept of all pages of an answer, in bytes of JSON."""
_PIECE = 65536
EC2 = "ec2"
"""The protocol of EC2, as botocore calls it."""
_Known: Any = EC2QueryParser
_ERROR = 301
"""The least HTTP status of what is an error for botocore."""
_SHORT = 500


class Garbled(Exception):
    """An answer that no one can understand, or that does not end; what it is an answer to may be done."""


class Bounded:
    """The HTTP session of a client, that gives up an answer which is too long or takes too long."""

    def __init__(self, session: Any, seconds: float) -> None:  # noqa: ANN401 - as botocore has it
        """Read through another session, each answer in some seconds."""
        self._session, self._seconds = session, seconds

    def send(self, request: Any) -> Any:  # noqa: ANN401
        """Send a request and read the answer.

        Raises:
            Garbled: it is too long, or does not end in time.

        """
        request.stream_output = True  # so that botocore does not read it, without end
        response = self._session.send(request)
        try:
            response._content = b"".join(self._pieces(response.raw))
        except urllib.ReadTimeoutError as error:
            raise boto.ReadTimeoutError(endpoint_url=request.url, error=error) from None
        except (urllib.HTTPError, OSError) as error:
            raise boto.ConnectionClosedError(endpoint_url=request.url, error=error) from None
        return response

    def _pieces(self, raw: Any) -> Iterator[bytes]:  # noqa: ANN401 - of urllib3
        end, size = time.monotonic() + self._seconds, 0
        while piece := raw.read1(_PIECE):
            size += len(piece)
            if size > MOST_BYTES or time.monotonic() > end:
                raw.close()
                much = f"has more than {MOST_BYTES} bytes" if size > MOST_BYTES else "does not end"
                raise Garbled(f"the answer {much}")
            yield piece

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class Parsers:
    """Gives botocore the parser of answers."""

    def create_parser(self, protocol_name: str) -> Any:  # noqa: ANN401 - as botocore has it
        """Return a parser: ours for EC2; STS, which gives credentials to profiles, has another protocol."""
        if protocol_name != EC2:
            return ResponseParserFactory().create_parser(protocol_name)
        return _Parser(timestamp_parser=_time)


def _or_text(handle: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """Return what reads a value as botocore does, and as text where it is none of its type."""

    def handled(parser: Any, shape: Any, node: Any) -> Any:  # noqa: ANN401
        try:
            return handle(parser, shape, node)
        except ValueError:
            return parser._handle_string(shape, node)

    return handled


class _Parser(_Known):  # type: ignore[misc]  # its methods are not in the stubs
    """Takes what is of another type than EC2 says as the text that it is."""

    def parse(self, response: Any, shape: Any) -> Any:  # noqa: ANN401
        """Return an answer, or the error that it tells.

        Raises:
            ResponseParserError: it is neither.

        """
        try:
            parsed = super().parse(response, shape)
        except ResponseParserError:
            raise
        except Exception as error:
            raise ResponseParserError(f"{type(error).__name__}: {error}") from None
        if response["status_code"] >= _ERROR:
            parsed["Error"] = _error(parsed.get("Error"), response["status_code"])
        return parsed

    def _inject_response_metadata(self, node: Any, inject_into: Any) -> None:  # noqa: ANN401
        """Leave out the id of the request, which nobody asks for."""

    def _parse_shape(self, shape: Any, node: Any) -> Any:  # noqa: ANN401
        if isinstance(node, list) and not shape.serialization.get("flattened"):
            node = node[0]  # told twice
        return super()._parse_shape(shape, node)

    _handle_integer = _handle_long = _or_text(_Known._handle_integer)
    _handle_float = _handle_double = _or_text(_Known._handle_float)
    _handle_blob = _or_text(_Known._handle_blob)


def _error(error: Any, status: int) -> dict[str, str]:  # noqa: ANN401
    """Return the error that is reported.

    Raises:
        ResponseParserError: none is.

    """
    code, said = (error.get("Code"), error.get("Message")) if isinstance(error, dict) else (None, None)
    if not isinstance(code, str):
        raise ResponseParserError(f"HTTP status {status}, with no error code of AWS")
    return {"Code": short(code), "Message": short(said) if isinstance(said, str) else ""}


def _time(text: str) -> Any:  # noqa: ANN401
    try:
        return DEFAULT_TIMESTAMP_PARSER(text)
    except Exception:  # whatever it is, it is none that we know
        return text


def short(text: str) -> str:
    """Return a text that may be of any length and many lines, as it can stand in a sentence."""
    text = " ".join(text[: 2 * _SHORT].split())
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"


def gathered(pages: Any, what: str, path: Sequence[str], id_: str) -> list[dict[str, Any]]:  # noqa: ANN401
    """Return what is kept of all that pages tell of, each thing once.

    Raises:
        Garbled: they do not end, or tell too much.

    """
    things, odd, kept, tokens = dict[str, dict[str, Any]](), list[dict[str, Any]](), 0, set[str]()
    for page in pages:
        token = page.get("NextToken")
        if token and (token in tokens or len(tokens) >= MOST_PAGES):
            raise Garbled("its pages do not end")
        if path[0] not in page:
            raise Garbled(f"it tells no {path[0]}, not even that there are none")
        tokens |= {token} if token else set()
        for thing in _at(page, path):
            description = plain(trimmed(what, thing))
            kept += len(msgspec.json.encode(description))
            if kept > MOST_KEPT:
                raise Garbled(f"more than {MOST_KEPT} bytes are told")
            if description.get(id_):
                things[description[id_]] = description
            else:
                odd.append(description)
    return [*things.values(), *odd]


def value_at(value: Any, path: str) -> Any:  # noqa: ANN401
    """Return what stands in an answer at a path, None where nothing does: `Vpc.VpcId`."""
    for part in path.split("."):
        name, listed, _ = part.partition("[")
        value = value.get(name) if isinstance(value, Mapping) else None
        if listed:
            value = value[0] if value else None
    return value


def _at(value: Any, path: Sequence[str]) -> list[Any]:  # noqa: ANN401
    """Return all that is found on a way through lists of mappings."""
    values = [value]
    for member in path:
        values = [part for mapping in values for part in mapping.get(member, ())]
    return values


def plain(value: Any) -> Any:  # noqa: ANN401
    """Return an answer of boto3 as JSON can hold it."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")
    return value.decode(errors="replace") if isinstance(value, bytes) else value
