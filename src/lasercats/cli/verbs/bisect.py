"""`bisect`: find the first command after which a check fails."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from lasercats.cli import arguments, options, printing, show
from lasercats.cli.opening import opened
from lasercats.core.document import render
from lasercats.core.errors import BadInput
from lasercats.operate import data, moments
from lasercats.operate.bisect import Check, Probe
from lasercats.operate.bisect import bisect as search
from lasercats.operate.project import Project
from lasercats.operate.query import ask

CANNOT_TELL = 125
"""The exit status of a check that cannot tell, as for `git bisect run`."""


ROWS = 1_000_000
"""The most rows that the query of a check may give; whether there are any is all that counts."""


@click.command()
@options.argument("span", required=False, metavar="[A..B]")
@options.option(
    "--run", "command", type=arguments.BYTES, metavar="CMD", help="Fails where this shell command does."
)
@options.option("--query", "sql", metavar="SQL", help="Fails where this query gives rows.")
@options.option(
    "--form",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="How the state is written for CMD.",
)
@options.as_json("bisect")
@click.pass_context
def bisect(
    context: click.Context, span: str | None, command: str | None, sql: str | None, form: str, as_json: bool
) -> None:
    """Find the first command in A..B, or in the whole log, after which a check fails.

    CMD is run in a folder of its own, where `state.yaml` (or .json) is the document of the state at that
    position; LASERCATS_AS_OF is the position and LASERCATS_PROJECT the project, so that `lasercats state` and
    `lasercats query` in it tell of then. Exit code 0 is good, 125 cannot tell, any other fails.
    """
    if (command is None) == (sql is None) or command == "":
        raise BadInput("give a check: either --run CMD or --query SQL")
    with opened(context, looking=command is None) as project:
        first, last = moments.resolve_range(project.log, span)
        check = _run_check(project, command, form) if command else _query_check(project, sql or "")
        found = search(project, first, last, check, lambda step: _tell(step, quiet=as_json))
    if as_json:
        printing.data(data.bisected(found))
        return
    happened = found.happening
    printing.fact(f"{happened.position}  {show.title(happened)}  is the first after which the check fails")
    printing.fact(f"time:    {moments.iso(happened.time)}")
    printing.fact(f"actor:   {happened.actor}")
    if reason := show.why(happened.because, happened.message).strip():
        printing.fact(f"why:     {reason}")
    show.print_delta(happened.delta or happened.observed, both=True)
    if found.skipped:
        doubtful = ", ".join(map(str, found.skipped))
        printing.note(f"the check could not tell at {doubtful}, so it may be one of those")


def _tell(step: Probe, *, quiet: bool) -> None:
    if not quiet:
        answer = {True: "good", False: "fails", None: "cannot tell"}[step.good]
        left = f"about {step.left} more" if step.left > 1 else "one more" if step.left else "the last"
        printing.note(f"position {step.position}: {answer} ({left})")


def _run_check(project: Project, command: str, form: str) -> Check:
    def check(position: int) -> bool | None:
        with TemporaryDirectory(prefix="lasercats-bisect-") as folder:
            path = Path(folder) / f"state.{form}"
            text = render(project.state(position).items(), form=form, kinds=project.kinds)
            path.write_text(text, encoding="utf-8")
            own = {
                "LASERCATS_STATE": str(path),
                "LASERCATS_AS_OF": str(position),
                "LASERCATS_PROJECT": str(project.root),
                "LASERCATS_ENV": project.environment,
            }
            ran = subprocess.run(  # noqa: S602 - the operator's own command line
                command, shell=True, cwd=folder, env={**os.environ, **own}, stdout=sys.stderr, check=False
            )
        if ran.returncode in (126, 127) or ran.returncode < 0:
            raise BadInput(f"the check {command!r} cannot be run (exit status {ran.returncode}); correct it")
        return None if ran.returncode == CANNOT_TELL else ran.returncode == 0

    return check


def _query_check(project: Project, sql: str) -> Check:
    return lambda position: not ask(project, sql, as_of=position, max_rows=ROWS).rows
