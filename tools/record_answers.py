"""Record what a real PowerShell answers to every kind of request: tests/cases/engine/answers.json.

python tools/record_answers.py          (S2S_PWSH names the PowerShell, else pwsh on the PATH)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Ask, and write the answers."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    from helpers.questions import answers
    from helpers.recorded import readable

    from s2slab.engine.real import RealEngine

    engine = RealEngine()
    try:
        found = answers(engine)
    finally:
        engine.close()
    target = ROOT / "tests" / "cases" / "engine" / "answers.json"
    lines = [f"{json.dumps(what)}: {json.dumps(readable(answer), sort_keys=True)}" for what, answer in found.items()]
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(found)} answers of PowerShell {engine.version} in {target.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
