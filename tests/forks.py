"""Command lines in processes of their own, forked from one that waits, so that Python is not started anew.

What a command line does is the same: it has its own process, folder, environment and output. Only what takes
most of its time, the import of modules, is done once for all. What a test kills is started in earnest.
"""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

MODULES = (
    "boto3",
    "lasercats.cli.act",
    "lasercats.cli.direct",
    "lasercats.cli.main",
    "lasercats.cli.verbs.log",
    "lasercats.cli.verbs.plan",
    "lasercats.cli.verbs.query",
    "lasercats.cli.verbs.undo",
    "lasercats.domains.ec2",
    "lasercats.interpreters.live",
    "lasercats.logs.sqlite",
    "lasercats.machines.aws_client",
    "lasercats.operate.plan",
    "lasercats.operate.recover",
    "lasercats.operate.undo",
)


def run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str, str]:
    """Run a command line; return its exit code and what it printed on both outputs."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        files = [f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in (out, err)]
        asked = {"arguments": [*arguments], "folder": str(folder), "environment": {**environment}}
        server.stdin.write(json.dumps({**asked, "files": files}) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        lines = []
        for file in (out, err):
            file.seek(0)
            lines.append(file.read().decode())
    return code, lines[0], lines[1]


@cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(_end, server)
    return server


def _end(server: subprocess.Popen[str]) -> None:
    for pipe in (server.stdin, server.stdout):
        if pipe is not None:
            pipe.close()
    server.wait()


def _serve() -> None:
    from importlib import import_module

    for name in MODULES:
        import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if not child:
            _become(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


def _become(asked: Any) -> NoReturn:  # noqa: ANN401 - JSON
    """Be the command line that is asked for."""
    from lasercats.cli.main import main

    code = 70
    try:
        os.chdir(str(asked["folder"]))
        os.environ.clear()
        os.environ.update(asked["environment"])
        for number, path in enumerate(asked["files"], 1):
            os.dup2(os.open(path, os.O_WRONLY), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["lasercats", *asked["arguments"]]
        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
