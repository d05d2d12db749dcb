"""Whatever a host answers, there are only outcomes: a truth, or that nothing is known."""

import asyncio
import random
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasercats.core.errors import OtherMachine
from lasercats.core.instruction import Failure
from lasercats.instructions.host import ExecResult, Execute, MakeDirectory, PathStatus, ReadPath, WriteFile
from lasercats.machines.hearing import Hearing
from lasercats.machines.host import HostMachine
from lasercats.machines.vault import KeyVault
from lasercats.testing.machines import batch

GARBAGE = (b"", b"\0", b"\xff" * 50, b"yes\n" * 2000, b"=", b";", b".", b"@")


class LyingHost(HostMachine):
    """A shell of this machine, whose answer is spoiled on its way."""

    def __init__(self, vault: KeyVault, seed: int, how: str) -> None:
        super().__init__("m", vault)
        self._random, self._how = random.Random(seed), how  # noqa: S311 - not for secrets

    async def pipe(self, script: bytes, hearing: Hearing) -> int | None:
        """Run the script, and spoil what it printed."""
        ran = subprocess.run(["sh", "-s"], input=script, capture_output=True, check=False)  # noqa: ASYNC221
        async with hearing:
            for data in self._spoiled(ran.stdout):
                hearing.out(data)
            for data in self._spoiled(ran.stderr):
                hearing.err(data)
        return self._random.choice([0, 0, 1, 255, None])

    def _spoiled(self, data: bytes) -> list[bytes]:
        mark = data[data.find(b"@") :][:17]
        parts = data.split(mark) if len(mark) == 17 else [data]
        one, other = (self._random.randrange(len(parts)) for _ in range(2))
        match self._how:
            case "cut":
                return [data[: self._random.randrange(len(data) + 1)]]
            case "doubled":
                parts[one:one] = parts[min(one, other) : max(one, other)]
            case "reordered":
                self._random.shuffle(parts)
            case "garbage":
                parts[one] = self._random.choice(GARBAGE)
            case "dropped":
                del parts[one]
            case "huge":
                return [data, *[b"x" * 2**20] * 80]
        return [mark.join(parts)]


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> KeyVault:
    """A key of its own."""
    return KeyVault(tmp_path_factory.mktemp("vault") / "key")


@pytest.mark.parametrize("how", ["cut", "doubled", "reordered", "garbage", "dropped", "huge"])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_spoiled_answer_makes_outcomes(
    how: str, seed: int, vault: KeyVault, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A spoiled answer gives each instruction an outcome: a status that is true, or a failure."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "there").write_text("content")
    (folder / "link").symlink_to("where\nit points")
    items = (
        ReadPath(machine="m", path=f"{folder}/there", whole=True),
        ReadPath(machine="m", path=f"{folder}/link", whole=True),
        ReadPath(machine="m", path=f"{folder}/none", whole=True),
        MakeDirectory(machine="m", path=f"{folder}/d"),
        (WriteFile(machine="m", path=f"{folder}/d/f", content="x"), 3),
        WriteFile(machine="m", path=f"{folder}/no/f", content="x"),
    )
    host = LyingHost(vault, seed, how)
    outcomes = asyncio.run(host.run(batch(*items)))
    assert len(outcomes) == len(items)
    assert all(isinstance(one, PathStatus | Failure) for one in outcomes), outcomes
    if how != "reordered":  # the parts of a shuffled answer may tell of each other
        true = asyncio.run(LyingHost(vault, seed, "honest").run(batch(*items[:3])))
        assert all(isinstance(one, Failure) or one == so for one, so in zip(outcomes, true, strict=False))
        assert isinstance(outcomes[5], Failure)
        assert not isinstance(outcomes[4], PathStatus) or (folder / "d/f").read_text() == "x"
    try:
        (ran,) = asyncio.run(host.run(batch(Execute(machine="m", argv=("echo", "hello")))))
    except OtherMachine:  # what was told as its machine-id before was none
        assert how == "reordered"
    else:
        assert isinstance(ran, ExecResult | Failure)
