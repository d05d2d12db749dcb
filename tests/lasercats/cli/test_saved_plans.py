"""A saved plan: bound to where it was made, known by its form, and shown to its end before it is done."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

Place = Callable[..., str]
WORDS = ["sh", "-c", "id > /tmp/x; # " + "very " * 40 + "long"]


@pytest.fixture
def plan(cli: "Cli", place: Place) -> dict[str, Any]:
    """A saved plan of one file, as data; it is in `site.plan`."""
    document = cli.file("site.yaml", json.dumps({"resources": {f"file/{place('x')}": {"content": "x"}}}))
    cli.done("plan", document, "--out", "site.plan")
    data: dict[str, Any] = json.loads((cli.folder / "site.plan").read_text())
    return data


def changed(cli: "Cli", plan: dict[str, Any], **fields: Any) -> str:  # noqa: ANN401
    """Write a plan with other fields, and return its name."""
    return cli.file("other.plan", json.dumps({**plan, **fields}))


def carrying(cli: "Cli", plan: dict[str, Any], *commands: dict[str, Any]) -> str:
    """Write a plan that carries more commands, and return its name."""
    on = [address for command in commands for address in command["on"]]
    versions = plan["versions"] | dict.fromkeys(on, 0)
    machines = plan["machines"] | {"b": plan["machines"]["a"]}
    return changed(cli, plan, commands=[*plan["commands"], *commands], versions=versions, machines=machines)


def test_it_is_applied_as_it_was_made(cli: "Cli", plan: dict[str, Any], place: Place) -> None:
    """What was saved is carried out, once."""
    cli.done("apply", "site.plan", "--yes")
    assert Path(place("x").partition(":")[2]).read_text() == "x"
    assert "is stale" in cli.refuses("apply", "site.plan", "--yes")


@pytest.mark.parametrize(
    "verb", [["plan"], ["apply"], ["apply", "--check"], ["apply", "--yes"]], ids=" ".join
)
def test_all_of_it_is_shown(cli: "Cli", plan: dict[str, Any], place: Place, verb: list[str]) -> None:
    """Each command is told with what it is on, and what is not in the state to the end of its words."""
    exec_ = {"command": "exec", "on": ["exec/a:"], "argv": WORDS}
    hold = {"command": "hold", "on": [f"file/{place('h')}"], "until": 4_000_000_000_000_000}
    forget = {"command": "forget", "on": [f"file/{place('f')}"]}
    output = cli(*verb, carrying(cli, plan, exec_, hold, forget)).out
    assert "the plan carries 4 commands:\n" in output
    assert f"  file.write file/{place('x')}  content: x\n" in output
    assert f"  exec exec/a  argv: {json.dumps(WORDS)}\n" in output
    assert f"  hold file/{place('h')}  until: 4000000000000000\n" in output
    assert f"  forget file/{place('f')}\n" in output


def test_it_is_asked_after_it_was_shown(cli: "Cli", plan: dict[str, Any], tmp_path: Path) -> None:
    """Without consent nothing of it is done, and its raw commands are counted."""
    ran = cli("apply", carrying(cli, plan, {"command": "exec", "on": ["exec/a:"], "argv": ["touch", "ran"]}))
    assert ran.code == 1
    assert "plan: 1 to create, and 1 raw command to carry out" in ran.err
    assert "because it was not agreed to" in ran.err
    assert not (tmp_path / "ran").exists()
    assert cli.head() == 0


def test_a_plan_of_staging(cli: "Cli", place: Place) -> None:
    """A plan of one environment is refused in another, also where all else is equal."""
    file = cli.folder / "lasercats.toml"
    file.write_text(file.read_text() + '\n[environments.staging.machines]\na = "local:"\n')
    document = cli.file("site.yaml", json.dumps({"resources": {f"file/{place('x')}": {"content": "x"}}}))
    cli.done("--env", "staging", "plan", document, "--out", "staging.plan")
    refusal = cli.refuses("apply", "staging.plan", "--yes")
    assert "was made for the environment 'staging', and this is 'default'" in refusal
    data = json.loads((cli.folder / "staging.plan").read_text())
    refusal = cli.refuses("apply", changed(cli, data, environment="default"), "--yes")
    assert f"was made for the log {data['log']}, and this is the log" in refusal
    cli.done("--env", "staging", "apply", "staging.plan", "--yes")


def test_a_plan_of_another_project(cli: "Cli", plan: dict[str, Any]) -> None:
    """A plan is for the log that it was made from, and for no other that looks like it."""
    cli.done("init", "other")
    cli.done("-C", "other", "machine", "add", "a", "local:")
    ran = cli("-C", "other", "apply", "site.plan", "--yes")
    assert f"was made for the log {plan['log']}, and this is the log" in ran.err


def test_a_machine_that_is_another_by_now(cli: "Cli", plan: dict[str, Any]) -> None:
    """Where the URL of a machine was changed, or the machine taken away, its plans are for nothing."""
    file = cli.folder / "lasercats.toml"
    before = file.read_text()
    for after in ('a = "ssh://prod"', 'a = "local:?sudo=true"', 'c = "local:"'):
        file.write_text(before.replace('a = "local:"', after))
        assert "was made for another machine 'a', as its URL was changed" in cli.refuses("apply", "site.plan")
    file.write_text(before.replace('b = "local:"', 'b = "local:?sudo=true"'))
    cli.done("apply", "site.plan", "--yes")


def test_it_tells_no_url(cli: "Cli", place: Place) -> None:
    """What is in a URL is nobody's business who is given a plan."""
    cli.done("machine", "add", "hidden", "ssh://s3cret-user@s3cret-host")
    cli.file("site.yaml", "resources: {file/hidden:/x: {content: x}}")
    cli.done("plan", "site.yaml", "--out", "site.plan")
    assert "s3cret" not in (cli.folder / "site.plan").read_text()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"machines": {}}, "does not say which machine 'a' is"),
        ({"versions": {}}, "does not say which version of file/a:"),
        ({"lasercats_plan": 1}, "is a plan of format 1, and this LaserCats reads 2; make the plan again"),
        ({"lasercats_plan": 3}, "is a plan of format 3, and"),
        ({"lasercats_plan": "2"}, "is no saved plan: Expected `int`"),
        ({"more": 1}, "is no saved plan: Object contains unknown field `more`"),
        ({"resources": {}}, "is no saved plan: Object contains unknown field `resources`"),
        ({"commands": [{"command": "nope", "on": ["file/a:/x"]}]}, "holds a command that cannot be read"),
    ],
)
def test_one_that_was_edited(cli: "Cli", plan: dict[str, Any], fields: dict[str, Any], message: str) -> None:
    """What has not exactly the form of a plan is refused, and never read as a document."""
    assert message in cli.refuses("apply", changed(cli, plan, **fields), "--yes")


