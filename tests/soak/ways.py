"""Every way by which a secret comes to LaserCats: those that the docs offer, and those that happen."""

import json
from collections.abc import Callable

from tests.soak.planted import BROKEN, Planted, needle, secret
from tests.soak.storm import PROGRAM

Way = Callable[[Planted, str], None]
WAYS: dict[str, Way] = {}
"""A way by the name of the secret that comes by it."""


def way(function: Way) -> Way:
    """Put a way on the list."""
    WAYS[function.__name__] = function
    return function


def _place(planted: Planted, name: str) -> str:
    return f"local:{planted.here(name)}"


@way
def by_variable(planted: Planted, name: str) -> None:
    """Write it from a variable, here and on a host."""
    places = (_place(planted, name), f"web:{planted.on_host(name)}")
    planted.run("file", "write", *places, "--secret", f"env:S_{name}", env=planted.variable(name))


@way
def by_file(planted: Planted, name: str) -> None:
    """Write it from a file, here and on a host."""
    places = (_place(planted, name), f"web:{planted.on_host(name)}")
    planted.run("file", "write", *places, "--secret", f"file:{planted.source(name)}")


@way
def by_variable_of_an_option(planted: Planted, name: str) -> None:
    """Name it by the variable that each option has."""
    env = {**planted.variable(name), b"LASERCATS_FILE_WRITE_SECRET": f"env:S_{name}".encode()}
    planted.run("file", "write", _place(planted, name), env=env)


@way
def by_document(planted: Planted, name: str) -> None:
    """Plan and apply a document that names it, and a plan that was kept."""
    for sort, where in (("env", f"S_{name}"), ("file", str(planted.source(name)))):
        document = planted.project / f"{name}.{sort}.yaml"
        address = f"file/{_place(planted, f'{name}.{sort}')}"
        document.write_text(json.dumps({"resources": {address: {"secret": f"{sort}:{where}"}}}))
        kept = planted.project / f"{name}.{sort}.plan"
        env = planted.variable(name) if sort == "env" else {}
        planted.run("plan", str(document), "--diff", "--json", env=env)
        planted.run("plan", str(document), "--interpreter", "script", env=env)
        planted.run("plan", str(document), "--out", str(kept), env=env)
        planted.run("apply", str(kept), "--yes", "--json")
        planted.run("apply", str(document), "--yes", env=env)


@way
def by_commands(planted: Planted, name: str) -> None:
    """Issue a file of commands that names it, from a file, and from standard input."""
    for n, sort in enumerate(("env", "file")):
        where = f"S_{name}" if sort == "env" else str(planted.source(name))
        command = {
            "command": "file.write",
            "on": f"file/web:{planted.on_host(name)}{n}",
            "secret": f"{sort}:{where}",
        }
        file, env = planted.project / f"{name}.{sort}.jsonl", planted.variable(name) if sort == "env" else {}
        file.write_text(json.dumps(command) + "\n")
        planted.run("issue", str(file), "--interpreter", "trace", env=env)
        command["on"] = f"file/{_place(planted, name)}{n}"
        planted.run("issue", "-", env=env, stdin=json.dumps(command).encode())


@way
def by_command(planted: Planted, name: str) -> None:
    """Have a command print it, and type it at standard input."""
    print_it = f"cmd:cat {planted.source(name)}"
    planted.run("file", "write", _place(planted, name), "--secret", print_it)
    planted.run("file", "write", f"web:{planted.on_host(name)}", "--secret", "-", stdin=secret(name))


@way
def by_name(planted: Planted, name: str) -> None:
    """Give it a name, and write it by that, from the command line and from a document."""
    planted.run("secret", "set", name, f"file:{planted.source(name)}")
    planted.run("file", "write", _place(planted, name), "--secret", f"secret:{name}")
    document = planted.project / f"{name}.yaml"
    address = f"file/web:{planted.on_host(name)}"
    document.write_text(json.dumps({"resources": {address: {"secret": f"secret:{name}"}}}))
    planted.run("apply", str(document), "--yes", "--diff")


@way
def by_rotation(planted: Planted, name: str) -> None:
    """Let it take the place of the one with a name, wherever that stands, and get new keys."""
    words = ("secret", "rotate", "by_name", f"env:S_{name}")
    planted.run(*words, "--check", "--diff", env=planted.variable(name))
    planted.run(*words, "--yes", "--diff", "--json", env=planted.variable(name))
    planted.run("secret", "rotate", "--key", "--yes", "--json")


@way
def shredded(planted: Planted, name: str) -> None:
    """Rotate it away, and destroy the keys of what was before."""
    place = f"web:{planted.on_host(name)}"
    planted.run("file", "write", place, "--secret", f"env:S_{name}", env=planted.variable(name))
    planted.run("secret", "rotate", f"file/{place}", f"file:{planted.source('by_file')}", "--yes")
    planted.run("secret", "shred", f"file/{place}", "--yes", "--json")


@way
def by_query(planted: Planted, name: str) -> None:
    """Write it to all that a query gives."""
    planted.run("file", "write", _place(planted, name), "--content", "none yet")
    sql = f"SELECT name FROM file WHERE name LIKE '%/{name}'"  # noqa: S608  # a name of ours
    planted.run("for", sql, "file", "write", "--secret", f"env:S_{name}", env=planted.variable(name))


