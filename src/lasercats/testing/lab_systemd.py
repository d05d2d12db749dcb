"""Hosts of the lab that are booted by systemd, with an apt of their own: for packages and services.

It is the systemd of this machine, as the first process in the namespaces of the host, in a cgroup of its own.
None of the machine's services is started, nor are its package sources used, and what has no namespace, as
most of /proc/sys, can only be read.
"""

import contextlib
import time
from pathlib import Path

SYSTEMD = Path("/lib/systemd/systemd")
CGROUPS = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
"""Where cgroups are mounted; of the last one on a machine that has version 2 alone."""

JOIN = f"""\
for tree in {" ".join(CGROUPS)}; do
    if [ -e $tree/cgroup.procs ]; then mkdir -p $tree/$1; echo $$ >$tree/$1/cgroup.procs; fi
done
shift
exec "$@"
"""
"""Runs a command in a cgroup: NAME COMMAND..."""

INIT = r"""
mount -t sysfs -o ro sysfs $root/sys
mount --bind $root/proc/sys $root/proc/sys
mount -o remount,bind,ro $root/proc/sys
: >$root/dev/console
if [ -d /sys/fs/cgroup/unified ]; then
    mount -t tmpfs cgroup $root/sys/fs/cgroup
    mkdir $root/sys/fs/cgroup/systemd $root/sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd cgroup $root/sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup $root/sys/fs/cgroup/unified
else
    mount -t cgroup2 cgroup $root/sys/fs/cgroup
fi
echo $name >$root/etc/hostname
rm -rf $root/etc/systemd/system/*.wants $root/etc/systemd/system/*.requires $root/usr/sbin/policy-rc.d
rm -rf $root/etc/apt/sources.list $root/etc/apt/sources.list.d/* $root/var/lib/apt/lists/*
rm -f $root/etc/apt/apt.conf.d/docker-* # under which apt keeps no cache
mkdir -p $root/run/systemd/system
cat >$root/run/systemd/system/lab.target <<'END'
[Unit]
Requires=sysinit.target lab-sshd.service
END
cat >$root/run/systemd/system/lab-sshd.service <<END
[Service]
ExecStart=/usr/sbin/sshd -D -e -f /dev/null -h /run/hostkey -o PidFile=none -o UsePAM=no \
    -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no -o PermitRootLogin=prohibit-password \
    -o StrictModes=no -o MaxStartups=500 -o MaxSessions=100 -o LogLevel=$4
StandardError=append:/run/lab.log
KillMode=process
END
: >$root/run/lab.log
mount --bind $lab/$name.log $root/run/lab.log
cd $root
pivot_root . mnt
exec chroot . /bin/sh -c 'umount -l /mnt; export container=lab; exec /lib/systemd/systemd --unit=lab.target'
"""
"""The end of the script that boots such a host; it goes on where that of all hosts was."""


def unavailable() -> str | None:
    """Return why no host with systemd can run here, None when it can."""
    for tool in (SYSTEMD, Path("/usr/bin/apt-get"), Path("/usr/bin/dpkg-deb")):
        if not tool.exists():
            return f"hosts with systemd and apt need {tool}"
    if not any(Path(tree, "cgroup.procs").exists() for tree in CGROUPS):
        return "hosts with systemd need cgroups"
    return None


def sweep(name: str) -> None:
    """Remove the cgroup of a host that was switched off."""
    deadline = time.monotonic() + 5
    for tree in CGROUPS:
        top = Path(tree, name)
        while top.is_dir() and time.monotonic() < deadline:
            for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            with contextlib.suppress(OSError):
                top.rmdir()
