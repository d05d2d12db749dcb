"""Equal instances on moto, as whole processes: LaserCats, and Terraform with the AWS provider.

Each tool has a moto of its own, a fresh process, and nothing stands between them. Calls are those that moto
wrote into its access log. LaserCats runs `apply DOCUMENT --yes --refresh` and `plan DOCUMENT --refresh`;
Terraform runs `apply -auto-approve` and `plan`, on one resource with a count, ten at a time, which is its
default, after an `init` that is not counted. So both always look before they change or plan. moto takes no
time over changes of state, where AWS does: what Terraform waits for is its own pause between two looks.

Terraform takes its provider from a mirror on this machine, and no other place.
"""

import json
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.common import lasercats, process, spread, table, timed, verdict, workshop
from lasercats.testing.aws import MotoServer, environment
from lasercats.testing.terraform import configuration, why_not

IMAGE, TYPE, OTHER_TYPE = "ami-03cf127a", "t3.micro", "t3.small"
CREATED, CHANGED, MANY, ROUNDS = 100, 20, 1000, 3
FASTER, CREATE_CALLS, LOOK_CALLS, MANY_SECONDS = 20, 10, 5, 3.0
PROVISION = """\
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}"""


class Figure(NamedTuple):
    """One process: how long it took, and how many calls moto served meanwhile."""

    seconds: float
    calls: int


class Side(ABC):
    """A tool that keeps a number of equal instances on a moto of its own."""

    version = ""

    def __init__(self, moto: MotoServer, folder: Path, count: int) -> None:
        """Prepare all that an operator has ready before the run."""
        self.moto, self.folder, self.count = moto, folder, count
        self.settings = [f"{name}={value}" for name, value in environment(moto.endpoint).items()]
        folder.mkdir()
        self.want(TYPE)

    @abstractmethod
    def want(self, type_: str) -> None:
        """Write down that all the instances are to have this type."""

    @abstractmethod
    def apply(self) -> float:
        """Make it so, and return the seconds."""

    @abstractmethod
    def look(self) -> float:
        """Look at all of them, find nothing to change, and return the seconds."""


class LaserCats(Side):
    """A project with one machine and one document."""

    def __init__(self, moto: MotoServer, folder: Path, count: int) -> None:
        """Make the project."""
        super().__init__(moto, folder, count)
        process(lasercats(), "init", str(folder))
        url = f"aws://us-east-1?endpoint={moto.endpoint}"
        process(lasercats(), "-C", str(folder), "machine", "add", "aws", url)

    def want(self, type_: str) -> None:
        """Write the document."""
        fields = (f"image: {IMAGE}", f"type: {type_}", "tags: {Name: web}", "state: running")
        lines = ["resources:"]
        for n in range(self.count):
            lines += [f"  ec2.instance/web-{n:04}:", *(f"    {field}" for field in fields)]
        (self.folder / "doc.yaml").write_text("\n".join(lines) + "\n")

    def apply(self) -> float:
        """Apply the document with a look at everything, as the other side does."""
        return self._timed("apply", "doc.yaml", "--yes", "--refresh")

    def look(self) -> float:
        """Plan with a look at everything; a change would be an exit code of 2."""
        return self._timed("plan", "doc.yaml", "--refresh", "--detailed-exitcode")

    def _timed(self, *arguments: str) -> float:
        return timed("env", *self.settings, lasercats(), *arguments, folder=self.folder)


class Terraform(Side):
    """A configuration of one resource with a count."""

    def __init__(self, moto: MotoServer, folder: Path, count: int) -> None:
        """Initialise it from the mirror."""
        super().__init__(moto, folder, count)
        (folder / "tfrc").write_text(configuration())
        self.settings.append(f"TF_CLI_CONFIG_FILE={folder / 'tfrc'}")
        self._timed("init")
        data = json.loads(process("env", *self.settings, "terraform", "version", "-json", folder=folder))
        (provider,) = data["provider_selections"].values()
        self.version = f"{data['terraform_version']} with AWS {provider}"

    def want(self, type_: str) -> None:
        """Write the configuration, which asks of the provider no more than the instances."""
        instances = [
            f"  count = {self.count}",
            f'  ami = "{IMAGE}"',
            f'  instance_type = "{type_}"',
            '  tags = { Name = "web" }',
        ]
        parts = [PROVISION, 'resource "aws_instance" "web" {', *instances, "}\n"]
        (self.folder / "main.tf").write_text("\n".join(parts))

    def apply(self) -> float:
        """Apply the configuration."""
        return self._timed("apply", "-auto-approve")

    def look(self) -> float:
        """Plan, which looks at everything; a change would be an exit code of 2."""
        return self._timed("plan", "-detailed-exitcode")

    def _timed(self, verb: str, *options: str) -> float:
        command = ("terraform", verb, "-input=false", "-no-color", *options)
        return timed("env", *self.settings, *command, folder=self.folder)