@way
def by_other_interpreters(planted: Planted, name: str) -> None:
    """Have it simulated, printed as a script, and traced."""
    places = (_place(planted, name), f"web:{planted.on_host(name)}")
    for interpreter in ("simulate", "script", "trace"):
        words = (
            "file",
            "write",
            *places,
            "--secret",
            f"env:S_{name}",
            "--interpreter",
            interpreter,
            "--diff",
        )
        planted.run(*words, env=planted.variable(name))


@way
def there_before(planted: Planted, name: str) -> None:
    """It is in a file already, where another is written."""
    planted.names.add(name)
    planted.here(name).write_bytes(secret(name))
    planted.here(name).chmod(0o600)
    planted.host.ssh(f"umask 077; cat >{planted.on_host(name)}", secret(name))
    places = (_place(planted, name), f"web:{planted.on_host(name)}")
    planted.run("file", "write", *places, "--secret", f"file:{planted.source('by_file')}", "--diff")


@way
def in_a_file_whose_mode_is_changed(planted: Planted, name: str) -> None:
    """It is in a file that is not managed, of which only attributes are asked for."""
    planted.names.add(name)
    planted.host.ssh(f"cat >{planted.on_host(name)}; chmod 640 {planted.on_host(name)}", secret(name))
    planted.run("file", "chmod", f"web:{planted.on_host(name)}", "--mode", "0600", "--diff")


@way
def in_a_file_that_is_observed(planted: Planted, name: str) -> None:
    """It is in files that not everybody can read, and which are taken in by a look."""
    planted.names.add(name)
    for mode in ("600", "640"):
        path = f"{planted.on_host(name)}{mode}"
        planted.host.ssh(f"cat >{path}; chmod {mode} {path}", secret(name))
        planted.run("observe", f"file/web:{path}", "--diff")
        planted.run("observe", f"file/web:{path}", "--json")


@way
def changed_by_somebody_else(planted: Planted, name: str) -> None:
    """Somebody else changes a file that is managed as a secret, and it is found."""
    planted.names.add(name)
    for verb in ("drift", "observe"):
        path = f"{planted.on_host(name)}.{verb}"
        planted.run("file", "write", f"web:{path}", "--secret", f"file:{planted.source('by_file')}")
        planted.host.ssh(f"cat >{path}", secret(name))
        planted.run("drift", f"file/web:{path}", "--diff")
        planted.run(verb, f"file/web:{path}", "--revert" if verb == "drift" else "--adopt", "--diff")


@way
def in_clear_in_a_document(planted: Planted, name: str) -> None:
    """A document gives a clear content for what is managed as a secret."""
    planted.names.add(name)
    address = f"file/web:{planted.on_host(name)}"
    planted.run("file", "write", address.partition("/")[2], "--secret", f"file:{planted.source('by_file')}")
    document = planted.sources / f"{name}.yaml"
    document.write_text(json.dumps({"resources": {address: {"content": secret(name).decode()}}}))
    planted.run("plan", str(document), "--diff")
    planted.run("apply", str(document), "--yes")


@way
def in_doubt(planted: Planted, name: str) -> None:
    """The process is killed after each of its writes to the log, and recovered."""
    for n in range(1, 6):
        words = ("file", "write", f"web:{planted.on_host(name)}{n}", "--secret", f"env:S_{name}")
        at = {b"KILL_AT": b"%d" % n, b"KILL": b"after"}
        planted.run(*words, env=planted.variable(name) | at, program=PROGRAM)
        planted.run("recover")


@way
def not_confirmed(planted: Planted, name: str) -> None:
    """It is written, and taken back since nobody confirms it."""
    words = ("file", "write", f"web:{planted.on_host(name)}", "--secret", f"env:S_{name}")
    planted.run(*words, "--confirm-within", "1h", env=planted.variable(name))
    planted.run("confirm", "--list", "--json")
    planted.run("confirm", "--reject")


@way
def with_an_unforeseen_fault(planted: Planted, name: str) -> None:
    """Something fails that nobody foresaw, while it is at hand."""
    words = ("file", "write", f"web:{planted.on_host(name)}", "--secret", f"env:S_{name}")
    planted.run(*words, env=planted.variable(name), program=BROKEN)
    planted.run("recover", "--force")
    planted.run(*words, env={**planted.variable(name), b"LASERCATS_DEBUG": b"1"})


@way
def in_a_url(planted: Planted, name: str) -> None:
    """A machine is reached with it."""
    for sort, where in (("env", f"S_{name}"), ("file", str(planted.source(name)))):
        machine = f"switch-{sort}"
        planted.run("machine", "add", machine, f"netconf://root@127.0.0.1:1?password={sort}:{where}")
        planted.run("machine", "check", machine, env=planted.variable(name))
        planted.run("adopt", machine, env=planted.variable(name))
        planted.run("machine", "remove", machine)


@way
def given_in_clear(planted: Planted, name: str) -> None:
    """It is refused where it is given in clear by mistake, and not told again."""
    planted.names.add(name)
    document = planted.sources / f"{name}.yaml"
    address = f"file/{_place(planted, name)}"
    document.write_text(json.dumps({"resources": {address: {"secret": needle(name).decode()}}}))
    planted.run("plan", str(document))
    command = {"command": "file.write", "on": address, "secret": needle(name).decode()}
    planted.run("issue", "-", stdin=json.dumps(command).encode())
