"""Whose files are: this user's alone, or also somebody else's."""

import grp
import os
import pwd
import stat
from pathlib import Path


def users() -> set[int]:
    """Return who we are: this user, and for a root by sudo also who called it."""
    me = os.geteuid()
    caller = os.environ.get("SUDO_UID", "")
    return {me, int(caller)} if me == 0 and caller.isdecimal() else {me}


def user_name(number: int) -> str:
    """Return the name of a user, or the number where there is none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def group_name(number: int) -> str:
    """Return the name of a group, or the number where there is none."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def fault(path: Path, shared: int | None = None) -> str:
    """Return why what stands at a path is not ours alone; nothing where it is, or where nothing is there.

    It must belong to us, with a symbolic link both the link and what it leads to, and nobody else may write
    it. With `shared` it may also belong to, and be written by, whom we share it with: that group.
    """
    try:
        link = os.lstat(path)
        found = [link, path.stat()] if stat.S_ISLNK(link.st_mode) else [link]
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return f"{path} cannot be looked at ({error.strerror})"
    return next((why for one in found if (why := _fault(path, one, shared))), "")


def _fault(path: Path, found: os.stat_result, shared: int | None) -> str:
    ours = found.st_uid in users()
    if not ours and found.st_gid != shared:
        return f"{path} belongs to {user_name(found.st_uid)}"
    if stat.S_ISLNK(found.st_mode) or (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX):
        return ""  # a link has no mode, and where that bit is set others replace nothing of ours
    if found.st_mode & stat.S_IWOTH:
        return f"everybody can write to {path}"
    if found.st_mode & stat.S_IWGRP and found.st_gid != shared and not _is_own_group(found):
        return f"the group {group_name(found.st_gid)} can write to {path}"
    return ""


def _is_own_group(found: os.stat_result) -> bool:
    """Tell whether a group is just its owner's: many systems give each user one, and a umask of 002."""
    try:
        owner, group = pwd.getpwuid(found.st_uid), grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    return group.gr_gid == owner.pw_gid and owner.pw_name == group.gr_name and not group.gr_mem
