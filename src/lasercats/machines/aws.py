"""`aws://REGION?profile=…&endpoint=…`: EC2 in one region of one account, by boto3.

A batch becomes few calls (`aws_calls`), made side by side in threads. Credentials come by the standard chain
of boto3; retries and their delays are botocore's. A call that would do harm if it were repeated is not
repeated when its connection is lost: what became of it is asked for by its token.
"""

import asyncio
import re
import shlex
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from lasercats.core.errors import BadInput
from lasercats.core.instruction import Batch, Failure, Instruction, not_tried
from lasercats.core.ports import Sink, Vault
from lasercats.instructions.aws import (
    SORTS,
    TOKEN_TAG,
    VOCABULARY,
    Answered,
    Ask,
    Call,
    Describe,
    Unmark,
    Wait,
)
from lasercats.machines.aws_calls import CREATES, LISTS, MOST_VALUES, Group, groups
from lasercats.machines.aws_client import Client, each, some
from lasercats.machines.aws_waiter import Waiter
from lasercats.machines.blocking import Blocking
from lasercats.machines.url import Url, parse
from lasercats.machines.worker import Pool

OPTIONS = (
    "profile",
    "endpoint",
    "sts",
    "timeout",
    "connect_timeout",
    "read_timeout",
    "poll",
    "grace",
    "attempts",
)
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
THREADS = 10


def _guarded(line: str) -> str:
    """Return a line whose failure does not end the script, also where an id is missing."""
    sets = line.partition("=")[0].isidentifier()
    return f"{line} || lc_failed=1" if sets or "${" not in line else f"( {line} ) || lc_failed=1"


