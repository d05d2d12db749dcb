"""`work`: what people have in hand, and what became of it."""

from functools import partial
from pathlib import Path

import click

from lasercats.cli import agree, arguments, hint, options, printing, show
from lasercats.cli.checklist import print_order, print_task
from lasercats.cli.group import VerbGroup
from lasercats.cli.opening import opened
from lasercats.cli.picture import write
from lasercats.cli.running import run
from lasercats.operate import data, paper, prospect, reports
from lasercats.operate import work as working
from lasercats.operate.moments import iso
from lasercats.operate.project import Project
from lasercats.operate.reports import Reported
from lasercats.operate.spans import over
from lasercats.operate.work import WorkOrder


@click.group(cls=VerbGroup)
def work() -> None:
    """Show what people have in hand, and report what became of it.

    What a person does is a work order: a checklist, handed out by the command that needs it. The command
    waits for what is reported here, by whomever, and the state changes only with that.
    """


@work.command("list")
@options.option("--all", "everything", is_flag=True, help="Also those that are over.")
@options.as_json("work_orders")
@click.pass_context
def work_list(context: click.Context, everything: bool, as_json: bool) -> None:
    """List the work orders that wait for a report."""
    with opened(context, looking=True) as project:
        found = working.orders(project, everything=everything)
        if as_json:
            printing.data([data.work_order(one) for one in found])
            return
        rows = [
            (
                f"{one.number}",
                one.machine,
                iso(one.time),
                one.actor,
                f"{len(one.tasks) - len(one.open)} of {len(one.tasks)}",
                one.message or one.because or (one.open or one.tasks)[0].step.line(),
            )
            for one in found
        ]
    if rows:
        printing.table(rows, ("ORDER", "FOR", "SINCE", "ASKED BY", "REPORTED", "ABOUT"))
    else:
        printing.note("nobody has anything in hand")


@work.command("show")
@options.argument("number", type=int, metavar="ORDER")
@options.option("--markdown", is_flag=True, help="Print it as Markdown.")
@options.option(
    "--html",
    type=arguments.FILE,
    metavar="FILE",
    help="Write a page that prints well there; - is standard output.",
)
@options.as_json("work_order")
@click.pass_context
def work_show(context: click.Context, number: int, markdown: bool, html: str | None, as_json: bool) -> None:
    """Print a work order: its checklist, and the racks before and after."""
    with opened(context, looking=True) as project:
        one = working.order(project, number)
        if as_json:
            printing.data(data.work_order(one))
        elif markdown:
            printing.page(paper.markdown(one))
        elif html == "-":
            printing.exact(paper.page(one))
        elif html is not None:
            write(Path(html), paper.page(one))
            printing.note(f"{html} is written")
        else:
            print_order(one, whole=True)
            for drawing in paper.terminal(one, show.width(), color=show.has_color(context)):
                printing.picture(f"\n{drawing}")


@work.command("done")
@options.argument("number", type=int, metavar="ORDER")
@options.argument("steps", type=arguments.NAME, nargs=-1, metavar="[STEP]...")
@options.option("--serial", metavar="TEXT", help="The serial number of the device, as found.")
@options.option("--asset-tag", metavar="TEXT", help="The asset tag of the device, as found.")
@options.option("--note", metavar="TEXT", help="What else is to be said.")
@options.yes
@options.as_json("reported")
@click.pass_context
def work_done(
    context: click.Context,
    number: int,
    steps: tuple[str, ...],
    serial: str | None,
    asset_tag: str | None,
    note: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Report that steps are done, by default all that are open. The commands that waited go on.

    STEP is a number, a range as 1-32, or a list as 1,4-6.
    """
    with opened(context) as project:
        _check(project, number, yes=yes, as_json=as_json)
        chosen = reports.numbers(steps)
        work = reports.done(project, number, chosen, serial=serial, asset_tag=asset_tag, note=note)
        report = run(project, work)
        _print_reported(project, report, as_json=as_json)
        context.exit(1 if report.problems else 0)


@work.command("fail")
@options.argument("number", type=int, metavar="ORDER")
@options.argument("steps", type=arguments.NAME, nargs=-1, metavar="[STEP]...")
@options.option("--why", metavar="TEXT", required=True, help="What stands in the way.")
@options.yes
@options.as_json("reported")
@click.pass_context
def work_fail(
    context: click.Context, number: int, steps: tuple[str, ...], why: str, yes: bool, as_json: bool
) -> None:
    """Report that steps cannot be done, by default all that are open: so an order is called off.

    What must wait for them is skipped, and no more. STEP is a number, a range as 1-32, or a list as 1,4-6.
    """
    with opened(context) as project:
        _check(project, number, yes=yes, as_json=as_json)
        report = run(project, reports.fail(project, number, reports.numbers(steps), why=why))
        _print_reported(project, report, as_json=as_json)


def _check(project: Project, number: int, *, yes: bool, as_json: bool) -> None:
    """Check that what goes on with a report was begun by this user, or that he agrees to it."""
    waiting = working.commands(project, number)
    agree.check(project, partial(prospect.of_commands, project, waiting), yes=yes, quiet=as_json)


def _back(project: Project, one: WorkOrder) -> str:
    """Return how all that a work order was about is taken back, as far as it is over."""
    return hint.back(project, over(project, one.about))


def _print_reported(project: Project, report: Reported, *, as_json: bool) -> None:
    if as_json:
        printing.data(data.reported(report))
        return
    for task in report.tasks:
        print_task(report.order, task)
    show.print_delta(report.delta, both=False)
    show.print_problems(report.problems)
    left = len(report.order.open)
    over = f"{left} to do in work order {report.order.number}"
    if not left:
        back = _back(project, report.order)
        over = f"work order {report.order.number} is over{'; ' if back else ''}{back}"
    printing.note(f"{show.summary(report.delta)}; {over}" if report.delta else over)
