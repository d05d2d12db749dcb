"""Ctrl-C, to a real process: what is under way finishes, nothing more is sent, and the log is whole."""

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lasercats.cli.conftest import Cli

MAIN = [sys.executable, "-c", "from lasercats.cli.main import main; main()"]


def start(cli: "Cli", seconds: float) -> "subprocess.Popen[str]":
    """Start a run of two commands and wait until the first is with the machine."""
    mark = cli.folder / "mark"
    slow = f"touch {mark}; sleep {seconds}; echo over > {mark}"
    lines = [
        {"command": "exec", "on": ["exec/a:"], "argv": ["sh", "-c", slow]},
        {"command": "exec", "on": ["exec/a:"], "argv": ["touch", str(cli.folder / "second")]},
        {"command": "file.write", "on": f"a:{cli.folder}/third", "content": "x"},
    ]
    file = cli.file("commands", "".join(json.dumps(line) + "\n" for line in lines))
    process = subprocess.Popen(
        [*MAIN, "issue", file], cwd=cli.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 10
    while not mark.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_ctrl_c_lets_the_first_finish(cli: "Cli") -> None:
    """After one Ctrl-C what is under way finishes, the rest ends as cancelled, the exit code is not 0."""
    process = start(cli, 1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "Traceback" not in err
    assert "cancelled before it was sent" in err
    assert (cli.folder / "mark").read_text() == "over\n"
    assert not (cli.folder / "second").exists()
    assert not (cli.folder / "third").exists()
    assert [h["status"] for h in cli.log()] == ["done", "cancelled", "cancelled"]
    cli.verifies()
    assert cli.done("recover").err == "nothing is open\n"


def test_a_second_ctrl_c_stops_at_once(cli: "Cli") -> None:
    """After two Ctrl-C it stops with 130 and tells of recover, which ends what was left open."""
    process = start(cli, 5)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - begin < 3
    assert err == "lasercats: stopped in the middle; `lasercats recover` finds out what became of it\n"
    assert not (cli.folder / "second").exists()
    cli.verifies()
    cli("recover")
    assert "open" not in {h["status"] for h in cli.log()}
    cli.verifies()


def test_a_broken_pipe_makes_no_traceback(cli: "Cli") -> None:
    """A reader that goes away early, as `head` does, is no error to tell of."""
    process = subprocess.Popen(
        [*MAIN, "schema"], cwd=cli.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.wait()
    process.stderr.close()
