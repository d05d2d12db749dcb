"""What a project has, beside its state, as plain data: machines, secrets, what its log is known by."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from lasercats.operate.data.base import Data
from lasercats.operate.moments import iso

if TYPE_CHECKING:
    from lasercats.machines.vault_ring import Key
    from lasercats.operate import machines
    from lasercats.operate.heads import Checked
    from lasercats.operate.secret import Secret as Kept
    from lasercats.operate.secret_rotate import Resealed as Anew
    from lasercats.operate.secret_shred import Shredding


class Project(Data, frozen=True):
    """A project, by its folder."""

    project: str


class Trust(Data, frozen=True):
    """Whether a project of others may act."""

    project: str
    trusted: bool


class Trusted(Data, frozen=True):
    """A project that is trusted."""

    project: str
    why: str
    """Why it needs trust."""


class Added(Data, frozen=True):
    """A machine that was bound to a URL."""

    name: str
    url: str
    exposed: str | None
    """What others could do on the way there."""


class Removed(Data, frozen=True):
    """A machine that was taken away."""

    removed: str


class Machine(Data, frozen=True):
    """A machine as it is bound, and as it is on record."""

    name: str
    url: str
    identity: dict[str, str]
    """What it is known by."""
    shared: list[str]
    """Other names of what is the same machine, as far as they tell."""


class Check(Data, frozen=True):
    """How a machine answered."""

    name: str
    url: str
    seconds: float
    error: str | None
    remark: str | None
    """What it does not fail for, and is worth knowing."""
    exposed: str | None
    """What others could do on the way there."""
    identity: dict[str, str]
    """What it is known by."""
    shared: list[str]
    """Other names of what is the same machine, as far as they tell."""
    told: str | None
    """The same as `remark`."""


class Accepted(Data, frozen=True):
    """What a machine was known by, and what it is known by now."""

    name: str
    before: dict[str, str]
    after: dict[str, str]
    position: int | None
    """Where it was accepted; null where it is the one on record."""
    resources: int
    """How many the state holds on it."""


class Version(Data, frozen=True, kw_only=True):
    """A key of a secret."""

    version: int
    state: str
    """`current`, `old` or `destroyed`."""
    made: str
    """When, RFC 3339."""
    by: str = ""
    destroyed: str | None = None
    """When, RFC 3339."""
    destroyed_by: str = ""


class Secret(Data, frozen=True):
    """A secret: where it stands, and the keys that it had."""

    secret: str
    places: list[str]
    used: list[str]
    """The places in the state where it stands."""
    versions: list[Version]


class Secrets(Data, frozen=True):
    """The secrets of a project."""

    root_key: str | None
    """Where the key of their keys is kept."""
    secrets: list[Secret]


class RootKey(Data, frozen=True):
    """Where the key of all keys is kept."""

    root_key: str | None


class Resealed(Data, frozen=True):
    """Which secrets have new keys."""

    position: int | None
    """Of the event; null where nothing of it stands in the state."""
    names: list[str]
    problems: dict[str, str]
    """The places where it was not possible, and why."""


class Shredded(Data, frozen=True):
    """What was destroyed."""

    keys: int
    values: int
    """How many different sealed values cannot be opened any more."""
    past: list[tuple[str, int]]
    """What cannot be read or undone any more: environments with positions."""
    new_root: bool
    """True where the other keys have a new root key."""


class Head(Data, frozen=True):
    """What a log is known by."""

    log: str
    position: int
    hash: str


class Signature(Data, frozen=True):
    """A signed head that holds."""

    position: int
    signer: str
    time: str
    """RFC 3339, in UTC."""
    who: str | None
    """Who that is by the file of allowed signers; null where it is nobody of them."""


class Verified(Data, frozen=True, kw_only=True):
    """What was checked of a log, all of which holds."""

    log: str
    records: int
    events: int
    versions: int | UnsetType = UNSET
    """Of resources in its tables; left out where the log has none."""
    signed: list[Signature]


def verified(log: str, report: Mapping[str, int], signed: "Sequence[Checked]" = ()) -> Verified:
    """Return what was checked of a log as plain data."""
    signatures = [Signature(one.position, one.signer, iso(one.time), one.who) for one in signed]
    return Verified(log=log, **report, signed=signatures)


def machine(one: "machines.Bound") -> Machine:
    """Return a machine as it is bound as plain data."""
    return Machine(one.name, one.url, dict(one.identity), list(one.shared))


def check(one: "machines.Check") -> Check:
    """Return how a machine answered as plain data."""
    lists = {"identity": dict(one.identity), "shared": list(one.shared)}
    return Check(**{**one._asdict(), **lists}, told=one.remark)


def accepted(found: "machines.Accepting", position: int | None) -> Accepted:
    """Return a machine that was accepted at a position, or needed not be, as plain data."""
    return Accepted(found.name, dict(found.before), dict(found.after), position, found.resources)


def secrets(found: "Sequence[Kept]", root_key: str | None) -> Secrets:
    """Return secrets as plain data, with where the key of their keys is kept."""
    return Secrets(root_key, [_secret(one) for one in found])


def _secret(one: "Kept") -> Secret:
    return Secret(one.name, list(one.places), list(one.used), [_version(one, key) for key in one.keys])


def _version(one: "Kept", key: "Key") -> Version:
    return Version(
        version=key.version,
        state="destroyed" if key.wrapped is None else "current" if key.id == one.keys[-1].id else "old",
        made=key.made,
        by=key.by,
        destroyed=key.gone,
        destroyed_by=key.gone_by,
    )


def resealed(done: "Anew") -> Resealed:
    """Return which secrets have new keys as plain data."""
    return Resealed(done.position, list(done.names), dict(done.problems))


def shredded(found: "Shredding", *, new_root: bool) -> Shredded:
    """Return what was destroyed as plain data."""
    past = [(one.environment, one.position) for one in found.past]
    return Shredded(len(found.keys), found.values, past, new_root)
