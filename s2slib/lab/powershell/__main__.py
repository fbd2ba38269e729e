"""`python -m s2slib.lab.powershell --corpus FILE`: hold the evaluator against what a real engine answered."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from s2slib.lab.powershell.corpus import Verdict, read_cases, run_corpus


def main(argv: list[str]) -> int:
    """Run a corpus file; a line per case that was not answered alike, then the sums. 1 when any answer is wrong."""
    parser = argparse.ArgumentParser(prog="python -m s2slib.lab.powershell", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, metavar="FILE", help="JSON lines of recorded cases")
    parser.add_argument("--only", default="", help="run only ids that start with this")
    options = parser.parse_args(argv)
    cases = [c for c in read_cases(options.corpus) if c.id.startswith(options.only)]
    sums: Counter[str] = Counter()
    for verdict in run_corpus(cases):
        sums[verdict.outcome] += 1
        if verdict.outcome != "answered":
            print(_line(verdict))
    print(f"answered {sums['answered']}, refused {sums['refused']}, wrong {sums['wrong']}")
    return 1 if sums["wrong"] else 0


def _line(verdict: Verdict) -> str:
    case = verdict.case
    if verdict.outcome == "left out":
        return f"left out {case.id}: {verdict.why}"
    if verdict.outcome == "refused":
        return f"{case.id}: expected {case.rc} {case.stdout[:60]!r}; refused: {verdict.why}"
    return f"{case.id}: expected {case.rc} {case.stdout[:200]!r}; came {verdict.rc} {verdict.stdout[:200]!r}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
