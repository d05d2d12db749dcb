"""The law that nothing is destroyed unasked, for files and folders on real hosts."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from lasercats.testing.unasked import check_unasked
from tests.lasercats.cli.conftest import bare, cli, place
from tests.lasercats.unasked.hosts import Folder

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

__all__ = ["bare", "cli", "place"]
WALKS = int(os.environ.get("UNASKED", "3"))
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", range(WALKS))
def test_no_content_is_lost_unasked(cli: "Cli", place: Callable[..., str], seed: int) -> None:
    """Whatever verbs in whatever order: a content is there, or in the log, or was announced and agreed to."""
    place()
    world = Folder(cli, seed)
    checked = check_unasked(world, world.walk(60))
    print(checked)
    assert checked.spared
    cli.verifies()
