"""The tour: a project, hosts commanded, changed behind its back, observed, undone, planned and applied.

Runs on two hosts of the SSH lab where this machine can have them (root), else on the local machine. Every
command is the real `lasercats`, and what it prints is what you see.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lasercats.testing.aws import MotoServer, StrictEc2, environment, why_not
from lasercats.testing.lab import Lab, unavailable
from lasercats.testing.ovs import OvsLab
from lasercats.testing.ovs import why_not as why_no_ovs

DOCUMENT = """\
# The team's document. Addresses are KIND/MACHINE:PATH.
resources:
  directory/{web1}:{base}/app:
    mode: "0750"
  file/{web1}:{base}/app/port.conf:
    content: |
      port = 8080
    mode: "0640"
  symlink/{web1}:{base}/current:
    target: {base}/app
"""


class Tour:
    """Runs commands in a project and shows them as a terminal would."""

    def __init__(self, folder: Path, more: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            "LASERCATS_ACTOR": "ada@desk",
            "PYTHONUNBUFFERED": "1",
            **(more or {}),
        }

    def say(self, text: str) -> None:
        """Tell what comes next."""
        print(f"\n# {text}", flush=True)

    def run(self, command: str, expect: int = 0) -> None:
        """Show and run a command line.

        Raises:
            SystemExit: it ended otherwise than expected.

        """
        print(f"$ {command}", flush=True)
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self._folder,
            env=self._environment,
            check=False,
            stderr=subprocess.STDOUT,
        )
        if done.returncode != expect:
            sys.exit(f"demo: exit code {done.returncode} where {expect} was expected")


@contextmanager
def hosts(folder: Path) -> Iterator[tuple[str, str, str, Callable[[str], None], str]]:
    """Give two machine URLs, a folder on them, a way to meddle with the first, and what they are."""
    reason = unavailable()
    if reason is None:
        with Lab(hosts=2) as lab:
            one, two = lab.hosts
            yield one.url, two.url, "/srv", lambda command: _meddle(one.ssh(command)), "two real SSH hosts"
    else:
        base = folder / "srv"
        base.mkdir()

        def meddle(command: str) -> None:
            _meddle(subprocess.run(["sh", "-c", command], capture_output=True, check=False))

        yield "local:", "local:", str(base), meddle, f"this machine ({reason})"


def _meddle(done: subprocess.CompletedProcess[bytes]) -> None:
    if done.returncode != 0:
        sys.exit(f"demo: meddling failed: {done.stderr.decode()}")


def main() -> None:
    """Run the tour."""
    with tempfile.TemporaryDirectory(prefix="lasercats-demo-") as temporary, hosts(Path(temporary)) as found:
        url1, url2, base, meddle, what = found
        folder = Path(temporary) / "site"
        folder.mkdir()
        tour = Tour(folder)
        tour.say(f"A project, and {what}.")
        tour.run("lasercats init")
        tour.run(f"lasercats machine add web1 {shlex.quote(url1)} 2>&1 | cut -d '?' -f 1")
        tour.run(f"lasercats machine add web2 {shlex.quote(url2)} 2>&1 | cut -d '?' -f 1")
        tour.run("lasercats machine check web1 web2")
        _command(tour, base)
        _drift(tour, base, meddle)
        _declare(tour, folder, base)
        _history(tour, base)
        _cloud(tour, Path(temporary) / "cloud")
        _switch(tour, Path(temporary) / "switch")


def _command(tour: Tour, base: str) -> None:
    tour.say("A direct command. --check tells first what it would do.")
    tour.run(f"lasercats file write 'web*:{base}/motd' --content 'Welcome.\n' --check")
    tour.run(f"lasercats file write 'web*:{base}/motd' --content 'Welcome.\n' -m 'as agreed'")
    tour.say("3 a.m.: a change on the spot. 4 a.m.: taken back.")
    tour.run(f"lasercats file write web1:{base}/motd --content 'Down for repair.\n' --diff -m 'pager 4711'")
    tour.run("lasercats undo HEAD")
    tour.say("The same command as a script (its last lines), to read or to run by hand.")
    tour.run(f"lasercats file chmod web1:{base}/motd --mode 600 --interpreter script | tail -n 4")
    tour.say("And traced: every instruction, its outcome, its time.")
    tour.run(f"lasercats file chmod web1:{base}/motd --mode 600 --interpreter trace")


def _drift(tour: Tour, base: str, meddle: Callable[[str], None]) -> None:
    tour.say("Somebody meddles with the file behind our back; drift sees it, and puts it back.")
    meddle(f"echo 'Hacked.' >>{base}/motd; chmod 666 {base}/motd")
    tour.run("lasercats drift --diff --detailed-exitcode", expect=2)
    tour.run("lasercats drift --revert -m 'nobody owned up'")
    tour.run(f"lasercats exec web1 -- cat {base}/motd")


def _declare(tour: Tour, folder: Path, base: str) -> None:
    tour.say("The state is a document; a document is a plan.")
    (folder / "site.yaml").write_text(DOCUMENT.format(web1="web1", base=base))
    tour.run("cat site.yaml")
    tour.run("lasercats plan site.yaml")
    tour.run("lasercats apply site.yaml --yes -m 'first release'")
    tour.run("lasercats plan site.yaml")
    tour.say("A bad document is told with its line and column, and changes nothing.")
    (folder / "bad.yaml").write_text("resources:\n  file/web1:/etc/x:\n    contnt: hi\n")
    tour.run("lasercats apply bad.yaml --yes", expect=1)
    tour.say("Undo the release, all of it, in the right order.")
    tour.run("lasercats undo HEAD~2..HEAD")
    tour.run("lasercats document")


def _history(tour: Tour, base: str) -> None:
    tour.say("The history: who, what, why.")
    tour.run("lasercats log")
    tour.run(f"lasercats blame file/web1:{base}/motd")
    tour.say("Asked in SQL, of now and of then.")
    tour.run(
        'lasercats query "SELECT now.name, now.mode, past.content AS at_13 FROM file now '
        'JOIN file FOR SYSTEM_TIME AS OF 13 past USING (address)"'
    )
    tour.say("All of it in the fewest commands, with the evidence that they end in the same state.")
    tour.run("lasercats rewrite")
    tour.run("lasercats verify")


def _cloud(tour: Tour, folder: Path) -> None:
    """Show an account of EC2: moto, behind a server that is as strict as AWS."""
    if why_not() is not None:
        tour.say(f"No account of EC2: {why_not()}.")
        return
    folder.mkdir()
    with MotoServer() as moto, StrictEc2(moto, delay=0.2) as aws:
        tour = Tour(folder, environment(aws.endpoint))
        launch = "lasercats ec2 launch web-1 web-2 web-3 --image ami-03cf127a --type t3.small"
        tour.say(
            "An account of EC2 (moto, behind a server as strict as AWS): a network, and three instances."
        )
        tour.run("lasercats init")
        tour.run("lasercats machine add aws 'aws://us-east-1?poll=0.1'")
        tour.run("lasercats ec2 create-vpc main --cidr 10.0.0.0/16 --tag Name=main")
        tour.run("lasercats ec2 create-subnet a --vpc ec2.vpc/main --cidr 10.0.1.0/24 --tag Name=a")
        tour.run(f"{launch} --subnet ec2.subnet/a")
        print(f"# (so far {sum(aws.calls.values())} calls of the API, one of them for all three launches)")
        tour.say("A larger type: stopped, changed, started again, as the command's name says.")
        tour.run("lasercats ec2 change-type web-1 --type t3.large -m 'pager 4711'")
        tour.say("Tags, taken back unless they are confirmed. What could not go back unasked is not held.")
        tour.run("lasercats ec2 tag web-1 --tag team=web --confirm-within 10m")
        tour.run("lasercats confirm")
        tour.say("Terminated by mistake: undo tells what does not come back, and launches another one.")
        tour.run("lasercats ec2 terminate web-2")
        tour.run("lasercats undo HEAD")
        tour.say("All of it in the fewest commands: small and then large is one launch.")
        tour.run("lasercats rewrite")


def _switch(tour: Tour, folder: Path) -> None:
    """Show a switch: Open vSwitch, its database server and its daemon, with 24 ports."""
    if why_no_ovs() is not None:
        tour.say(f"No switch: {why_no_ovs()}.")
        return
    folder.mkdir()
    with OvsLab() as lab:
        lab.add_switch("sw1", [f"eth{n}" for n in range(1, 25)])
        tour = Tour(folder)
        tour.say("A switch (Open vSwitch): VLANs, ports by ranges, a LAG. A range is one transaction.")
        tour.run("lasercats init")
        tour.run(f"lasercats machine add sw1 {lab.url}")
        tour.run("lasercats adopt sw1 | tail -n 3")
        tour.run("lasercats switch create-vlan sw1:20 --name servers")
        tour.run("lasercats switch create-vlan sw1:30 --name guests")
        tour.run("lasercats switch access sw1:eth1-12 --vlan 20")
        tour.run("lasercats switch access sw1:eth13-18 --vlan 30")
        tour.run("lasercats switch create-lag sw1:bond0 --member eth23-24 --mode trunk --allowed 20,30")
        tour.say("A typing error at 3 a.m.; the switch is asked, and nothing is done.")
        tour.run("lasercats switch access sw1:eth25 --vlan 20", expect=1)
        tour.run("lasercats switch disable sw1:eth17-18 -m 'pager 4711' --confirm-within 10m")
        tour.run("lasercats confirm")
        tour.say("Its faceplate, and what ovs-vsctl says of a port.")
        tour.run("lasercats switch show sw1")
        tour.run(f"ovs-vsctl --db=unix:{lab.socket} --columns=name,tag,vlan_mode list port eth12")


if __name__ == "__main__":
    main()
