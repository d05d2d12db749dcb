"""One command for the tags of all kinds; those that kinds had of their own are names of it."""

import json
from typing import TYPE_CHECKING

import pytest

from lasercats.core.address import Address
from lasercats.core.change import Change
from lasercats.core.errors import BadInput
from lasercats.domains.ec2.account import TAGGED, Tag, Untag
from lasercats.domains.ec2.vpc import Vpc
from lasercats.operate.plugins import kinds

if TYPE_CHECKING:
    from tests.lasercats.domains.ec2.conftest import Project

KINDS = kinds()
NAMES = {"": "instance", **{f"_{kind}": kind for kind in TAGGED}}


@pytest.mark.parametrize(("suffix", "kind"), NAMES.items())
def test_a_log_with_the_old_name_reads(suffix: str, kind: str) -> None:
    """What was recorded under the name that a kind had for it is the one command, and is written as that."""
    old = {"command": f"ec2.tag{suffix}", "on": [f"ec2.{kind}/a"], "tags": {"k": "v"}}
    read = KINDS.decode_command(json.dumps(old).encode())
    assert read == Tag(on=(Address(f"ec2.{kind}/a"),), tags={"k": "v"})
    removed = {"command": f"ec2.untag{suffix}", "on": [f"ec2.{kind}/a"], "keys": ["k"]}
    assert KINDS.decode_command(json.dumps(removed).encode()) == Untag(on=read.on, keys=("k",))


@pytest.mark.parametrize(("suffix", "kind"), NAMES.items())
def test_a_bare_name_is_of_the_kind_of_the_name(suffix: str, kind: str) -> None:
    """A file of commands with the old name means what it meant."""
    built = KINDS.command({"command": f"ec2.tag{suffix}", "on": "a", "tags": {"k": "v"}})
    assert built == Tag(on=(Address(f"ec2.{kind}/a"),), tags={"k": "v"})


def test_one_command_for_many_kinds() -> None:
    """Under its own name it takes addresses of all kinds that have tags, and no others."""
    on = [f"ec2.{kind}/a" for kind in NAMES.values()]
    assert KINDS.command({"command": "ec2.tag", "on": on, "tags": {"k": "v"}}).on == tuple(map(Address, on))
    with pytest.raises(BadInput):
        KINDS.command({"command": "ec2.tag", "on": "file/web1:/x", "tags": {"k": "v"}})


def test_a_change_of_tags_is_that_command() -> None:
    """What is to be done for other tags is said by it, on whatever kind."""
    vpc, before, after = Address("ec2.vpc/v"), Vpc(tags={"a": "1"}), Vpc(tags={"b": "2"})
    (untag, tag) = KINDS.kind(vpc).converge(vpc, Change(before, after))
    assert (untag, tag) == (Untag(on=(vpc,), keys=("a",)), Tag(on=(vpc,), tags={"b": "2"}))


def test_the_verbs(project: "Project") -> None:
    """Old verbs and the new one do the same; one command reaches many kinds, and one undo takes it back."""
    project.run("ec2", "create-vpc", "v", "--cidr", "10.0.0.0/16")
    project.run("ec2", "create-security-group", "g", "--vpc", "ec2.vpc/v", "--description", "g")
    project.run("ec2", "tag-vpc", "v", "--tag", "a=1")
    project.run("ec2", "tag", "ec2.vpc/v", "ec2.security_group/g", "--tag", "b=2")
    state = project.state()
    assert state["ec2.vpc/v"]["tags"] == {"a": "1", "b": "2"}
    assert state["ec2.security_group/g"]["tags"] == {"b": "2"}
    rows = project.run("query", "SELECT DISTINCT type FROM events WHERE type LIKE '%tagged'", "--json")
    assert "ec2.tagged" in rows
    project.run("undo", "HEAD")
    state = project.state()
    assert state["ec2.vpc/v"]["tags"] == {"a": "1"}
    assert "b" not in (state["ec2.security_group/g"].get("tags") or {})
    project.check()
