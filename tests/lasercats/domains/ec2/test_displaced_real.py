"""What a command takes away from others is a part of it: predicted, recorded, undone, in the right order."""

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from lasercats.core.address import Address, name_of
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, tag_of
from lasercats.core.converge import converge
from lasercats.core.state import State
from lasercats.domains.ec2 import elastic_ip, instance, volume
from lasercats.testing.laws import check_fidelity, check_replay, check_rewrite, run
from tests.lasercats.domains.ec2.conftest import KINDS

if TYPE_CHECKING:
    from tests.lasercats.domains.ec2.conftest import Account

A, B = Address("ec2.instance/a"), Address("ec2.instance/b")
X, Y = Address("ec2.elastic_ip/x"), Address("ec2.elastic_ip/y")
V, W = Address("ec2.volume/v"), Address("ec2.volume/w")
LAUNCH = instance.Launch(on=(A, B), image="ami-03cf127a", type="t3.micro")
ALLOCATE = elastic_ip.Allocate(on=(X, Y))
CREATE = volume.Create(on=(V, W), zone="us-east-1a", size=2)


def associate(address: Address, holder: str) -> Command:
    """Return the command that gives an address to an instance."""
    return elastic_ip.Associate(on=(address,), instance=holder)


def holders(account: "Account") -> dict[Address, str]:
    """Return which instance has which address, as EC2 tells it."""
    names: dict[Any, Address] = {account.get(address).id: address for address in (A, B, X, Y)}
    found = account.ec2.describe_addresses()["Addresses"]
    return {names[a["AllocationId"]]: names[a["InstanceId"]] for a in found if a.get("InstanceId")}


def devices(account: "Account") -> dict[Address, tuple[str, str]]:
    """Return where which volume is attached, as EC2 tells it."""
    names: dict[Any, Address] = {account.get(address).id: address for address in (A, B, V, W)}
    found = [v for v in account.ec2.describe_volumes()["Volumes"] if v["VolumeId"] in names]
    return {
        names[v["VolumeId"]]: (names[h["InstanceId"]], h["Device"]) for v in found for h in v["Attachments"]
    }


def public_ips(account: "Account") -> list[str | None]:
    """Return the public addresses of the instances, as EC2 tells them."""
    ids = [account.get(address).id for address in (A, B)]
    described = account.ec2.describe_instances(InstanceIds=ids)["Reservations"]
    found = {i["InstanceId"]: i.get("PublicIpAddress") for r in described for i in r["Instances"]}
    return [found[id_] for id_ in ids]


def desired(account: "Account", *changes: tuple[Address, dict[str, Any]]) -> list[Command]:
    """Bring other values about all at once, as a document does; return the commands."""
    state = account.state()
    sides = {a: Change(account.get(a), replace(account.get(a), **fields)) for a, fields in changes}
    commands = converge(KINDS, Delta(sides), state)
    account.do(*commands)
    return commands


def test_an_address_that_is_taken_away_is_in_the_event(account: "Account") -> None:
    """Associating takes away the address that was there: it is predicted so, recorded so, and EC2 says so."""
    account.do(LAUNCH, ALLOCATE, associate(Y, A))
    (result,) = check_fidelity([associate(X, A)], account.context, account.runner)
    assert {a: (c.before.instance, c.after.instance) for a, c in result.delta.items() if a != A} == {  # type: ignore[union-attr]
        Y: (A, ""),
        X: ("", A),
    }
    assert holders(account) == {X: A}
    check_replay(account.context)


def test_a_taken_address_comes_back_by_undo(account: "Account") -> None:
    """The way back of a command that took an address away gives each its own again."""
    account.do(LAUNCH, ALLOCATE, associate(Y, A))
    (result,) = account.run(associate(X, A))
    decided = Delta({a: c for a, c in result.delta.items() if a != A})
    account.do(*converge(KINDS, decided.inverse(), account.state()))
    assert holders(account) == {Y: A}
    assert (account.get(X).instance, account.get(Y).instance) == ("", A)


