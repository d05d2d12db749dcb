"""`ec2.security_group`: what traffic may reach instances, and leave them."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.command import Command
from lasercats.core.errors import Refused
from lasercats.core.kind import Found
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.resource import GIVEN, Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import account, looks, rule, steps
from lasercats.domains.ec2.account import Tags, Vpc
from lasercats.domains.ec2.looks import Looking
from lasercats.domains.ec2.rule import Rules
from lasercats.instructions.aws import Call, Describe, tags_of

About = Annotated[
    str, Meta(min_length=1, max_length=255, pattern=rule.ABOUT, description="what the group is for")
]
Ingress = Annotated[Rules, Meta(description=f"a rule for traffic to instances, {rule.FORM}")]
Egress = Annotated[Rules, Meta(description=f"a rule for traffic from instances, {rule.FORM}")]

DIRECTIONS = ("ingress", "egress")
RULES: Forms = dict.fromkeys(DIRECTIONS, rule.ordered)
NO_RULE = "no rule is given; give --ingress or --egress"


class SecurityGroup(Resource, frozen=True):
    """A security group on EC2; its name is its name there."""

    description: About | None = None
    vpc: Vpc | None = None
    ingress: Ingress | None = None
    egress: Egress | None = None
    tags: Tags | None = None
    id: Annotated[str | None, GIVEN] = None

    forms: ClassVar[Forms] = {**RULES, **account.TAGS}


class Create(Command, frozen=True, tag="ec2.create_security_group"):
    """Create security groups. As on EC2, all traffic may leave unless rules for it are given."""

    past: ClassVar[str] = "ec2.security_group.created"
    forms: ClassVar[Forms] = {**RULES, **account.TAGS}

    description: About
    vpc: Vpc | None = None
    ingress: Ingress = ()
    egress: Egress | None = None
    tags: Tags | None = None

    def decide(self, address: Address, state: State) -> SecurityGroup:
        """Return the group, where there is none."""
        egress = rule.DEFAULT if self.egress is None else self.egress
        told = {name: getattr(self, name) for name in ("description", "vpc", "ingress", "tags")}
        made = SecurityGroup(**told, egress=egress)
        _check_name(account.at(address)[1])
        account.check_new(address, state, made)
        return made


def _check_name(name: str) -> None:
    """Check a name by the rules of EC2 (API reference, CreateSecurityGroup)."""
    if name.startswith("sg-") or account.ID.fullmatch(name):
        raise Refused("a group gets its id from EC2; give it a name that does not begin with sg-")
    strange = next((sign for sign in name if not re.fullmatch(rule.ABOUT, sign)), None)
    if strange is not None:
        raise Refused(f"EC2 takes no name of a group with {strange!r}; use letters from a to z and digits")
    if len(name) > 255:  # noqa: PLR2004
        raise Refused("EC2 takes no name of a group of more than 255 characters")


class _Ruling(Command, frozen=True):
    ingress: Ingress = ()
    egress: Egress = ()

    def _checked(self, address: Address, state: State) -> SecurityGroup:
        if not self.ingress and not self.egress:
            raise Refused(NO_RULE)
        return _there(address, state)


class Authorize(_Ruling, frozen=True, tag="ec2.authorize"):
    """Add rules to security groups; one that is there gets what it is for, others stay."""

    past: ClassVar[str] = "ec2.security_group.authorized"
    forms: ClassVar[Forms] = RULES

    def decide(self, address: Address, state: State) -> SecurityGroup:
        """Return it with these rules, too."""
        group = self._checked(address, state)
        new = {
            name: rule.merged(getattr(group, name), getattr(self, name))
            for name in DIRECTIONS
            if getattr(self, name)
        }
        made = replace(group, **new)
        account.check_references(address, state, made)
        return made


class Revoke(_Ruling, frozen=True, tag="ec2.revoke"):
    """Remove rules from security groups, whatever they are said to be for."""

    past: ClassVar[str] = "ec2.security_group.revoked"

    def decide(self, address: Address, state: State) -> SecurityGroup:
        """Return it without these rules."""
        group = self._checked(address, state)
        new = {
            name: rule.without(getattr(group, name), getattr(self, name))
            for name in DIRECTIONS
            if getattr(self, name)
        }
        return replace(group, **new)


class ChangeRules(Command, frozen=True, tag="ec2.change_rules"):
    """Let security groups have these rules, and no others of the same direction."""

    past: ClassVar[str] = "ec2.security_group.rules_changed"
    forms: ClassVar[Forms] = RULES

    ingress: Ingress | None = None
    egress: Egress | None = None

    def decide(self, address: Address, state: State) -> SecurityGroup:
        """Return it with these rules."""
        new = {name: rules for name in DIRECTIONS if (rules := getattr(self, name)) is not None}
        if not new:
            raise Refused(NO_RULE)
        made = replace(_there(address, state), **new)
        account.check_references(address, state, made)
        return made


class Tag(account.Tag, frozen=True, tag="ec2.tag_security_group"):
    """Set tags of security groups; others stay."""

    past: ClassVar[str] = "ec2.security_group.tagged"


class Untag(account.Untag, frozen=True, tag="ec2.untag_security_group"):
    """Remove tags of security groups."""

    past: ClassVar[str] = "ec2.security_group.untagged"


class Delete(account.Delete, frozen=True, tag="ec2.delete_security_group"):
    """Delete security groups that nothing uses any more."""

    past: ClassVar[str] = "ec2.security_group.deleted"


def _there(address: Address, state: State) -> SecurityGroup:
    group: SecurityGroup = account.existing(address, state)
    return group


def act(address: Address, change: Change[Any], known: Known) -> Program[SecurityGroup | None]:
    """Create, change or delete it."""
    machine, name = account.at(address)
    if change.before is None:
        return _create(machine, name, address, change.after, known)
    if change.after is None:
        return steps.delete(address, change.before, known, "DeleteSecurityGroup", "GroupId")
    return steps.change(address, change, known, LOOKING, partial(_rule, machine, change))


def _create(machine: str, name: str, address: Address, wish: Any, known: Known) -> Program[Any]:  # noqa: ANN401
    def rest(new: SecurityGroup, known: Known) -> Program[None]:
        told = yield Describe(machine=machine, what="security_group", by="group-id", value=new.id)
        seen = read(told.found[0], None) if told.found else SecurityGroup(ingress=(), egress=rule.DEFAULT)
        there = looks.as_wished(seen, new, known)
        yield from _rule(machine, Change(there, new), new, known)

    vpc = None if wish.vpc is None else account.id_of(known, wish.vpc)
    parameters = {"GroupName": name, "Description": wish.description, "VpcId": vpc}
    call = Call(machine=machine, operation="CreateSecurityGroup", parameters=parameters, at="GroupId")
    return (yield from steps.create(address, wish, known, LOOKING, call, rest))


def _rule(machine: str, change: Change[Any], wish: SecurityGroup, known: Known) -> Program[None]:
    """Revoke the rules that are no more, authorize the new ones, and tell of others what they are for."""
    before, after = account.sides(change)
    for field in DIRECTIONS:
        rules = getattr(after, field)
        if rules is None:
            continue
        gone, new, told = rule.changes(getattr(before, field) or (), rules)
        for operation, some in (("Revoke", gone), ("Authorize", new), ("Update", told)):
            if some:
                permissions = rule.permissions(
                    some, partial(account.id_of, known), told=operation != "Revoke"
                )
                name = f"{operation}SecurityGroup{'RuleDescriptions' if some is told else ''}{field.title()}"
                parameters = {"GroupId": wish.id, "IpPermissions": permissions}
                yield Call(machine=machine, operation=name, parameters=parameters)


def converge(address: Address, change: Change[SecurityGroup]) -> Iterator[Command]:
    """Create or delete it; else change what differs."""
    on, before, after = (address,), change.before, change.after
    if after is None:
        yield Delete(on=on)
        return
    if before is None:
        if after.description is None:
            raise Refused(f"{address} cannot be created without description")
        told = {name: getattr(after, name) for name in ("vpc", "egress", "tags")}
        yield Create(on=on, description=after.description, ingress=after.ingress or (), **told)
        return
    exact, gone, new = dict[str, Any](), dict[str, Any](), dict[str, Any]()
    for field in DIRECTIONS:
        old, rules = getattr(before, field), getattr(after, field)
        if rules is None:
            continue
        if old is None:  # what is there is not known, and none of it is to stay
            exact[field] = rules
            continue
        gone[field], added, told_anew = rule.changes(old, rules)
        new[field] = (*added, *told_anew)
    if exact:
        yield ChangeRules(on=on, **exact)
    if any(gone.values()):
        yield Revoke(on=on, **gone)
    if any(new.values()):
        yield Authorize(on=on, **new)
    yield from account.converge_tags(on, change, Tag, Untag)


def replaces(change: Change[SecurityGroup]) -> bool:
    """Tell whether a change cannot be made in place: another network, or description."""
    return account.differs(change, "vpc", "description")


def discover(machine: str) -> Program[Found]:
    """Find all security groups of an account and region, but for those that come and go with a network."""
    answer = yield Describe(machine=machine, what="security_group")
    own = tuple(thing for thing in answer.found if thing.get("GroupName") != "default")
    return looks.read_all(machine, own, LOOKING)


def read(thing: Mapping[str, Any], _known: SecurityGroup | None) -> SecurityGroup:
    """Return the security group that a description tells of."""
    return SecurityGroup(
        description=thing["Description"],
        vpc=thing.get("VpcId"),
        ingress=rule.read(thing.get("IpPermissions", ()), thing.get("OwnerId")),
        egress=rule.read(thing.get("IpPermissionsEgress", ()), thing.get("OwnerId")),
        tags=tags_of(thing),
        id=thing["GroupId"],
    )


LOOKING = Looking("ec2.security_group", "security_group", read)
KIND = looks.kind(
    LOOKING,
    SecurityGroup,
    (Create, Authorize, Revoke, ChangeRules, Tag, Untag, Delete),
    converge,
    act,
    replaces=replaces,
    discover=discover,
)
