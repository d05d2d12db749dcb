"""`python -m benchmarks NAME…`: run the benchmarks of these names, such as `hosts` or `switches`, or all."""

import platform
import sys
from importlib import import_module

NAMES = ("hosts", "log", "plan", "history", "aws", "switches", "racks", "scale", "team")


def main(names: list[str]) -> int:
    """Run them and return the exit code: 1 for a name that there is not."""
    strange = [name for name in names if name not in NAMES]
    if strange:
        print(f"there is no benchmark {strange[0]!r}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 1
    from benchmarks.common import cores

    print(f"Python {platform.python_version()}, {platform.machine()}, {cores()} cores\n", flush=True)
    for name in names or NAMES:
        import_module(f"benchmarks.{name}").run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
