"""Verbs of evidence: verify, and `log head`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lasercats.cli import arguments, options, printing
from lasercats.core.errors import LogError
from lasercats.operate import data

if TYPE_CHECKING:
    from lasercats.operate.heads import Checked

OWN_KEY = "\0"
"""Stands for the key that `ssh` takes, where --sign names none."""


@click.command("head")
@options.as_json("head")
@click.pass_context
def log_head(context: click.Context, as_json: bool) -> None:
    """Print what the log is known by as it is now, as LOG:POSITION:HASH.

    Note it where others cannot change it, in a ticket or a mail. `lasercats verify --head` with it tells
    later whether the log still holds all that it held.
    """
    from lasercats.core.head import noted  # noqa: PLC0415

    with options.opened(context, looking=True) as project:
        head, name = project.log.mark(), project.log.id
    if not head.position:
        raise LogError("the log is empty, and has no head yet; it has one after the first command")
    if as_json:
        printing.data(data.things.Head(name, head.position, head.hash.hex()))
    else:
        printing.fact(noted(name, head))


@click.command("copy")
@options.argument("source", metavar="FROM")
@options.argument("target", metavar="TO")
@options.as_json("head")
@click.pass_context
def log_copy(context: click.Context, source: str, target: str, as_json: bool) -> None:
    """Copy the log to another store, records and hashes as they are, and check the copy.

    FROM and TO are URLs of logs, as sqlite:.lasercats/log.db and postgresql://HOST/DATABASE. Nobody may be at
    work on it meanwhile. The project goes on with the one that its `lasercats.toml` names.
    """
    from lasercats.operate.copying import copy  # noqa: PLC0415

    with options.opened(context) as project:
        copied = copy(project, source, target)
    head = copied.head
    if as_json:
        printing.data(data.things.Head(copied.log, head.position, head.hash.hex()))
    else:
        printing.note(
            f"{head.position} records are at {copied.target}, and the chain and the fold hold; to go on with "
            "it, set `log` in lasercats.toml"
        )


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
    from lasercats.core.head import pin  # noqa: PLC0415
    from lasercats.operate import heads  # noqa: PLC0415
    from lasercats.operate.verify import verify as check  # noqa: PLC0415

    wanted = [pin(text) for text in pins]
    with options.opened(context, looking=not (repair or sign is not None)) as project:
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


def _signature(one: "Checked") -> str:
    who = f"{one.who} ({one.signer})" if one.who else f"{one.signer}, who is none of the allowed signers"
    return f"signed at {one.position} by {who}"
