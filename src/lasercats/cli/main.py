"""`lasercats`: finds the verb, and turns every error into one sentence and one exit code."""

import os
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from lasercats.cli import printing
from lasercats.cli.arguments import FILE, NAME
from lasercats.cli.group import VerbGroup
from lasercats.core.errors import LaserCatsError

if TYPE_CHECKING:
    from lasercats.core.registry import Kinds

LONGEST = 8_000
"""How many characters of a sentence are told: more than two paths, and less than what floods a terminal."""
VERBS = {
    # The name of a verb: its module in cli/verbs, and what it does.
    "init": ("init", "Make a project."),
    "project": ("project", "Trust projects of others, and no more; list them."),
    "machine": ("machine", "Add, list, check, accept and remove machines."),
    "exec": ("exec", "Execute a raw command on machines."),
    "issue": ("issue", "Issue commands from a file."),
    "forget": ("records", "Take resources out of the state; touch no machine."),
    "create": ("generic", "Create resources of kinds that are made from data."),
    "set": ("generic", "Set fields of them."),
    "remove": ("generic", "Remove them."),
    "protect": ("records", "Protect resources from being removed; touch no machine."),
    "unprotect": ("records", "Lift the protection of resources."),
    "undo": ("undo", "Take commands back."),
    "confirm": ("confirm", "Confirm what is held, or take it back."),
    "work": ("work", "Show what people have in hand, and report what became of it."),
    "recover": ("recover", "Finish what a crash left open."),
    "state": ("state", "Show the state, now or at any time."),
    "document": ("state", "Print the state as a document."),
    "plan": ("plan", "Show what would make the state as documents wish."),
    "apply": ("plan", "Make the state as documents wish."),
    "observe": ("observe", "Look at the machines and record what changed outside."),
    "adopt": ("adopt", "Find what exists on machines and take it into the state."),
    "drift": ("observe", "Look at the machines and show what changed outside."),
    "schema": ("schema", "Print the JSON Schema of documents."),
    "log": ("log", "Show the history, command by command."),
    "show": ("show", "Show one command with all that came of it."),
    "diff": ("diff", "Show what changed between two positions."),
    "secret": ("secret", "Set, list, rotate and shred secrets."),
    "query": ("query", "Answer a query in SQL over the state and its history."),
    "for": ("for_", "Run a command on all that a query gives."),
    "blame": ("blame", "Show who gave each field of a resource its value, when and why."),
    "bisect": ("bisect", "Find the first command after which a check fails."),
    "replay": ("replay", "Run a past command again from its recorded outcomes."),
    "trace": ("trace", "Show the trace of a past command from the log alone."),
    "rewrite": ("rewrite", "Make a log of commands shorter, with the evidence."),
    "verify": ("verify", "Check the hashes of the log, its tables, and what is known of it elsewhere."),
    "completion": ("completion", "Print the completion script of a shell."),
}


class Root(VerbGroup):
    """All verbs: those written by hand are imported when used, the others made from the command types."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Find the verb and run it; what nobody foresaw is told with its name."""
        try:
            return super().invoke(ctx)
        except BaseException as error:
            error.add_note(f"in `lasercats {ctx.invoked_subcommand}`")
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all verbs and domains."""
        return [*sorted(_generated()), *VERBS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb, imported or made just now."""
        if cmd_name in VERBS:
            module = import_module(f"lasercats.cli.verbs.{VERBS[cmd_name][0]}")
            name = f"{cmd_name}_" if cmd_name in ("exec", "for", "set", "show") else cmd_name
            verb: click.Command = getattr(module, name)
            return verb
        if cmd_name in _generated():
            from lasercats.cli.generate import make_group  # noqa: PLC0415

            return make_group(cmd_name, _installed(), VerbGroup)
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Direct commands"):
            formatter.write_dl(sorted(_generated().items()))
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@cache
def _installed() -> "Kinds":
    """Return what is installed: which verbs there are does not depend on the project."""
    from lasercats.operate.plugins import kinds  # noqa: PLC0415

    return kinds()


@cache
def _generated() -> dict[str, str]:
    from lasercats.cli.generate import groups, verb_of  # noqa: PLC0415

    return {name: ", ".join(map(verb_of, commands)) for name, commands in groups(_installed()).items()}


def _version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from lasercats.program import __version__  # noqa: PLC0415

        printing.fact(f"lasercats {__version__}")
        context.exit()


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-C", "--project", type=FILE, metavar="DIR", envvar="LASERCATS_PROJECT", help="The project's folder."
)
@click.option(
    "--env", type=NAME, metavar="NAME", envvar="LASERCATS_ENV", help="The environment; default: default."
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print it."
)
@click.pass_context
def root(context: click.Context, project: str | None, env: str | None) -> None:
    """Manage configuration and infrastructure as an event-sourced log of commands.

    Exit codes: 0 done or nothing to do, 1 error or refusal, 2 changes are pending (--detailed-exitcode),
    130 stopped by Ctrl-C. Every option has a variable too: --as-of is LASERCATS_AS_OF.
    """
    del project, env
    if os.environ.get("NO_COLOR"):
        context.color = False


def main() -> None:
    """Run the command line and exit."""
    sys.exit(guarded(_run))


def _run() -> Any:  # noqa: ANN401
    from lasercats.cli.unforeseen import listen  # noqa: PLC0415 - only where the process is ours

    listen()
    return root.main(prog_name="lasercats", standalone_mode=False)


def guarded(work: Callable[[], Any]) -> int:
    """Run the work; turn what it raises into a sentence on standard error and an exit code."""
    try:
        result = work()
        printing.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _failed("stopped", 130)
    except click.ClickException as error:
        return _misused(error)
    except LaserCatsError as error:
        return _failed(str(error), error.exit_code)
    except BrokenPipeError:
        printing.gone()
        return 1
    except SystemExit:
        raise
    except BaseException as error:  # what libraries in Rust raise where they fail is no Exception
        return _unforeseen(error)
    return result if isinstance(result, int) else 0


def _misused(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        printing.page(error.format_message(), err=True)
        return 1
    if not isinstance(error, click.UsageError):
        return _failed(error.format_message(), 1)
    hint = f"; see `{error.ctx.command_path} --help`" if error.ctx else ""
    return _failed(error.format_message().rstrip(".").replace("\n", " ") + hint, 1)


def _unforeseen(error: BaseException) -> int:
    from lasercats.cli.unforeseen import sentence  # noqa: PLC0415 - start-up stays light

    if isinstance(error, OSError) and printing.was_of_click(error):
        printing.gone()
        return _failed(f"the output cannot be written: {error.strerror}", 1)
    return _failed(sentence(error), 1)


def _failed(message: str, code: int) -> int:
    if len(message) > LONGEST:  # the remedy stands at the end
        message = f"{message[: LONGEST // 2]}… ({len(message)} characters) …{message[-LONGEST // 4 :]}"
    printing.note(f"lasercats: {message}", fg=None if os.environ.get("NO_COLOR") else "red")
    return code
