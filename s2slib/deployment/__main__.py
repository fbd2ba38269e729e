"""`python -m s2slib.deployment --document`: prints docs/parameters.md as the schema has it."""

from __future__ import annotations

import argparse
import sys

from s2slib.deployment.document import document


def main() -> int:
    """Prints the documentation as UTF-8 with line feeds, whatever the console's code page. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m s2slib.deployment", description="The params schema.")
    parser.add_argument("--document", action="store_true", required=True, help="print docs/parameters.md")
    parser.parse_args()
    sys.stdout.buffer.write(document().encode("utf-8"))
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
