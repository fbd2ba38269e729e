"""`python -m s2slab --state FILE`: the lab as a process of its own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from s2slab.errors import LabError
from s2slab.service import ENGINES, serve


def main(arguments: list[str] | None = None) -> int:
    """Run the lab until Ctrl-C; exit code 1 when another lab owns the state file."""
    parser = argparse.ArgumentParser(prog="python -m s2slab", description="Run the embedded lab until Ctrl-C.")
    parser.add_argument("--state", type=Path, required=True, help="where to publish proxy, CA and accounts")
    parser.add_argument("--seed", type=int, default=1, help="what the estate's random choices follow from")
    parser.add_argument("--engine", choices=ENGINES, help="what a powershell.exe is [S2S_LAB_ENGINE, else direct]")
    options = parser.parse_args(arguments)
    try:
        return serve(options.state, seed=options.seed, engine=options.engine)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
