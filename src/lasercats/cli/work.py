"""Verbs that act: init, machine, exec, issue, forget, undo, recover; and completion."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lasercats.cli import arguments, options, printing, show
from lasercats.cli.act import Request, act
from lasercats.cli.main import VerbGroup
from lasercats.cli.running import run
from lasercats.core.address import label
from lasercats.core.errors import BadInput, LaserCatsError
from lasercats.core.identity import shown
from lasercats.core.text import escape

if TYPE_CHECKING:
    from lasercats.operate.confirm import Held
    from lasercats.operate.machines import Accepting, Bound, Check
    from lasercats.operate.project import Project


@click.command()
@options.argument("directory", type=arguments.FILE, default=".", metavar="[DIR]")
@options.option("--shared", metavar="GROUP", help="Let the members of a group work in it, too.")
@options.option("--log", metavar="URL", help="Where its log is or will be, as postgresql://HOST/DATABASE.")
@options.option("--grant-reader", "readers", multiple=True, metavar="ROLE", help="Who may read that log.")
@options.option("--grant-writer", "writers", multiple=True, metavar="ROLE", help="Who may also append to it.")
@options.as_json
def init(
    directory: str,
    shared: str | None,
    log: str | None,
    readers: Sequence[str],
    writers: Sequence[str],
    as_json: bool,
) -> None:
    """Make a project in DIR: `lasercats.toml` and the log; or what is missing of one, as in a clone."""
    from lasercats.operate import begin, files  # noqa: PLC0415
    from lasercats.operate.project import FILE  # noqa: PLC0415

    folder = files.had(directory, Path(directory).resolve)
    made = begin.init(folder, shared, log, readers, writers)
    if as_json:
        printing.data({"project": str(folder)})
    elif FILE in made:
        printing.note(f"a project in {folder}; add machines with `lasercats machine add NAME URL`")
    elif made:
        new = "; a new log knows nothing yet, and `lasercats adopt` takes in what there is"
        new = new if begin.has_new_log(made) else ""
        printing.note(f"the project in {folder} now has {' and '.join(made)}{new}")
    if shared is not None and (left := begin.left_out(folder)):
        printing.note(left, fg="yellow")


@click.group(cls=VerbGroup)
def machine() -> None:
    """Add, list, check, accept and remove machines."""


@machine.command("add")
@options.argument("name", type=arguments.NAME)
@options.argument("url")
@options.as_json
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
    from lasercats.operate import machines  # noqa: PLC0415

    with options.opened(context) as project:
        machines.add(project, name, url)
    exposed = machines.exposed(url)
    if as_json:
        printing.data({"name": name, "url": url, "exposed": exposed})
    else:
        printing.note(f"machine {name} is {url}; try it with `lasercats machine check {name}`")
    if exposed:
        printing.note(f"lasercats: the way to machine {name} is open: {exposed}")


@machine.command("list")
@options.as_json
@click.pass_context
def machine_list(context: click.Context, as_json: bool) -> None:
    """List the machines; with --json also what each is known by."""
    from lasercats.operate import machines  # noqa: PLC0415

    with options.opened(context, looking=True) as project:
        bound = machines.bound(project)
    if as_json:
        printing.data([{**one._asdict(), "identity": dict(one.identity)} for one in bound])
        return
    printing.table([(one.name, one.url) for one in bound], ("NAME", "URL"))
    _tell_shared(bound)


@machine.command("check")
@options.argument("names", type=arguments.NAME, nargs=-1, metavar="[NAME]...")
@options.as_json
@click.pass_context
def machine_check(context: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Make the round trip that work makes to machines, and change nothing; by default to all."""
    from lasercats.operate import machines  # noqa: PLC0415

    with options.opened(context) as project:
        checks = run(project, machines.check(project, names))
    if as_json:
        printing.data(
            [{**check._asdict(), "told": check.remark, "identity": dict(check.identity)} for check in checks]
        )
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


def _tell_shared(found: "Sequence[Bound | Check]") -> None:
    """Tell which names are of one machine, once for each of them."""
    reported = set[str]()
    for one in found:
        if one.shared and one.name not in reported:
            reported |= {one.name, *one.shared}
            names = ", ".join((one.name, *one.shared))
            printing.note(f"lasercats: {names} are one machine, as far as they tell: {shown(one.identity)}")


