"""The page on the library: its programs run as they stand, one after the other, and print what it says."""

import re
import subprocess
import sys
from pathlib import Path

from lasercats.operate.begin import init

PAGE = Path(__file__).parent.parent.parent / "docs/howto/python.md"
PROGRAM = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_programs_of_the_page(tmp_path: Path) -> None:
    """Each prints what stands below it; those that stand below the tour find what it left."""
    init(tmp_path)
    text = PAGE.read_text()
    programs = PROGRAM.findall(text)
    assert len(programs) == text.count("```python") == 6
    for program, output in programs:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.stderr, done.returncode) == (output, "", 0)