def test_one_that_was_cut_off(cli: "Cli", plan: dict[str, Any]) -> None:
    """However short what is left of a plan is, it is told as a plan."""
    whole = json.dumps(plan)
    for length in (25, 60, len(whole) // 2, len(whole) - 1):
        refusal = cli.refuses("apply", cli.file("cut.plan", whole[:length]), "--yes")
        assert "is no saved plan: " in refusal
        assert refusal.endswith("make the plan again")


@pytest.mark.parametrize(
    "text",
    [
        '# "lasercats_plan"\nresources: {ADDRESS: {content: y}}',
        '{"resources": {"ADDRESS": {"content": "{\\"lasercats_plan\\": 2}"}}}',
        '{"x-note": {"lasercats_plan": 2}, "resources": {"ADDRESS": {"content": "y"}}}',
        'x-lasercats: "lasercats_plan"\nresources: {ADDRESS: {content: y}}',
    ],
)
@pytest.mark.parametrize("name", ["site.yaml", "site.json", "site.plan"])
def test_a_document_that_speaks_of_plans(cli: "Cli", place: Place, text: str, name: str) -> None:
    """A document stays one, whatever it is called and whichever words stand in it."""
    document = cli.file(name, text.replace("ADDRESS", f"file/{place('x')}"))
    cli.done("apply", document, "--yes")
    assert Path(place("x").partition(":")[2]).exists()


def test_a_document_with_a_key_of_plans(cli: "Cli", place: Place) -> None:
    """What is neither is told, and nothing is done."""
    text = f"lasercats_plan: 2\nresources: {{file/{place('x')}: {{content: y}}}}"
    assert "lasercats_plan" in cli.refuses("apply", cli.file("x.yaml", text), "--yes")


@pytest.mark.parametrize("before", [None, 0o666])
def test_it_is_for_its_owner_only(cli: "Cli", plan: dict[str, Any], before: int | None) -> None:
    """A plan holds contents, so nobody else reads it, whatever the umask is and whoever made the file."""
    path = cli.folder / "new.plan"
    if before is not None:
        path.write_text("")
        path.chmod(before)
    umask = os.umask(0)
    try:
        cli.done("plan", "site.yaml", "--out", str(path))
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_pipe_is_written_as_it_is(cli: "Cli", plan: dict[str, Any]) -> None:
    """A plan may be written where there is no file: it is not put in the place of a pipe."""
    there, here = os.pipe()
    cli.done("plan", "site.yaml", "--out", f"/dev/fd/{here}")
    os.close(here)
    with os.fdopen(there) as stream:
        assert json.load(stream) == {**plan, "documents": ["site.yaml"]}
