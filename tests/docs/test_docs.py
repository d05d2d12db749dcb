"""The documentation tells the truth: its examples are run, its reference is compared with the code."""

import doctest
import grp
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import click
import pytest

from lasercats.cli.main import root
from lasercats.core.command import tag_of
from lasercats.core.document import parse
from lasercats.core.registry import Kinds
from lasercats.machines.vault import KeyVault
from lasercats.operate.inputs import LocalInputs
from lasercats.operate.plugins import kinds as installed
from lasercats.testing.aws import MotoServer, StrictEc2, environment, why_not
from lasercats.testing.ovs import OvsLab
from lasercats.testing.ovs import why_not as why_no_ovs
from lasercats.testing.peers import need
from lasercats.testing.postgresql import Server
from lasercats.testing.postgresql import unavailable as postgresql_unavailable

TOP = Path(__file__).parent.parent.parent
DOCS = TOP / "docs"
PAGES = [TOP / "README.md", DOCS / "tutorial.md", *sorted((DOCS / "howto").glob("*.md"))]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Example(NamedTuple):
    """A command line of a page, and what it prints there."""

    line: int
    command: str
    output: str


def examples(page: Path) -> list[Example]:
    """Return the examples of a page: a line `$ COMMAND`, more of it after `> `, then its output."""
    text, found = page.read_text(), list[Example]()
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start()) + 2
        for number, line in enumerate(block.group(1).splitlines(), first):
            if line.startswith("$ "):
                found.append(Example(number, line[2:], ""))
                continue
            last = found[-1]
            if line.startswith("> ") and not last.output:
                found[-1] = last._replace(command=f"{last.command}\n{line[2:]}")
            else:
                found[-1] = last._replace(output=f"{last.output}{line}\n")
    return found


def run(command: str, home: Path, account: dict[str, str]) -> str:
    """Return what a command line prints, standard output and standard error together."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("LASERCATS_")}
    more = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "LASERCATS_ACTOR": "ada@desk",
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        ["bash", "-c", f"umask 022\n{command}"],
        cwd=home,
        env={**own, **more, **account},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    text = done.stdout.decode()
    return text if text.endswith("\n") or not text else f"{text}\n"


def normal(text: str, home: Path) -> str:
    """Put what differs from run to run in one form: folder, user, times, widths of columns."""
    text = text.replace(str(home), "/home/ada")
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    text = text.replace(f"owner={user} group={group}", "owner=ada group=ada")
    text = re.sub(r"\b(i|vol|sg|vpc|subnet|key|eipalloc)-[0-9a-f]{17}\b", r"\1-0123456789abcdef0", text)
    text = re.sub(r"\b(10|54)(\.\d+){3}\b(?!/)", "10.0.0.10", text)
    text = re.sub(r"\baa:55:aa:55(:[0-9a-f]{2}){2}\b", "aa:55:aa:55:00:01", text)
    text = re.sub(r"uid=\d+ gid=\d+", "uid=1000 gid=1000", text)
    text = re.sub(r"modified=\d+", "modified=1790000000", TIME.sub("2026-01-01T00:00:00Z", text))
    return re.sub(r"(?<=\S) {2,}", "  ", text)


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a short path: long ones are cut in what is printed."""
    folder = Path(tempfile.mkdtemp(prefix="ada.", dir="/tmp")).resolve()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def switch(page: Path, home: Path) -> Iterator[None]:
    """Run Open vSwitch with 48 ports for a page that speaks of it; the socket is in the folder."""
    if 'machine add sw1 "ovsdb://' not in page.read_text():
        yield
        return
    need(why_no_ovs())
    with OvsLab() as lab:
        lab.add_switch("sw1", [f"eth{n}" for n in range(1, 49)])
        (home / "db.sock").symlink_to(lab.socket)
        yield


@pytest.fixture
def account(page: Path) -> Iterator[dict[str, str]]:
    """Return the variables of an account of AWS, as strict as AWS, for a page that speaks of one."""
    if "aws://" not in page.read_text():
        yield {}
        return
    need(why_not())
    with MotoServer() as moto, StrictEc2(moto) as aws:
        yield environment(aws.endpoint)


@pytest.fixture
def server(page: Path, home: Path) -> Iterator[None]:
    """Run PostgreSQL with an empty database for a page that speaks of one; its socket is here."""
    if 'init --log "postgresql:' not in page.read_text():
        yield
        return
    need(postgresql_unavailable())
    made, user = Server(), pwd.getpwuid(os.getuid()).pw_name
    try:
        made.sql(f'CREATE ROLE "{user}" LOGIN SUPERUSER')
        made.sql(f'CREATE DATABASE infra OWNER "{user}"')
        (home / f".s.PGSQL.{made.port}").symlink_to(f"{made.folder}/.s.PGSQL.{made.port}")
        yield
    finally:
        made.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("switch", "server")
