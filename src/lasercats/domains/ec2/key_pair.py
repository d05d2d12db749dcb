"""`ec2.key_pair`: a public key that instances are launched with.

Only public keys are imported; a private key never comes near a log.
"""

import base64
import binascii
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from lasercats.core.address import Address
from lasercats.core.command import LOADS
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.resource import COMPUTED, Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import account, steps
from lasercats.domains.ec2.account import Tags
from lasercats.domains.ec2.looks import Thing
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
    id: Annotated[str | None, COMPUTED] = None
    name: Annotated[str | None, COMPUTED] = None
    fingerprint: Annotated[str | None, COMPUTED] = None

    forms: ClassVar[Forms] = FORMS


class Import(
    account.Makes,
    frozen=True,
    init=False,
    tag="ec2.import_key_pair",
    past="ec2.key_pair.imported",
    of=KeyPair,
    needs=("public_key",),
):
    """Import public keys."""

    def check(self) -> None:
        """Check the names, and the key.

        Raises:
            ValueError: EC2 does not take one.

        """
        for address in self.on:
            if (why := _bad_name(account.at(address)[1])) is not None:
                raise ValueError(why)
        super().check()

    def admit(self, address: Address, after: Resource, state: State) -> None:
        """Check that it is not there, and that EC2 takes its name."""
        if (why := _bad_name(account.at(address)[1])) is not None:
            raise Refused(why)
        super().admit(address, after, state)


def _bad_name(name: str) -> str | None:
    """Return why EC2 does not take a name, None where it does (API reference, ImportKeyPair)."""
    if account.ID.fullmatch(name):
        return "a key pair gets its id from EC2; give it a name"
    if not name.isascii() or len(name) > 255:  # noqa: PLR2004
        return "EC2 takes only ASCII in the name of a key pair, and at most 255 characters"
    return None


class Delete(
    account.Removes,
    frozen=True,
    init=False,
    tag="ec2.delete_key_pair",
    past="ec2.key_pair.deleted",
    of=KeyPair,
):
    """Delete key pairs; instances that were launched with them keep the public key."""


class KeyPairKind(steps.Made[KeyPair]):
    """Key pairs; others refer to one by its name."""

    name = "ec2.key_pair"
    resource = KeyPair
    commands = (Import, *account.TAGGING, Delete)
    identity = "name"
    what = "key_pair"
    fixed = ("public_key",)

    def making(self, address: Address, desired: KeyPair, known: Known) -> Call:
        """Import it."""
        machine, name = account.at(address)
        parameters = {"KeyName": name, "PublicKeyMaterial": desired.public_key}
        return Call(machine=machine, operation="ImportKeyPair", parameters=parameters, at="KeyPairId")

    def delete(self, address: Address, before: Any, known: Known) -> Program[None]:  # noqa: ANN401
        """Delete it by its name, which is not in the address of one that is there by its id."""
        machine, name = account.at(address)
        parameters = {"KeyName": getattr(known(address) or before, "name", None) or name}
        yield Call(machine=machine, operation="DeleteKeyPair", parameters=parameters)

    def read(self, thing: Thing, known: KeyPair | None) -> KeyPair:
        """Return the key pair that a description tells of; a key of another sort is left out."""
        material = thing.get("PublicKey")
        try:
            key = None if material is None else _plain(material)
        except ValueError:
            key = None if known is None else known.public_key
        return KeyPair(
            public_key=key,
            tags=tags_of(thing),
            id=thing["KeyPairId"],
            name=thing.get("KeyName"),
            fingerprint=thing.get("KeyFingerprint"),
        )


KIND = KeyPairKind()
