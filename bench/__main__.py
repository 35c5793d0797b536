"""Entry point of `python -m bench`."""

import sys

from bench.core.interrupts import leave_at_interrupt


def main() -> int:
    """Run one command and return its exit code; signals end it in good order, imports included."""
    leave_at_interrupt()
    from bench.cli.parser import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