@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.stem, marks=pytest.mark.xdist_group(page.stem)) for page in PAGES]
)
def test_every_example_prints_what_the_page_says(page: Path, home: Path, account: dict[str, str]) -> None:
    """Run the examples of a page in order and compare; `...` stands for anything."""
    checker, flags = doctest.OutputChecker(), doctest.ELLIPSIS
    for example in examples(page):
        got, want = normal(run(example.command, home, account), home), normal(example.output, home)
        where = f"{page.relative_to(TOP)}:{example.line}: $ {example.command}"
        assert checker.check_output(want, got, flags), f"{where}\nsays:\n{want}\nbut prints:\n{got}"


def test_the_tutorial_has_examples() -> None:
    """The reader of examples finds them, so that the test above tests something."""
    assert len(examples(DOCS / "tutorial.md")) > 20


EXCERPT = re.compile(r"^```python\n# (lasercats/\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def test_excerpts_of_the_code_are_still_in_it() -> None:
    """A block that begins with the name of a file is a piece of that file."""
    pages = [page.read_text() for page in PAGES]
    found = [excerpt for page in pages for excerpt in EXCERPT.findall(page)]
    assert len(found) > 2
    for name, excerpt in found:
        assert excerpt in (TOP / "src" / name).read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    """A link to another page names a file that is there."""
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).is_file(), target


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The script that writes the reference."""
    spec = importlib.util.spec_from_file_location("reference", TOP / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def registry() -> Kinds:
    """All installed kinds."""
    return installed()


def test_the_reference_is_up_to_date(reference: ModuleType, registry: Kinds) -> None:
    """What stands in docs/reference/ is what the code says now."""
    assert reference.stale(DOCS / "reference", reference.pages(registry)) == [], "write it with `make docs`"


def test_a_stale_file_is_named(reference: ModuleType, tmp_path: Path) -> None:
    """A file that differs, that is missing or that is left over is stale; writing makes all good."""
    (tmp_path / "old.md").write_text("old")
    (tmp_path / "same.md").write_text("same")
    texts = {"same.md": "same", "new.md": "new"}
    assert reference.stale(tmp_path, texts) == ["new.md", "old.md"]
    reference.write(tmp_path, texts)
    assert reference.stale(tmp_path, texts) == []


def paths(context: click.Context, path: str) -> Iterator[tuple[str, click.Command]]:
    """Iterate over every verb of the command line, with its whole path."""
    yield path, context.command
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            below = context.command.get_command(context, name)
            assert below is not None
            yield from paths(click.Context(below, info_name=name, parent=context), f"{path} {name}")


def test_every_verb_and_option_is_in_the_reference() -> None:
    """Each has its heading, its usage and a row for each option."""
    text = (DOCS / "reference" / "commands.md").read_text()
    for path, verb in paths(click.Context(root, info_name="lasercats"), "lasercats"):
        section = re.search(rf"^#+ {re.escape(path)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
        assert section, path
        assert f"```text\n{path} [OPTIONS]" in section[1]
        for parameter in verb.params:
            if isinstance(parameter, click.Option):
                assert f"`{parameter.opts[0]}" in section[1], (path, parameter.opts)
                assert str(parameter.envvar or "") in section[1]


def test_every_option_has_a_variable() -> None:
    """All but --help and --version, which only print."""
    for path, verb in paths(click.Context(root, info_name="lasercats"), "lasercats"):
        for parameter in verb.params:
            if isinstance(parameter, click.Option) and parameter.name != "version":
                assert str(parameter.envvar).startswith("LASERCATS_"), (path, parameter.name)


def test_every_kind_command_and_instruction_is_in_the_reference(registry: Kinds) -> None:
    """Each has its heading."""
    kinds = (DOCS / "reference" / "kinds.md").read_text()
    instructions = (DOCS / "reference" / "instructions.md").read_text()
    for kind in registry.kinds:
        assert f"\n## {kind}\n" in kinds
    for tag in registry.commands:
        heading = rf"^##+ (Command )?{re.escape(tag_of(registry.commands[tag]))}$"
        assert tag in ("forget", "hold", "protect", "unprotect") or re.search(heading, kinds, re.MULTILINE), (
            tag
        )
    for domain in registry.domains:
        for made in domain.instructions:
            assert f"\n### {made.__struct_config__.tag}\n" in instructions


def test_every_kind_has_an_example_that_parses(
    reference: ModuleType, registry: Kinds, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The documents of the reference are documents, and of the kind that they stand under."""
    monkeypatch.setenv("APP_PASSWORD", "hunter2")

    inputs = LocalInputs(tmp_path, KeyVault(tmp_path / "key"))
    for kind in registry.kinds:
        desired = parse(reference.EXAMPLES[kind], registry, inputs)
        assert desired
        assert {address.partition("/")[0] for address in desired} == {kind}
