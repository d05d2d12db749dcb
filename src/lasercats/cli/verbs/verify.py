"""`verify`: check a log, and what is known of it elsewhere."""

from pathlib import Path

import click

from lasercats.cli import arguments, options, printing
from lasercats.cli.opening import opened
from lasercats.core.head import pin
from lasercats.operate import data, heads
from lasercats.operate.heads import Checked
from lasercats.operate.verify import verify as check

OWN_KEY = "\0"
"""Stands for the key that `ssh` takes, where --sign names none."""


@click.command()
@options.option("--repair", is_flag=True, help="First make the tables anew, and record what came late.")
@options.option(
    "--head",
    "pins",
    multiple=True,
    metavar="HEAD",
    help="A head that was noted: HASH, POSITION:HASH, or what `log head` printed.",
)
@options.option(
    "--signers",
    type=arguments.FILE,
    metavar="FILE",
    help="Who may sign, as ssh-keygen(1) has it under ALLOWED SIGNERS; one of them must have signed.",
)
@options.option(
    "--sign",
    type=arguments.FILE,
    is_flag=False,
    flag_value=OWN_KEY,
    metavar="[KEY]",
    help="Sign the head with an ssh key, if all holds.",
)
@options.option("--accept", is_flag=True, help="Take the log as it is, though this user saw another or more.")
@options.as_json("verified")
@click.pass_context
def verify(
    context: click.Context,
    /,
    repair: bool,
    pins: tuple[str, ...],
    signers: str | None,
    sign: str | None,
    accept: bool,
    as_json: bool,
) -> None:
    """Check the hashes of the log, that its events meet, and that its tables are the fold of them.

    Then it is compared with what this user saw of it, with the heads that are named, and with those that
    somebody signed.
    """
    wanted = [pin(text) for text in pins]
    with opened(context, looking=not (repair or sign is not None)) as project:
        report, name = check(project, repair=repair), project.log.id
        heads.check_pins(project.log, wanted)
        project.trust_log(anyway=accept)
        if sign is not None:
            heads.sign(project.log, None if sign == OWN_KEY else Path(sign).expanduser())
        signed = heads.check_signatures(project.log, None if signers is None else Path(signers))
        warnings = list(heads.notes(project))
    for warning in warnings:
        printing.note(f"lasercats: {warning}")
    if as_json:
        printing.data(data.verified(name, report, signed))
        return
    counts = ", ".join(f"{count} {what}" for what, count in report.items())
    printing.fact(f"{counts}: the chain and the fold hold")
    printing.fact(f"log {name}")
    for one in signed:
        printing.fact(_signature(one))


def _signature(one: Checked) -> str:
    who = f"{one.who} ({one.signer})" if one.who else f"{one.signer}, who is none of the allowed signers"
    return f"signed at {one.position} by {who}"
