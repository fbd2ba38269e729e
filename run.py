#!/usr/bin/env python3
"""Makes .venv, installs the pinned packages, and hands over: `python run.py demo` (Windows: `py run.py demo`).

Standard library only, from any folder. This file keeps to a syntax that every Python reads, so that one that is too
old can say so; what it does is in bootstrap/.
"""

import os
import sys

OLDEST = (3, 11)
FIRST_UNTRIED = (3, 15)


def refusal(version, executable):
    # type: (tuple[int, ...], str) -> str | None
    """The sentence for a Python that will not do; None for one that will."""
    if OLDEST <= version[:2] < FIRST_UNTRIED:
        return None
    return (
        "run.py needs Python 3.%d to 3.%d, and this is %s (%s): start it with another one, "
        "for example `python3.12 run.py demo`, on Windows `py -3.12 run.py demo`."
        % (OLDEST[1], FIRST_UNTRIED[1] - 1, ".".join(str(part) for part in version), executable)
    )


def main():
    # type: () -> int
    sentence = refusal(sys.version_info[:3], sys.executable)
    if sentence is not None:
        sys.stderr.write(sentence + "\n")
        return 1
    root = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, root)
    from bootstrap.start import start

    return start(root, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
