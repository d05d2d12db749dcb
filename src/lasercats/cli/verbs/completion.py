"""`completion`: print the completion script of a shell."""

import click
from click.shell_completion import get_completion_class

from lasercats.cli import options, printing


@click.command()
@options.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell; put `eval "$(lasercats completion bash)"` in its rc file."""
    made = get_completion_class(shell)
    if made is not None:
        printing.page(made(context.find_root().command, {}, "lasercats", "_LASERCATS_COMPLETE").source())
    if shell == "bash":
        printing.fact("# An address is one word, also after its colon.")
        printing.fact("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}")
