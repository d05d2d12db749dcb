"""A plugin in a package of its own, installed into a fresh environment, used, and uninstalled again."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.slow
PLUGIN = Path(__file__).parent.parent / "plugin"
PROGRAM = "from lasercats.cli.main import main; main()"


class Fresh(NamedTuple):
    """An environment with LaserCats in it, and a project."""

    python: Path
    project: Path

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run a command line in the project; return what it prints."""
        words = [str(self.python), "-c", PROGRAM, *arguments]
        ran = subprocess.run(words, cwd=self.project, capture_output=True, text=True, check=False)
        assert (ran.returncode != 0) == fails, ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
        return ran.stdout + ran.stderr

    def pip(self, *arguments: str) -> None:
        """Install or uninstall, without any index."""
        words = [str(self.python), "-m", "pip", "-q", "--disable-pip-version-check", *arguments]
        subprocess.run(words, env={**os.environ, "PIP_NO_INDEX": "1"}, check=True)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """Make an environment that has what ours has, and install the plugin there."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python, ours = folder / "venv" / "bin" / "python", sysconfig.get_path("purelib")
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    own = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    (own / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    project = folder / "project"
    project.mkdir()
    made = Fresh(python, project)
    made.pip("install", "--no-deps", "--no-build-isolation", str(PLUGIN))
    made.run("init")
    return made


def test_installed_used_and_uninstalled(fresh: Fresh) -> None:
    """Its kinds, made from a schema, are there; without it the log still reads, and they can be forgotten."""
    (fresh.project / "schema.json").write_text(json.dumps({"record": {"ttl": "integer", "value": "string"}}))
    with (fresh.project / "lasercats.toml").open("a") as file:
        file.write('\n[domains.toy]\nschema = "schema.json"\n')
    fresh.run("machine", "add", "toy", "toy:cloud.json")
    fresh.run("create", "toy.record/www", "-f", "ttl=300", "-f", "value=192.0.2.1")
    assert json.loads((fresh.project / "cloud.json").read_text())["toy.record/www"]["ttl"] == 300
    assert "toy.record/www" in fresh.run("state")
    pipe = fresh.project / "a pipe"
    fresh.run("machine", "add", "here", "local:")
    fresh.run("pipe", "create", f"here:{pipe}", "--mode", "600")
    assert pipe.is_fifo()
    assert "all as the state says" in fresh.run("drift", f"pipe/here:{pipe}")
    pipe.chmod(0o640)
    assert "mode: 0600 → 0640" in fresh.run("drift", f"pipe/here:{pipe}")
    fresh.pip("uninstall", "-y", "lasercats-toy")
    output = fresh.run("state")
    assert "192.0.2.1" in output
    assert "settings for a domain 'toy', which is not installed" in output
    assert "toy record create www" in fresh.run("log")
    assert "toy.record" in fresh.run("query", "SELECT * FROM unknown_kinds")
    assert "verify" not in fresh.run("verify")
    assert "no kind is called 'toy.record'" in fresh.run("drift", "toy.record/www", fails=True)
    assert "0600" in output
    fresh.run("forget", "toy.record/www", f"pipe/here:{pipe}")
    assert "resources" not in fresh.run("document").replace("resources: {}", "")
    assert pipe.is_fifo()