@machine.command("accept")
@options.argument("name", type=arguments.NAME, shell_complete=options.complete_machine)
@options.yes
@options.as_json
@options.message
@click.pass_context
def machine_accept(context: click.Context, name: str, yes: bool, as_json: bool, message: str | None) -> None:
    """Take what answers under NAME for that machine from now on, though it was another one before.

    Until then nothing is done there, and nothing that it tells is believed. What it was known by and what it
    is known by now are shown, and it is asked.
    """
    from lasercats.operate import machines  # noqa: PLC0415

    with options.opened(context) as project:
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
        sides = {"before": dict(found.before), "after": dict(found.after)}
        printing.data({"name": name, **sides, "position": position, "resources": found.resources})
    elif position is None:
        printing.note(f"machine {name} is the one that is on record; there is nothing to accept")
    else:
        printing.note(
            f"machine {name} is accepted, at position {position}; `lasercats drift {name}` looks at it"
        )


def _show_identity(found: "Accepting") -> None:
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
@options.as_json
@click.pass_context
def machine_remove(context: click.Context, name: str, as_json: bool) -> None:
    """Take a machine away that nothing in the state is on."""
    from lasercats.operate import machines  # noqa: PLC0415

    with options.opened(context) as project:
        machines.remove(project, name)
    if as_json:
        printing.data({"removed": name})


class ExecCommand(click.Command):
    """Splits its arguments at `--`: machines before it, the command after it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set the command aside.

        Raises:
            BadInput: there is no `--`, or nothing after it.

        """
        if "--" in args:
            cut = args.index("--")
            # The words of a command are bytes, and none of them is an escape of ours.
            ctx.meta["argv"] = [escape(os.fsencode(word), lines=True) for word in args[cut + 1 :]]
            args = args[:cut]
        if not {"-h", "--help"} & set(args) and not ctx.meta.get("argv") and not ctx.resilient_parsing:
            raise BadInput("no command is given; write `lasercats exec MACHINE... -- COMMAND ...`")
        return super().parse_args(ctx, args)


@click.command("exec", cls=ExecCommand, options_metavar="[OPTIONS]")
@options.argument(
    "machines", type=arguments.NAME, nargs=-1, required=True, metavar="MACHINE... -- COMMAND..."
)
@options.option("--elidable", is_flag=True, help="It only looks: a rewrite of the history may drop it.")
@options.option("--timeout", type=float, help="Seconds after which it is ended; any time by default.")
@options.as_json
@options.message
@options.interpreter
@click.pass_context
def exec_(
    context: click.Context,
    /,
    machines: tuple[str, ...],
    elidable: bool,
    timeout: float | None,
    **values: Any,  # noqa: ANN401
) -> None:
    """Execute a raw command on machines; its output is streamed.

    What it does is not in the state: it is recorded, and never undone silently. The machine may be a
    pattern, as in 'web*'.
    """
    from lasercats.cli.generate import expand  # noqa: PLC0415

    request = Request.take(values)
    with options.opened(context, looking=request.predicts) as project:
        names = expand(project, [f"{name.removesuffix(':')}:" for name in machines])
        data = {"command": "exec", "on": [f"exec/{name}" for name in names], "argv": context.meta["argv"]}
        limit = {} if timeout is None else {"timeout": timeout}
        command = project.kinds.command({**data, "elidable": elidable, **limit})
        act(context, project, [command], request)


@click.command()
@options.argument("file", type=arguments.FILE)
@options.max_size
@options.as_json
@options.diff
@options.message
@options.interpreter
@click.pass_context
def issue(context: click.Context, /, file: str, max_size: int, **values: Any) -> None:  # noqa: ANN401
    """Issue commands from FILE: JSON lines or a YAML list; `-` is standard input."""
    from lasercats.operate.issue import read_commands  # noqa: PLC0415

    request = Request.take(values)
    with options.opened(context, looking=request.predicts) as project:
        folder = Path() if file == "-" else Path(file).parent
        label = "standard input" if file == "-" else file
        commands = read_commands(_text(file, max_size), project.kinds, project.inputs(folder), label)
        act(context, project, commands, request)


_addresses = options.argument(
    "addresses",
    type=arguments.NAME,
    nargs=-1,
    required=True,
    metavar="ADDRESS...",
    shell_complete=options.complete_address,
)


def _record(
    context: click.Context, data: Mapping[str, Any], addresses: Sequence[str], values: dict[str, Any]
) -> None:
    """Carry out a command that changes records only."""
    from dataclasses import replace  # noqa: PLC0415

    request = replace(Request.take(values), direct=not options.is_queried(context))
    with options.opened(context, looking=request.predicts) as project:
        on = [project.recorded(address) for address in addresses]
        act(context, project, [project.kinds.command({**data, "on": on})], request)


