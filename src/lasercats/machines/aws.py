"""`aws://REGION?profile=…&endpoint=…`: EC2 in one region of one account, by boto3.

A batch becomes few calls (`aws_calls`), made side by side in threads. Credentials come by the standard chain
of boto3; retries and their delays are botocore's. A call that would do harm if it were repeated is not
repeated when its connection is lost: what became of it is asked for by its token.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from lasercats.core.errors import BadInput, LaserCatsError
from lasercats.core.instruction import Batch, Failure
from lasercats.core.ports import Sink, Vault
from lasercats.instructions.aws import (
    SORTS,
    TOKEN_TAG,
    Answered,
    Ask,
    Call,
    Describe,
    Described,
    Wait,
    present,
    state_of,
    trimmed,
    values_of,
)
from lasercats.machines.aws_calls import CREATES, LISTS, MOST_VALUES, REPEATABLE, Group, groups
from lasercats.machines.url import Url, parse

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

OPTIONS = ("profile", "endpoint", "timeout", "connect_timeout", "poll", "grace", "attempts")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
THREADS = 10


class AwsMachine:
    """EC2 in one region."""

    parallel = True

    def __init__(self, name: str, url: Url, vault: Vault) -> None:
        """Bind a machine's name to a region; nothing is loaded before it is used."""
        del vault
        self.name, self.trips = name, 0
        self._url, self._region = url, url.host or ""
        self._timeout = url.seconds("timeout", 600)
        self._poll = url.seconds("poll", 1)
        self._grace = url.seconds("grace", 15)
        self._pool: ThreadPoolExecutor | None = None
        self._client: EC2Client | None = None
        self._careful: EC2Client | None = None
        self._waiters: dict[str, _Waiter] = {}

    @staticmethod
    def check_url(text: str) -> Url:
        """Check a URL of this scheme.

        Raises:
            BadInput: it names no region, or an option has no good value.

        """
        url = parse(text, OPTIONS)
        if not _REGION.fullmatch(url.host or ""):
            raise BadInput(f"{text!r} names no region of AWS; write aws://us-east-1")
        for option in ("poll", "grace", "attempts"):
            url.seconds(option, 1)
        return url

    async def run(self, batch: Batch, sink: Sink | None = None) -> Sequence[Any]:
        """Run a batch in few calls; what does not depend on each other goes side by side.

        Raises:
            MachineError: there are no credentials, or the profile is not there; nothing was done.

        """
        if not batch:
            return []
        await self._connect()
        outcomes: dict[int, Any] = {}
        while len(outcomes) < len(batch):
            ready = [
                i
                for i, item in enumerate(batch)
                if i not in outcomes and all(n in outcomes for n in item.after)
            ]
            failed = [i for i in ready if any(isinstance(outcomes[n], Failure) for n in batch[i].after)]
            skipped = Failure(reason="not tried, because what it depends on failed", skipped=True)
            outcomes |= dict.fromkeys(failed, skipped)
            calls = list(groups(batch, [i for i in ready if i not in outcomes]))
            for group, answers in zip(calls, await asyncio.gather(*map(self._do, calls)), strict=True):
                outcomes |= dict(zip(group.indices, answers, strict=True))
        return [outcomes[i] for i in range(len(batch))]

    async def resolve(self, batch: Batch) -> Sequence[Any | None]:
        """Ask what became of a batch that never came back: by tokens, where it made something.

        Raises:
            MachineError: the endpoint cannot be asked.

        """
        await self._connect()
        outcomes: list[Any | None] = [None] * len(batch)
        for group in groups(batch, range(len(batch))):
            if isinstance(group.first, Call) and group.first.token is not None:
                for index, outcome in zip(group.indices, await self._became(group), strict=True):
                    outcomes[index] = outcome
        return outcomes

    async def check(self) -> None:
        """Make a round trip that does nothing.

        Raises:
            MachineError: no credentials, a region that there is not, or no answer.

        """
        from lasercats.machines.aws_errors import unusable  # noqa: PLC0415 - botocore is heavy

        await self._connect()
        try:
            await self._thread(lambda: self._ready().describe_regions(RegionNames=[self._region]))
        except Exception as error:
            raise unusable(error, self._where()) from None

    async def close(self) -> None:
        """Disconnect."""
        for waiter in self._waiters.values():
            waiter.stop()
        self._waiters = {}
        for client in (self._client, self._careful):
            if client is not None:
                client.close()
        self._client = self._careful = None
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    # Connecting.

    def _where(self) -> str:
        return f"machine {self.name}"

    async def _connect(self) -> None:
        if self._client is None:
            self._pool = self._pool or ThreadPoolExecutor(THREADS, "aws")
            made = await self._thread(self._open)
            if isinstance(made, LaserCatsError):
                raise made
            self._client, self._careful = made

    def _open(self) -> "tuple[EC2Client, EC2Client] | LaserCatsError":
        """Make two clients: one that retries, and one for what must not be done twice."""
        from boto3.session import Session  # noqa: PLC0415 - heavy; only when AWS is used
        from botocore.config import Config  # noqa: PLC0415

        from lasercats.machines.aws_errors import no_credentials, unusable  # noqa: PLC0415

        option = self._url.options.get
        try:
            session = Session(profile_name=option("profile"), region_name=self._region)
            if session.get_credentials() is None:
                return no_credentials(self._where())
            clients = []
            for attempts in (int(self._url.seconds("attempts", 5)), 1):
                config = Config(
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    connect_timeout=self._url.seconds("connect_timeout", 10),
                    max_pool_connections=THREADS,
                    user_agent_extra="lasercats",
                )
                client = session.client("ec2", endpoint_url=option("endpoint"), config=config)
                client.meta.events.register("before-send.ec2", self._count)
                clients.append(client)
        except Exception as error:
            return unusable(error, self._where())
        return clients[0], clients[1]

    def _count(self, **_: object) -> None:
        self.trips += 1

    def _ready(self) -> "EC2Client":
        assert self._client is not None  # noqa: S101 - connected before anything is asked
        return self._client

    @staticmethod
    def _outcomes(made: Any) -> Sequence[Any]:  # noqa: ANN401 - from a thread
        return list(made)

    async def _thread(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    # Doing.

    async def _do(self, group: Group) -> Sequence[Any]:
        """Do what a group of instructions says; return the outcome of each."""
        from lasercats.machines.aws_errors import failure  # noqa: PLC0415 - botocore is heavy

        first = group.first
        if isinstance(first, Wait):
            return await asyncio.gather(*(self._wait(i) for i in group.instructions if isinstance(i, Wait)))
        try:
            if isinstance(first, Describe):
                return self._outcomes(await self._thread(lambda: self._describe(group)))
            if isinstance(first, Ask):
                answered = await self._thread(lambda: self._call(first.operation, first.parameters))
                return [answered] * len(group.instructions)
            if first.operation == "RunInstances":
                return self._outcomes(await self._thread(lambda: self._launch(group)))
            if first.operation in LISTS and len(group.instructions) > 1:
                return await self._list(group)
            return [await self._thread(lambda: self._single(first, group.token))]
        except Exception as error:
            failed = failure(error, changes=isinstance(first, Call), where=self._where())
            if failed.in_doubt and first.token is not None:
                found = await self._became(group)
                return [failed if outcome is None else outcome for outcome in found]
            return [failed] * len(group.instructions)

    def _describe(self, group: Group) -> list[Described]:
        first = group.first
        values = list(dict.fromkeys(i.value for i in group.instructions))  # type: ignore[attr-defined]
        things = present(first.what, self._found(first.what, first.by, values))
        looks = [i for i in group.instructions if isinstance(i, Describe)]
        if first.by is None:
            return [Described(tuple(things))] * len(looks)
        fitting: dict[str, list[dict[str, Any]]] = {value: [] for value in values}
        for thing in things:
            for value in values_of(thing, first.what, first.by):
                if value in fitting:
                    fitting[value].append(thing)
        return [Described(tuple(fitting[look.value or ""])) for look in looks]

    def _found(self, what: str, by: str | None, values: Sequence[str]) -> list[dict[str, Any]]:
        """Return all that a filter finds, page by page."""
        client, sort = self._ready(), SORTS[what]
        asked: dict[str, Any] = {} if by is None else {"Filters": [{"Name": by, "Values": list(values)}]}
        operation = _snake(sort.operation)
        if client.can_paginate(operation):
            config = {} if by == sort.by_id else {"PageSize": 1000}
            paginator: Any = client.get_paginator(operation)  # type: ignore[call-overload]
            pages: Iterable[Any] = paginator.paginate(**asked, PaginationConfig=config)
        else:
            pages = [getattr(client, operation)(**asked)]
        return [_plain(trimmed(what, thing)) for page in pages for thing in _at(page, sort.path)]

    def _call(self, operation: str, parameters: Mapping[str, Any]) -> Answered:
        """Call an operation, by the careful client where it must not be repeated."""
        from lasercats.machines.aws_errors import THROTTLED, code_of  # noqa: PLC0415

        repeatable = operation in REPEATABLE or operation.startswith("Describe")
        client = self._ready() if repeatable else self._careful
        attempts = 1 if repeatable else int(self._url.seconds("attempts", 5))
        while True:
            try:
                response = getattr(client, _snake(operation))(**parameters)
            except Exception as error:
                attempts -= 1
                if not attempts or code_of(error) not in THROTTLED:
                    raise
                time.sleep(self._poll)
            else:
                return Answered(_plain({k: v for k, v in response.items() if k != "ResponseMetadata"}))

    def _single(self, call: Call, token: str) -> Answered:
        parameters = dict(call.parameters)
        create = CREATES.get(call.operation)
        if create is not None and call.token is not None:
            tags = [{"Key": TOKEN_TAG, "Value": token}]
            for given in parameters.get("TagSpecifications", ()):
                tags += given["Tags"]
            parameters["TagSpecifications"] = [{"ResourceType": create.resource, "Tags": tags}]
            if call.operation == "CreateVolume":
                parameters["ClientToken"] = token
        return self._call(call.operation, parameters)

    def _launch(self, group: Group) -> list[Any]:
        """Launch equal instances by one call; where there is no room for all, as many as there is."""
        from lasercats.machines.aws_errors import SCARCE, code_of, failure  # noqa: PLC0415

        wanted, failed = len(group.instructions), None
        counts = {"MinCount": wanted, "MaxCount": wanted}
        parameters = {**group.first.parameters, **counts, "ClientToken": group.token}
        try:
            answered = self._call("RunInstances", parameters)
        except Exception as error:
            if wanted == 1 or code_of(error) not in SCARCE:
                raise
            failed = failure(error, changes=True, where=self._where())
            answered = self._call("RunInstances", {**parameters, "MinCount": 1, "ClientToken": _some(group)})
        launched = _each(answered.response["Instances"])
        return [*launched, *[failed] * (wanted - len(launched))]

    async def _list(self, group: Group) -> Sequence[Any]:
        """Call an operation on a list; where AWS refuses the list for one of it, call it for each."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        ids = [i.parameters["InstanceIds"][0] for i in group.instructions if isinstance(i, Call)]
        try:
            work = {"InstanceIds": list(dict.fromkeys(ids))}
            answered = await self._thread(lambda: self._call(group.first.operation, work))
        except ClientError:
            singles = [Group((n,), (i,)) for n, i in zip(group.indices, group.instructions, strict=True)]
            return [answer for answers in await asyncio.gather(*map(self._do, singles)) for answer in answers]
        return [Answered()] * len(ids) if answered is not None else []

    async def _became(self, group: Group) -> list[Any | None]:
        """Ask by its token what a call made; what has just been made may take some time to be seen."""
        from lasercats.machines.aws_errors import failure  # noqa: PLC0415

        first, end = group.first, time.monotonic() + self._grace
        create = CREATES.get(first.operation)
        what, by = ("instance", "client-token") if create is None else (create.what, f"tag:{TOKEN_TAG}")
        tokens = [group.token, _some(group)] if create is None else [group.token]
        while True:
            try:
                things = await self._thread(lambda: self._found(what, by, tokens))
            except Exception as error:
                return [failure(error, changes=True, where=self._where())] * len(group.indices)
            if things or time.monotonic() > end:
                break
            await asyncio.sleep(self._poll)
        if create is None:
            launched = _each(things)
            return [*launched, *[None] * (len(group.indices) - len(launched))]
        made = None if not things else {create.wraps: things[0]} if create.wraps else things[0]
        return [None if made is None else Answered(made)]

    async def _wait(self, wait: Wait) -> Any:  # noqa: ANN401
        if wait.what not in self._waiters:
            self._waiters[wait.what] = _Waiter(wait.what, self._many, self._poll, self._timeout)
        return await self._waiters[wait.what].until(wait)

    async def _many(self, what: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        by_id = SORTS[what].by_id
        chunks = [ids[n : n + MOST_VALUES] for n in range(0, len(ids), MOST_VALUES)]
        work = [self._thread(partial(self._found, what, by_id, chunk)) for chunk in chunks]
        return [thing for things in await asyncio.gather(*work) for thing in things]


class _Waiter:
    """Waits for things of one sort: one look, again and again, for all that wait."""

    def __init__(self, what: str, look: Any, poll: float, timeout: float) -> None:  # noqa: ANN401
        self._what, self._look, self._poll, self._timeout = what, look, poll, timeout
        self._waits: dict[asyncio.Future[Any], tuple[Wait, float]] = {}
        self._task: asyncio.Task[None] | None = None

    async def until(self, wait: Wait) -> Any:  # noqa: ANN401
        """Return what is described once it is in the state that is waited for, or a failure."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waits[future] = (wait, time.monotonic())
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            return await future
        finally:
            self._waits.pop(future, None)

    def stop(self) -> None:
        """Wait no longer."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        """Look at once, and then ever less often, up to ten times the first pause."""
        from lasercats.machines.aws_errors import failure  # noqa: PLC0415

        pause = self._poll / 4
        while self._waits:
            await asyncio.sleep(pause)
            pause = min(max(pause * 1.5, self._poll), 10 * self._poll)
            ids = list(dict.fromkeys(wait.id for wait, _ in self._waits.values()))
            try:
                found = {thing[SORTS[self._what].id]: thing for thing in await self._look(self._what, ids)}
            except Exception as error:
                failed = failure(error, changes=False, where="AWS")
                for future in [f for f in self._waits if not f.done()]:
                    future.set_result(failed)
                return
            for future, (wait, since) in list(self._waits.items()):
                outcome = self._outcome(wait, found.get(wait.id), time.monotonic() - since)
                if outcome is not None and not future.done():
                    future.set_result(outcome)
                    self._waits.pop(future, None)

    def _outcome(self, wait: Wait, thing: dict[str, Any] | None, waited: float) -> Any:  # noqa: ANN401
        state, gone = None if thing is None else state_of(thing), SORTS[self._what].gone
        if state == wait.state or (state is None and wait.state in gone):
            return Described(() if thing is None or state in gone else (thing,))
        if state in gone and wait.state not in gone:
            why = (thing or {}).get("StateReason", {}).get("Message", "nobody tells why")
            return Failure(reason=f"{wait.id} went to {state} instead of {wait.state}: {why}")
        if waited > self._timeout:
            now = state or "not to be seen"
            return Failure(reason=f"{wait.id} is {now}, not {wait.state}, after {self._timeout:g} s")
        return None


def _each(instances: Sequence[Mapping[str, Any]]) -> list[Answered]:
    """Return an answer for each of the instances that were launched together, in their order."""
    ordered = sorted(instances, key=lambda i: (i.get("AmiLaunchIndex", 0), i["InstanceId"]))
    return [Answered({"Instances": [trimmed("instance", instance)]}) for instance in ordered]


def _some(group: Group) -> str:
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
