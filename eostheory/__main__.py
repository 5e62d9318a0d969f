"""``python -m eostheory`` and the ``eostheory`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; imports nothing heavy."""
    from eostheory.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
