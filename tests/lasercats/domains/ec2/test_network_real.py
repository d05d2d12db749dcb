"""Networks, subnets, security groups and key pairs on an endpoint as strict as EC2, by the command line."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.lasercats.domains.ec2.conftest import Project

pytestmark = pytest.mark.slow
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKS3hN2asqomyPuekKD3rre0IJh6IUdi3ZzhY2wUpA5m"
ESTATE = f"""\
resources:
  ec2.vpc/main:
    cidr: 10.0.0.0/16
    tags: {{Name: main}}
  ec2.subnet/a:
    vpc: ec2.vpc/main
    cidr: 10.0.1.0/24
    zone: us-east-1a
    public_ips: true
    tags: {{Name: a}}
  ec2.security_group/web:
    description: for the web
    vpc: ec2.vpc/main
    ingress:
    - {{protocol: tcp, ports: "443", peer: 0.0.0.0/0, description: all the world}}
    - {{protocol: tcp, ports: 8000-8080, peer: ec2.security_group/web}}
    - {{protocol: icmp, ports: "8", peer: "2001:db8::/32"}}
    egress:
    - {{peer: 10.0.0.0/8}}
  ec2.security_group/db:
    description: for the database
    vpc: ec2.vpc/main
    ingress:
    - {{protocol: tcp, ports: "5432", peer: ec2.security_group/web}}
  ec2.key_pair/ada:
    public_key: {KEY} ada@desk
  ec2.instance/web-1:
    image: ami-03cf127a
    type: t3.micro
    subnet: ec2.subnet/a
    security_groups: [ec2.security_group/web]
    key: ec2.key_pair/ada
    tags: {{Name: web-1}}
"""


CIRCLE = """\
resources:
  ec2.security_group/a:
    description: a
    ingress:
    - {peer: ec2.security_group/b}
  ec2.security_group/b:
    description: b
    ingress:
    - {peer: ec2.security_group/a}
