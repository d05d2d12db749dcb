"""The calls of `aws://`, each made in a thread: what is asked of boto3, and how its answers are told."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lasercats.core.instruction import Failure
from lasercats.instructions.aws import (
    SORTS,
    TOKEN_TAG,
    Answered,
    Call,
    Describe,
    Described,
    present,
    trimmed,
    values_of,
)
from lasercats.machines.aws_calls import CREATES, REPEATABLE, Group
from lasercats.machines.url import Url

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

ATTEMPTS = 5


class Client:
    """EC2 in one region: a client that retries, and one for what must not be done twice."""

    def __init__(self, url: Url, where: str, count: Callable[[], None], connections: int) -> None:
        """Connect; `count` is called before each call.

        Raises:
            MachineError: there are no credentials, or the profile is not there.

        """
        from boto3.session import Session  # noqa: PLC0415 - heavy; only when AWS is used
        from botocore.config import Config  # noqa: PLC0415

        from lasercats.machines.aws_errors import no_credentials, unusable  # noqa: PLC0415

        option = url.options.get
        self._where, self._pause = where, url.seconds("poll", 1)
        self._attempts = int(url.seconds("attempts", ATTEMPTS))
        clients: list[EC2Client] = []
        try:
            session = Session(profile_name=option("profile"), region_name=url.host)
            barred = session.get_credentials() is None
            for attempts in () if barred else (self._attempts, 1):
                config = Config(
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    connect_timeout=url.seconds("connect_timeout", 10),
                    max_pool_connections=connections,
                    user_agent_extra="lasercats",
                )
                client = session.client("ec2", endpoint_url=option("endpoint"), config=config)
                client.meta.events.register("before-send.ec2", lambda **_: count())
                clients.append(client)
        except Exception as error:
            raise unusable(error, where) from None
        if not clients:
            raise no_credentials(where)
        self._client, self._careful = clients

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._careful.close()

    def ping(self) -> None:
        """Make a call that does nothing."""
        self._client.describe_regions(RegionNames=[self._client.meta.region_name])

    def describe(self, group: Group) -> list[Described]:
        """Look for what all of a group look for, and tell each what it finds."""
        first = group.first
        looks = [i for i in group.instructions if isinstance(i, Describe)]
        values = [value for value in dict.fromkeys(look.value for look in looks) if value is not None]
        things = present(first.what, self.found(first.what, first.by, values))
        if first.by is None:
            return [Described(tuple(things))] * len(looks)
        fitting: dict[str, list[dict[str, Any]]] = {value: [] for value in values}
        for thing in things:
            for value in values_of(thing, first.what, first.by):
                if value in fitting:
                    fitting[value].append(thing)
        return [Described(tuple(fitting.get(look.value or "", ()))) for look in looks]

    def found(self, what: str, by: str | None, values: Sequence[str]) -> list[dict[str, Any]]:
        """Return all that a filter finds, page by page."""
        client, sort = self._client, SORTS[what]
        asked: dict[str, Any] = {} if by is None else {"Filters": [{"Name": by, "Values": list(values)}]}
        asked |= sort.asks
        operation = _snake(sort.operation)
        if client.can_paginate(operation):
            config = {} if by == sort.by_id else {"PageSize": 1000}
            paginator: Any = client.get_paginator(operation)  # type: ignore[call-overload]
            pages: Iterable[Any] = paginator.paginate(**asked, PaginationConfig=config)
        else:
            pages = [getattr(client, operation)(**asked)]
        return [_plain(trimmed(what, thing)) for page in pages for thing in _at(page, sort.path)]

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Answered:
        """Call an operation, by the careful client where it must not be repeated."""
        from lasercats.machines.aws_errors import THROTTLED, code_of  # noqa: PLC0415

        repeatable = operation in REPEATABLE or operation.startswith("Describe")
        client = self._client if repeatable else self._careful
        attempts = 1 if repeatable else self._attempts
        while True:
            try:
                response = getattr(client, _snake(operation))(**parameters)
            except Exception as error:
                attempts -= 1
                if not attempts or code_of(error) not in THROTTLED:
                    raise
                time.sleep(self._pause)
            else:
                return Answered(_plain({k: v for k, v in response.items() if k != "ResponseMetadata"}))

    def single(self, call: Call, token: str) -> Answered:
        """Call an operation; what it makes is marked by a token, if it takes one."""
        parameters = dict(call.parameters)
        create = CREATES.get(call.operation)
        if create is not None and call.token is not None:
            tags = [{"Key": TOKEN_TAG, "Value": token}]
            for given in parameters.get("TagSpecifications", ()):
                tags += given["Tags"]
            parameters["TagSpecifications"] = [{"ResourceType": create.resource, "Tags": tags}]
            if call.operation == "CreateVolume":
                parameters["ClientToken"] = token
        return self.call(call.operation, parameters)

    def launch(self, group: Group) -> list[Answered | Failure]:
        """Launch equal instances by one call; where there is no room for all, as many as there is."""
        from lasercats.machines.aws_errors import SCARCE, code_of, failure  # noqa: PLC0415

        wanted = len(group.instructions)
        counts = {"MinCount": wanted, "MaxCount": wanted}
        parameters = {**group.first.parameters, **counts, "ClientToken": group.token}
        try:
            return [*each(self.call("RunInstances", parameters).response["Instances"])]
        except Exception as error:
            if wanted == 1 or code_of(error) not in SCARCE:
                raise
            failed = failure(error, changes=True, where=self._where)
        answered = self.call("RunInstances", {**parameters, "MinCount": 1, "ClientToken": some(group)})
        launched = each(answered.response["Instances"])
        return [*launched, *[failed] * (wanted - len(launched))]


def each(instances: Sequence[Mapping[str, Any]]) -> list[Answered]:
    """Return an answer for each of the instances that were launched together, in their order."""
    ordered = sorted(instances, key=lambda i: (i.get("AmiLaunchIndex", 0), i["InstanceId"]))
    return [Answered({"Instances": [trimmed("instance", instance)]}) for instance in ordered]


def some(group: Group) -> str:
    """Return the token of the second attempt, for as many as there is room for."""
    return f"{group.token}-some"


def _at(value: Any, path: Sequence[str]) -> list[Any]:  # noqa: ANN401
    """Return all that is found on a way through lists of mappings."""
    values = [value]
    for member in path:
        values = [part for mapping in values for part in mapping.get(member, ())]
    return values


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return an answer of boto3 as JSON can hold it."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _snake(operation: str) -> str:
    """Return an operation as boto3 calls it: `run_instances`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")
