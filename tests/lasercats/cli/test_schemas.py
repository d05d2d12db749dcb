"""What verbs print as JSON has published schemas: each is named, kept to, and can be asked for."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
import jsonschema
import pytest

from lasercats.cli import generate, options
from lasercats.cli.main import root
from lasercats.operate import data
from tests.soak.verbs import leaves

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli


def printing() -> Iterator[tuple[str, options.Json]]:
    """Iterate over the options `--json` of all verbs that are no direct commands, with their verbs."""
    for words, verb in leaves(root, click.Context(root)):
        for one in (verb, *getattr(verb, "below", {}).values()):
            yield from ((words, option) for option in one.params if isinstance(option, options.Json))


def test_each_verb_names_a_schema_and_each_schema_is_printed() -> None:
    """No verb prints what has no schema, and none is there for nothing; `document` has its own."""
    named = {name for _, option in printing() for name in option.prints}
    assert named - {"document"} == {*data.SCHEMAS}
    assert all("--json" in option.opts for _, option in printing())
    assert {"elevations"} == {*generate.schemas()}


def test_the_schema_of_each_name_is_printed(cli: "Cli") -> None:
    """It is a JSON Schema, of a plugin's data too; that of documents is the one without a name."""
    for name in (*data.SCHEMAS, "elevations"):
        jsonschema.Draft202012Validator.check_schema(cli.done("schema", "--of", name).data)
    assert cli.done("schema", "--of", "document").data == cli.done("schema").data
    error = cli.refuses("schema", "--of", "?")
    assert error.startswith("no data is called '?'; there are: accepted, added, ")


def test_verbs_print_what_their_schemas_say(cli: "Cli") -> None:
    """In a project where things were done, failed, found and undone; the fixture of all tests here looks."""
    motd = str(cli.folder / "motd")
    page = cli.file("page.yaml", f"resources:\n  file/local:{motd}:\n    content: one\n")
    cli.done("file", "write", f"local:{motd}", "--content", "two", "--json", "--message", "why")
    cli.done("plan", page, "--json")
    cli.done("apply", page, "--json", "--yes")
    (cli.folder / "motd").write_text("three")
    cli.done("drift", "--json")
    cli.done("drift", "--revert", "--json", "--yes")
    cli("file", "write", f"local:{motd}/below", "--content", "x", "--json")
    for words in (
        "state",
        "document",
        "log",
        "log head",
        "show HEAD",
        "diff 1 HEAD",
        f"blame file/local:{motd}",
        "replay 1",
        "trace 1",
        "rewrite",
        "bisect 1..HEAD --query SELECT+*+FROM+file+WHERE+content='one'",
        "query SELECT+*+FROM+events",
        "query --tables",
        "verify",
        "machine list",
        "machine check local",
        "machine accept local",
        "secret list",
        "secret key",
        "project list",
        "work list",
        "recover",
        "confirm --list",
        "undo HEAD~1 --check",
        "exec local -- true",
    ):
        words_ = [word.replace("+", " ") for word in words.split()]
        cut = words_.index("--") if "--" in words_ else len(words_)
        assert cli(*words_[:cut], "--json", *words_[cut:]).data is not None


def test_what_no_schema_says_is_found(cli: "Cli") -> None:
    """A field that nobody published, and one that is missing, fail the check that all these tests run."""
    schema = data.schema("head")
    good = cli.done("machine", "add", "spare", "human:", "--json").data
    head = {"log": "x", "position": 1, "hash": "00"}
    jsonschema.validate(head, schema)
    for bad in (good, {**head, "more": 1}, {"log": "x", "position": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(json.loads(json.dumps(bad)), schema)
