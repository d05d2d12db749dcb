"""The gate: what was not announced is refused before it is done, and what only grows does not go back."""

from typing import Any

import pytest
from msgspec.structs import replace as changed

from lasercats.core.address import Address
from lasercats.core.change import Change, Delta
from lasercats.core.command import Command, Protect, Unprotect, decide
from lasercats.core.converge import kept_growth, one_way
from lasercats.core.loss import Loss, announced, gate
from lasercats.core.registry import Kinds
from lasercats.core.resource import Resource, shrinks, unprotected
from lasercats.core.state import State
from lasercats.domains import ec2, host
from lasercats.domains.ec2.elastic_ip import ElasticIp
from lasercats.domains.ec2.instance import ChangeType, Disk, Instance, Reboot, Start, Stop, Terminate
from lasercats.domains.ec2.instance import Unprotect as Lift
from lasercats.domains.ec2.volume import Delete, Detach, Volume
from lasercats.domains.host.file import File, Remove, Write

KINDS = Kinds([ec2.DOMAIN, host.DOMAIN])
WEB, DB = Address("ec2.instance/web"), Address("ec2.instance/db")
FREE = Address("ec2.instance/free")
DISK, IP, FILE = Address("ec2.volume/pg"), Address("ec2.elastic_ip/x"), Address("file/m:/f")
INSTANCE = Instance(state="running", type="t3.micro", image="ami-1", id="i-1")
UNKNOWN = File(content="sha256:" + "0" * 64)
"""A file of which only the digest is known, as it was too large."""
STATE = State.of(
    {
        WEB: INSTANCE,
        DB: changed(INSTANCE, id="i-2"),
        FREE: changed(INSTANCE, id="i-3"),
        DISK: Volume(size=5, zone="z", instance=DB, device="/dev/sdf", id="vol-1"),
        IP: ElasticIp(instance=WEB, id="eipalloc-1"),
        FILE: UNKNOWN,
    }
)
NAMED: list[tuple[Command, list[str]]] = [
    (Terminate(on=(FREE,)), ["loses", "loses"]),
    (Stop(on=(WEB,)), ["interrupts"]),
    (Reboot(on=(WEB,)), ["interrupts"]),
    (ChangeType(on=(WEB,), type="t3.large"), ["interrupts"]),
    (Detach(on=(DISK,)), ["interrupts"]),
    (Remove(on=(FILE,)), ["loses"]),
]
"""Commands that are the announcement of what they lose, where somebody wrote them out."""


@pytest.mark.parametrize(("command", "sorts"), NAMED, ids=lambda one: type(one).__name__)
def test_a_command_names_its_own_losses(command: Command, sorts: list[str]) -> None:
    """What the verb itself says is done at once; what did not come from an operator's words is refused."""
    assert gate(KINDS, [command], STATE, (), direct=True).withheld == {}
    targets, withheld = gate(KINDS, [command], STATE, ())
    assert [loss.sort for loss in withheld[0]] == sorts
    assert [(t.address, t.change) for t in targets] == [(a, None) for a in command.on]
    assert "agree with --yes" in (targets[0].refusal or "")
    assert gate(KINDS, [command], STATE, withheld[0]).withheld == {}
    assert gate(KINDS, [command], STATE, None).withheld == {}
    assert announced(KINDS, [command], STATE) == withheld[0]
    assert announced(KINDS, [command], STATE, direct=True) == []


def test_what_a_verb_does_not_say_is_asked() -> None:
    """A direct command, too, is refused where it loses more than its name says."""
    write = Write(on=(FILE,), content="new")
    (loss,) = gate(KINDS, [write], STATE, (), direct=True).withheld[0]
    assert (loss.sort, loss.what) == ("loses", "its unrecorded content")


def test_what_is_agreed_to_is_that_very_thing() -> None:
    """Who agreed that one volume is lost did not agree that another one under its name is."""
    command = Delete(on=(DISK,))
    free = STATE.put([(DISK, Volume(size=5, zone="z", instance="", id="vol-1"))])
    agreed = announced(KINDS, [command], free)
    assert gate(KINDS, [command], free, agreed).withheld == {}
    other = STATE.put([(DISK, Volume(size=5, zone="z", instance="", id="vol-2"))])
    assert [loss.what for loss in gate(KINDS, [command], other, agreed).withheld[0]] == ["id vol-2"]


