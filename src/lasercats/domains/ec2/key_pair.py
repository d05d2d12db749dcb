"""`ec2.key_pair`: a public key that instances are launched with.

Only public keys are imported; a private key never comes near a log.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import LOADS, Command
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.resource import GIVEN, Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import account, looks, steps
from lasercats.domains.ec2.account import Tags
from lasercats.domains.ec2.looks import Looking
from lasercats.instructions.aws import Call, tags_of

PublicKey = Annotated[
    str, Meta(max_length=16384, extra=LOADS, description="the public key, as OpenSSH writes it, as text")
]


def _plain(text: str) -> str:
    """Return a public key without its comment (RFC 4253, section 6.6, as OpenSSH writes it)."""
    parts = text.split()
    sort = parts[0] if parts else ""
    if sort not in ("ssh-rsa", "ssh-ed25519") or len(parts) == 1:
        raise ValueError(
            "EC2 takes a public key that begins with ssh-rsa or ssh-ed25519, as OpenSSH writes it"
        )
    try:
        data = base64.b64decode(parts[1], validate=True)
    except binascii.Error:
        data = b""
    if not data.startswith(len(sort).to_bytes(4, "big") + sort.encode()):
        raise ValueError(
            "the public key is damaged; take it from a file that ssh-keygen wrote, as id_ed25519.pub"
        )
    return f"{sort} {parts[1]}"


FORMS: Forms = {**account.TAGS, "public_key": _plain}
"""A key has no comment, as EC2 keeps none."""


class KeyPair(Resource, frozen=True):
    """A key pair on EC2; its name is its name there."""

    public_key: PublicKey | None = None
    tags: Tags | None = None
    id: Annotated[str | None, GIVEN] = None
    name: Annotated[str | None, GIVEN] = None
    fingerprint: Annotated[str | None, GIVEN] = None

    forms: ClassVar[Forms] = FORMS


class Import(Command, frozen=True, tag="ec2.import_key_pair"):
    """Import public keys."""

    past: ClassVar[str] = "ec2.key_pair.imported"
    forms: ClassVar[Forms] = FORMS

    public_key: PublicKey
    tags: Tags | None = None

    def check(self) -> None:
        """Check the names, and the key.

        Raises:
            ValueError: EC2 does not take one.

        """
        for address in self.on:
            if (why := _bad_name(account.at(address)[1])) is not None:
                raise ValueError(why)
        super().check()

    def decide(self, address: Address, state: State) -> KeyPair:
        """Return the key pair, where there is none, and where EC2 takes its name."""
        if (why := _bad_name(account.at(address)[1])) is not None:
            raise Refused(why)
        made = KeyPair(public_key=self.public_key, tags=self.tags)
        account.check_new(address, state, made)
        return made


def _bad_name(name: str) -> str | None:
    """Return why EC2 does not take a name, None where it does (API reference, ImportKeyPair)."""
    if account.ID.fullmatch(name):
        return "a key pair gets its id from EC2; give it a name"
    if not name.isascii() or len(name) > 255:  # noqa: PLR2004
        return "EC2 takes only ASCII in the name of a key pair, and at most 255 characters"
    return None


class Tag(account.Tag, frozen=True, tag="ec2.tag_key_pair"):
    """Set tags of key pairs; others stay."""

    past: ClassVar[str] = "ec2.key_pair.tagged"


class Untag(account.Untag, frozen=True, tag="ec2.untag_key_pair"):
    """Remove tags of key pairs."""

    past: ClassVar[str] = "ec2.key_pair.untagged"


class Delete(Command, frozen=True, tag="ec2.delete_key_pair"):
    """Delete key pairs; instances that were launched with them keep the public key."""

    past: ClassVar[str] = "ec2.key_pair.deleted"

    def decide(self, address: Address, state: State) -> None:
        """Leave nothing."""
        if not state.known_absent(address):
            account.existing(address, state)


def act(address: Address, change: Change[Any], known: Known) -> Program[KeyPair | None]:
    """Import it, change its tags, or delete it."""
    wish: Any = change.after
    if change.before is None:
        machine, name = account.at(address)
        parameters = {"KeyName": name, "PublicKeyMaterial": wish.public_key}
        call = Call(machine=machine, operation="ImportKeyPair", parameters=parameters, at="KeyPairId")
        return steps.create(address, wish, known, LOOKING, call)
    if change.after is None:
        return _delete(address, known(address) or change.before)
    return steps.change(address, change, known, LOOKING)


def _delete(address: Address, there: Any) -> Program[None]:  # noqa: ANN401
    """Delete it by its name, which is not in the address of one that is there by its id."""
    machine, name = account.at(address)
    parameters = {"KeyName": getattr(there, "name", None) or name}
    yield Call(machine=machine, operation="DeleteKeyPair", parameters=parameters)


def converge(address: Address, change: Change[KeyPair]) -> Iterator[Command]:
    """Import or delete it, or change its tags."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        yield Delete(on=on)
    elif before is None:
        if after.public_key is None:
            raise Refused(f"{address} cannot be imported without public_key")
        yield Import(on=on, public_key=after.public_key, tags=after.tags)
    else:
        yield from account.converge_tags(on, change, Tag, Untag)


def replaces(change: Change[KeyPair]) -> bool:
    """Tell whether a change cannot be made in place: another key."""
    return account.differs(change, "public_key")


def read(thing: Mapping[str, Any], known: KeyPair | None) -> KeyPair:
    """Return the key pair that a description tells of; a key of another sort is not told."""
    told = thing.get("PublicKey")
    try:
        key = None if told is None else _plain(told)
    except ValueError:
        key = None if known is None else known.public_key
    return KeyPair(
        public_key=key,
        tags=tags_of(thing),
        id=thing["KeyPairId"],
        name=thing.get("KeyName"),
        fingerprint=thing.get("KeyFingerprint"),
    )


LOOKING = Looking("ec2.key_pair", "key_pair", read)
KIND = looks.kind(
    LOOKING,
    KeyPair,
    (Import, Tag, Untag, Delete),
    converge,
    act,
    replaces=replaces,
    identity="name",
)
