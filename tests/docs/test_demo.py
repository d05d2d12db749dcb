"""The demo, the first thing that a newcomer runs, goes through to its end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lasercats.testing.lab import unavailable

DEMO = Path(__file__).parent.parent.parent / "scripts" / "demo.py"


@pytest.mark.lab
@pytest.mark.slow
@pytest.mark.skipif(unavailable() is not None, reason=f"{unavailable()}")
def test_the_demo_does_what_it_shows() -> None:
    """Every command line of `make demo` ends with the exit code that it is shown for."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    words = [sys.executable, str(DEMO)]
    ran = subprocess.run(words, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    assert "ovs-vsctl" in ran.stdout or "No switch" in ran.stdout
