"""`exec`: execute a raw command on machines."""

import os
from typing import Any

import click

from lasercats.cli import arguments, options
from lasercats.cli.act import act
from lasercats.cli.direct import expand
from lasercats.cli.opening import opened
from lasercats.cli.request import Request
from lasercats.core.errors import BadInput
from lasercats.core.text import escape


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
@options.as_json("results")
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
    request = Request.take(values)
    with opened(context, looking=request.predicts) as project:
        names = expand(project, [f"{name.removesuffix(':')}:" for name in machines])
        given = {"command": "exec", "on": [f"exec/{name}" for name in names], "argv": context.meta["argv"]}
        limit = {} if timeout is None else {"timeout": timeout}
        command = project.kinds.command({**given, "elidable": elidable, **limit})
        act(context, project, [command], request)
