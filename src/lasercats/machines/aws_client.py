"""The calls of `aws://`, each made in a thread: what is asked of boto3, and how its answers are told."""

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lasercats.core import content as contents
from lasercats.core.identity import facts
from lasercats.core.instruction import Failure
from lasercats.instructions.aws import (
    SORTS,
    TOKEN_TAG,
    Answered,
    Call,
    Describe,
    Described,
    literal,
    present,
    trimmed,
    values_of,
)
from lasercats.machines.aws_calls import CREATES, MOST_VALUES, REPEATABLE, Group
from lasercats.machines.url import Url

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_ec2 import EC2Client

ATTEMPTS = 5
PATIENCE = 5
"""Seconds that are waited for STS to be reached, and to answer: it is only asked whose account it is."""
NO_STS = "none"
_OWN = re.compile(r"(.+\.)?(amazonaws\.com(\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn)")
"""The hosts of AWS itself. An account is one among those only: any other EC2 numbers its own."""
SLOW = 10
"""How much longer an answer may take in all than it may be silent."""


class Client:
    """EC2 in one region: a client that retries, and one for what must not be done twice."""

    def __init__(self, url: Url, where: str, count: Callable[[], None], connections: int) -> None:
        """Connect; `count` is called before each call.

        Raises:
            MachineError: there are no credentials, or the profile is not there.

        """
        from boto3.session import Session  # noqa: PLC0415 - heavy; only when AWS is used
        from botocore.session import get_session  # noqa: PLC0415

        from lasercats.machines.aws_answers import Parsers  # noqa: PLC0415
        from lasercats.machines.aws_errors import no_credentials, unusable  # noqa: PLC0415

        option = url.options.get
        self._where, self._pause = where, url.seconds("poll", 1)
        self._attempt = threading.local()  # each call is made in one thread
        self._attempts = int(url.seconds("attempts", ATTEMPTS))
        try:
            bare = get_session()
            bare.register_component("response_parser_factory", Parsers())
            session = Session(botocore_session=bare, profile_name=option("profile"), region_name=url.host)
            often = () if session.get_credentials() is None else (self._attempts, 1)
            clients = [self._made(session, url, count, attempts, connections) for attempts in often]
        except Exception as error:
            raise unusable(error, where) from None
        if not clients:
            raise no_credentials(where)
        self._client, self._careful = clients
        self._session, self._sts = session, option("sts")

    def _made(
        self, session: "Session", url: Url, count: Callable[[], None], attempts: int, connections: int
    ) -> "EC2Client":
        """Return a client that keeps to the times of a URL, and counts its attempts."""
        from botocore.config import Config  # noqa: PLC0415

        from lasercats.machines.aws_answers import Bounded  # noqa: PLC0415

        silence = url.seconds("read_timeout", 60)
        config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=url.seconds("connect_timeout", 10),
            read_timeout=silence,
            max_pool_connections=connections,
            user_agent_extra="lasercats",
        )
        client: Any = session.client("ec2", endpoint_url=url.options.get("endpoint"), config=config)
        endpoint = client._endpoint  # botocore reads all of any answer, and has no bound to set
        endpoint.http_session = Bounded(endpoint.http_session, SLOW * silence)
        client.meta.events.register("before-send.ec2", lambda **_: count())
        client.meta.events.register("needs-retry.ec2", self._note)
        made: EC2Client = client
        return made

    @property
    def place(self) -> dict[str, str]:
        """Where it is, as far as nobody need be asked: the region, and the endpoint of what is not AWS."""
        there = urlsplit(self._client.meta.endpoint_url)
        own = _OWN.fullmatch(there.hostname or "")
        return facts(region=self._client.meta.region_name, endpoint=None if own else there.netloc)

    def account(self) -> dict[str, str]:
        """Return whose account it is, as STS tells; nothing where it is refused, or cannot be asked.

        An EC2 that is not AWS is asked itself, unless boto3 or the URL is told of another STS.
        """
        from botocore.config import Config  # noqa: PLC0415

        from lasercats.machines.aws_answers import Bounded  # noqa: PLC0415

        if self._sts == NO_STS:
            return {}
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=PATIENCE, read_timeout=PATIENCE)
        try:
            client: Any = self._session.client("sts", endpoint_url=self._sts, config=config)
            if "endpoint" in self.place and _OWN.fullmatch(urlsplit(client.meta.endpoint_url).hostname or ""):
                client = self._session.client(
                    "sts", endpoint_url=self._client.meta.endpoint_url, config=config
                )
            endpoint = client._endpoint
            endpoint.http_session = Bounded(endpoint.http_session, PATIENCE)
            try:
                identity = client.get_caller_identity()
            finally:
                client.close()
            partition = f"{identity['Arn']}".split(":")[1]
            return facts(account=identity["Account"], partition=partition)
        except Exception:  # whatever it is, that it is not told says nothing
            return {}

    def _note(self, response: Any = None, caught_exception: Exception | None = None, **_: Any) -> None:  # noqa: ANN401
        """Keep in mind that an attempt was lost: what botocore tells in the end is only the last error."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        from lasercats.machines.aws_errors import is_lost  # noqa: PLC0415

        error = caught_exception
        if error is None and response is not None and "Error" in response[1]:
            error = ClientError(response[1], "")
        if error is not None and is_lost(error):
            self._attempt.lost = True

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._careful.close()

    def ping(self) -> None:
        """Make a call that does nothing, and that all work begins with."""
        self._client.describe_instances(MaxResults=5)

    def describe(self, group: Group) -> list[Described | Failure]:
        """Look for what all of a group look for, and tell each what it finds."""
        first = group.first
        looks = [i for i in group.instructions if isinstance(i, Describe)]
        values = [value for value in dict.fromkeys(look.value for look in looks) if value is not None]
        things = present(first.what, self.found(first.what, first.by, values))
        if first.by is None:
            return [Described(tuple(things))] * len(looks)
        fitting: dict[str, list[dict[str, Any]]] = {value: [] for value in values}
        nameless, sort = False, SORTS[first.what]
        for thing in things:
            id_ = thing.get(sort.id)
            nameless = nameless or not id_ or (first.by == sort.by_id and id_ not in fitting)
            for value in values_of(thing, first.what, first.by):
                if value in fitting:
                    fitting[value].append(thing)
        return [_described(fitting.get(look.value or "", ()), look, nameless=nameless) for look in looks]

    def found(self, what: str, by: str | None, values: Sequence[str]) -> list[dict[str, Any]]:
        """Return all that a filter finds, page by page."""
        from lasercats.machines.aws_answers import gathered  # noqa: PLC0415

        client, sort = self._client, SORTS[what]
        asked: dict[str, Any] = {} if by is None else {"Filters": [{"Name": by, "Values": _wanted(values)}]}
        asked |= sort.asks
        operation = _snake(sort.operation)
        if client.can_paginate(operation):
            config = {} if by == sort.by_id else {"PageSize": 1000}
            paginator: Any = client.get_paginator(operation)  # type: ignore[call-overload]
            pages: Iterable[Any] = paginator.paginate(**asked, PaginationConfig=config)
        else:
            pages = [getattr(client, operation)(**asked)]
        return gathered(pages, what, sort.path, sort.id)

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Answered:
        """Call an operation, by the careful client where it must not be repeated.

        Raises:
            Unsure: one attempt was lost, and a later one tells nothing of it.

        """
        from lasercats.machines.aws_answers import plain  # noqa: PLC0415
        from lasercats.machines.aws_errors import THROTTLED, Unsure, code_of, is_lost  # noqa: PLC0415

        repeatable = operation in REPEATABLE or operation.startswith("Describe")
        client = self._client if repeatable else self._careful
        attempts, self._attempt.lost = 1 if repeatable else self._attempts, False
        while True:
            try:
                response = getattr(client, _snake(operation))(**parameters)
            except Exception as error:
                attempts -= 1
                if self._attempt.lost and not is_lost(error):
                    raise Unsure(error) from None
                if not attempts or code_of(error) not in THROTTLED:
                    raise
                time.sleep(self._pause)
            else:
                return Answered(plain({k: v for k, v in response.items() if k != "ResponseMetadata"}))

    def single(self, call: Call, token: str) -> Answered:
        """Call an operation; what it makes is marked by a token, if it takes one.

        Raises:
            Garbled: the id of what it made is not told.

        """
        from lasercats.machines.aws_answers import Garbled, value_at  # noqa: PLC0415

        parameters = dict(call.parameters)
        create = CREATES.get(call.operation)
        if create is not None and call.token is not None:
            tags = [{"Key": TOKEN_TAG, "Value": token}]
            for given in parameters.get("TagSpecifications", ()):
                tags += given["Tags"]
            parameters["TagSpecifications"] = [{"ResourceType": create.resource, "Tags": tags}]
            if call.operation == "CreateVolume":
                parameters["ClientToken"] = token
        answered = self.call(call.operation, parameters)
        if call.at is not None and not isinstance(value_at(answered.response, call.at), str):
            raise Garbled(f"{call.at} is not told")
        return answered

    def launch(self, group: Group) -> list[Answered | Failure]:
        """Launch equal instances by one call; where there is no room for all, as many as there is."""
        from lasercats.machines.aws_errors import SCARCE, code_of, failure  # noqa: PLC0415

        wanted = len(group.instructions)
        counts = {"MinCount": wanted, "MaxCount": wanted}
        parameters = {**group.first.parameters, **counts, "ClientToken": group.token}
        if "UserData" in parameters:
            parameters["UserData"] = contents.decode(parameters["UserData"])
        try:
            return [*self._launched(parameters)]
        except Exception as error:
            if wanted == 1 or code_of(error) not in SCARCE:
                raise
            failed = failure(error, changes=True, where=self._where)
        launched = self._launched({**parameters, "MinCount": 1, "ClientToken": some(group)})
        return [*launched, *[failed] * (wanted - len(launched))]

    def _launched(self, parameters: Mapping[str, Any]) -> list[Answered]:
        """Launch instances and return an answer for each.

        Raises:
            Garbled: it is not told which they are.

        """
        from lasercats.machines.aws_answers import Garbled  # noqa: PLC0415

        instances = self.call("RunInstances", parameters).response.get("Instances", ())
        if not parameters["MinCount"] <= len(instances) <= parameters["MaxCount"]:
            raise Garbled(f"{len(instances)} instances are told of that were launched")
        return each(instances)


def _wanted(values: Sequence[str]) -> list[str]:
    """Return the values of a filter that finds some values, and maybe others.

    What is a pattern for EC2 is named as one that fits it alone, and, where there is room, as it is for
    endpoints that know no escape.
    """
    literals = [literal(value) for value in values]
    both = list(dict.fromkeys([*literals, *values]))
    return both if len(both) <= MOST_VALUES else literals


def _described(found: Sequence[dict[str, Any]], look: Describe, *, nameless: bool) -> Described | Failure:
    """Return what was found for a look; where something has no id, what is not found may be just that."""
    if nameless and not all(thing.get(SORTS[look.what].id) for thing in found or ({},)):
        what = look.what.replace("_", " ")
        fact = f"EC2 tells of one {what} without its id, or that nobody asked for"
        return Failure(reason=f"{fact}, so it is not known whether {look.value} is there")
    return Described(tuple(found))


def each(instances: Sequence[Mapping[str, Any]]) -> list[Answered]:
    """Return an answer for each of the instances that were launched together, in their order.

    Raises:
        LookupError, TypeError: it is not told of one which it is.

    """
    ordered = sorted(instances, key=lambda i: (i.get("AmiLaunchIndex", 0), i["InstanceId"]))
    return [Answered({"Instances": [trimmed("instance", instance)]}) for instance in ordered]


def some(group: Group) -> str:
    """Return the token of the second attempt, for as many as there is room for."""
    return f"{group.token}-some"


def _snake(operation: str) -> str:
    """Return an operation as boto3 calls it: `run_instances`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")
