"""Kinds that a plugin makes from data when a project is opened: hundreds of them, by three verbs."""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lasercats.core.generic import VERBS
from lasercats.operate import plugins

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

PLUGIN = Path(__file__).parent.parent.parent / "plugin"
FIELDS = {"ttl": "integer", "value": "string", "live": "boolean", "labels": "map"}
SCHEMA = {f"thing_{n}": {**FIELDS, f"own_{n}": "string"} for n in range(300)}
POINTS = {
    "domains": EntryPoint("toy", "lasercats_toy.cloud:domain", "lasercats.domains"),
    "machines": EntryPoint("toy", "lasercats_toy.machine:ToyMachine", "lasercats.machines"),
}


@pytest.fixture
def toy(cli: "Cli", monkeypatch: pytest.MonkeyPatch) -> Iterator["Cli"]:
    """Install the plugin, and give the project a schema of 300 kinds."""
    points = plugins._points

    def more(group: str) -> dict[str, Any]:
        own = {"toy": POINTS[group]} if group in POINTS else {}
        return {**points(group), **own}

    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setattr(plugins, "_points", more)
    (cli.folder / "schema.json").write_text(json.dumps(SCHEMA))
    settings(cli, 'schema = "schema.json"')
    cli.done("machine", "add", "toy", f"toy:{cli.folder / 'cloud.json'}")
    yield cli
    for name in [name for name in sys.modules if name.startswith("lasercats_toy")]:
        del sys.modules[name]


def settings(cli: "Cli", text: str) -> None:
    """Say in the project's file what the domain is made of."""
    path = cli.folder / "lasercats.toml"
    path.write_text(f"{path.read_text().partition('[domains.toy]')[0]}\n[domains.toy]\n{text}\n")


def there(cli: "Cli") -> Any:  # noqa: ANN401 - as it is in JSON
    """Return what is in the cloud, with its own eyes."""
    return json.loads((cli.folder / "cloud.json").read_text())


def test_create_set_remove_and_back(toy: "Cli") -> None:
    """What is created by fields is there, is set, is taken back and removed, and blame knows who did it."""
    toy.done("create", "toy.thing_7/a", "-f", "ttl=300", "-f", "value=1e3", "-f", "labels={team: web}")
    made = {"ttl": 300, "value": "1e3", "labels": {"team": "web"}}
    assert there(toy) == {"toy.thing_7/a": made}
    assert "ttl: 300 → 60" in toy.done("set", "toy.thing_7/a", "--field", "ttl=60").out
    assert there(toy)["toy.thing_7/a"]["ttl"] == 60
    assert "toy.thing_7.set" in toy.done("blame", "toy.thing_7/a").out
    toy.done("undo", "HEAD")
    assert there(toy) == {"toy.thing_7/a": made}
    toy.done("remove", "toy.thing_7/a")
    assert there(toy) == {}
    toy.done("undo", "HEAD", "--yes")
    assert there(toy) == {"toy.thing_7/a": made}


def test_documents_queries_and_drift(toy: "Cli") -> None:
    """A document makes things of many kinds; drift, prune, and SQL with time travel know them all."""
    names = [f"toy.thing_{n}/{name}" for n in range(0, 300, 10) for name in ("a", "b")]
    document = toy.folder / "site.yaml"
    document.write_text(json.dumps({"resources": {name: {"ttl": 1, "value": "x"} for name in names}}))
    toy.done("apply", str(document), "--yes")
    assert set(there(toy)) == set(names)
    assert "nothing to do" in toy.done("plan", str(document)).err
    things = there(toy)
    things["toy.thing_10/a"]["ttl"] = 2
    (toy.folder / "cloud.json").write_text(json.dumps(things))
    assert "ttl: 1 → 2" in toy.done("drift").out
    toy.done("drift", "--revert", "--yes")
    assert there(toy)["toy.thing_10/a"]["ttl"] == 1
    rows = toy.done("query", "SELECT address, ttl FROM toy_thing_10 ORDER BY address", "--format", "csv").out
    assert rows.splitlines()[1:] == ["toy.thing_10/a,1", "toy.thing_10/b,1"]
    assert toy.done("state", "--json").data["resources"].keys() >= set(names)


def test_schema_completion_and_help(toy: "Cli") -> None:
    """Every kind has its own name in the JSON Schema and in completion; the top help shows three verbs."""
    schema = toy.done("schema").data
    assert {f"toy.{name}" for name in SCHEMA} <= schema["$defs"].keys()
    assert "own_299" in schema["$defs"]["toy.thing_299"]["properties"]
    assert "own_298" not in schema["$defs"]["toy.thing_299"]["properties"]
    assert "toy.thing" not in toy.done("--help").out
    assert [verb for verb in VERBS if f"\n  {verb} " in toy.done("--help").out] == list(VERBS)


def test_what_is_refused(toy: "Cli") -> None:
    """A field that is none, a value of another type and a kind with verbs of its own are told."""
    assert "'own_8'" in toy.refuses("create", "toy.thing_7/a", "-f", "own_8=x")
    assert "field 'ttl'" in toy.refuses("create", "toy.thing_7/a", "-f", "ttl=soon")
    assert "FIELD=VALUE" in toy.refuses("create", "toy.thing_7/a", "-f", "ttl")
    assert "`lasercats file --help` lists them" in toy.refuses("set", "file/local:/x", "-f", "mode=0600")
    assert "no kind is called 'toy.thing_300'" in toy.refuses("create", "toy.thing_300/a")
    ran = toy("set", "toy.thing_1/a", "-f", "ttl=1", "--check")
    assert "nothing is known of toy.thing_1/a" in ran.out + ran.err


def test_the_schema_is_gone(toy: "Cli") -> None:
    """Without its schema a domain is told of with the remedy; without the kind the log still reads."""
    toy.done("create", "toy.thing_7/a", "-f", "ttl=300")
    settings(toy, 'schema = "elsewhere.json"')
    assert "the schema 'elsewhere.json' cannot be read" in toy.refuses("state")
    (toy.folder / "elsewhere.json").write_text("{}")
    assert "ttl: 300" in toy.done("state").out
    assert "create" in toy.done("log").out
    assert "of no kind that is installed" in toy("undo", "HEAD", "--check").err
    toy.done("forget", "toy.thing_7/a")
    assert "toy.thing_7" not in toy.done("state").out


def test_settings_of_a_domain_that_is_not_installed(cli: "Cli") -> None:
    """They are told of, and keep nobody from anything."""
    settings(cli, "")
    path = Path(cli.folder / "lasercats.toml")
    path.write_text(path.read_text().replace("domains.toy", "domains.hots"))
    assert "settings for a domain 'hots', which is not installed" in cli.done("state").err