def test_a_command_is_refused_as_a_whole_and_alone() -> None:
    """Of many, one that loses is refused at all its addresses, and the others are decided without it."""
    stop, start = Stop(on=(WEB, DB)), Start(on=(WEB,))
    agreed = [Loss(WEB, "interrupts", "stopped")]
    targets, withheld = gate(KINDS, [stop, start], STATE, agreed)
    assert [loss.address for loss in withheld[0]] == [DB]
    assert [(t.command, t.address, t.change is None) for t in targets] == [
        (0, WEB, True),
        (0, DB, True),
        (1, WEB, False),
    ]
    assert targets[2].change == Change(INSTANCE, INSTANCE)
    assert targets[0].refusal == f"{DB}: {targets[1].refusal}"


def test_a_protection_is_lifted_only_by_who_says_so() -> None:
    """The flag of the machinery and ours, each by its own verb at once, and by nothing else unannounced."""
    guarded = changed(INSTANCE, protected=True, protect=True)
    state = State.of({WEB: guarded})
    for command in (Lift(on=(WEB,)), Unprotect(on=(WEB,))):
        assert gate(KINDS, [command], state, (), direct=True).withheld == {}
        (loss,) = gate(KINDS, [command], state, ()).withheld[0]
        assert loss.sort == "unprotects"
    assert unprotected(guarded, changed(guarded, protect=None)) == ["protect"]
    assert unprotected(guarded, None) == ["protect"]  # that of the machinery stays with what is forgotten


@pytest.mark.parametrize(
    ("address", "resource", "remove"),
    [
        (FILE, File(content="x"), Remove(on=(FILE,))),
        (WEB, INSTANCE, Terminate(on=(WEB,))),
        (DISK, Volume(instance="", id="vol-1"), Delete(on=(DISK,))),
    ],
    ids=["file", "instance", "volume"],
)
def test_what_is_protected_is_not_removed(address: Address, resource: Resource, remove: Command) -> None:
    """Whatever asks for it, until the protection is lifted."""
    state = State.of({address: resource})
    state = state.apply(decide(Protect(on=(address,)), state).delta)
    assert decide(remove, state).refusals == {
        address: f"it is protected; `lasercats unprotect {address}` lifts that"
    }
    state = state.apply(decide(Unprotect(on=(address,)), state).delta)
    assert decide(remove, state).delta[address].after is None


SIZES: list[tuple[Any, Any, list[tuple[str, str]]]] = [
    (Volume(size=200), Volume(size=100), [("size", "from 200 to 100")]),
    (Volume(size=100), Volume(size=200), []),
    (Volume(size=100), Volume(), []),
    (
        Instance(volumes={"root": Disk(size=20), "b": Disk(size=1)}),
        Instance(volumes={"root": Disk(size=8), "b": Disk(size=2)}),
        [("volumes.root.size", "from 20 to 8")],
    ),
    (Instance(volumes={"root": Disk(size=20)}), Instance(volumes={}), []),
]


@pytest.mark.parametrize(("before", "after", "found"), SIZES)
def test_what_grows_does_not_shrink(before: Resource, after: Resource, found: list[tuple[str, str]]) -> None:
    """A field that only grows tells, also deep in a value, that it would have to become less."""
    assert list(shrinks(before, after)) == found
    delta = Delta({WEB: Change(before, after)})
    assert one_way(delta) == ({WEB: {path: f"cannot go {sizes}" for path, sizes in found}} if found else {})


def test_what_is_stuck_does_not_hold_up_the_rest() -> None:
    """Of a change that cannot be done in place, the other fields still are."""
    before, after = Volume(size=200, tags={"a": "1"}), Volume(size=100, tags={"a": "2"})
    delta = Delta({DISK: Change(before, after)})
    assert kept_growth(delta, one_way(delta))[DISK].after == Volume(size=200, tags={"a": "2"})
    only_size = Delta({DISK: Change(before, changed(before, size=100))})
    assert kept_growth(only_size, one_way(only_size)) == Delta()


def test_a_loss_is_told_in_words() -> None:
    """All that is lost at an address is one sentence, that names the remedy."""
    (_, withheld) = gate(KINDS, [Terminate(on=(FREE,))], STATE, ())
    assert [str(loss) for loss in withheld[0]] == [
        "id i-3 would be lost for good",
        "data on its instance store and on its own volumes would be lost for good",
    ]