def test_an_address_is_taken_from_an_instance_that_is_named_by_its_id(account: "Account") -> None:
    """It is the same instance whether its address in the state or its id is given."""
    account.do(LAUNCH, ALLOCATE)
    account.do(associate(Y, A))
    account.do(associate(X, account.get(A).id))
    assert holders(account) == {X: A}
    assert account.get(Y).instance == ""


def test_nothing_that_nobody_told_us_of_is_taken_away(account: "Account") -> None:
    """An address that is not in the state is not taken away silently: the command fails and names it."""
    account.do(LAUNCH, ALLOCATE)
    foreign = account.ec2.allocate_address(Domain="vpc")
    account.ec2.associate_address(AllocationId=foreign["AllocationId"], InstanceId=account.get(A).id)
    (result,) = account.run(associate(X, A))
    assert result.status == "failed"
    assert f"has the elastic IP address {foreign['PublicIp']}" in result.problems[X]
    (there,) = account.ec2.describe_addresses(AllocationIds=[foreign["AllocationId"]])["Addresses"]
    assert there["InstanceId"] == account.get(A).id


def test_given_fields_elsewhere_are_known_anew(account: "Account") -> None:
    """The public address of an instance is known as it is after each command that changes it, at no drift."""
    account.do(LAUNCH, ALLOCATE)
    for command in (
        associate(X, A),
        associate(Y, A),
        elastic_ip.Disassociate(on=(Y,)),
        associate(X, B),
        instance.Stop(on=(A, B)),
        instance.Start(on=(A, B)),
    ):
        account.do(command)
        assert [account.get(A).public_ip, account.get(B).public_ip] == public_ips(account), command
    check_replay(account.context)


def test_what_is_launched_in_the_same_run_is_known_anew(account: "Account") -> None:
    """An instance that is launched together with its address is known by that address."""
    account.do(LAUNCH, ALLOCATE, associate(X, A), associate(Y, B))
    addresses = [account.get(A).public_ip, account.get(B).public_ip]
    assert addresses == public_ips(account) == [account.get(X).public_ip, account.get(Y).public_ip]


def test_two_addresses_change_places(account: "Account") -> None:
    """A document swaps two addresses, and its undo swaps them back."""
    account.do(LAUNCH, ALLOCATE, associate(X, A), associate(Y, B))
    before = account.state()
    desired(account, (X, {"instance": B}), (Y, {"instance": A}))
    assert holders(account) == {X: B, Y: A}
    back = Delta({a: Change(account.get(a), before.get(a)) for a in (X, Y)})
    account.do(*converge(KINDS, back, account.state()))
    assert holders(account) == {X: A, Y: B}


def test_an_address_follows_one_that_leaves(account: "Account") -> None:
    """Where one address goes on and another takes its place, the first one leaves first."""
    account.do(LAUNCH, ALLOCATE, associate(X, A))
    desired(account, (X, {"instance": B}), (Y, {"instance": A}))
    assert holders(account) == {X: B, Y: A}


def test_two_volumes_change_places(account: "Account") -> None:
    """A document swaps two volumes at the same device of two instances, and its undo swaps them back."""
    on = [volume.Attach(on=(v,), instance=i, device="/dev/sdf") for v, i in ((V, A), (W, B))]
    account.do(LAUNCH, CREATE, *on)
    before = account.state()
    desired(account, (V, {"instance": B}), (W, {"instance": A}))
    assert devices(account) == {V: (B, "/dev/sdf"), W: (A, "/dev/sdf")}
    back = Delta({a: Change(account.get(a), before.get(a)) for a in (V, W)})
    account.do(*converge(KINDS, back, account.state()))
    assert devices(account) == {V: (A, "/dev/sdf"), W: (B, "/dev/sdf")}


def test_two_commands_of_a_run_see_what_the_first_displaced(account: "Account") -> None:
    """In one run an address is taken away and given to another instance, and each event tells its part."""
    account.do(LAUNCH, ALLOCATE, associate(Y, A))
    check_fidelity([associate(X, A), associate(Y, B)], account.context, account.runner)
    assert holders(account) == {X: A, Y: B}


