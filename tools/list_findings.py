"""Write docs/findings.md: every judgement that the runbook can make, from where it is declared.

python tools/list_findings.py           (--check: exit code 1 when the page is not as it would be written)
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "findings.md"

HEAD = """# Findings

Made by `tools/list_findings.py` from where the judgements are declared; a test holds it. An id stays the same across
releases. `<phase>` is the phase that judges; words in braces are filled in; an empty cell is said by the facts at hand.
Judgements of certificates and metadata documents have the id of what is judged and of the rule after it:
`certificates.lync.certificate.validity`.

| id | level | says | expected | what to do |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The page as it has to be."""
    sys.path.insert(0, str(ROOT))
    from s2slib.runbook import phases, reach, verify
    from s2slib.runbook.control import acceptance
    from s2slib.runbook.model.finding import KINDS

    declaring = (phases, reach, verify, acceptance)  # importing them declares their kinds
    rows = [
        f"| `{kind.id}` | {kind.level} | {_cell(kind.title)} | {_cell(kind.expected)} | {_cell(kind.remedy)} |"
        for _, kind in sorted(KINDS.items(), key=lambda item: item[0])
    ]
    if not all(declaring) or not rows:
        raise RuntimeError("no judgement is declared")
    return HEAD + "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    """Write the page, or with --check compare it."""
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
