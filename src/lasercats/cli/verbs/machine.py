"""`machine`: add, list, check, accept and remove machines."""

from collections.abc import Sequence

import click

from lasercats.cli import arguments, options, printing
from lasercats.cli.group import VerbGroup
from lasercats.cli.opening import complete_machine, opened
from lasercats.cli.running import run
from lasercats.core.errors import LaserCatsError
from lasercats.core.identity import shown
from lasercats.operate import data, machines
from lasercats.operate.machines import Accepting, Bound, Check


@click.group(cls=VerbGroup)
def machine() -> None:
    """Add, list, check, accept and remove machines."""


@machine.command("add")
@options.argument("name", type=arguments.NAME)
@options.argument("url")
@options.as_json("added")
@click.pass_context
def machine_add(context: click.Context, name: str, url: str, as_json: bool) -> None:
    """Bind NAME to a machine URL.

    `local:` is this machine; `ssh://user@host:port` a host, with the options `?sudo=true`, `timeout`,
    `connect_timeout` (seconds), `identity`, `known_hosts` and `config` (files); `aws://REGION` an account of
    AWS, with `profile`, `endpoint`, `timeout`, `connect_timeout`, `poll`, `grace` (seconds) and `attempts`;
    `ovsdb://HOST?key=FILE&cert=FILE&ca=FILE` or `ovsdb:///SOCKET` a bridge of Open vSwitch,
    `netconf://USER@HOST` and `eos:`, `ios:`, `nxos:` or `junos://USER@HOST` a switch; `human:` or
    `human:NAME` a technician. It is told where the way there is open to others.
    """
    with opened(context) as project:
        machines.add(project, name, url)
    exposed = machines.exposed(url)
    if as_json:
        printing.data(data.things.Added(name, url, exposed))
    else:
        printing.note(f"machine {name} is {url}; try it with `lasercats machine check {name}`")
    if exposed:
        printing.note(f"lasercats: the way to machine {name} is open: {exposed}")


@machine.command("list")
@options.as_json("machines")
@click.pass_context
def machine_list(context: click.Context, as_json: bool) -> None:
    """List the machines; with --json also what each is known by."""
    with opened(context, looking=True) as project:
        bound = machines.bound(project)
    if as_json:
        printing.data([data.machine(one) for one in bound])
        return
    printing.table([(one.name, one.url) for one in bound], ("NAME", "URL"))
    _tell_shared(bound)


@machine.command("check")
@options.argument("names", type=arguments.NAME, nargs=-1, metavar="[NAME]...")
@options.as_json("checks")
@click.pass_context
def machine_check(context: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Make the round trip that work makes to machines, and change nothing; by default to all."""
    with opened(context) as project:
        checks = run(project, machines.check(project, names))
    if as_json:
        printing.data([data.check(one) for one in checks])
    else:
        rows = [(c.name, f"{c.seconds * 1000:.0f} ms", c.error or c.remark or "answers") for c in checks]
        printing.table(rows, ("NAME", "TIME", "RESULT"))
    for one in checks:
        if one.exposed:
            printing.note(f"lasercats: the way to machine {one.name} is open: {one.exposed}")
        if not one.error and not one.identity:
            printing.note(
                f"lasercats: machine {one.name} tells nothing by which it is known, so another one in its "
                "place would not be noticed"
            )
    _tell_shared(checks)
    context.exit(1 if any(check.error for check in checks) else 0)


def _tell_shared(found: Sequence[Bound | Check]) -> None:
    """Tell which names are of one machine, once for each of them."""
    reported = set[str]()
    for one in found:
        if one.shared and one.name not in reported:
            reported |= {one.name, *one.shared}
            names = ", ".join((one.name, *one.shared))
            printing.note(f"lasercats: {names} are one machine, as far as they tell: {shown(one.identity)}")


@machine.command("accept")
@options.argument("name", type=arguments.NAME, shell_complete=complete_machine)
@options.yes
@options.as_json("accepted")
@options.message
@click.pass_context
def machine_accept(context: click.Context, name: str, yes: bool, as_json: bool, message: str | None) -> None:
    """Take what answers under NAME for that machine from now on, though it was another one before.

    Until then nothing is done there, and nothing that it tells is believed. What it was known by and what it
    is known by now are shown, and it is asked.
    """
    with opened(context) as project:
        found, position = run(project, machines.meet(project, name)), None
        if not as_json:
            _show_identity(found)
        if found.is_other:
            agreed = yes or (not as_json and printing.agreed(f"Take it for {name} from now on?"))
            if not agreed:
                raise LaserCatsError(
                    f"machine {name} was not accepted, because it was not agreed to; agree with --yes"
                )
            position = machines.accept(project, found, message)
    if as_json:
        printing.data(data.accepted(found, position))
    elif position is None:
        printing.note(f"machine {name} is the one that is on record; there is nothing to accept")
    else:
        printing.note(
            f"machine {name} is accepted, at position {position}; `lasercats drift {name}` looks at it"
        )


def _show_identity(found: Accepting) -> None:
    """Show what a machine was known by, and what it is known by now."""
    for fact in dict.fromkeys((*found.before, *found.after)):
        before, after = found.before.get(fact, "not known"), found.after.get(fact, "not told")
        change = before if before == after else f"{before} → {after}"
        printing.fact(f"{fact + ':':12} {change}")
    if found.is_other and found.resources:
        count = "1 resource" if found.resources == 1 else f"{found.resources} resources"
        printing.note(f"the state holds {count} of {found.name}, looked for there from now on", fg="yellow")


@machine.command("remove")
@options.argument("name", type=arguments.NAME)
@options.as_json("removed")
@click.pass_context
def machine_remove(context: click.Context, name: str, as_json: bool) -> None:
    """Take a machine away that nothing in the state is on."""
    with opened(context) as project:
        machines.remove(project, name)
    if as_json:
        printing.data(data.things.Removed(name))