def run() -> None:
    """Run ours, then Terraform, and print the figures."""
    with workshop() as folder:
        _life(LaserCats, folder / "warm", 1)  # compiles what is not compiled yet; not counted
        ours = [_life(LaserCats, folder / f"ours-{n}", CREATED) for n in range(ROUNDS)]
        few = [_life(LaserCats, folder / f"few-{n}", CHANGED) for n in range(ROUNDS)]
        many, bare = _many(folder / "many")
        reason, version, theirs, theirs_few = why_not(), "", _Life(), _Life()
        if reason is None:
            theirs = _life(Terraform, folder / "theirs", CREATED, change=False)
            theirs_few = _life(Terraform, folder / "theirs-few", CHANGED)
            version = f"; Terraform {theirs_few.version} once, 10 at a time"
        else:
            print(f"without Terraform: {reason}\n")
    rows = [
        _row(f"create {CREATED}", [life.create for life in ours], theirs.create, FASTER, CREATE_CALLS),
        _row(f"nothing to change, {CREATED}", [life.look for life in ours], theirs.look, None, LOOK_CALLS),
        _row(f"change the type of {CHANGED}", [life.change for life in few], theirs_few.change),
        _row(f"change the type of {CREATED}", [life.change for life in ours], None),
    ]
    table(
        f"aws: equal instances on moto, whole processes, median of {ROUNDS}{version}",
        ("", "lasercats s", "calls", "terraform s", "calls", "faster (goal)", "calls (goal)"),
        rows,
    )
    goal = f"{MANY_SECONDS:g} {verdict(median(f.seconds for f in many) < MANY_SECONDS)}"
    table(
        f"aws: a look at {MANY:,} instances, median of {ROUNDS}",
        ("", "seconds", "calls", "goal"),
        [
            ["lasercats plan --refresh", spread([f.seconds for f in many]), _calls(many), goal],
            ["bare boto3", spread([f.seconds for f in bare]), _calls(bare), ""],
        ],
    )


class _Life(NamedTuple):
    """What came of the instances of a side: they were made, looked at, and changed."""

    create: Figure | None = None
    look: Figure | None = None
    change: Figure | None = None
    version: str = ""


def _row(
    name: str,
    ours: list[Figure | None],
    theirs: Figure | None,
    faster: float | None = None,
    calls: int | None = None,
) -> list[str]:
    figures = [figure for figure in ours if figure is not None]
    cells, most = ["", "", ""], max(f.calls for f in figures)
    if theirs is not None:
        ratio = theirs.seconds / median(f.seconds for f in figures)
        goal = "" if faster is None else f" ({faster:g}) {verdict(ratio >= faster)}"
        cells = [f"{theirs.seconds:.1f}", str(theirs.calls), f"{ratio:.0f}{goal}"]
    goal = "" if calls is None else f"{most} ({calls}) {verdict(most <= calls)}"
    return [name, spread([f.seconds for f in figures]), _calls(figures), *cells, goal]


def _calls(figures: list[Figure]) -> str:
    least, most = min(f.calls for f in figures), max(f.calls for f in figures)
    return str(most) if least == most else f"{least} to {most}"


def _life(
    kind: Callable[[MotoServer, Path, int], Side], folder: Path, count: int, *, change: bool = True
) -> _Life:
    """Let a side make instances on a fresh moto, look at them, and change them; check what it did."""
    with MotoServer() as moto:
        side = kind(moto, folder, count)
        create = _measure(moto, side.apply)
        _check(moto, count, TYPE)
        look, changed = _measure(moto, side.look), None
        if change:
            side.want(OTHER_TYPE)
            changed = _measure(moto, side.apply)
            _check(moto, count, OTHER_TYPE)
        return _Life(create, look, changed, side.version)


def _many(folder: Path) -> tuple[list[Figure], list[Figure]]:
    """Look at many instances, as a plan and by nothing but boto3; the first look is not counted."""
    with MotoServer() as moto:
        side = LaserCats(moto, folder, MANY)
        side.apply()
        plans = [_measure(moto, side.look) for _ in range(ROUNDS + 1)]
        looks = [_measure(moto, lambda: _check(moto, MANY, TYPE)) for _ in range(ROUNDS + 1)]
        return plans[1:], looks[1:]


def _measure(moto: MotoServer, work: Callable[[], float]) -> Figure:
    before = _served(moto)
    seconds = work()
    return Figure(seconds, _served(moto) - before)


def _served(moto: MotoServer) -> int:
    """Return how many calls moto has logged; its log is its standard error."""
    return Path(f"/proc/{moto.pid}/fd/2").read_text(errors="replace").count('"POST / HTTP')


def _check(moto: MotoServer, count: int, type_: str) -> float:
    """See with other eyes that the instances are as they should be; return how long the look took."""
    from boto3.session import Session

    ec2 = Session("testing", "testing", region_name="us-east-1").client("ec2", endpoint_url=moto.endpoint)
    start = time.perf_counter()
    pages = list(ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 1000}))
    seconds = time.perf_counter() - start
    found = [instance for page in pages for group in page["Reservations"] for instance in group["Instances"]]
    counts = Counter((i["InstanceType"], i["State"]["Name"], *(t["Value"] for t in i["Tags"])) for i in found)
    assert counts == {(type_, "running", "web"): count}, counts
    ec2.close()
    return seconds
