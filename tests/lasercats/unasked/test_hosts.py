"""The law that nothing is destroyed unasked, for files and folders on real hosts."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from lasercats.testing.lab import Lab
from lasercats.testing.unasked import check_unasked
from tests.lasercats.cli.conftest import bare, cli, place
from tests.lasercats.unasked.hosts import Folder

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

__all__ = ["bare", "cli", "place"]
WALKS = int(os.environ.get("UNASKED", "1"))
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", range(WALKS))
def test_no_content_is_lost_unasked(cli: "Cli", place: Callable[..., str], seed: int) -> None:
    """Whatever verbs in whatever order: a content is there, or in the log, or was announced and agreed to."""
    place()
    world = Folder(cli, seed)
    checked = check_unasked(world, world.walk(40))
    print(checked)
    assert checked.spared
    cli.verifies()


def test_nor_on_a_host(cli: "Cli", lab: Lab) -> None:
    """The same on a host over SSH, whose files are seen from outside."""
    host = lab.hosts[0]
    cli.done("machine", "add", "h", host.url)
    world = Folder(cli, 1, "h", host.root)
    world.seen.mkdir(parents=True)
    checked = check_unasked(world, world.walk(25))
    assert checked.spared
    cli.verifies()