@click.command()
@_addresses
@options.option("--field", "fields", multiple=True, help="Only the decision on this field.")
@options.as_json
@options.diff
@options.message
@options.interpreter
@click.pass_context
def forget(
    context: click.Context,
    /,
    addresses: tuple[str, ...],
    fields: tuple[str, ...],
    **values: Any,  # noqa: ANN401
) -> None:
    """Take resources out of the state, or decisions on some of their fields; touch no machine."""
    _record(context, {"command": "forget", "fields": list(fields)}, addresses, values)


@click.command()
@_addresses
@options.as_json
@options.diff
@options.message
@options.interpreter
@click.pass_context
def protect(context: click.Context, /, addresses: tuple[str, ...], **values: Any) -> None:  # noqa: ANN401
    """Protect resources from being removed or made anew, by whatever asks for it; touch no machine.

    Neither a direct command, nor a document, a prune, an undo or a revert removes them until `unprotect` is
    run. In a document it is the field `protect: true`.
    """
    _record(context, {"command": "protect"}, addresses, values)


@click.command()
@_addresses
@options.as_json
@options.diff
@options.message
@options.interpreter
@click.pass_context
def unprotect(context: click.Context, /, addresses: tuple[str, ...], **values: Any) -> None:  # noqa: ANN401
    """Lift the protection of resources from being removed; touch no machine."""
    _record(context, {"command": "unprotect"}, addresses, values)


@click.command()
@options.argument("positions", nargs=-1, required=True, metavar="POSITION...")
@options.option("--partial", is_flag=True, help="Leave out what cannot come back.")
@options.recreate
@options.as_json
@options.diff
@options.message
@options.interpreter
@click.pass_context
def undo(
    context: click.Context,
    /,
    positions: tuple[str, ...],
    partial: bool,
    recreate: bool,
    **values: Any,  # noqa: ANN401
) -> None:
    """Take commands back, by new commands; the latest first. A range is A..B, the last command HEAD.

    Only what the commands changed is taken back. Where something changed it again since, that is a
    conflict: it is told and nothing is done, unless --partial leaves it out. So is what cannot go back in
    place, as the size of a volume, unless --recreate lets it be removed and made anew. What is lost or
    interrupted by it is shown, and must be agreed to.
    """
    from dataclasses import replace  # noqa: PLC0415

    from lasercats.operate import history  # noqa: PLC0415
    from lasercats.operate.spans import spans  # noqa: PLC0415
    from lasercats.operate.undo import plan_undo  # noqa: PLC0415

    request = Request.take(values)
    with options.opened(context, looking=request.predicts) as project:
        chosen = history.positions(project.log, list(positions))
        plan = plan_undo(project, chosen, partial=partial, recreate=recreate)
        if plan.problems:
            show.print_problems(plan.problems)
            raise BadInput("this cannot all be taken back, so nothing was done; --partial leaves that out")
        if not request.as_json:
            show.print_lost(plan.lost)
            show.print_withheld(plan.withheld)
        because = " ".join(["undo", *spans(project, chosen)])
        undoes = sorted(chosen)
        request = replace(request, because=because, undoes=undoes, lost=plan.lost, withheld=plan.withheld)
        act(context, project, plan.commands, request)


