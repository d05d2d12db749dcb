"""Every verb that the command line has, called in every way in which it tells something.

The verbs are those that the command line itself names. One that is new, and of which nothing is said here, is
an error: it may be the one that tells a secret.
"""

from collections.abc import Iterator, Sequence

import click

from lasercats.cli.main import root
from lasercats.core.resource import Role, fields_of
from lasercats.operate import plugins
from tests.soak.planted import Planted

Call = Sequence[str]
PLANTED = "the ways call it"
CALLS: dict[str, Sequence[Call] | str] = {
    "init": [["other"]],
    "machine accept": [["web"], ["local", "--json"]],
    "machine add": PLANTED,
    "machine check": [["web"]],
    "machine list": [[]],
    "machine remove": PLANTED,
    "exec": [["web", "--", "ls", "-l", "/srv/there"], ["local", "--", "env"]],
    "issue": PLANTED,
    "forget": [["file/web:/srv/there/by_file", "--check"]],
    "protect": [["file/web:/srv/there/by_file", "--check"]],
    "unprotect": [["file/web:/srv/there/by_file", "--check"]],
    "create": "kinds that are made from data have no secrets here",
    "set": "as create",
    "remove": "as create",
    "undo": [["HEAD", "--check"], ["@{1 minute ago}..HEAD", "--check"]],
    "confirm": [["--list"]],
    "work done": [["1"], ["1", "1-3"]],
    "work fail": [["1"]],
    "work list": [["--all"]],
    "work show": [["1"], ["1", "--html"], ["1", "--markdown"]],
    "recover": [[], ["--force"]],
    "state": [[], ["--as-of", "HEAD~9"]],
    "document": [[], ["--as-of", "HEAD~9"]],
    "plan": [["{document}"], ["{document}", "--refresh"], ["{document}", "--interpreter", "script"]],
    "apply": [["{document}", "--check"], ["{document}", "--yes", "--interpreter", "trace"]],
    "observe": [[]],
    "adopt": [["web", "--check"]],
    "drift": [[]],
    "schema": [[]],
    "log": [[], ["--grep", "env"], ["--graph"]],
    "show": [["{position}"]],
    "diff": [["1", "HEAD"]],
    "query": [
        ["SELECT * FROM file"],
        ["SELECT * FROM file FOR SYSTEM_TIME ALL"],
        ["SELECT * FROM {table}"],
        ["SELECT * FROM events", "--format", "csv"],
        ["--tables"],
    ],
    "for": [["SELECT address FROM file", "file", "chmod", "--mode", "0600", "--check"]],
    "blame": [["file/web:/srv/there/by_file"]],
    "bisect": [["--run", "false"], ["--query", "SELECT count(*) = 0 FROM file"]],
    "replay": [["{position}"], ["{position}", "--step"]],
    "trace": [["{position}"]],
    "rewrite": [[], ["--out", "rewritten.jsonl"]],
    "secret list": [[]],
    "secret set": PLANTED,
    "secret rotate": [["--key", "--yes"]],
    "secret shred": PLANTED,
    "secret key": [[]],
    "project list": [[]],
    "project trust": [["."]],
    "project untrust": [["."]],
    "verify": [[], ["--repair"]],
    "completion": [["bash"], ["zsh"], ["fish"]],
}
"""How a verb is called: `{position}` is each command, `{table}` each table, `{document}` the state's."""


def leaves(group: click.Group, context: click.Context, *words: str) -> Iterator[tuple[str, click.Command]]:
    """Return all verbs below a group, with their words, but for those that kinds make."""
    made = {name for name, _, _ in plugins.kinds().verbs()}
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            if words or name not in made:
                yield from leaves(found, click.Context(found, parent=context), *words, name)
        elif found is not None:
            yield " ".join((*words, name)), found


def verbs() -> dict[str, click.Command]:
    """Return all verbs, by their words."""
    return dict(leaves(root, click.Context(root)))


def takers() -> set[str]:
    """Return the commands that take a secret, as kinds have them."""
    return {f"{group} {verb}" for group, verb, one in plugins.kinds().verbs() if fields_of(one, Role.SECRET)}


def calls(planted: Planted, positions: Sequence[int]) -> Iterator[list[str]]:
    """Return the calls of every verb, in words and as JSON, with both sides of changes."""
    document = planted.project / "all.yaml"
    document.write_text(planted.run("document"))
    tables = [line.split()[0] for line in planted.run("query", "--tables").splitlines() if line.strip()]
    for words, verb in verbs().items():
        options = {option for parameter in verb.params for option in parameter.opts}
        for call in () if isinstance(known := CALLS[words], str) else known:
            for full in _filled(call, positions, tables, str(document)):
                more = ["--diff"] if "--diff" in options and "script" not in full else []
                yield [*words.split(), *more, *full]
                if "--json" in options:
                    yield [*words.split(), "--json", *more, *full]


def _filled(call: Call, positions: Sequence[int], tables: Sequence[str], document: str) -> list[list[str]]:
    """Return a call for each position or table that it is about."""
    text = " ".join(call)
    if "{position}" in text:
        return [[word.replace("{position}", f"{position}") for word in call] for position in positions]
    if "{table}" in text:
        return [[word.replace("{table}", table) for word in call] for table in tables]
    return [[word.replace("{document}", document) for word in call]]
