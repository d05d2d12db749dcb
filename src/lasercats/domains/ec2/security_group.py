"""`ec2.security_group`: what traffic may reach instances, and leave them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.errors import Refused
from lasercats.core.loose import Forms
from lasercats.core.program import Known, Program
from lasercats.core.resource import COMPUTED, Resource
from lasercats.core.state import State
from lasercats.domains.ec2 import account, looks, rule, steps
from lasercats.domains.ec2.account import Tags, Vpc
from lasercats.domains.ec2.looks import Thing
from lasercats.domains.ec2.rule import Rule, Rules
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
    id: Annotated[str | None, COMPUTED] = None

    forms: ClassVar[Forms] = {**RULES, **account.TAGS}


class Create(
    account.Makes,
    frozen=True,
    init=False,
    tag="ec2.create_security_group",
    past="ec2.security_group.created",
    of=SecurityGroup,
    needs=("description",),
):
    """Create security groups. As on EC2, all traffic may leave unless rules for it are given."""

    new: ClassVar[Mapping[str, Any]] = {"egress": rule.DEFAULT}

    ingress: Ingress = ()

    def admit(self, address: Address, after: Resource, state: State) -> None:
        """Check that it is not there, and that EC2 takes its name."""
        _check_name(account.at(address)[1])
        super().admit(address, after, state)


def _check_name(name: str) -> None:
    """Check a name by the rules of EC2 (API reference, CreateSecurityGroup)."""
    if name.startswith("sg-") or account.ID.fullmatch(name):
        raise Refused("a group gets its id from EC2; give it a name that does not begin with sg-")
    strange = next((sign for sign in name if not re.fullmatch(rule.ABOUT, sign)), None)
    if strange is not None:
        raise Refused(f"EC2 takes no name of a group with {strange!r}; use letters from a to z and digits")
    if len(name) > 255:  # noqa: PLR2004
        raise Refused("EC2 takes no name of a group of more than 255 characters")


class Ruling(account.Sets, frozen=True, init=False, takes=()):
    """Adds rules, or removes some."""

    needed: ClassVar[slice]
    """Which it tells, of the rules that are no more, those that are new, and those that are changed."""

    ingress: Ingress = ()
    egress: Egress = ()

    def found(self, address: Address, state: State) -> Any:  # noqa: ANN401
        """Return what is there, where a rule is given."""
        if not self.ingress and not self.egress:
            raise Refused(NO_RULE)
        return super().found(address, state)

    def put(self, found: Resource) -> Resource:
        """Return it with other rules."""
        values = {name: getattr(self, name) for name in DIRECTIONS if getattr(self, name)}
        new = {name: self.applied(getattr(found, name), rules) for name, rules in values.items()}
        return replace(found, **new)

    @staticmethod
    def applied(rules: Iterable[Rule] | None, given: Iterable[Rule], /) -> Rules:
        """Return the rules of a direction with those that are given, or without."""
        raise NotImplementedError

    @classmethod
    def rules(cls, before: Resource, desired: Mapping[str, Any]) -> dict[str, Rules]:
        """Return the rules to tell, by direction; none where nobody knows those that are there."""
        pairs = {name: (getattr(before, name), desired[name]) for name in DIRECTIONS if name in desired}
        parts = {n: [*rule.changes(*pair)][cls.needed] for n, pair in pairs.items() if pair[0] is not None}
        return {
            name: rules
            for name, part in parts.items()
            if (rules := tuple(one for some in part for one in some))
        }

    @classmethod
    def sets(cls, before: Resource, desired: Mapping[str, Any]) -> frozenset[str]:
        """Return the directions in which there are rules to tell."""
        return frozenset(cls.rules(before, desired))

    @classmethod
    def bring(
        cls, on: tuple[Address, ...], before: Resource, desired: Mapping[str, Any]
    ) -> Iterator["Ruling"]:
        """Tell them."""
        yield cls(on=on, **cls.rules(before, desired))


class ChangeRules(
    account.Refers,
    frozen=True,
    init=False,
    tag="ec2.change_rules",
    past="ec2.security_group.rules_changed",
    of=SecurityGroup,
    takes=DIRECTIONS,
):
    """Let security groups have these rules, and no others of the same direction."""

    def found(self, address: Address, state: State) -> Any:  # noqa: ANN401
        """Return what is there, where a rule is given."""
        if self.ingress is None and self.egress is None:
            raise Refused(NO_RULE)
        return super().found(address, state)

    @classmethod
    def sets(cls, before: Resource, desired: Mapping[str, Any]) -> frozenset[str]:
        """Return the directions in which nobody knows what is there, and none of it is to stay."""
        return frozenset(name for name in super().sets(before, desired) if getattr(before, name) is None)


class Revoke(
    Ruling, frozen=True, init=False, tag="ec2.revoke", past="ec2.security_group.revoked", of=SecurityGroup
):
    """Remove rules from security groups, whatever they are said to be for."""

    applied = staticmethod(rule.without)
    needed: ClassVar[slice] = slice(1)


class Authorize(
    Ruling,
    frozen=True,
    init=False,
    tag="ec2.authorize",
    past="ec2.security_group.authorized",
    of=SecurityGroup,
):
    """Add rules to security groups; one that is there gets what it is for, others stay."""

    forms: ClassVar[Forms] = RULES
    applied = staticmethod(rule.merged)
    needed: ClassVar[slice] = slice(1, 3)

    def admit(self, address: Address, after: Resource, state: State) -> None:
        """Check that all is there that the rules refer to."""
        account.check_references(address, state, after)


class Delete(
    account.Delete,
    frozen=True,
    init=False,
    tag="ec2.delete_security_group",
    past="ec2.security_group.deleted",
    of=SecurityGroup,
):
    """Delete security groups that nothing uses any more."""


class SecurityGroupKind(steps.Made[SecurityGroup]):
    """Security groups; those that come and go with a network are none of their own."""

    name = "ec2.security_group"
    resource = SecurityGroup
    commands = (Create, ChangeRules, Revoke, Authorize, *account.TAGGING, Delete)
    what = "security_group"
    fixed = ("vpc", "description")
    deletion = ("DeleteSecurityGroup", "GroupId")

    def making(self, address: Address, desired: SecurityGroup, known: Known) -> Call:
        """Create it."""
        machine, name = account.at(address)
        vpc = None if desired.vpc is None else account.id_of(known, desired.vpc)
        parameters = {"GroupName": name, "Description": desired.description, "VpcId": vpc}
        return Call(machine=machine, operation="CreateSecurityGroup", parameters=parameters, at="GroupId")

    def finish(self, address: Address, new: SecurityGroup, known: Known) -> Program[None]:
        """Change the rules that EC2 gave it."""
        machine, _ = account.at(address)
        answer = yield Describe(machine=machine, what="security_group", by="group-id", value=new.id)
        given = SecurityGroup(ingress=(), egress=rule.DEFAULT)
        there = self.read(answer.found[0], None) if answer.found else given
        yield from self.alter(address, Change(looks.as_desired(there, new, known), new), new, known)

    def alter(
        self, address: Address, change: Change[Any], desired: SecurityGroup, known: Known
    ) -> Program[None]:
        """Revoke the rules that are no more, authorize the new ones, and tell of others what they are for."""
        before, after = account.sides(change)
        for field in DIRECTIONS:
            rules = getattr(after, field)
            if rules is None:
                continue
            gone, new, described = rule.changes(getattr(before, field) or (), rules)
            for operation, some in (("Revoke", gone), ("Authorize", new), ("Update", described)):
                if some:
                    permissions = rule.permissions(
                        some, partial(account.id_of, known), described=operation != "Revoke"
                    )
                    changed = f"RuleDescriptions{field.title()}" if some is described else field.title()
                    yield Call(
                        machine=account.at(address)[0],
                        operation=f"{operation}SecurityGroup{changed}",
                        parameters={"GroupId": desired.id, "IpPermissions": permissions},
                    )

    def counts(self, thing: Thing) -> bool:
        """Tell whether it does not come and go with a network."""
        return thing.get("GroupName") != "default"

    def read(self, thing: Thing, known: SecurityGroup | None) -> SecurityGroup:
        """Return the security group that a description tells of."""
        return SecurityGroup(
            description=thing["Description"],
            vpc=thing.get("VpcId"),
            ingress=rule.read(thing.get("IpPermissions", ()), thing.get("OwnerId")),
            egress=rule.read(thing.get("IpPermissionsEgress", ()), thing.get("OwnerId")),
            tags=tags_of(thing),
            id=thing["GroupId"],
        )


KIND = SecurityGroupKind()