@click.command()
@options.option("--force", is_flag=True, help="Also commands whose process seems to live.")
@options.yes
@options.as_json
@click.pass_context
def recover(context: click.Context, force: bool, yes: bool, as_json: bool) -> None:
    """Find out what became of commands that a crash left open, by asking the machines.

    What is taken back because nobody confirmed it is shown. It asks first where somebody changed that outside
    since, and where what is open was not begun by this user.
    """
    from lasercats.cli import agree  # noqa: PLC0415
    from lasercats.core.command import tag_of  # noqa: PLC0415
    from lasercats.operate import confirm as confirming  # noqa: PLC0415
    from lasercats.operate import prospect  # noqa: PLC0415
    from lasercats.operate.recover import recover as find_out  # noqa: PLC0415

    with options.opened(context) as project:
        overdue = partial(confirming.is_overdue, force=force)
        agree.check(project, partial(prospect.of_open, project, overdue), yes=yes, quiet=as_json)
        results = run(project, find_out(project, force=force))
        due = [one for one in confirming.pending(project) if overdue(one)]
        kept = {h.position: agree.may_take_back(project, h, yes=yes, quiet=as_json) for h in due}
        held = run(project, confirming.take_back_overdue(project, force=force, kept=kept))
    if as_json:
        results_ = [{**r._asdict(), "facts": dict(r.facts)} for r in results]
        printing.data(
            [*results_, *({"position": p, "status": "held", "remark": r, "told": r} for p, r in held.items())]
        )
    for result in [] if as_json else results:
        what = "told late," if result.late else "command"
        printing.fact(f"{what} {result.position} ({tag_of(result.command)}): {result.status}")
        for address, fact in result.facts.items():
            printing.fact(f"    {label(address)}: {fact}")
    for position, said in {} if as_json else held.items():
        printing.fact(f"command {position} (hold): {said}")
    if not results and not held:
        printing.note("nothing is open")
    left = any(said.startswith("not taken back") for said in held.values())
    context.exit(1 if left or any(result.status == "open" for result in results) else 0)


@click.command()
@options.argument("positions", nargs=-1, metavar="[POSITION]...", type=int)
@options.option("--reject", is_flag=True, help="Take it back now.")
@options.option("--list", "listing", is_flag=True, help="Only list what is to be confirmed.")
@options.option("--guard", metavar="RUN", hidden=True, help="Wait, and take back what a run holds.")
@options.yes
@options.as_json
@click.pass_context
def confirm(
    context: click.Context,
    positions: tuple[int, ...],
    reject: bool,
    listing: bool,
    guard: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Confirm what was changed with --confirm-within, so that it stays; by default all that is held.

    What is not confirmed in time is taken back by a process of its own, which needs no terminal; if that died
    too, `lasercats recover` does it.
    """
    from lasercats.cli import agree, consent  # noqa: PLC0415
    from lasercats.operate import confirm as confirming  # noqa: PLC0415
    from lasercats.operate import history, prospect  # noqa: PLC0415

    if reject and listing:
        raise BadInput("--list only lists, and --reject takes back; choose one")
    with options.opened(context, looking=listing) as project:
        if guard is not None:
            confirming.watch(project, guard, printing.fact, partial(_taken_back, project))
            return
        held = confirming.chosen(project, positions)
        failed: dict[int, str] = {}
        if reject:
            agree.check(project, partial(prospect.of_all_held, project, held), yes=yes, quiet=as_json)
            request = Request(yes=yes, as_json=as_json)
            agreed = [consent.ask(project, confirming.way_back(project, h), request) for h in held]
            pairs = zip(held, agreed, strict=True)
            found = ((h.position, run(project, confirming.take_back(project, h, agreed=a))) for h, a in pairs)
            failed = {position: why for position, why in found if why is not None}
        elif held and not listing:
            run(project, confirming.keep(project, held))
    word = "held" if listing else "taken back" if reject else "confirmed"
    said = {
        h.position: f"not taken back yet: {failed[h.position]}" if h.position in failed else word
        for h in held
    }
    if as_json:
        data = [(h.position, {"until": history.iso(h.until), "on": list(h.on)}) for h in held]
        printing.data([{"position": p, **more, "status": said[p]} for p, more in data])
    for h in [] if as_json else held:
        left = f" until {history.iso(h.until)}" if listing else ""
        printing.fact(f"command {h.position} on {show.named(h.on)}: {said[h.position]}{left}")
    if not held:
        printing.note("nothing is to be confirmed")
    context.exit(1 if failed else 0)


def _taken_back(project: "Project", held: "Held") -> str | None:
    """Take a change back for the guard, which is alone; return why that is not over, if it is not."""
    from lasercats.operate.confirm import take_back  # noqa: PLC0415 - start-up stays light

    return run(project, take_back(project, held, force=True))


@click.command()
@options.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell; put `eval "$(lasercats completion bash)"` in its rc file."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    from lasercats.cli.main import root  # noqa: PLC0415

    made = get_completion_class(shell)
    if made is not None:
        printing.page(made(root, {}, "lasercats", "_LASERCATS_COMPLETE").source())
    if shell == "bash":
        printing.fact("# An address is one word, also after its colon.")
        printing.fact("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}")


def _text(file: str, max_size: int) -> str:
    from lasercats.operate import files  # noqa: PLC0415

    if file == "-":
        return arguments.standard_input(max_size)
    return files.had(file, lambda: files.text(Path(file), max_size))
