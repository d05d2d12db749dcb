"""`secret`: set, list, rotate and shred secrets, and choose where the key of their keys is kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from lasercats.cli import arguments, options, printing
from lasercats.cli.act import act
from lasercats.cli.group import VerbGroup
from lasercats.cli.opening import opened
from lasercats.cli.plans import agree, check_plan, show_plan
from lasercats.cli.request import Request
from lasercats.core.errors import BadInput, LaserCatsError
from lasercats.core.secret import label
from lasercats.operate import data
from lasercats.operate.project import Project
from lasercats.operate.secret import Secret, secrets
from lasercats.operate.secret_rotate import Rotation, keep, reseal, rotation, set_named
from lasercats.operate.secret_shred import Shredding, shred, shredding

MOST = 10
"""How many positions are told."""


@click.group(cls=VerbGroup)
def secret() -> None:
    """Set, list, rotate and shred secrets.

    A secret is never typed in clear. A REFERENCE says where it is found:
    \b
    env:NAME          a variable of the environment
    file:PATH         a file, as it is
    cmd:COMMAND       what a command prints, without the newline at its end; no shell is between
    age:FILE          a file that is encrypted to your age identity (LASERCATS_AGE_IDENTITY)
    vault:PATH#FIELD  HashiCorp Vault (VAULT_ADDR, VAULT_TOKEN)
    aws:ID#KEY        AWS Secrets Manager; #KEY where it is a JSON object
    secret:NAME       a secret that was set here
    -                 standard input, where you type the command yourself
    """  # noqa: D301 - click keeps lines after a backspace


def _read(project: Project, reference: str) -> bytes:
    return project.sources._replace(folder=Path(), stdin=arguments.secret_input).read(reference)


@secret.command("set")
@options.argument("name", type=arguments.NAME)
@options.argument("reference", type=arguments.BYTES)
@click.pass_context
def secret_set(context: click.Context, name: str, reference: str) -> None:
    """Give the NAME to a secret; commands and documents use it as secret:NAME, as often as they like."""
    with opened(context) as project:
        set_named(project, name, _read(project, reference))
    printing.note(f"the secret {name!r} is set; use it as secret:{name}")


@secret.command("list")
@options.as_json("secrets")
@click.pass_context
def secret_list(context: click.Context, as_json: bool) -> None:
    """List the secrets: how many keys each had, since when it has its last one, and where it stands."""
    with opened(context) as project:
        found, kept = secrets(project), project.vault.keys.kept()
    if as_json:
        printing.data(data.secrets(found, kept))
        return
    if found:
        printing.table(map(_row, found), ("SECRET", "VERSIONS", "SINCE", "USED"))
    else:
        printing.note("there are no secrets")
    if kept:
        printing.note(f"the root key, which locks all others, is kept in {kept}")


def _row(one: Secret) -> tuple[str, str, str, str]:
    gone = sum(key.wrapped is None for key in one.keys)
    versions = f"{len(one.keys)}" + (f" ({gone} destroyed)" if gone else "")
    since = one.keys[-1].made if one.keys else "the key is missing"
    own = {label(at) for at in one.used}
    used = "here" if set(one.used) == set(one.places) else ", ".join(sorted(own)) or "-"
    return one.name, versions, since, used


@secret.command("rotate")
@options.argument("targets", nargs=-1, type=arguments.NAME, metavar="[NAME|ADDRESS] [REFERENCE]")
@options.option("--key", is_flag=True, help="Make new keys only; values and machines stay as they are.")
@options.acting("results", "resealed")
@click.pass_context
def secret_rotate(
    context: click.Context,
    /,
    targets: tuple[str, ...],
    key: bool,
    **values: Any,  # noqa: ANN401
) -> None:
    """Give a secret a new value, and write it wherever the secret stands in the state.

    The plan is shown and must be agreed to, as that of `apply`. The old value stays readable, so that it can
    be undone; `secret shred` destroys it. With --key the secrets that are named, by default all that are in
    use, only get new keys: what stands in the state is sealed anew, on record, and no machine is touched.
    """
    request = Request.take(values)
    with opened(context) as project:
        if key:
            _reseal(context, project, targets, request)
            return
        if len(targets) != 2:  # noqa: PLR2004 - what it is, and where its new value is found
            raise BadInput("name a secret and where its new value is found: `secret rotate NAME file:PATH`")

        target, reference = targets
        made = rotation(project, target, _read(project, reference))
        _rotate(context, project, made, replace(request, because=f"secret rotate {target}"))


def _rotate(context: click.Context, project: Project, made: Rotation, request: Request) -> None:
    plan = made.plan
    if made.candidate is None and not plan.commands:
        printing.note("nothing to do: it has that value already; --key would give it a new key")
        return
    if plan.commands and not (request.as_json or request.predicts):
        show_plan(plan, as_json=False, both=request.show_diff)
    check_plan(plan)
    agree(request, plan)
    if not request.predicts:
        keep(project, made)
    if plan.commands or request.as_json:
        brief = not request.predicts
        request = replace(request, lost=plan.lost, agreed=plan.losses, brief=brief)
        act(context, project, plan.commands, request)
    else:
        printing.note("the secret has a new value; it stands nowhere in the state")


def _reseal(context: click.Context, project: Project, targets: tuple[str, ...], request: Request) -> None:
    if request.interpreter != "live":
        raise BadInput("new keys change no value and no machine, so there is nothing to predict or to print")
    done = reseal(project, targets, request.message)
    if request.as_json:
        printing.data(data.resealed(done))
    for name in () if request.as_json else done.names:
        printing.fact(f"new key: {name}")
    for at, why in {} if request.as_json else done.problems.items():
        printing.note(f"! {at}: {why}")
    if not request.as_json:
        where = (
            "" if done.position is None else f"; what stands in the state is sealed anew at {done.position}"
        )
        printing.note(
            f"{_count(len(done.names), 'secret')} with a new key{where}" if done.names else "no secrets"
        )
    if done.problems:
        context.exit(1)


@secret.command("shred")
@options.argument("targets", nargs=-1, type=arguments.NAME, metavar="[NAME|ADDRESS]...")
@options.option("--all", "all_", is_flag=True, help="Also the present value of a NAME, which is then gone.")
@options.option(
    "--before",
    is_flag=True,
    help="Also the one key that sealed all secrets of the project before each had its own.",
)
@options.yes
@options.as_json("shredded")
@click.pass_context
def secret_shred(
    context: click.Context,
    /,
    targets: tuple[str, ...],
    yes: bool,
    as_json: bool,
    **more: bool,
) -> None:
    """Destroy the keys of all past values of secrets, which nobody can then read or bring back.

    It is refused while anything uses one. Log and state stay readable; what a copy of the keyring can still
    open is told.
    """
    if not targets and not more["before"]:
        raise BadInput("name the secrets whose past values are to be destroyed, or --before")
    with opened(context) as project:
        found = shredding(project, targets, all_=more["all_"], before=more["before"])
        if not as_json:
            _show_shredding(found)
        if not yes and (as_json or not printing.agreed("Destroy them for ever?")):
            raise LaserCatsError("nothing was destroyed, because it was not agreed to; agree with --yes")
        anew = shred(project, found)
        kept = project.vault.keys.kept() or ""
    if as_json:
        printing.data(data.shredded(found, new_root=anew))
    else:
        printing.note(f"{_count(len(found.keys), 'key')} destroyed; {_copies(kept, anew=anew)}")


def _copies(kept: str, *, anew: bool) -> str:
    """Return what copies that were made before can still open."""
    if kept.startswith("age"):
        return "whoever has an age identity and a copy of the keyring from before can still open them"
    if not anew:
        return f"a copy of the keyring from before opens with {kept}, until you put another root key there"
    return "the other keys have a new root key; destroy the copies that you have of the keys from before"


def _show_shredding(found: Shredding) -> None:
    for key in found.keys:
        printing.fact(f"version {key.version} of {', '.join(key.places) or 'the one key of before'}")
    where = dict.fromkeys(past.environment for past in found.past)
    for environment in where:
        at = [str(past.position) for past in found.past if past.environment == environment]
        places = ", ".join(at[:MOST]) + (f" and {len(at) - MOST} more" if len(at) > MOST else "")
        printing.note(
            f"cannot be read or brought back any more: what stands at {places} in environment {environment}"
        )
    printing.note(f"{_count(found.values, 'past value')} would be gone for good")
    if found.before:
        printing.note("what the one key of before has sealed stays readable; --before destroys that key too")


@secret.command("key")
@options.option(
    "--to",
    type=arguments.BYTES,
    metavar="file|age:RECIPIENT,…|keyring|cmd:COMMAND",
    help="Keep a new root key there, and lock all keys with it.",
)
@options.as_json("root_key")
@click.pass_context
def secret_key(context: click.Context, to: str | None, as_json: bool) -> None:
    """Show where the root key is kept, which locks the keys of all secrets, or keep it somewhere else.

    `file` is .lasercats/key, for this user alone; `age:` encrypts it to recipients, who open it with their
    identities; `keyring` is that of the system; `cmd:` runs a command that prints it, as
    cmd:'pass show lasercats', which is 64 random bytes in base 64. Tokens stay as they are.
    """
    with opened(context) as project:
        keys = project.vault.keys
        kept = keys.move(to) if to is not None else keys.kept()
    if as_json:
        printing.data(data.things.RootKey(kept))
    elif kept is None:
        printing.note("there is no root key yet; it is made with the first secret")
    else:
        printing.fact(f"the root key is kept in {kept}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