class AwsMachine(Blocking[Client]):
    """EC2 in one region."""

    parallel = True
    vocabulary: Collection[type[Instruction]] = VOCABULARY

    def __init__(self, name: str, url: Url, vault: Vault) -> None:
        """Bind a machine's name to a region; nothing is loaded before it is used."""
        del vault
        super().__init__(name, Pool("aws", THREADS + 1))
        self._url, self._region = url, url.host or ""
        self._timeout = url.seconds("timeout", 600)
        self._poll = url.seconds("poll", 1)
        self._grace = url.seconds("grace", 15)
        self._asked: asyncio.Future[None] | None = None
        """The question whose account it is; asked once a connection."""
        self._connecting = asyncio.Lock()
        self._waiters: dict[str, Waiter] = {}

    @staticmethod
    def check_url(text: str) -> Url:
        """Check a URL of this scheme.

        Raises:
            BadInput: it names no region, or an option has no good value.

        """
        url = parse(text, OPTIONS)
        if not _REGION.fullmatch(url.host or "") or f"{url.host}" not in text:  # which may be in capitals
            raise BadInput(f"{text!r} names no region of AWS; write aws://us-east-1")
        if url.user is not None or url.port is not None:
            raise BadInput(f"{text!r} names more than a region; give credentials by ?profile=NAME")
        for option in ("poll", "grace", "read_timeout"):
            url.seconds(option, 1)
        if not re.fullmatch("[1-9][0-9]?", url.options.get("attempts", "1")):
            raise BadInput(f"option 'attempts' in {text!r} must be a whole number from 1 to 99")
        return url

    @staticmethod
    def exposed(url: Url) -> str | None:
        """Return what others could do on the way to the account, if anything."""
        endpoint = url.options.get("endpoint", "https:")
        if not endpoint.startswith("http:") or replace(url, host=urlsplit(endpoint).hostname).is_here:
            return None
        return (
            f"the endpoint {endpoint} is not encrypted: whoever is on the way reads what is sent, secrets in "
            "user data too, and answers in its place; use https"
        )

    async def run(self, batch: Batch, sink: Sink | None = None, token: str = "") -> Sequence[Any]:
        """Run a batch in few calls; what does not depend on each other goes side by side.

        Raises:
            MachineError: there are no credentials, or the profile is not there; nothing was done.
            OtherMachine: it is the account of somebody else, or another region; nothing was done.

        """
        if not batch:
            return []
        met = await self._connect()
        if not all(item.instruction.looks for item in batch):
            await asyncio.shield(met)
        outcomes: dict[int, Any] = {}
        while len(outcomes) < len(batch):
            ready = [
                i
                for i, item in enumerate(batch)
                if i not in outcomes and all(n in outcomes for n in item.after)
            ]
            failed = [i for i in ready if any(isinstance(outcomes[n], Failure) for n in batch[i].after)]
            outcomes |= dict.fromkeys(failed, not_tried())
            calls = list(groups(batch, [i for i in ready if i not in outcomes]))
            for group, answers in zip(calls, await asyncio.gather(*map(self._do, calls)), strict=True):
                outcomes |= dict(zip(group.indices, answers, strict=True))
        await asyncio.shield(met)
        return [outcomes[i] for i in range(len(batch))]

    def longest(self, instruction: Instruction) -> float:
        """Return how many seconds it may wait for what an instruction waits for."""
        return self._timeout if instruction.waits else 0

    def script(self, instructions: Sequence[Instruction], *, alone: bool) -> str:
        """Return instructions as a script for any place that has the `aws` command line and credentials."""
        option = self._url.options.get
        names: dict[str, str | None] = {"AWS_REGION": self._region, "AWS_DEFAULT_REGION": self._region}
        names |= {"AWS_PROFILE": option("profile"), "AWS_ENDPOINT_URL_EC2": option("endpoint")}
        settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in names.items() if value)
        lines = [_guarded(instruction.line()) for instruction in instructions]
        body = [f"export {settings}", *lines, 'exit "${lc_failed:-0}"']
        body = body if alone else ["(", *body, ") || lc_failed=1"]
        return "\n".join([f"# {self.name}: EC2 in {self._region}", *body])

    async def resolve(self, batch: Batch, token: str = "", *, end: bool = False) -> Sequence[Any | None]:
        """Ask what became of a batch that never came back: by tokens, where it made something.

        Raises:
            MachineError: the endpoint cannot be asked.

        """
        from lasercats.machines.aws_errors import unusable  # noqa: PLC0415 - botocore is heavy

        await asyncio.shield(await self._connect())
        outcomes: list[Any | None] = [None] * len(batch)
        made = [g for g in groups(batch, range(len(batch))) if getattr(g.first, "token", None) is not None]
        try:
            became = await asyncio.gather(*map(self._became, made))
        except Exception as error:
            raise unusable(error, self._where()) from None
        for group, answers in zip(made, became, strict=True):
            for index, outcome in zip(group.indices, answers, strict=True):
                outcomes[index] = outcome
        return outcomes

    async def check(self) -> None:
        """Make a round trip that does nothing.

        Raises:
            MachineError: no credentials, a region that there is not, or no answer.

        """
        from lasercats.machines.aws_errors import unusable  # noqa: PLC0415 - botocore is heavy

        met = await self._connect()
        try:
            await self._thread(self._ready().ping)
        except Exception as error:
            raise unusable(error, self._where()) from None
        await asyncio.shield(met)

    async def _leave(self) -> None:
        """Close the client, where there is one, and ask nothing more."""
        for waiter in self._waiters.values():
            waiter.stop()
        self._waiters = {}
        if self._asked is not None:
            self._asked.cancel()
            self._asked = None
        if self._client is not None:
            self._client.close()
            self._client = None

    # Connecting.

    async def _connect(self) -> "asyncio.Future[None]":
        """Connect, and ask beside all else whose account it is; return what tells that it is the right one.

        Raises:
            OtherMachine: it is another region, or another EC2; nobody need be asked for that.

        """
        async with self._connecting:  # batches come side by side
            if self._client is None or self._asked is None:
                client = await self._thread(lambda: Client(self._url, self._where(), self._count, THREADS))
                self.who.meet(client.place)
                self._client, self._asked = client, asyncio.ensure_future(self._meet(client))
                self._asked.add_done_callback(lambda asked: asked.cancelled() or asked.exception())
            return self._asked

    async def _meet(self, client: Client) -> None:
        self.who.meet(await self._thread(client.account))

    def _ready(self) -> Client:
        assert self._client is not None  # noqa: S101 - connected before anything is asked
        return self._client

    # Doing.

    async def _do(self, group: Group) -> Sequence[Any]:
        """Do what a group of instructions says; return the outcome of each."""
        from lasercats.machines.aws_errors import failure  # noqa: PLC0415 - botocore is heavy

        first, client = group.first, self._ready()
        if isinstance(first, Unmark | Wait):
            marked = [i.id for i in group.instructions if isinstance(i, Unmark)]
            waits = [self._wait(i) for i in group.instructions if isinstance(i, Wait)]
            return await self._unmark(marked) if marked else await asyncio.gather(*waits)
        try:
            if isinstance(first, Describe):
                return await self._thread(lambda: client.describe(group))
            if isinstance(first, Ask):
                answered = await self._thread(lambda: client.call(first.operation, first.parameters))
                return [answered] * len(group.instructions)
            if first.operation == "RunInstances":
                return await self._thread(lambda: client.launch(group))
            if first.operation in LISTS and len(group.instructions) > 1:
                return await self._list(group)
            return [await self._thread(lambda: client.single(first, group.token))]
        except Exception as error:
            failed = failure(error, changes=isinstance(first, Call), where=self._where())
        if not failed.in_doubt or first.token is None:
            return [failed] * len(group.instructions)
        try:
            became = await self._became(group)
        except Exception:
            became = [None] * len(group.instructions)
        return [failed if outcome is None else outcome for outcome in became]

    async def _unmark(self, ids: Sequence[str]) -> list[Any]:
        """Take our tag away from things, all by one call; what has just been made may not be known yet."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        from lasercats.machines.aws_errors import code_of, failure  # noqa: PLC0415

        client, end = self._ready(), time.monotonic() + self._grace
        work: dict[str, Any] = {"Resources": list(dict.fromkeys(ids)), "Tags": [{"Key": TOKEN_TAG}]}
        while True:
            try:
                await self._thread(lambda: client.call("DeleteTags", work))
            except ClientError as error:
                if code_of(error).endswith("NotFound") and time.monotonic() < end:
                    await asyncio.sleep(self._poll)
                    continue
                if len(work["Resources"]) > 1:
                    each = await asyncio.gather(*(self._unmark([id_]) for id_ in ids))
                    return [answer for answers in each for answer in answers]
                return [failure(error, changes=True, where=self._where())] * len(ids)
            except Exception as error:
                return [failure(error, changes=True, where=self._where())] * len(ids)
            return [Answered()] * len(ids)

    async def _list(self, group: Group) -> Sequence[Any]:
        """Call an operation on a list; where AWS refuses the list for one of it, call it for each."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        from lasercats.machines.aws_errors import THROTTLED, code_of  # noqa: PLC0415

        calls = [i for i in group.instructions if isinstance(i, Call)]
        ids = dict.fromkeys(name for call in calls for name in call.parameters["InstanceIds"])
        client, work = self._ready(), {"InstanceIds": list(ids)}
        try:
            await self._thread(lambda: client.call(group.first.operation, work))
        except ClientError as error:
            if code_of(error) in THROTTLED:
                raise
            singles = [Group((n,), (i,)) for n, i in zip(group.indices, group.instructions, strict=True)]
            return [answer for answers in await asyncio.gather(*map(self._do, singles)) for answer in answers]
        return [Answered()] * len(calls)

    async def _became(self, group: Group) -> list[Any | None]:
        """Ask by its token what a call made; what has just been made may take some time to be seen."""
        first, client, end = group.first, self._ready(), time.monotonic() + self._grace
        create, wanted = CREATES.get(first.operation), len(group.indices)
        what, by = ("instance", "client-token") if create is None else (create.what, f"tag:{TOKEN_TAG}")
        tokens = [group.token, some(group)] if create is None else [group.token]
        while True:
            things = await self._thread(lambda: client.found(what, by, tokens))
            if len(things) >= wanted or time.monotonic() > end:
                break
            await asyncio.sleep(self._poll)
        if create is None:
            launched = each(things[:wanted])
            return [*launched, *[None] * (wanted - len(launched))]
        made = [Answered({create.wraps: thing} if create.wraps else thing) for thing in things[:1]]
        return [*made, *[None] * (wanted - len(made))]

    async def _wait(self, wait: Wait) -> Any:  # noqa: ANN401
        if wait.what not in self._waiters:
            self._waiters[wait.what] = Waiter(wait.what, self._many, self._poll, self._timeout)
        return await self._waiters[wait.what].until(wait)

    async def _many(self, what: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        by_id, client = SORTS[what].by_id, self._ready()
        chunks = [ids[n : n + MOST_VALUES] for n in range(0, len(ids), MOST_VALUES)]
        work = [self._thread(partial(client.found, what, by_id, chunk)) for chunk in chunks]
        return [thing for things in await asyncio.gather(*work) for thing in things]