def test_a_history_that_displaced_is_rewritten() -> None:
    """A log in which an address was taken away is rewritten to one that ends the same and is not longer."""
    take = [associate(Y, A), associate(X, A)]
    for rest in ([], [associate(Y, B)], [elastic_ip.Disassociate(on=(X,)), associate(Y, A)]):
        check_rewrite(KINDS, [LAUNCH, ALLOCATE, *take, *rest], State())
        check_rewrite(KINDS, [*take[1:], *rest], run([LAUNCH, ALLOCATE, take[0]], State()))


def in_order(start: State, **changes: Any) -> list[str]:  # noqa: ANN401
    """Return the commands, in order, that bring about other values of some resources, or their end."""
    sides = {}
    for name, fields in changes.items():
        address = {"a": A, "v": V}[name]
        before: Any = start.get(address)
        sides[address] = Change(before, replace(before, **fields) if fields else None)
    made = converge(KINDS, Delta(sides), start)
    run(made, start)
    return [f"{tag_of(command).removeprefix('ec2.')} {name_of(command.on[0])}" for command in made]


def test_a_volume_is_taken_away_and_given_while_its_instance_is_at_rest() -> None:
    """An instance that ends, or is stopped, is stopped before its volume goes; it starts when it is there."""
    start = run([LAUNCH, CREATE, volume.Attach(on=(V,), instance=A, device="/dev/sdf")], State())
    gone = {"instance": "", "device": None}
    assert in_order(start, a=None, v=gone) == ["stop a", "detach v", "terminate a"]
    assert in_order(start, a={"state": "stopped"}, v=gone) == ["stop a", "detach v"]
    assert in_order(start, v=gone) == ["detach v"]
    anew = in_order(start, a={"image": "ami-12345678"})
    assert anew == ["stop a", "detach v", "terminate a", "launch a", "attach v"]
    stopped = run([instance.Stop(on=(A,)), volume.Detach(on=(V,))], start)
    back = {"instance": A, "device": "/dev/sdf"}
    assert in_order(stopped, a={"state": "running"}, v=back) == ["attach v", "start a"]
    assert in_order(run([instance.Stop(on=(A,))], start), a=None, v=gone) == ["detach v", "terminate a"]


def attach_behind_our_back(account: "Account") -> None:
    """Attach V to A by a plain client, so that EC2 deletes it with the instance."""
    i, v = account.get(A).id, account.get(V).id
    account.ec2.attach_volume(VolumeId=v, InstanceId=i, Device="/dev/sdf")
    account.ec2.get_waiter("volume_in_use").wait(VolumeIds=[v], WaiterConfig={"Delay": 1})
    account.ec2.modify_instance_attribute(
        InstanceId=i,
        BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}}],
    )


def test_what_is_managed_never_goes_along_with_what_ends(account: "Account") -> None:
    """A volume that somebody attached outside is found before its instance ends, which is refused for it."""
    account.do(LAUNCH, CREATE)
    attach_behind_our_back(account)
    (result,) = account.run(instance.Terminate(on=(A,)))
    assert result.status == "refused"
    assert result.problems == {A: f"{V} uses it; take that away from it first"}
    account.do(volume.Detach(on=(V,)), instance.Terminate(on=(A,)))
    (found,) = account.ec2.describe_volumes(VolumeIds=[account.get(V).id])["Volumes"]
    assert found["State"] == "available"


def test_what_may_go_along_and_cannot_be_looked_at_stands_in_the_way(account: "Account") -> None:
    """Where the look at a managed volume is refused, no instance ends that it may be attached to."""
    account.do(LAUNCH, CREATE)
    attach_behind_our_back(account)
    account.aws.fail("DescribeVolumes", "UnauthorizedOperation", "You are not authorized.", 403, times=9)
    (result,) = account.run(instance.Terminate(on=(A,)))
    assert result.status == "refused"
    assert "could not be looked at, and may go along" in result.problems[A]
    assert account.get(A) is not None
