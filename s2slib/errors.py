"""The root of the errors that a person is told in one sentence."""

from __future__ import annotations

EXIT_DONE, EXIT_ERROR, EXIT_PENDING, EXIT_REFUSED, EXIT_UNCERTAIN, EXIT_USAGE = 0, 1, 2, 3, 4, 64
"""What `s2s` ends with: done; error; changes pending or blockers found; refused; outcome uncertain; bad params."""


class S2SError(Exception):
    """Its text says what was wrong and what to do; `exit_code` is what `s2s` ends with when nothing catches it."""

    exit_code = EXIT_ERROR
