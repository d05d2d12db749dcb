"""Packages on a real Debian host, from the command line: what goes along is told before, and comes back."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lasercats.testing.debs import Debian

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

pytestmark = pytest.mark.lab
SITE = "resources: {package/d:lc-rival: {}, package/d:lc-one: {version: '1.0'}}"
ALONG = "! package/d:lc-app: it would be removed along with what is done at package/d:lc-rival"


def test_what_goes_along_is_in_the_dry_run_and_comes_back(cli: "Cli", debian: Debian, tmp_path: Path) -> None:
    """A plan that looks tells what apt would remove along; it is agreed to, done, and taken back whole."""
    debian.fresh()
    cli.done("machine", "add", "d", debian.host.url)
    cli.done("package", "install", "d:lc-app")
    site = tmp_path / "site.yaml"
    site.write_text(SITE)
    assert ALONG in cli.done("plan", str(site), "--refresh").err
    ran = cli("apply", str(site), "--refresh")
    assert (ran.code, set(debian.installed())) == (1, {"lc-app", "lc-library"})
    cli.done("apply", str(site), "--refresh", "--yes")
    assert set(debian.installed()) == {"lc-rival", "lc-one", "lc-library"}
    cli.done("undo", "HEAD", "--yes")
    assert {"lc-app"} <= set(debian.installed()) <= {"lc-app", "lc-one", "lc-library"}
    assert cli.done("drift").err == "looked at 2: all as the state says\n"
    cli.verifies()
