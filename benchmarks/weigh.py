"""`python -m benchmarks.weigh COMMAND…` runs a process and prints its seconds and its peak memory as JSON.

It is a process of its own because Linux counts, in the peak of a child, the memory that the process which
started it had at that moment. This one has next to none.
"""

import json
import resource
import subprocess
import sys
import time


def main(*command: str) -> int:
    """Run it with what it says on standard error, and return its exit code."""
    start = time.perf_counter()
    ran = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "bytes": peak}))
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