"""


@pytest.fixture
def estate(project: "Project") -> "Project":
    """An estate made from a document."""
    (project.folder / "estate.yaml").write_text(ESTATE)
    project.run("apply", "estate.yaml", "--yes")
    project.aws.clear()
    return project


def group(project: "Project", name: str) -> dict[str, Any]:
    """Return what a plain client is told of a security group."""
    ec2 = project.ec2()
    (found,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])[
        "SecurityGroups"
    ]
    ec2.close()
    return dict(found)


def rules(permissions: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    """Return permissions as tuples of protocol, ports, peer and what it is for."""
    return {
        (p["IpProtocol"], p.get("FromPort"), p.get("ToPort"), peer[member], peer.get("Description"))
        for p in permissions
        for ranges, member in (
            ("IpRanges", "CidrIp"),
            ("Ipv6Ranges", "CidrIpv6"),
            ("UserIdGroupPairs", "GroupId"),
        )
        for peer in p.get(ranges, ())
    }


def test_an_estate_is_built_in_order(estate: "Project") -> None:
    """All of it is made, each after what it refers to, and seen by others as it was desired."""
    state = estate.check()
    web, db = group(estate, "web"), group(estate, "db")
    assert (
        web["VpcId"]
        == state["ec2.vpc/main"]["id"]
        == state["ec2.subnet/a"]["vpc"].replace("ec2.vpc/main", state["ec2.vpc/main"]["id"])
    )
    assert rules(web["IpPermissions"]) == {
        ("tcp", 443, 443, "0.0.0.0/0", "all the world"),
        ("tcp", 8000, 8080, web["GroupId"], None),
        ("icmp", 8, -1, "2001:db8::/32", None),
    }
    assert rules(web["IpPermissionsEgress"]) == {("-1", None, None, "10.0.0.0/8", None)}
    assert rules(db["IpPermissions"]) == {("tcp", 5432, 5432, web["GroupId"], None)}
    assert rules(db["IpPermissionsEgress"]) == {("-1", None, None, "0.0.0.0/0", None)}
    (instance,) = estate.there().values()
    assert (instance["SubnetId"], instance["KeyName"]) == (state["ec2.subnet/a"]["id"], "ada")
    assert [g["GroupId"] for g in instance["SecurityGroups"]] == [web["GroupId"]]
    assert state["ec2.key_pair/ada"]["public_key"] == KEY


def test_nothing_is_left_to_do(estate: "Project") -> None:
    """What was built is what was desired, also with a fresh look, which takes a call for each kind."""
    assert "nothing to do" in estate.run("plan", "estate.yaml", "--refresh")
    assert sum(estate.aws.calls.values()) == 5, estate.aws.calls


def test_all_of_it_goes_in_order(estate: "Project") -> None:
    """Undone, nothing is left, neither in the log nor in the account."""
    estate.run("undo", "1..HEAD", "--yes")
    assert estate.state() == {}
    assert estate.there() == {}
    ec2 = estate.ec2()
    assert [v["CidrBlock"] for v in ec2.describe_vpcs()["Vpcs"]] == ["172.31.0.0/16"]
    assert {g["GroupName"] for g in ec2.describe_security_groups()["SecurityGroups"]} == {"default"}
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    ec2.close()


def test_rules_come_and_go(estate: "Project") -> None:
    """Authorized, told for what, and revoked: each is one call, and others stay."""
    before = rules(group(estate, "web")["IpPermissions"])
    output = estate.run(
        "ec2", "authorize", "web", "--ingress", "protocol:tcp,ports:22,peer:10.9.8.7/24,description:x, y"
    )
    assert "+ peer:10.9.8.0/24,protocol:tcp,ports:22,description:x, y" in output
    new = ("tcp", 22, 22, "10.9.8.0/24", "x, y")
    assert rules(group(estate, "web")["IpPermissions"]) == before | {new}
    estate.run("ec2", "authorize", "web", "--ingress", "protocol:tcp,ports:22,peer:10.9.8.0/24,description:z")
    assert rules(group(estate, "web")["IpPermissions"]) == before | {(*new[:-1], "z")}
    estate.run("ec2", "revoke", "web", "--ingress", "protocol:tcp,ports:22,peer:10.9.8.0/24")
    assert rules(group(estate, "web")["IpPermissions"]) == before
    changing = {a: n for a, n in estate.aws.calls.items() if not a.startswith("Describe")}
    assert changing == {
        "AuthorizeSecurityGroupIngress": 1,
        "UpdateSecurityGroupRuleDescriptionsIngress": 1,
        "RevokeSecurityGroupIngress": 1,
    }
    estate.run("undo", "HEAD", "--yes")
    assert rules(group(estate, "web")["IpPermissions"]) == before | {(*new[:-1], "z")}
    estate.check()


def test_a_rule_that_somebody_else_adds_is_found(estate: "Project") -> None:
    """It is shown, and revoked when it is put back."""
    web, ec2 = group(estate, "web"), estate.ec2()
    ec2.authorize_security_group_ingress(
        GroupId=web["GroupId"],
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ],
    )
    ec2.close()
    assert "+ peer:0.0.0.0/0,protocol:tcp,ports:22" in estate.run("drift")
    assert "(corrective)" in estate.run("plan", "estate.yaml", "--refresh")
    estate.run("drift", "--revert")
    assert rules(group(estate, "web")["IpPermissions"]) == rules(web["IpPermissions"])


def test_rules_that_were_not_decided_become_those_that_are_desired(estate: "Project") -> None:
    """What nobody decided is open no more when a document decides; an undo opens it again."""
    document, egress = estate.folder / "rules.yaml", rules(group(estate, "web")["IpPermissionsEgress"])
    desired = "resources: {ec2.security_group/web: {ingress: [%s]}}"
    for wanted, left in (
        ("{protocol: tcp, ports: '22', peer: 10.0.0.0/8}", {("tcp", 22, 22, "10.0.0.0/8", None)}),
        ("", set[Any]()),
    ):
        before = rules(group(estate, "web")["IpPermissions"])
        estate.run("forget", "ec2.security_group/web", "--field", "ingress")
        document.write_text(desired % wanted)
        assert "ec2.security_group/web" in estate.run("apply", str(document), "--yes")
        assert rules(group(estate, "web")["IpPermissions"]) == left
        assert "nothing to do" in estate.run("plan", str(document), "--refresh")
        estate.run("undo", "HEAD", "--yes")
        assert rules(group(estate, "web")["IpPermissions"]) == before
    assert rules(group(estate, "web")["IpPermissionsEgress"]) == egress


def test_what_is_in_use_is_not_deleted(estate: "Project") -> None:
    """By what is managed it is refused at once; by what is not, by EC2, and both are told."""
    assert "ec2.subnet/a uses it" in estate.run("ec2", "delete-subnet", "a", fails=True).replace(
        "instance/web-1", "subnet/a"
    )
    assert "uses it; take that away" in estate.run("ec2", "delete-vpc", "main", fails=True)
    assert "uses it; take that away" in estate.run("ec2", "delete-security-group", "web", fails=True)
    estate.run("ec2", "terminate", "web-1")
    ec2, state = estate.ec2(), estate.state()
    ec2.run_instances(
        ImageId="ami-03cf127a",
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        SubnetId=state["ec2.subnet/a"]["id"],
    )
    ec2.close()
    output = estate.run("ec2", "delete-subnet", "a", fails=True)
    assert "has dependencies and cannot be deleted" in output
    assert "something that LaserCats does not manage may use it" in output
    assert "ec2.subnet/a" in estate.state()


def test_public_ips_change_in_place_and_a_range_does_not(estate: "Project") -> None:
    """A subnet is changed where it can be, else replaced with what is in it."""
    document = estate.folder / "estate.yaml"
    document.write_text(ESTATE.replace("public_ips: true", "public_ips: false"))
    estate.run("apply", "estate.yaml", "--yes")
    assert {a for a in estate.aws.calls if not a.startswith("Describe")} == {"ModifySubnetAttribute"}
    document.write_text(ESTATE.replace("10.0.1.0/24", "10.0.2.0/24"))
    data = json.loads(estate.run("plan", "estate.yaml", "--json"))
    assert sorted(data["replaced"]) == ["ec2.instance/web-1", "ec2.subnet/a"]
    estate.run("apply", "estate.yaml", "--yes")
    state = estate.check()
    assert state["ec2.subnet/a"]["cidr"] == "10.0.2.0/24"
    (instance,) = estate.there().values()
    assert instance["SubnetId"] == state["ec2.subnet/a"]["id"]


def test_another_key_leaves_the_instances_alone(estate: "Project") -> None:
    """A key pair is replaced; what was launched with it stays as it is."""
    document, (old,) = estate.folder / "estate.yaml", estate.there()
    document.write_text(ESTATE.replace("UpA5m", "UpA5n"))
    assert json.loads(estate.run("plan", "estate.yaml", "--json"))["replaced"] == ["ec2.key_pair/ada"]
    estate.run("apply", "estate.yaml", "--yes")
    assert list(estate.there()) == [old]
    assert estate.check()["ec2.key_pair/ada"]["public_key"].endswith("UpA5n")
    estate.run("ec2", "delete-key-pair", "ada")
    estate.check()


def test_groups_that_need_each_other(project: "Project") -> None:
    """Groups that name each other are made, changed and deleted: one of them first without its rule."""
    (project.folder / "circle.yaml").write_text(CIRCLE)
    project.run("apply", "circle.yaml", "--yes")
    a, b = group(project, "a"), group(project, "b")
    assert rules(a["IpPermissions"]) == {("-1", None, None, b["GroupId"], None)}
    assert rules(b["IpPermissions"]) == {("-1", None, None, a["GroupId"], None)}
    project.check()
    assert "nothing to do" in project.run("plan", "circle.yaml", "--refresh")
    assert "ec2.security_group/b uses it" in project.run("ec2", "delete-security-group", "a", fails=True)
    (project.folder / "circle.yaml").write_text(CIRCLE.replace("description: b", "description: other"))
    data = json.loads(project.run("plan", "circle.yaml", "--json"))
    assert data["replaced"] == ["ec2.security_group/b"]
    project.run("apply", "circle.yaml", "--yes")
    project.check()
    assert group(project, "a")["GroupId"] == a["GroupId"]
    assert group(project, "b")["Description"] == "other"
    (project.folder / "none.yaml").write_text("resources: {}\n")
    project.run("apply", "none.yaml", "--prune", "--yes")
    assert project.state() == {}


def test_an_instance_changes_groups_where_it_can(project: "Project") -> None:
    """One of two groups is replaced and the instance stays; with only one it is replaced, too."""
    (project.folder / "groups.yaml").write_text(
        CIRCLE + "  ec2.instance/x:\n    image: ami-03cf127a\n    type: t3.micro\n"
        "    security_groups: [ec2.security_group/a, ec2.security_group/b]\n"
    )
    project.run("apply", "groups.yaml", "--yes")
    (old,) = project.there()
    document = project.folder / "groups.yaml"
    document.write_text(document.read_text().replace("description: b", "description: other"))
    project.run("apply", "groups.yaml", "--yes")
    project.check()
    assert list(project.there()) == [old]
    document.write_text(document.read_text().replace(", ec2.security_group/b]", "]"))
    project.run("apply", "groups.yaml", "--yes")
    document.write_text(document.read_text().replace("description: a", "description: other"))
    data = json.loads(project.run("plan", "groups.yaml", "--json"))
    assert sorted(data["replaced"]) == ["ec2.instance/x", "ec2.security_group/a"]


def test_an_estate_is_adopted_and_built_again(estate: "Project", tmp_path: Path) -> None:
    """What somebody else finds in the account is the same estate; its document builds it anew elsewhere."""
    from tests.lasercats.domains.ec2.conftest import Project as Projects

    folder = tmp_path / "other"
    folder.mkdir()
    other = Projects(folder, estate.aws)
    other.run("adopt", "--exclude", "*/subnet-*", "--exclude", "*/vpc-*")
    theirs, ours = other.state(), estate.state()
    assert theirs.keys() == ours.keys()
    assert {a: r["id"] for a, r in theirs.items()} == {a: r["id"] for a, r in ours.items()}
    assert "nothing to do" in other.run("plan", str(estate.folder / "estate.yaml"))
    document = folder / "found.yaml"
    document.write_text(other.run("document"))
    estate.run("undo", "1..HEAD", "--yes")
    again = Projects(_made(tmp_path / "again"), estate.aws)
    again.run("apply", str(document), "--yes")
    assert again.check().keys() == ours.keys()
    assert "nothing to do" in again.run("plan", str(estate.folder / "estate.yaml"), "--refresh")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.skipif(shutil.which("aws") is None, reason="there is no `aws` command line")
def test_a_script_builds_the_estate(project: "Project", tmp_path: Path) -> None:
    """The printed script, run by the real command line, makes what `apply` makes."""
    (project.folder / "estate.yaml").write_text(ESTATE)
    script = tmp_path / "build.sh"
    script.write_text(project.run("plan", "estate.yaml", "--interpreter", "script"))
    ran = subprocess.run(["sh", script], env=project.environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    only = [
        argument
        for address in ("web-1", "main", "a", "web", "db", "ada")
        for argument in ("--only", f"*/{address}")
    ]
    project.run("adopt", *only)
    assert "nothing to do" in project.run("plan", "estate.yaml", "--refresh")
    project.check()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("create-vpc v --cidr 10.0.0.0/99", "'10.0.0.0/99' is no range of IP addresses"),
        ("create-vpc v --cidr here", "is not of the form"),
        (
            "create-subnet s --vpc ec2.vpc/none --cidr 10.0.0.0/24",
            "ec2.vpc/none is not in the state; make it first",
        ),
        ("create-subnet s --vpc none --cidr 10.0.0.0/24", "is not of the form"),
        ("create-security-group sg-0123456789abcdef0 --description x", "a group gets its id from EC2"),
        ("create-security-group sg-web --description x", "does not begin with sg-"),
        ("create-security-group żółw --description x", "EC2 takes no name of a group with 'ż'"),
        ("create-security-group g --description ü", "is not of the form"),
        ("change-rules g", "no rule is given"),
        ("import-key-pair key-0123456789abcdef0 --public-key x", "a key pair gets its id from EC2"),
        ("import-key-pair żółw --public-key x", "EC2 takes only ASCII in the name of a key pair"),
        ("import-key-pair k --public-key garbage", "begins with ssh-rsa or ssh-ed25519"),
        ("import-key-pair k --public-key 'ssh-rsa AAAA'", "the public key is damaged"),
        ("import-key-pair k", "missing required field `public_key`"),
        ("authorize g --ingress peer:0.0.0.0/0", "it is not there"),
        ("create-security-group g --description x --ingress peer:0.0.0.0/0,port:2", "unknown field `port`"),
        (
            "create-security-group g --description x --ingress peer:0.0.0.0/0,ports:22",
            "protocol all has no ports",
        ),
    ],
)
def test_bad_input(project: "Project", line: str, message: str) -> None:
    """Each is one sentence, and nothing is made."""
    import shlex

    assert message in project.run("ec2", *shlex.split(line), fails=True)
    assert {a for a in project.aws.calls if not a.startswith("Describe")} == set()
    assert project.state() == {}


def test_tags_that_nobody_decided(project: "Project") -> None:
    """A document that first decides them means these and no others; the command leaves others."""
    project.run("ec2", "create-vpc", "v", "--cidr", "10.0.0.0/16")
    ec2, id_ = project.ec2(), project.state()["ec2.vpc/v"]["id"]
    ec2.create_tags(Resources=[id_], Tags=[{"Key": "by", "Value": "hand"}])
    ec2.close()
    (project.folder / "v.yaml").write_text("resources:\n  ec2.vpc/v:\n    tags: {team: web}\n")
    project.run("apply", "v.yaml", "--yes")
    assert project.check()["ec2.vpc/v"]["tags"] == {"team": "web"}
    project.run("undo", "HEAD", "--yes")
    assert project.check()["ec2.vpc/v"].get("tags", {"by": "hand"}) == {"by": "hand"}
    project.run("ec2", "tag-vpc", "v", "--tag", "a=b")
    assert project.check()["ec2.vpc/v"]["tags"] == {"a": "b", "by": "hand"}
    project.run("ec2", "tag-vpc", "v", "--tag", "a=b", "--only")
    assert project.check()["ec2.vpc/v"]["tags"] == {"a": "b"}
